"""What nginx refuses by itself: counted and recorded, by reason and partner, once, whatever happens to the log."""
import collections
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
from urllib.parse import urlsplit

from federation import BUILD, Federation, freeze, thaw, wait_for

LINE = re.compile(r"1 \d+\.\d{3} (partner|client-tls|client-loopback) [a-z_]+ (none|good|unknown|expired|early)"
                  r" (-|[0-9a-f]{40}) [0-9a-f.:]+")
END = b"\r\nHost: x\r\nConnection: close\r\n\r\n"
HOSTILE = b'GET /v1/party/"\'\xff\xfe<b>%0a%0d\x1b[2J;--\\ HTTP/1.1' + END
STRANGER = "424242"


class Front(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.guest, cls.host = cls.fed.guest, cls.fed.host
        cls.log = os.path.join(cls.host.home, "logs", "refused.log")
        cls.folder = tempfile.mkdtemp(prefix="sluice-front-")
        cls.mine = [os.path.join(cls.guest.home, "keys", n) for n in ("tls.crt", "tls.key")]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        # What was refused before is counted when these are, one in each of the two logs, which are read in their order.
        for reason, refused in (("plain_http", lambda: self.ask(b"GET /v1/health HTTP/1.1" + END, tls=False)),
                                ("handshake_version", lambda: self.fails(self.old_tls()))):
            kind = ("front", "partner " + reason)
            before = self.counted()[kind]
            refused()
            wait_for(lambda k=kind, n=before: self.counted()[k] > n, what="the records of what came before")

    @staticmethod
    def old_tls():
        """Of a version that no partner may speak."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
        return context

    def fails(self, context):
        """A handshake that comes to nothing."""
        at = urlsplit(self.host.partner_url)
        with socket.create_connection((at.hostname, at.port), timeout=20) as link, self.assertRaises(ssl.SSLError):
            context.wrap_socket(link)

    def ask(self, data, cert=None, url=None, tls=True):
        """Everything that was answered to these bytes."""
        at = urlsplit(url or self.host.partner_url)
        link = socket.create_connection((at.hostname, at.port), timeout=20)
        if tls:
            context = ssl.create_default_context(cafile=os.path.join(self.host.home, "keys", "tls.crt"))
            context.check_hostname = False
            if cert:
                context.load_cert_chain(*cert)
            link = context.wrap_socket(link)
        answer = b""
        with link:
            try:
                link.sendall(data)
                while piece := link.recv(65536):
                    answer += piece
            except OSError:
                pass  # refused before all of it was sent
        return answer

    def counted(self):
        """(actor, subject) -> how many, of records and of what is to become one"""
        found = collections.Counter()
        # At one instant: what becomes a record is in neither or both of two looks.
        for actor, subject, n in self.host.sql(
                "SELECT actor, subject, CAST(SUBSTRING_INDEX(detail, ' ', 1) AS INT) FROM audit"
                " WHERE action = 'front' AND outcome = 'refused' UNION ALL"
                " SELECT IF(party_id = '', 'front', CONCAT('party ', party_id)), CONCAT(listener, ' ', reason), pending"
                " FROM refusal WHERE pending > 0"):
            found[actor, subject] += int(n)
        return found

    def expect(self, before, **wanted):
        """Exactly these more; names are AS_reason with AS front or pPARTY."""
        due = collections.Counter()
        for name, n in wanted.items():
            who, _, reason = name.partition("_")
            due["front" if who == "front" else "party " + who[1:], "partner " + reason] = n
        wait_for(lambda: sum((self.counted() - before).values()) >= sum(due.values()), what="records")
        self.assertEqual(self.counted() - before, due)

    def metric(self, **labels):
        text = self.host.request("metrics", method="GET")[2].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("sluice_front_refusals_total{")
                   and all('%s="%s"' % pair in line for pair in labels.items()))

    def own_site(self):
        """(home, certificate) of a party that nobody knows."""
        home = os.path.join(self.folder, STRANGER)
        if not os.path.exists(home):
            subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", "init", "--home", home, "--party", STRANGER,
                            "--free-ports", "--db-socket", self.host.socket, "--db-name", "none", "--db-user", "none"],
                           check=True, capture_output=True)
        return home, [os.path.join(home, "keys", n) for n in ("tls.crt", "tls.key")]

    def expired(self):
        """A certificate of years ago, which openssl makes only as an authority."""
        def path(name):
            return os.path.join(self.folder, name)

        with open(path("ca.conf"), "w", encoding="ascii") as f:
            f.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nrand_serial=yes\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n"
                    "[p]\ncommonName=supplied\n" % (path("index"), self.folder))
        open(path("index"), "w", encoding="ascii").close()
        for command in (
                ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=424243", "-keyout",
                 path("old.key"), "-out", path("old.csr")],
                ["ca", "-batch", "-selfsign", "-config", path("ca.conf"), "-keyfile", path("old.key"), "-startdate",
                 "20200101000000Z", "-enddate", "20210101000000Z", "-notext", "-in", path("old.csr"), "-out", path("old.crt")]):
            subprocess.run(["openssl", *command], check=True, capture_output=True)
        return [path("old.crt"), path("old.key")]

    # --- tests -------------------------------------------------------------------------

    def test_a_handshake_that_fails_is_counted(self):
        before = self.counted()
        strict = ssl.create_default_context()  # which knows nothing of this site's certificate
        strict.check_hostname = False
        for context in (self.old_tls(), strict):
            self.fails(context)
        self.expect(before, front_handshake_version=1, front_handshake_broken_off=1)
        wait_for(lambda: self.metric(listener="partner", reason="handshake_version") >= 1, what="the metric")

    def test_each_refusal_is_recorded_with_its_reason_and_its_partner(self):
        before, seen = self.counted(), self.metric(party="9999", reason="malformed")
        self.assertIn(b"client certificate is not one", self.ask(b"GET /v1/health HTTP/1.1" + END))
        self.assertIn(b" 400 ", self.ask(HOSTILE, self.mine))
        self.ask(b'\x00\n"GET', self.mine)
        self.ask(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", self.mine)
        self.ask(b"GET /nowhere HTTP/1.1" + END, self.mine)
        self.ask(b"GET /" + b"a" * 70000 + b" HTTP/1.1" + END, self.mine)
        self.ask(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 70000 + b"\r\n\r\n", self.mine)
        self.assertIn(b" 413 ", self.ask(b"POST /v1/party/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", self.mine))
        self.assertIn(b"speaks HTTPS", self.ask(b"GET /v1/health HTTP/1.1" + END, tls=False))
        # What the program answers is the program's to record.
        self.assertIn(b" 200 ", self.ask(b"GET /v1/party/none HTTP/1.1" + END, self.mine))
        self.expect(before, front_certificate_missing=1, front_plain_http=1, p9999_no_such_path=1, p9999_uri_too_long=1,
                    p9999_headers_too_large=1, p9999_body_too_large=1, p9999_malformed=3)
        # Numbers are written every few seconds.
        wait_for(lambda: self.metric(party="9999", reason="malformed") > seen, what="the metric")
        with open(self.log, "rb") as f:
            for line in f.read().strip(b"\0").decode("ascii").splitlines():
                self.assertIsNotNone(LINE.fullmatch(line), line)

    def test_a_certificate_that_was_withdrawn_still_says_whose_it_is(self):
        home, cert = self.own_site()
        before = self.counted()
        self.ask(b"GET /nowhere HTTP/1.1" + END, cert)
        self.expect(before, front_certificate_unknown=1)
        file = os.path.join(self.folder, "partner")
        with open(file, "w", encoding="utf-8") as f:
            f.write(subprocess.run([os.path.join(BUILD, "bin", "sluice"), "partner", "export", "--config",
                                    os.path.join(home, "site.conf")], check=True, capture_output=True, text=True).stdout)
        done = self.host.cli("partner", "import", file, "--replace", check=False)
        self.addCleanup(self.host.cli, "partner", "remove", STRANGER)
        self.assertEqual(done.returncode, 0, done.stderr)
        before = self.counted()
        self.assertIn(b" 404 ", self.ask(b"GET /nowhere HTTP/1.1" + END, cert))
        self.expect(before, p424242_no_such_path=1)
        self.host.cli("partner", "disable", STRANGER)
        before = self.counted()
        self.assertIn(b" 400 ", self.ask(b"GET /nowhere HTTP/1.1" + END, cert))
        self.expect(before, p424242_certificate_withdrawn=1)

    def test_an_expired_certificate_is_recorded_as_such(self):
        cert = self.expired()
        path = os.path.join(self.host.home, "keys", "partners.pem")
        with open(path, encoding="ascii") as f:
            old = f.read()
        with open(cert[0], encoding="ascii") as f:
            text = f.read()
        nginx = self.host.pid("nginx")
        try:
            with open(path, "a", encoding="ascii") as f:
                f.write(text)
            os.kill(nginx, signal.SIGHUP)
            before, asked = self.counted(), 0

            def refused():
                nonlocal asked
                self.ask(b"GET /v1/health HTTP/1.1" + END, cert)
                asked += 1
                return ("front", "partner certificate_expired") in self.counted() - before
            wait_for(refused, what="the record")
            wait_for(lambda: sum((self.counted() - before).values()) >= asked, what="all records")
        finally:
            with open(path, "w", encoding="ascii") as f:
                f.write(old)
            os.kill(nginx, signal.SIGHUP)

    def test_a_flood_is_counted_to_the_last_one_through_rotation_and_a_supervisors_death(self):
        # The flood comes under the name of a site whose own questions would be refused as too many as well.
        self.addCleanup(thaw, freeze([self.guest]))
        begun = time.monotonic()
        before, records = self.counted(), self.records()
        asks = b"GET /v1/party/none HTTP/1.1\r\nHost: x\r\n\r\n"
        nowhere = b"GET /nowhere-at-all HTTP/1.1\r\nHost: x\r\n\r\n"
        refused, lost = 0, 0
        for step in ("count", "rotate", "kill", "rotate while dead", "start", "count"):
            if step.startswith("rotate"):
                os.rename(self.log, "%s.2026010%dT000000" % (self.log, 1 + (step != "rotate")))
                os.kill(self.host.pid("nginx"), signal.SIGUSR1)
            if step == "kill":
                os.kill(self.host.pid("supervisor"), signal.SIGKILL)
            if step == "start":
                self.host.start()
            # How many are too many is a matter of how fast this machine is.
            refused += self.ask(asks * 1500 + b"GET /v1/party/none HTTP/1.1" + END, self.mine).count(b"HTTP/1.1 429 ")
            lost += self.ask(nowhere * 500 + b"GET /nowhere-at-all HTTP/1.1" + END, self.mine).count(b"HTTP/1.1 404 ")
        self.assertEqual(lost, 6 * 501)
        self.expect(before, p9999_no_such_path=lost, **({"p9999_too_many": refused} if refused else {}))
        # One for each reason, partner and minute.
        self.assertLessEqual(self.records() - records, 1 + (time.monotonic() - begun) / 60)
        with open(os.path.join(self.host.home, "logs", "nginx-access.log"), "rb") as f:
            self.assertEqual([x for x in f if (b" 429 in=" in x and b" app=- " in x) or b"/nowhere-at-all" in x], [])
        with open(os.path.join(self.host.home, "logs", "partner-in.log"), "rb") as f:
            self.assertNotIn(b"/nowhere-at-all", f.read())
        with open(os.path.join(self.host.home, "logs", "nginx-error.log"), "rb") as f:
            self.assertNotIn(b"limiting requests", f.read())

    def test_one_partner_alone_cannot_fill_the_memory_of_signed_requests(self):
        with open(os.path.join(self.host.home, "nginx.conf"), encoding="utf-8") as f:
            text = f.read()
        zones = dict(re.findall(r"limit_req_zone \$ssl_client_s_dn zone=(\w+):\w+ rate=(\d+)r/s;", text))
        bursts = dict(re.findall(r"limit_req zone=(\w+) burst=(\d+) nodelay;", text))
        self.assertEqual(set(zones), {"partner_message", "partner_command"})
        room = int(self.host.sql("SELECT @@global.max_heap_table_size")[0][0]) >> 6  # bytes of a row with its index
        self.assertLess(sum(95 * int(rate) + int(bursts[zone]) for zone, rate in zones.items()), room)
        # Whatever reaches the program is limited.
        partner = text[text.index("# --- other sites"):]
        for location in re.findall(r"location [^{]*\{[^}]*\}", partner):
            if "fastcgi_pass" in location:
                self.assertIn("limit_req zone=partner_", location)

    def records(self):
        return int(self.host.sql("SELECT COUNT(*) FROM audit WHERE action = 'front' AND subject = 'partner no_such_path' AND actor = 'party 9999'")[0][0])

    def test_the_doctor_knows_the_log(self):
        said = [line for line in self.host.cli("doctor", check=False).stdout.splitlines() if "refused requests" in line]
        self.assertEqual(len(said), 1)
        self.assertTrue(said[0].startswith("ok"), said)


if __name__ == "__main__":
    unittest.main()

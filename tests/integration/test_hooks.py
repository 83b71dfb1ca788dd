"""Services that decide, too: real HTTP servers that allow, refuse, are slow, talk rubbish or are not there."""
import base64
import concurrent.futures
import hashlib
import hmac
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import time
import unittest
import uuid

from federation import BUILD, DATA, Federation, example, lr_conf, wait_for
from partner import Request

SECRET = "a secret that both of us know"


class Service:
    """Answers as told, and remembers what it was asked."""

    def __init__(self, tls=None):
        self.asked, self.connections, self.how = [], set(), "allow"
        self.answer = {"code": 0, "message": "welcome"}
        self.hold = threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.asked.append((self.path, dict(self.headers), body))
                service.connections.add(self.client_address)
                text, status = json.dumps(service.answer).encode(), 200
                if service.how == "slow":
                    service.hold.wait(20)
                elif service.how == "garbage":
                    text = b'{"code": 0'
                elif service.how == "words":
                    text = b'{"code": "0"}'
                elif service.how == "huge":
                    text = b'{"code": 0, "message": "' + b"x" * 100000 + b'"}'
                elif service.how == "error":
                    status = 500
                elif service.how == "elsewhere":
                    status = 302
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/allow")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                try:
                    self.wfile.write(text)
                except OSError:
                    pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # a site that does not wait any longer
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(tls, "keys", "tls.crt"), os.path.join(tls, "keys", "tls.key"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d/decide" % ("https" if tls else "http", self.server.server_port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.hold.set()
        self.server.shutdown()
        self.server.server_close()

    def questions(self):
        return [json.loads(body) for _, _, body in self.asked]


class Hooks(unittest.TestCase):
    def setUp(self):
        self.fed = Federation()
        self.site = self.fed.arbiter
        self.services, self.changed = [], []

    def tearDown(self):
        for service in self.services:
            service.close()
        for site, text in self.changed:
            self.restart(site, text)

    def service(self, **kw):
        self.services.append(Service(**kw))
        return self.services[-1]

    @staticmethod
    def restart(site, text):
        with open(os.path.join(site.home, "site.conf"), "w", encoding="utf-8") as f:
            f.write(text)
        os.kill(site.pid("fcgi-app"), 15)
        wait_for(lambda: not os.path.exists(os.path.join(site.home, "run", "fcgi-app.pid")), what="fcgi-app ends")
        site.start()

    def configure(self, site, **settings):
        with open(os.path.join(site.home, "site.conf"), encoding="utf-8") as f:
            text = f.read()
        if site not in [s for s, _ in self.changed]:
            self.changed.append((site, text))
        for key, value in settings.items():
            head, _, tail = text.partition("[hooks]")
            text = head + "[hooks]" + re.sub(r"(?m)^%s =.*$" % key, "%s = %s" % (key, value), tail, count=1)
        self.restart(site, text)

    def user(self, role="viewer"):
        return self.site.signed(self.site.make_key("h" + uuid.uuid4().hex[:8], role))

    def audit(self, action):
        return self.site.sql("SELECT actor, outcome, detail FROM audit WHERE action = '%s' ORDER BY id" % action)

    # --- users --------------------------------------------------------------------

    def test_a_service_refuses_users_that_this_site_knows_and_cannot_admit_others(self):
        s = self.service()
        secret = os.path.join(self.site.home, "keys", "hook.secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(SECRET + "\n")
        self.configure(self.site, client_auth_url=s.url, secret_file=secret, remember_s=0)
        user = self.user()
        user.ok("job/query", {"job_id": "1"})
        path, head, body = s.asked[-1]
        question = json.loads(body)
        self.assertEqual((path, question["hook"], question["site"]), ("/decide", "client_authentication", self.site.party))
        self.assertEqual((question["name"], question["role"], question["method"], question["path"]),
                         ("client " + user.key["name"], "viewer", "POST", "/v1/job/query"))
        self.assertNotIn(user.key["secret_key"], body.decode())
        mac = hmac.new(SECRET.encode(), head["X-Sluice-Timestamp"].encode() + b"\n" + body, hashlib.sha256).hexdigest()
        self.assertEqual(head["X-Sluice-Signature"], mac)
        self.assertLess(abs(int(head["X-Sluice-Timestamp"]) - time.time()), 30)
        # What the site refuses is refused, and the service not even asked.
        n = len(s.asked)
        reply = self.site.signed(dict(user.key, secret_key="wrong")).api("job/query", {"job_id": "1"})
        self.assertEqual(reply["retcode"], 109)
        self.assertEqual(user.api("permission/grant", {"party_id": 1, "component": "*"})["retcode"], 108)
        self.assertEqual(len(s.asked), n)
        s.answer = {"code": 7, "message": "on holiday"}
        reply = user.api("job/query", {"job_id": "1"})
        self.assertEqual(reply["retcode"], 109)
        self.assertIn("refuses: on holiday", reply["retmsg"])
        rows = self.audit("hook client_authentication")
        self.assertTrue(any(r[0] == "client " + user.key["name"] and r[1] == "ok" and "welcome" in r[2] for r in rows), rows)
        self.assertTrue(any("on holiday" in r[2] for r in self.audit("request")))
        # Workers keep their connections.
        s.answer = {"code": 0}
        before = len(s.connections)
        for _ in range(40):
            user.ok("job/query", {"job_id": "1"})
        self.assertLessEqual(len(s.connections), max(before, 4))

    def test_without_an_answer_nothing_is_allowed(self):
        s = self.service()
        self.configure(self.site, client_auth_url=s.url, remember_s=0, timeout_ms=3000)
        user = self.user()

        def closed(why):
            status, head, body = user.request("job/query", {"job_id": "1"})
            self.assertEqual((status, json.loads(body)["retcode"]), (503, 503), body)
            self.assertGreater(int(head["Retry-After"]), 0)
            self.assertIn(why, json.loads(body)["retmsg"])

        for how in ("garbage", "words", "huge", "error", "elsewhere", "slow"):
            s.how = how
            n = len(s.asked)
            closed("gives no answer")
            self.assertEqual(len(s.asked), n + 1, how)  # and no redirection was followed
            s.how = "allow"
            user.ok("job/query", {"job_id": "1"})  # one answer, and the count begins anew
        rows = [r for r in self.audit("hook client_authentication") if r[1] == "refused"]
        self.assertGreaterEqual(len(rows), 6, rows)

    def test_a_service_that_hangs_is_left_alone_and_others_are_answered(self):
        s = self.service()
        self.configure(self.site, client_auth_url=s.url, remember_s=0, timeout_ms=500)
        user = self.user()
        s.how = "slow"

        def ask(_):
            begin = time.monotonic()
            status = user.request("job/query", {"job_id": "1"})[0]
            return status, time.monotonic() - begin

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            pending = [pool.submit(ask, i) for i in range(24)]
            # Whoever needs no decision is answered while workers wait.
            begin = time.monotonic()
            self.site.ok("health", None, method="GET")
            self.assertLess(time.monotonic() - begin, 2)
            answers = [p.result() for p in pending]
        self.assertEqual({a[0] for a in answers}, {503})
        asked = len(s.asked)
        self.assertLess(asked, 12)  # 24 waits of half a second would have been so many
        self.assertEqual(ask(0)[0], 503)
        self.assertEqual(len(s.asked), asked)  # so nobody waited for it
        s.how = "allow"
        wait_for(lambda: ask(0)[0] == 200, what="the service is tried again")

    def test_a_service_that_is_down_closes(self):
        self.configure(self.site, client_auth_url="http://127.0.0.1:9/x")
        status, _, body = self.user().request("job/query", {"job_id": "1"})
        self.assertEqual(status, 503, body)

    def test_what_was_allowed_needs_no_second_question_for_a_moment(self):
        s = self.service()
        self.configure(self.site, client_auth_url=s.url, remember_s=300)
        user = self.user()
        for _ in range(40):
            user.ok("job/query", {"job_id": "1"})
        self.assertLessEqual(len(s.asked), 4)  # once for each worker
        s.answer = {"code": 1}
        self.assertEqual(user.api("job/list/job", {})["retcode"], 109)
        other = self.user()
        self.assertEqual(other.api("job/query", {"job_id": "1"})["retcode"], 109)

    def test_a_service_alone_says_who_somebody_is_when_it_is_told_to(self):
        s = self.service()
        self.configure(self.site, client_auth_url=s.url, client_auth_url_decides_alone="yes")
        s.answer = {"code": 0, "data": {"name": "ann", "role": "viewer"}}
        bearer = {"Authorization": "Bearer of-ann"}
        plain = self.site.signed(None)
        self.assertEqual(plain.api("session", None, method="GET", headers=bearer)["data"]["name"], "client ann")
        self.assertEqual(s.questions()[-1]["headers"]["AUTHORIZATION"], "Bearer of-ann")
        self.assertEqual(plain.api("job/stop", {"job_id": "1"}, headers=bearer)["retcode"], 108)
        for answer in ({"code": 0}, {"code": 0, "data": {"name": "ann", "role": "root"}},
                       {"code": 0, "data": {"name": "", "role": "viewer"}}, {"code": 3, "data": s.answer["data"]}):
            s.answer = answer
            reply = plain.api("job/query", {"job_id": "2"}, headers={"Authorization": json.dumps(answer)})
            self.assertEqual(reply["retcode"], 109, reply)
        # A copy of a signed request has the same headers: the service hears of both.
        s.answer = {"code": 0, "data": {"name": "ann", "role": "viewer"}}
        signed = {"APP_KEY": "a", "TIMESTAMP": "1", "NONCE": "n", "SIGNATURE": "s"}
        before = len(s.asked)
        for _ in range(12):
            self.assertEqual(plain.api("session", None, method="GET", headers=signed)["retcode"], 0)
        self.assertEqual(len(s.asked), before + 12)
        s.answer = {"code": 3}
        # A key that this site knows is worth nothing now.
        self.assertEqual(self.user("admin").api("job/query", {"job_id": "1"})["retcode"], 109)
        with open(os.path.join(self.site.home, "logs", "fcgi-app.log"), encoding="utf-8") as f:
            self.assertIn("COUNT FOR NOTHING", f.read())

    # --- partners -------------------------------------------------------------------

    def as_guest(self, path, body=None):
        guest = self.fed.guest
        with open(os.path.join(guest.home, "keys", "sign.key"), encoding="ascii") as f:
            seed = base64.b64decode(f.read().split()[1])
        return Request(seed, guest.party, self.site.party, path, json.dumps(body or {}).encode()).send(
            self.site, guest.home)

    def test_a_service_refuses_a_partner_whose_signature_is_right(self):
        s = self.service(tls=self.fed.guest.home)
        ca = os.path.join(self.fed.guest.home, "keys", "tls.crt")
        self.configure(self.site, site_auth_url=s.url, ca_file=ca, remember_s=0)
        path = "/v1/party/20250101000000/arbiter/%s/start" % self.site.party
        status, reply = self.as_guest(path)
        self.assertNotEqual(reply["retcode"], 109, reply)
        # The partner's own programs talk to this site as well.
        question = next(q for q in s.questions() if q["path"] == path)
        self.assertEqual((question["hook"], question["src_party_id"]), ("site_authentication", self.fed.guest.party))
        self.assertIn("CN=", question["certificate"])
        s.answer = {"code": 1, "message": "contract ended"}
        status, reply = self.as_guest(path)
        self.assertEqual(reply["retcode"], 109)
        self.assertIn("contract ended", reply["retmsg"])
        s.how = "error"
        self.assertEqual(self.as_guest(path)[0], 503)
        # Users of this site are none of its business.
        self.site.ok("job/query", {"job_id": "1"})

    def test_a_service_with_another_certificate_is_not_asked(self):
        s = self.service(tls=self.fed.guest.home)
        ca = os.path.join(self.fed.host.home, "keys", "tls.crt")
        self.configure(self.site, client_auth_url=s.url, ca_file=ca)
        self.assertEqual(self.user().request("job/query", {"job_id": "1"})[0], 503)
        self.assertEqual(s.asked, [])

    def test_a_service_decides_about_what_the_rules_allow_a_job(self):
        fed, s = self.fed, self.service()
        fed.guest.upload(os.path.join(DATA, "breast_guest.csv"), "breast_guest")
        fed.host.upload(os.path.join(DATA, "breast_host.csv"), "breast_host")
        self.configure(fed.host, permission_url=s.url)
        job = fed.submit(lr_conf(max_iter=1))
        self.assertEqual(fed.guest.wait(job)["f_status"], "success")
        question = next(q for q in s.questions() if q["command"] == "create")
        self.assertEqual((question["src_party_id"], question["src_role"], question["role"], question["party_id"]),
                         (fed.guest.party, "guest", "host", fed.host.party))
        self.assertIn("heterolr", question["component_list"])
        self.assertEqual(question["dataset_list"], [{"namespace": "test", "name": "breast_host"}])
        s.answer = {"code": 1, "message": "not that algorithm"}
        job = fed.submit(lr_conf(max_iter=1))
        row = fed.guest.wait(job)
        self.assertEqual(row["f_status"], "failed")
        self.assertTrue(any("not that algorithm" in " ".join(e) for e in fed.guest.events(job)), fed.guest.events(job))
        self.assertEqual(fed.host.sql("SELECT COUNT(*) FROM job WHERE job_id = '%s'" % job), [["0"]])
        # A service that is silent for a while only delays.
        s.how = "error"
        n = len(s.asked)
        job = fed.submit(lr_conf(max_iter=1))
        wait_for(lambda: len(s.asked) > n, what="the service is asked")
        s.answer, s.how = {"code": 0}, "allow"
        self.assertEqual(fed.guest.wait(job)["f_status"], "success")
        # What the rules refuse is not asked about.
        n = len(s.asked)
        fed.host.cli("revoke", fed.guest.party, "--components", "*")
        try:
            self.assertEqual(fed.guest.wait(fed.submit(lr_conf(max_iter=1)))["f_status"], "failed")
            self.assertEqual(len(s.asked), n)
        finally:
            fed.host.cli("grant", fed.guest.party, "--components", "*")

    def test_explain_asks_the_service_where_the_rules_allow_all_of_it(self):
        fed, s = self.fed, self.service()
        self.configure(fed.host, permission_url=s.url)
        body = {"job_dsl": example("dsl.json"), "job_runtime_conf": lr_conf(max_iter=1)}

        def explained(site):
            """The host's decisions that are the service's: (allowed, by whom), and what comes of all."""
            data = site.ok("permission/explain", body)["data"]
            host = next(m for m in data["members"] if m["role"] == "host")
            return ([(d["allowed"], d["why"]) for d in host["decisions"] if d["kind"] == "service"],
                    host["allowed"], data["allowed"])

        for site in (fed.guest, fed.host):
            s.answer, s.how, n = {"code": 0, "message": "welcome"}, "allow", len(s.asked)
            self.assertEqual(explained(site), ([(True, "the service for permission allows it: welcome")], True, True))
            question = s.questions()[n]
            self.assertEqual((question["explain"], question["command"], question["src_party_id"], question["role"]),
                             (True, "create", fed.guest.party, "host"))
            self.assertEqual(question["dataset_list"], [{"namespace": "test", "name": "breast_host"}])
            s.answer = {"code": 1, "message": "not that algorithm"}
            (service,), host, whole = explained(site)
            self.assertEqual((service[0], host, whole), (False, False, False))
            self.assertIn("not that algorithm", service[1])
            s.how = "error"
            (service,), host, whole = explained(site)
            self.assertEqual((service[0], host, whole), (False, False, False))
            self.assertIn("gives no answer", service[1])
        # What the rules refuse the service is not asked about.
        n = len(s.asked)
        fed.host.cli("revoke", fed.guest.party, "--components", "*")
        self.addCleanup(fed.host.cli, "grant", fed.guest.party, "--components", "*")
        self.assertEqual(explained(fed.guest), ([], False, False))
        self.assertEqual(len(s.asked), n)

    def test_settings_that_leave_a_door_open_are_refused(self):
        conf = os.path.join(self.site.home, "hooks-try.conf")
        with open(os.path.join(self.site.home, "site.conf"), encoding="utf-8") as f:
            text = f.read()
        for key, value in (("client_auth_url", "http://decide.example/x"), ("client_auth_url", "http://127.0.0.1.example/x"),
                           ("site_auth_url", "ftp://127.0.0.1/x"), ("permission_url", "https://me:pw@127.0.0.1/x"),
                           ("client_auth_url_decides_alone", "yes"), ("timeout_ms", "0"), ("cert_file", "x.pem")):
            head, _, tail = text.partition("[hooks]")
            with open(conf, "w", encoding="utf-8") as f:
                f.write(head + "[hooks]" + re.sub(r"(?m)^%s =.*$" % key, "%s = %s" % (key, value), tail, count=1))
            done = subprocess.run([os.path.join(BUILD, "bin", "sluice"), "key", "list", "--config", conf],
                                  check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, (key, value))
            self.assertIn("[hooks]", done.stderr)
        os.unlink(conf)


if __name__ == "__main__":
    unittest.main()

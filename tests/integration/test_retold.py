"""Between two sites somebody loses answers, or a site says "later": everything is said again, and nothing is done twice."""
import http.client
import http.server
import json
import os
import ssl
import tempfile
import threading
import unittest
import urllib.parse

from federation import DATA, Federation, wait_for
from sites import TWO, chain, conf
from test_contract import short_job
from test_ledger import log_of

HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


class Between:
    """Stands where the host is for the guest, with the keys of both; `first` is what becomes of the first request
    of each target: "lost" (carried out, the answer does not arrive) or "later" (429).  From an answer with `last` in
    it on nothing arrives any more, until `silent` is false again."""

    def __init__(self, guest, host, first):
        self.seen, self.lock = {}, threading.Lock()
        self.silent, self.last = False, None
        between, there = self, urllib.parse.urlsplit(host.partner_url)
        trust = ssl.create_default_context(cafile=os.path.join(host.home, "keys", "tls.crt"))
        trust.check_hostname = False
        trust.load_cert_chain(os.path.join(guest.home, "keys", "tls.crt"), os.path.join(guest.home, "keys", "tls.key"))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with between.lock:
                    count = between.seen[self.path] = between.seen.get(self.path, 0) + 1
                if between.silent:
                    self.close_connection = True
                    return
                if count == 1 and first == "later":
                    self.answer(429, {"Retry-After": "1", "Content-Type": "application/json"},
                                b'{"retcode":429,"retmsg":"too many requests, try again later"}')
                    return
                link = http.client.HTTPSConnection(there.hostname, there.port, context=trust, timeout=30)
                try:
                    link.request(self.command, self.path, body,
                                 {k: v for k, v in self.headers.items() if k.lower() not in HOP + ("host",)})
                    reply = link.getresponse()
                    text = reply.read()
                finally:
                    link.close()
                if between.last is not None and between.last in text:
                    between.silent, between.last = True, None
                if between.silent or count == 1 and first == "lost":
                    self.close_connection = True
                    return
                self.answer(reply.status, dict(reply.getheaders()), text)

            do_PUT = do_POST

            def answer(self, status, headers, text):
                self.send_response(status)
                for k, v in headers.items():
                    if k.lower() not in HOP:
                        self.send_header(k, v)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(os.path.join(host.home, "keys", "tls.crt"), os.path.join(host.home, "keys", "tls.key"))
        self.server.socket = own.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = "https://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Retold(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, file in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload(os.path.join(DATA, file + ".csv"), file, namespace="contract")
            assert reply.get("status") == "success", reply

    def address(self, *url):
        """Where the guest finds the host, from its next command on."""
        guest = self.fed.guest
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            f.write(self.fed.host.cli("partner", "export").stdout)
            f.flush()
            guest.cli("partner", "import", f.name, *url)
        guest.stop()
        guest.start()

    def between(self, first):
        between = Between(self.fed.guest, self.fed.host, first)
        self.addCleanup(between.close)
        self.address("--url", between.url)
        self.addCleanup(self.address)
        return between

    def run_job(self, first):
        fed = self.fed
        between = self.between(first)
        dsl, documents = short_job("contract")
        job = fed.submit(documents, dsl)
        for site, role in ((fed.guest, "guest"), (fed.host, "host")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "success", site.events(job))
        self.once(job)
        return job, {path: n for path, n in between.seen.items() if job in path}

    def said_twice(self, job, seen):
        """Commands about the job and its objects; whether a task was started is asked after instead."""
        for command in ("/v1/party/%s/host/10000/create", "/v1/party/%s/host/10000/resource/apply",
                        "/v1/party/%s/host/10000/start", "/v1/mailbox/small/%s/"):
            said = [n for path, n in seen.items() if path.startswith(command % job)]
            self.assertTrue(said and min(said) >= 2, (command, seen))

    def once(self, job):
        """However often it was said."""
        host = self.fed.host
        for what in ("SELECT COUNT(*) - COUNT(DISTINCT component) FROM attempt WHERE job_id = '%s'",
                     "SELECT COUNT(*) - 1 FROM resource_grant WHERE job_id = '%s'",
                     "SELECT COUNT(*) - 1 FROM event WHERE job_id = '%s' AND kind = 'job' AND to_state = 'running'",
                     "SELECT COUNT(*) - 1 FROM audit WHERE subject = '%s' AND action = 'job create'",
                     "SELECT COUNT(*) - 1 FROM audit WHERE subject = '%s' AND action = 'job end'",
                     "SELECT SUM(version) FROM task WHERE job_id = '%s'"):
            self.assertEqual(host.sql(what % job), [["0"]], what)
        self.assertEqual(host.sql("SELECT COUNT(*) FROM permission_use WHERE job_id = '%s'" % job), [["0"]])

    def compared(self, job):
        def look():
            done = self.fed.guest.cli("egress", "compare", log_of(self.fed.host), "--to", "10000", "--job", job, "--json",
                                      check=False)
            return json.loads(done.stdout)
        wait_for(lambda: not look()["differences"], what="ledger and log: %s" % look()["differences"][:3])
        return look()

    def test_commands_and_objects_whose_answers_are_lost(self):
        job, seen = self.run_job("lost")
        self.said_twice(job, seen)
        def created():
            with open(log_of(self.fed.host), encoding="utf-8") as f:
                return [json.loads(x)["status"] for x in f if "/%s/host/10000/create" % job in x and x.endswith("\n")]
        # nginx writes its log once a second.
        wait_for(lambda: len(created()) >= 2, what="both of them in the log")
        self.assertEqual(created()[:2], [200, 200])
        self.assertGreater(self.compared(job)["objects"], 0)

    def test_commands_and_objects_that_are_told_to_come_later(self):
        job, seen = self.run_job("later")
        self.said_twice(job, seen)
        self.assertGreater(self.compared(job)["objects"], 0)

    def test_a_partner_that_began_and_is_not_heard_does_not_cost_the_job_its_place(self):
        """Its job waited, so it is the last that is asked, and begins with that; then nothing is heard of it."""
        guest, host = self.fed.guest, self.fed.host
        cores = int(host.sql("SELECT cores FROM resource")[0][0])
        between = self.between(None)
        blocker = conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "guest"}})
        blocker["job_parameters"]["common"]["task_cores"] = cores
        first = self.fed.submit(blocker, {"components": {"fail_0": {"module": "TestFail"}}})
        guest.wait(first, until=("running",))
        job = self.fed.submit(conf(["empty_0"], TWO), chain(1))
        wait_for(lambda: guest.sql("SELECT 1 FROM job WHERE job_id = '%s' AND wait_code = 'waiting_resources'" % job),
                 what="a job that waits")
        between.last = b'"started":true'
        guest.ok("job/stop", {"job_id": first})
        wait_for(lambda: between.silent, what="the answer that is lost")
        wait_for(lambda: guest.sql("SELECT 1 FROM job WHERE job_id = '%s' AND wait_code = 'partner_unreachable'" % job),
                 what="a partner that is away")
        self.assertEqual(host.sql("SELECT status FROM job WHERE job_id = '%s'" % job), [["running"]])
        self.assertEqual(guest.sql("SELECT status FROM job WHERE job_id = '%s'" % job), [["waiting"]])
        # Until it says so nobody else gets what the job holds here, and it does not run out.
        held = ("SELECT COUNT(*) FROM resource_grant WHERE job_id = '%s' AND returned_at IS NULL"
                " AND expires_at IS NULL" % job)
        wait_for(lambda: guest.sql(held) == [["1"]], what="what is held")
        between.silent = False
        for site, role in ((guest, "guest"), (host, "host")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "success", site.events(job))
        self.once(job)
        guest.wait(first)


if __name__ == "__main__":
    unittest.main()

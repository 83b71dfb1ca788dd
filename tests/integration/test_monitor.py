"""Those who watch over a site: probes, metrics, what is refused when it cannot take work."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest
import uuid

from federation import TOP, Federation, settings, stand_still, thaw, wait_for
from sites import TWO, conf

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+-]+|NaN|\+Inf)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse(text):
    """{(name, ((label, value), …)): number} of an exposition; raises on what the format does not allow."""
    types, samples, done, current = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            continue
        if line.startswith("# TYPE "):
            _, _, current, kind = line.split(" ")
            assert kind in ("counter", "gauge", "histogram") and current not in done, line
            types[current] = kind
            done.add(current)
            continue
        m = SAMPLE.fullmatch(line)
        assert m, line
        name, labels = m.group(1), LABEL.findall(m.group(2) or "")
        assert sum(len('%s="%s",' % pair) for pair in labels) - bool(labels) == len(m.group(2) or ""), line
        base = re.sub("_(bucket|sum|count)$", "", name) if types.get(name) is None else name
        assert base == current, line  # a family's samples stand together
        key = (name, tuple(sorted(labels)))
        assert key not in samples, line
        samples[key] = float(m.group(3))
    return samples, types


class Monitor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()

    def change(self, site, section, **values):
        old = settings(site, section, **values)
        self.reload(site)

        def back():
            settings(site, section, **old)
            self.reload(site)
        self.addCleanup(back)

    def reload(self, site):
        """All workers have the new file when the newest is not one of the old."""
        parent = site.pid("fcgi-app")

        def children():
            with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as f:
                return set(f.read().split())
        old = children()
        os.kill(parent, signal.SIGHUP)
        wait_for(lambda: len(children()) == len(old) and not children() & old, what="workers with the new file")
        os.kill(site.pid("supervisor"), signal.SIGHUP)

    def test_alarms_are_about_numbers_that_there_are(self):
        with open(os.path.join(TOP, "conf", "prometheus", "sluice.rules.yml"), encoding="utf-8") as f:
            wanted = set(re.findall(r"\bsluice_[a-z_]+", " ".join(re.findall("expr: (.*)", f.read()))))
        with open(os.path.join(TOP, "lib", "base", "metrics.h"), encoding="utf-8") as f:
            kinds = dict(("sluice_" + n, k) for n, k in re.findall(r"X\((\w+), (GAUGE|COUNTER|HISTOGRAM),", f.read()))
        self.assertGreater(len(wanted), 8)
        self.assertEqual(wanted - set(kinds), set())
        # Counters are left out as long as nothing was counted in them; gauges until a detector has looked.
        gauges = {n for n in wanted if kinds[n] == "GAUGE"}
        wait_for(lambda: gauges <= {name for name, _ in parse(self.scrape(self.fed.guest))[0]}, what="the gauges")

    def scrape(self, site, **kw):
        status, head, body = site.request("metrics", method="GET", **kw)
        self.assertEqual(status, 200, body)
        self.assertTrue(head["Content-Type"].startswith("text/plain; version=0.0.4"), head["Content-Type"])
        return body.decode()

    def test_a_healthy_site_is_ready(self):
        status, _, body = self.fed.guest.request("health", method="GET")
        self.assertEqual(status, 200, body)
        wait_for(lambda: self.fed.guest.request("ready", method="GET")[0] == 200, what="readiness")
        checks = json.loads(self.fed.guest.request("ready/checks", method="GET")[2])["data"]
        self.assertEqual({k: v["ok"] for k, v in checks.items()},
                         dict.fromkeys(("database", "schema", "supervisor", "disk", "keys", "providers"), True))

    def test_metrics_have_the_right_form_and_say_what_happened(self):
        guest = self.fed.guest
        before, _ = parse(self.scrape(guest))
        guest.ok("job/list/job", {})
        text = self.scrape(guest)
        after, types = parse(text)
        self.assertEqual(types["sluice_http_requests_total"], "counter")
        self.assertEqual(types["sluice_partner_command_seconds" if "sluice_partner_command_seconds" in types
                               else "sluice_http_request_seconds"], "histogram")
        key = ("sluice_http_requests_total", (("code", "200"), ("method", "POST"), ("route", "/v1/job/list/job")))
        self.assertEqual(after[key], before.get(key, 0) + 1)
        self.assertEqual(after[("sluice_ready", (("check", "database"),))], 1)
        cores = {dict(k[1])["kind"]: v for k, v in after.items() if k[0] == "sluice_resource_cores"}
        self.assertEqual(cores["granted"] + cores["free"], cores["total"])
        for name in ("sluice_ledger_broken", "sluice_audit_records", "sluice_mailbox_bytes", "sluice_reports_due",
                     "sluice_heartbeat_age_seconds", "sluice_disk_free_bytes"):
            wait_for(lambda n=name: any(k[0] == n for k in parse(self.scrape(guest))[0]), seconds=60, what=name)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_only_admins_and_who_has_the_scrape_key_may_look(self):
        site = self.fed.arbiter
        key_file = os.path.join(site.home, "keys", "scrape.key")
        with open(key_file, "w", encoding="ascii") as f:
            f.write("a-key-that-is-long-enough\n")
        self.change(site, "monitoring", scrape_key_file="keys/scrape.key")
        self.change(site, "fcgi", client_auth_off_on_loopback="no")
        for head in ({}, {"Authorization": "Bearer wrong-key-that-is-long"}, {"Authorization": "Bearer "}):
            status, _, body = site.request("metrics", method="GET", headers=head)
            self.assertNotIn(b"sluice_ready", body)
            self.assertNotEqual(json.loads(body)["retcode"], 0, status)
            for word in ("Authorization: Bearer KEY", "scrape_key_file", "metrics_on_loopback = yes"):
                self.assertIn(word, json.loads(body)["retmsg"])
        self.assertIn("sluice_ready", self.scrape(site, headers={"Authorization": "Bearer a-key-that-is-long-enough"}))
        admin = site.signed(site.make_key("watcher-%d" % time.time(), "admin"))
        self.assertIn("sluice_ready", self.scrape(admin))
        viewer = site.signed(site.make_key("looker-%d" % time.time(), "viewer"))
        self.assertNotIn(b"sluice_ready", viewer.request("metrics", method="GET")[2])
        # Strangers hear yes or no, and nothing else.
        status, _, body = site.request("ready", method="GET")
        self.assertEqual(set(json.loads(body)), {"retcode", "retmsg"})

    def test_a_full_disk_refuses_work_with_what_is_full(self):
        site = self.fed.guest
        self.change(site, "fcgi", upload_keep_free_mb=1073741824)
        status, head, body = site.request("job/submit", {"job_dsl": {}, "job_runtime_conf": {}})
        self.assertEqual(status, 503, body)
        self.assertEqual(head["Retry-After"], "30")
        self.assertIn("disk for home is full", json.loads(body)["retmsg"])
        status, head, body = site.request("data/upload", {"file": "x"})
        self.assertEqual((status, head["Retry-After"]), (503, "30"))
        self.assertEqual(site.request("ready", method="GET")[0], 503)
        self.assertEqual(site.ok("job/list/job", {})["retcode"], 0)  # looking is no work

    def test_a_site_without_its_supervisor_is_not_ready(self):
        site = self.fed.arbiter
        os.kill(site.pid("supervisor"), signal.SIGTERM)
        try:
            wait_for(lambda: site.request("ready", method="GET")[0] == 503, what="that it is missed")
            checks = json.loads(site.request("ready/checks", method="GET")[2])["data"]
            self.assertFalse(checks["supervisor"]["ok"])
            self.assertEqual(site.request("health", method="GET")[0], 200)
        finally:
            wait_for(lambda: not os.path.exists(os.path.join(site.home, "run", "supervisor.pid")), what="its end")
            site.start()
        wait_for(lambda: site.request("ready", method="GET")[0] == 200, what="readiness")

    def test_a_database_that_hangs_is_told_long_before_anybody_gives_it_up(self):
        site = self.fed.guest
        wait_for(lambda: site.request("ready", method="GET")[0] == 200, what="readiness")
        with open(os.path.join(os.path.dirname(site.socket), "db.pid"), encoding="ascii") as f:
            server = int(f.read())
        answers = []
        under_way = threading.Thread(target=lambda: answers.append(site.request("job/list/job", {})[0]))
        stand_still([server])
        try:
            under_way.start()
            began = time.monotonic()
            status, head, _ = site.request("ready", method="GET")
            took = time.monotonic() - began
            self.assertEqual(status, 503)
            self.assertTrue(head["Retry-After"])
            self.assertLess(took, 15, "the server may be silent for 30 s")
            self.assertEqual(site.request("health", method="GET")[0], 200)
            self.assertTrue(under_way.is_alive(), "what waits goes on to wait")
        finally:
            thaw([server])
        under_way.join(60)
        self.assertEqual(answers, [200])
        wait_for(lambda: site.request("ready", method="GET")[0] == 200, what="readiness")

    def test_a_request_has_one_id_everywhere(self):
        site = self.fed.guest
        _, head, _ = site.request("ready", method="GET", headers={"Sluice-Request-Id": "my-own-id-0001"})
        self.assertEqual(head["Sluice-Request-Id"], "my-own-id-0001")
        _, head, _ = site.request("ready", method="GET", headers={"Sluice-Request-Id": "no id at all"})
        self.assertRegex(head["Sluice-Request-Id"], "^[0-9a-f]{32}$")

        def in_log():
            with open(os.path.join(site.home, "logs", "nginx-access.log"), encoding="utf-8") as f:
                return "id=my-own-id-0001 " in f.read()
        wait_for(in_log, what="the id in nginx's log")

    def lines(self, site, log, request):
        with open(os.path.join(site.home, "logs", log), encoding="utf-8", errors="replace") as f:
            return [line for line in f if request in line]

    def test_one_id_leads_from_a_users_request_to_what_it_had_partners_do(self):
        guest, host = self.fed.guest, self.fed.host
        submits, stops, asks = ("submit-%s" % uuid.uuid4(), "stop-%s" % uuid.uuid4(), "explain-%s" % uuid.uuid4())
        c = conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "guest"}})
        body = {"job_dsl": {"components": {"fail_0": {"module": "TestFail"}}}, "job_runtime_conf": c}
        job = guest.api("job/submit", body, headers={"Sluice-Request-Id": submits})["jobId"]
        guest.wait(job, until=("running",))
        guest.ok("job/stop", {"job_id": job}, headers={"Sluice-Request-Id": stops})
        guest.wait(job)
        host.wait(job, role="host")
        guest.ok("permission/explain", body, headers={"Sluice-Request-Id": asks})
        # By a command: asked for here, carried out there.
        for request, what in ((submits, "/%s/host/10000/create" % job), (submits, "/%s/host/10000/start" % job),
                              (stops, "/%s/host/10000/stop/canceled" % job), (asks, "/errand/permit-explain/")):
            wait_for(lambda r=request, w=what: [x for x in self.lines(host, "partner-in.log", r) if w in x],
                     what="%s under %s in the partner's log" % (what, request))
        # In both sites' programs' own lines.
        for request in (submits, stops, asks):
            wait_for(lambda r=request: self.lines(guest, "supervisor.log", "request=" + r), what=request)
        # What is refused is in the audit under the same id.
        refused = "refused-%s" % uuid.uuid4()
        reply = host.api("party/%s/host/10000/create" % job, headers={"Sluice-Request-Id": refused})
        self.assertNotEqual(reply["retcode"], 0, reply)
        rows = host.sql("SELECT outcome FROM audit WHERE action = 'request' AND detail LIKE '%%; request %s'" % refused)
        self.assertEqual(rows, [["refused"]])

    def test_more_connections_than_allowed_hear_when_to_come_again(self):
        site = self.fed.guest
        host, port = site.tls_url.split("//")[1].split(":")
        context = ssl.create_default_context(cafile=os.path.join(site.home, "keys", "tls.crt"))
        head = b"POST /v1/job/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
        held = []
        try:
            for _ in range(64):  # their bodies never end
                s = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost")
                held.append(s)
                s.sendall(head)
            wait_for(lambda: self.over_tls(context, host, port).startswith(b"HTTP/1.1 429"), what="the limit")
            answer = self.over_tls(context, host, port)
            self.assertIn(b"\r\nRetry-After: 1\r\n", answer)
            self.assertIn(b'"retcode":429', answer)
        finally:
            for s in held:
                s.close()

    @staticmethod
    def over_tls(context, host, port):
        with context.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost") as s:
            s.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b""
            while block := s.recv(65536):
                answer += block
            return answer

    def test_every_line_of_the_logs_can_be_taken_apart(self):
        line = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error) (supervisor|shepherd|fcgi)"
                          r"( request=\S+)?( job=\S+)?( task=\S+)?( party=\S+)? \S.*")
        seen = 0
        for name in ("supervisor.log", "fcgi-app.log"):
            with open(os.path.join(self.fed.guest.home, "logs", name), encoding="utf-8") as f:
                # The last one may be on its way.
                for text in f.read().rpartition("\n")[0].splitlines():
                    self.assertTrue(line.fullmatch(text), text)
                    seen += 1
        self.assertGreater(seen, 3)


if __name__ == "__main__":
    unittest.main()

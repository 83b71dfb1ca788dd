"""Wrong input at every route of the table: a clear answer, no worker lost,
nothing changed."""
import http.client
import json
import os
import subprocess
import unittest
import urllib.parse

from client import WORLD
from federation import BUILD, freeze, thaw, wait_for

HUGE = 10 ** 30
FIELDS = """job_id component_name role party_id namespace name table_name model_id model_version limit page order order_by
status file head partition engine address job_dsl job_runtime_conf dsl predict_dsl cpn_list train_dsl cpn_str
job_parameters component_parameters tag_name tag_desc new_tag_name service_id initiator filename log_type begin end
connector_name connector_info version path module step_index step_name component dataset key key_name metric_namespace
metric_name notes stop_status force user password query_filters components_checkpoint schema meta drop id_delimiter
migrate_initiator migrate_role execute_party unify_model_version""".split()


def every(value):
    return {field: value for field in FIELDS}


def deep(levels):
    return b'{"job_id":' * levels + b"1" + b"}" * levels


def bodies():
    """(what is wrong, content type, bytes)"""
    kind = "application/json"
    for name, value in (("null", None), ("true", True), ("object", {"a": {"b": []}}), ("array", [[1], {}, None]),
                        ("huge number", HUGE), ("negative", -1), ("fraction", 0.5), ("empty text", ""),
                        ("long text", "x" * 100000), ("path", "../../etc/passwd"), ("quote", "' OR 1=1 -- "),
                        ("NUL", "a\0b"), ("surrogate", "\ud800"), ("line end", "a\r\nSet-Cookie: b")):
        yield name + " in every field", kind, json.dumps(every(value)).encode()
    yield "nothing", kind, b""
    yield "empty object", kind, b"{}"
    yield "array", kind, b"[]"
    yield "text", kind, b'"job_id"'
    yield "number", kind, b"1e999"
    yield "half an object", kind, b'{"job_id": "1'
    yield "two objects", kind, b"{}{}"
    yield "no UTF-8", kind, b'{"job_id": "\xff\xfe", "name": "\xc0\xaf"}'
    yield "no UTF-8 at all", kind, bytes(range(256))
    yield "deep nesting", kind, deep(5000)
    yield "deep arrays", kind, b"[" * 100000
    yield "one name twice", kind, b'{"job_id": 1, "job_id": [2]}'
    yield "many names", kind, json.dumps({"n%d" % i: i for i in range(20000)}).encode()
    yield "NaN", kind, b'{"limit": NaN, "page": -Infinity}'
    yield "XML", "application/xml", b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"
    yield "a form", "application/x-www-form-urlencoded", b"job_id=%ff%00&limit=%zz&=&&a"
    yield "parts without an end", "multipart/form-data; boundary=x", (
        b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../x\"\r\n\r\nabc")
    yield "parts without a boundary", "multipart/form-data", b"--x\r\n\r\n--x--"
    yield "a type that is none", "\x01/;;", b"{}"


class WrongInput(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        assert WORLD.tables
        out = subprocess.run([os.path.join(BUILD, "bin", "sluice-fcgi"), "--routes"], check=True, capture_output=True,
                             text=True).stdout
        cls.routes = [line.split("\t") for line in out.splitlines()]
        # What earlier tests began has come to its end, its bookkeeping too.
        wait_for(lambda: WORLD.guest.sql(
            "SELECT (SELECT COUNT(*) FROM attempt WHERE ended_at IS NULL) + (SELECT COUNT(*) FROM job WHERE status IN"
            " ('ready', 'waiting', 'running') OR is_initiator = 1 AND settled = 0)") == [["0"]], 60, "rest")
        # From here on, what changes was changed by a request: no detector, no partner's errand comes between.
        cls.addClassCleanup(thaw, freeze(WORLD.sites.sites.values()))

    def digest(self):
        """Of every table but those that say who asked."""
        site = WORLD.guest
        names = [r[0] for r in site.sql("SHOW TABLES") if r[0] not in (
            "audit", "audit_link", "audit_exchange", "nonce", "client_nonce", "client_nonce_since",
            "partner_nonce", "partner_nonce_since")]
        return dict(site.sql("CHECKSUM TABLE " + ", ".join(names)))

    def workers(self):
        pid = WORLD.guest.pid("fcgi-app")
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            return f.read().split()

    def send(self, conn, method, path, kind, body):
        conn.putrequest(method, path, skip_accept_encoding=True)
        conn.putheader("Content-Type", kind)
        conn.putheader("Content-Length", str(len(body)))
        conn.endheaders(body)
        reply = conn.getresponse()
        return reply.status, reply.read()

    def check_route(self, method, path):
        url = urllib.parse.urlsplit(WORLD.guest.url)
        conn = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        for what, kind, body in bodies():
            try:
                status, text = self.send(conn, method, path, kind, body)
            except (http.client.HTTPException, ConnectionError):
                # A refused body may cost the connection, not the worker.
                conn.close()
                conn = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
                status, text = self.send(conn, method, path, kind, body)
            with self.subTest(route=method + " " + path, body=what):
                if path != self.READY or status != 503:
                    self.assertLess(status, 500, text[:500])
                if not text.startswith(b"{"):
                    self.assertEqual(status, 200)  # a file: harmless input was not wrong
                    continue
                reply = json.loads(text)
                self.assertIsInstance(reply["retcode"], int)
                self.assertTrue(reply["retmsg"])
                self.assertNotIn(reply["retcode"], (500, 999), reply["retmsg"])
                if reply["retcode"] != 0:
                    self.assertNotIn("database", reply["retmsg"][:9], reply)
        conn.close()

    # Reads nothing of its body and replaces every worker: that is its task.
    RELOAD = "/v1/server/reload"
    # There is no such engine here, which its answer says as the platform's does.
    ABSENT = "/v1/info/eggroll"

    # Says after a while that no supervisor works, and none does here.
    READY = "/v1/ready"

    def paths(self, audiences):
        for method, pattern, audience, _ in self.routes:
            if audience in audiences and pattern not in (self.RELOAD, self.ABSENT):
                yield method, "/".join("x" if p.startswith(":") else p for p in pattern.split("/"))

    def test_no_route_of_users_changes_or_breaks_anything(self):
        before, workers = self.digest(), self.workers()
        for method, path in self.paths(("public", "login", "viewer", "modeler", "admin")):
            self.check_route(method, path)
        self.assertEqual(self.workers(), workers)
        self.assertEqual(self.digest(), before)

    def test_routes_of_partners_are_closed_to_users(self):
        before, workers = self.digest(), self.workers()
        url = urllib.parse.urlsplit(WORLD.guest.url)
        for method, path in self.paths(("partner",)):
            conn = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
            status, text = self.send(conn, method, path, "application/json", b"{}")
            conn.close()
            with self.subTest(path):
                self.assertLess(status, 500, text)
                self.assertNotEqual(json.loads(text)["retcode"], 0)
        self.assertEqual(self.workers(), workers)
        self.assertEqual(self.digest(), before)

    def test_paths_and_methods_that_are_none_are_answered_in_the_envelope(self):
        for method, path in (("POST", "/v1/nothing"), ("GET", "/v1/job/query"), ("DELETE", "/v1/job/submit"),
                             ("POST", "/v1/job/query/more"), ("PATCH", "/v1/health"), ("POST", "/v1/%2e%2e/x"),
                             ("POST", "/v1/job%2fquery"), ("POST", "/v1/job/%ff")):
            with self.subTest(path):
                url = urllib.parse.urlsplit(WORLD.guest.url)
                conn = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
                status, text = self.send(conn, method, path, "application/json", b"{}")
                conn.close()
                self.assertLess(status, 500, text)
                self.assertNotEqual(json.loads(text)["retcode"], 0)

"""Uploads and imports by HTTPS: who may not is told so before the body comes, and nothing stays of it."""
import json
import os
import socket
import time
import unittest
import uuid

import test_archive
from federation import DATA, Federation, signature, wait_for

EDGE = "sluicetestboundary90ab"
FIELDS = {"role": "guest", "party_id": "1", "model_id": "m", "model_version": "v"}
HUGE = 1 << 35


def canonical(fields):
    """Text fields as they are signed; those here need no escapes but in the path."""
    return "&".join("%s=%s" % (k, str(v).replace("/", "%2F").replace("#", "%23")) for k, v in sorted(fields.items()))


def part(name, value):
    return ("--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n" % (EDGE, name, value)).encode()


def file_part(content):
    return ("--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\n" % EDGE).encode() + content


class Connection:
    """One request of which only a part is sent, and what is answered."""

    def __init__(self, site, path, headers, length, sent=b""):
        host, port = site.tls_url.split("//")[1].split(":")
        raw = socket.create_connection((host, int(port)), timeout=60)
        self.sock = site.signed(None, tls=True).tls().wrap_socket(raw, server_hostname=host)
        head = {"Host": host, "Content-Type": "multipart/form-data; boundary=" + EDGE}
        if length is not None:
            head["Content-Length"] = str(length)
        head.update(headers)
        self.sock.sendall(("POST %s HTTP/1.1\r\n%s\r\n" % (
            path, "".join("%s: %s\r\n" % h for h in head.items()))).encode() + sent)

    def answer(self):
        """(status, headers in lower case, envelope); the connection is closed when it has come."""
        f = self.sock.makefile("rb")
        status = int(f.readline().split()[1])
        head = {}
        for line in iter(f.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            head[name.lower()] = value.strip()
        body = f.read(int(head["content-length"])) if "content-length" in head else self.chunks(f)
        self.close()
        return status, head, json.loads(body)

    def chunks(self, f):
        out = b""
        while True:
            n = int(f.readline(), 16)
            out += f.read(n)
            f.readline()
            if n == 0:
                return out

    def close(self):
        self.sock.close()


class TlsUploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.arbiter
        cls.key = cls.make("modeler")
        cls.user = cls.site.signed(cls.key, tls=True)

    def setUp(self):
        # An upload's file goes with its job, which may end a moment after its test.
        wait_for(lambda: self.spool() == [], what="an empty spool")

    @classmethod
    def make(cls, role):
        return cls.site.make_key("%s-%s" % (role, uuid.uuid4().hex[:8]), role)

    def spool(self):
        found = []
        for folder in ("front", "upload"):
            for at, _, names in os.walk(os.path.join(self.site.home, "spool", folder)):
                found += [os.path.join(at, n) for n in names]
        return found

    def nothing_stays(self):
        """The front end removes what it kept a moment after the answer."""
        wait_for(lambda: self.spool() == [], 10, "empty spool")

    def at_once(self, path, headers, length, sent=b""):
        begun = time.monotonic()
        answer = Connection(self.site, path, headers, length, sent).answer()
        self.assertLess(time.monotonic() - begun, 10)
        self.nothing_stays()
        return answer

    def test_a_table_comes_in_and_nothing_stays_in_the_spool(self):
        reply = self.user.upload(os.path.join(DATA, "breast_guest.csv"), "by_tls")
        self.assertEqual(reply["status"], "success", reply)
        info = self.user.ok("table/table_info", {"table_name": "by_tls", "namespace": "test"})["data"]
        with open(os.path.join(DATA, "breast_guest.csv"), encoding="ascii") as f:
            self.assertEqual(info["count"], sum(1 for _ in f) - 1)
        wait_for(lambda: self.spool() == [], what="an empty spool")

    def test_a_body_larger_than_any_buffer_comes_in(self):
        content = b"id,x0\n" + b"".join(b"r%07d,%d\n" % (i, i) for i in range(400000))
        self.assertGreater(len(content), 4 << 20)
        path = os.path.join(self.site.home, "large.csv")
        with open(path, "wb") as f:
            f.write(content)
        try:
            self.assertEqual(self.user.upload(path, "large_by_tls")["status"], "success")
        finally:
            os.unlink(path)
        info = self.user.ok("table/table_info", {"table_name": "large_by_tls", "namespace": "test"})["data"]
        self.assertEqual(info["count"], 400000)

    def test_who_does_not_sign_is_refused_before_the_body_comes(self):
        for path in ("/v1/data/upload?%7B%7D", "/v1/data/upload", "/v1/data/upload/", "/v1/model/import"):
            status, _, reply = self.at_once(path, {}, HUGE)
            self.assertEqual((status, reply["retcode"]), (200, 109), path)
            self.assertIn("not signed", reply["retmsg"])

    def test_wrong_signatures_unknown_and_disabled_keys_and_roles_are_refused_before_the_body_comes(self):
        path, disabled = "/v1/data/upload?%7B%7D", self.make("modeler")
        self.site.cli("key", "disable", disabled["name"])
        for key, code, text in ((dict(self.key, secret_key="x"), 109, "does not fit"),
                                ({"app_key": "nobody", "secret_key": "x"}, 109, "not known"),
                                (disabled, 109, "disabled"), (self.make("viewer"), 108, "needs modeler")):
            _, _, reply = self.at_once(path, signature(key, path), HUGE)
            self.assertEqual(reply["retcode"], code, reply)
            self.assertIn(text, reply["retmsg"])
        for key in (disabled, {"app_key": "nobody", "secret_key": "x"}):
            _, _, reply = self.at_once("/v1/model/import", signature(key, "/v1/model/import"), HUGE)
            self.assertEqual(reply["retcode"], 109, reply)

    def test_an_import_is_judged_when_its_fields_are_there_and_before_its_file(self):
        path = "/v1/model/import"
        sent = b"".join(part(*f) for f in FIELDS.items()) + file_part(b"x" * 4096)
        for key, form, code in ((dict(self.key, secret_key="x"), canonical(FIELDS), 109),
                                (self.key, canonical(dict(FIELDS, role="host")), 109),
                                (self.make("viewer"), canonical(FIELDS), 108)):
            _, _, reply = self.at_once(path, signature(key, path, form=form), HUGE, sent)
            self.assertEqual(reply["retcode"], code, reply)

    def test_a_field_that_was_not_signed_does_not_count(self):
        path = "/v1/model/import"
        body = (b"".join(part(*f) for f in FIELDS.items()) + file_part(b"x\r\n") + part("force_update", "1")
                + ("--%s--\r\n" % EDGE).encode())
        status, _, reply = self.at_once(path, signature(self.key, path, form=canonical(FIELDS)), len(body), body)
        self.assertEqual(status, 400, reply)
        self.assertIn("force_update is not signed", reply["retmsg"])

    def test_what_is_too_large_or_of_unknown_length_is_refused_before_it_comes(self):
        path = "/v1/data/upload?%7B%7D"
        status, _, reply = self.at_once(path, signature(self.key, path), 1 << 50)
        self.assertEqual(status, 413)
        self.assertIn("upload_max_mb", reply["retmsg"])
        status, _, reply = self.at_once(path, dict(signature(self.key, path), **{"Transfer-Encoding": "chunked"}), None)
        self.assertEqual((status, reply["retcode"]), (411, 411))

    def test_other_paths_take_no_large_bodies(self):
        status, _, _ = self.at_once("/v1/job/query", {}, 2 << 20)
        self.assertEqual(status, 413)

    def test_slow_ones_leave_a_worker_and_no_file(self):
        """As many as may upload do so slowly: one more is told to wait, others are answered."""
        path = "/v1/data/upload?%7B%7D"
        slow = []
        try:
            status = 0
            for _ in range(16):
                c = Connection(self.site, path, signature(self.key, path), 1 << 24, file_part(b"x" * 300000))
                slow.append(c)
                c.sock.settimeout(1)
                try:
                    status, head, reply = c.answer()
                    break
                except TimeoutError:
                    pass  # it waits for the rest
            self.assertEqual(status, 503)
            self.assertIn("retry-after", head)
            self.assertIn("under way already", reply["retmsg"])
            self.user.ok("job/query", {"job_id": "1"})
        finally:
            for c in slow:
                c.close()
        self.nothing_stays()
        wait_for(lambda: self.user.upload(os.path.join(DATA, "breast_guest.csv"), "after_slow",
                                          wait=False)["retcode"] == 0, what="a worker that is free again")

    def test_a_sender_that_falls_silent_is_given_up(self):
        """Its signature is still to be judged, so it has the shortest time."""
        path = "/v1/model/import"
        c = Connection(self.site, path, signature(self.key, path, form=canonical(FIELDS)), HUGE, part("role", "guest"))
        status, _, reply = c.answer()
        self.assertEqual(status, 408, reply)
        self.assertIn("too slowly", reply["retmsg"])
        self.nothing_stays()


class TlsImport(unittest.TestCase):
    def test_a_model_comes_in_by_https(self):
        fed, key = test_archive.train()
        site = fed.guest
        _, body = test_archive.export(site, key)
        before = test_archive.rows(site, key)
        test_archive.forget(site, key)
        fields = dict(key, file="/tmp/m.zip", force_update=0)
        user = site.signed(site.make_key("importer-%s" % uuid.uuid4().hex[:8], "modeler"), tls=True)
        head = signature(user.key, "/v1/model/import", form=canonical(fields))
        head["Content-Type"] = "multipart/form-data; boundary=" + test_archive.EDGE
        user.key = None
        status, _, answer = user.request("model/import", raw=test_archive.form(fields, "m.zip", body), headers=head)
        self.assertEqual((status, json.loads(answer)["retcode"]), (200, 0), answer)
        self.assertEqual(test_archive.rows(site, key), before)
        wait_for(lambda: not os.listdir(os.path.join(site.home, "spool", "front")), 10, "empty spool of the front end")


if __name__ == "__main__":
    unittest.main(verbosity=2)

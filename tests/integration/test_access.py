"""Who may ask a site for what: users with keys and roles."""
import json
import os
import stat
import subprocess
import tempfile
import time
import unittest
import uuid

from federation import BUILD, DATA, Federation, signature

SLUICE = os.path.join(BUILD, "bin", "sluice")


def unique(prefix):
    return "%s-%s" % (prefix, uuid.uuid4().hex[:8])


class Users(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Federation().arbiter
        cls.keys = {role: cls.site.make_key(unique(role), role) for role in ("viewer", "modeler", "admin")}
        cls.users = {role: cls.site.signed(key, tls=True) for role, key in cls.keys.items()}

    def refused(self, site, path, body, code, text, **kw):
        reply = site.api(path, body, **kw)
        self.assertEqual(reply["retcode"], code, reply)
        self.assertIn(text, reply["retmsg"])
        return reply

    def raw(self, headers, body=b"{}", path="job/query"):
        head = {"Content-Type": "application/json"}
        head.update(headers)
        site = self.site.signed(None, tls=True)
        return json.loads(site.request(path, raw=body, headers=head)[2])

    def test_a_request_without_signature_is_told_what_to_do(self):
        self.refused(self.site.signed(None, tls=True), "job/query", {"job_id": "1"}, 109, "TIMESTAMP, NONCE, APP_KEY")

    def test_a_signed_request_is_answered_by_its_role(self):
        self.users["viewer"].ok("job/query", {"job_id": "20250101000000"})
        self.refused(self.users["viewer"], "job/stop", {"job_id": "20250101000000"}, 108, "needs modeler")
        self.refused(self.users["modeler"], "job/stop", {"job_id": "20250101000000"}, 102, "")

    def test_both_readings_of_an_empty_object_hold(self):
        for signed in (b"", b"{}"):
            head = signature(self.keys["viewer"], "/v1/server/version/get", signed)
            self.assertEqual(self.raw(head, path="server/version/get")["retcode"], 0)

    def test_a_replay_is_refused(self):
        head = signature(self.keys["viewer"], "/v1/job/query", b'{"job_id":"1"}')
        self.assertEqual(self.raw(head, b'{"job_id":"1"}')["retcode"], 0)
        again = self.raw(head, b'{"job_id":"1"}')
        self.assertEqual(again["retcode"], 109)
        self.assertIn("replay", again["retmsg"])

    def test_every_part_is_covered(self):
        key = self.keys["viewer"]
        body = b'{"job_id":"1"}'
        good = signature(key, "/v1/job/query", body)
        for change in ({"TIMESTAMP": str(int(good["TIMESTAMP"]) + 1)}, {"NONCE": "x"},
                       {"APP_KEY": self.keys["admin"]["app_key"]}, {"SIGNATURE": "AAAA"}):
            reply = self.raw(dict(good, **change), body)
            self.assertEqual(reply["retcode"], 109, change)
        self.assertEqual(self.raw(good, b'{"job_id":"2"}')["retcode"], 109)
        self.assertEqual(self.raw(good, body, path="job/query?x=1")["retcode"], 109)
        self.assertEqual(self.raw(good, body)["retcode"], 0)

    def test_failures_say_what_is_wrong(self):
        key = dict(self.keys["viewer"], app_key=self.keys["viewer"]["app_key"])
        now = round(time.time() * 1000)
        for skew in (-61000, 61000):
            reply = self.raw(signature(key, "/v1/job/query", b"{}", timestamp=now + skew))
            self.assertEqual(reply["retcode"], 109)
            self.assertIn("clock", reply["retmsg"])
        reply = self.raw(signature(key, "/v1/job/query", b"{}", timestamp="noon"))
        self.assertIn("TIMESTAMP must be milliseconds", reply["retmsg"])
        head = signature(key, "/v1/job/query", b"{}")
        del head["NONCE"]
        self.assertIn("NONCE is missing", self.raw(head)["retmsg"])
        stranger = {"app_key": unique("k"), "secret_key": "x"}
        self.assertIn("is not known here", self.raw(signature(stranger, "/v1/job/query", b"{}"))["retmsg"])

    def test_a_refusal_is_recorded_with_who_and_why(self):
        stranger = {"app_key": unique("k"), "secret_key": "x"}
        self.raw(signature(stranger, "/v1/job/query", b"{}"))
        self.refused(self.users["viewer"], "job/stop", {"job_id": "20250101000000"}, 108, "")
        rows = self.site.sql("SELECT actor, detail FROM audit WHERE outcome = 'refused' ORDER BY id DESC LIMIT 20")
        self.assertTrue(any(stranger["app_key"] in r[0] and "not known" in r[1] for r in rows), rows)
        name = self.keys["viewer"]["name"]
        self.assertTrue(any(r[0] == "client " + name and "needs modeler" in r[1] for r in rows), rows)

    def test_guessing_is_stopped_for_who_guesses_and_nobody_else(self):
        key = self.site.make_key(unique("guessed"), "viewer")
        wrong = dict(key, secret_key="wrong")
        # A minute may end in between: two windows' worth of guesses are enough.
        said = [self.raw(signature(wrong, "/v1/job/query", b"{}"))["retmsg"] for _ in range(64)]
        self.assertTrue(any("try again in" in text for text in said), said[-1])
        self.users["viewer"].ok("job/query", {"job_id": "1"})

    def test_a_disabled_key_is_refused_at_once_and_taken_again(self):
        key = self.site.make_key(unique("leaver"), "viewer")
        user = self.site.signed(key, tls=True)
        user.ok("job/query", {"job_id": "1"})
        self.site.cli("key", "disable", key["name"])
        self.refused(user, "job/query", {"job_id": "1"}, 109, "disabled")
        self.site.cli("key", "enable", key["name"])
        user.ok("job/query", {"job_id": "1"})
        self.site.cli("key", "delete", key["name"])
        self.refused(user, "job/query", {"job_id": "1"}, 109, "not known")

    def test_secrets_are_not_kept_in_the_clear(self):
        key = self.keys["admin"]
        row = self.site.sql("SELECT secret, role FROM client_key WHERE name = '%s'" % key["name"])[0]
        self.assertNotIn(key["secret_key"], row[0])
        self.assertEqual(row[1], "admin")
        listed = self.site.cli("key", "list", "--json").stdout
        self.assertIn(key["name"], listed)
        self.assertNotIn(key["secret_key"], listed)
        mode = os.stat(os.path.join(self.site.home, "keys", "client.vault")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_keys_are_not_made_for_wrong_words(self):
        for args in (("key", "create", "x y", "--role", "viewer"), ("key", "create", unique("x"), "--role", "root"),
                     ("key", "create", self.keys["viewer"]["name"], "--role", "viewer"),
                     ("key", "disable", "nobody")):
            self.assertEqual(self.site.cli(*args, check=False).returncode, 1, args)

    def test_a_wrong_signature_is_refused_where_none_is_needed(self):
        self.site.ok("job/query", {"job_id": "1"})
        wrong = dict(self.keys["viewer"], secret_key="wrong")
        self.refused(self.site.signed(wrong), "job/query", {"job_id": "1"}, 109, "does not fit")

    def test_an_upload_is_signed_by_its_query(self):
        user = self.site.signed(self.keys["modeler"])
        name = unique("signed")
        reply = user.upload(os.path.join(DATA, "breast_guest.csv"), name)
        self.assertEqual(reply["status"], "success", reply)
        # The event rows say who it was.
        actors = self.site.sql("SELECT DISTINCT actor FROM event WHERE job_id = '%s'" % reply["jobId"])
        self.assertIn(["client " + self.keys["modeler"]["name"]], actors)
        viewer = self.site.signed(self.keys["viewer"])
        self.assertEqual(viewer.upload(os.path.join(DATA, "breast_guest.csv"), name)["retcode"], 108)

    def test_the_command_line_signs_with_a_key_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "key.json")
            self.site.cli("key", "create", unique("cli"), "--role", "modeler", "--output", path)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            cert = os.path.join(self.site.home, "keys", "tls.crt")
            run = [SLUICE, "query", "20250101000000", "--url", self.site.tls_url, "--ca", cert]
            done = subprocess.run(run, capture_output=True, text=True, check=False)
            self.assertIn("not signed", done.stderr)
            done = subprocess.run(run + ["--app-key-file", path], capture_output=True, text=True, check=False)
            self.assertNotIn("109", done.stderr)
            self.assertNotIn("sign", done.stderr)
            os.chmod(path, 0o644)
            done = subprocess.run(run + ["--app-key-file", path], capture_output=True, text=True, check=False)
            self.assertIn("lets others in", done.stderr)

    def test_the_classic_client_gets_its_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            key = os.path.join(folder, "key.json")
            conf = os.path.join(folder, "service_conf.yaml")
            self.site.cli("key", "create", unique("flow"), "--role", "modeler", "--output", key)
            self.site.cli("client-config", "--app-key-file", key, "--output", conf)
            with open(conf, encoding="utf-8") as f:
                text = f.read()
            with open(key, encoding="utf-8") as f:
                made = json.load(f)
            host, port = self.site.url.split("//")[1].split(":")
            for line in ("fateflow:", "host: " + host, "http_port: " + port, "switch: true",
                         "http_app_key: " + made["app_key"], "http_secret_key: " + made["secret_key"]):
                self.assertIn(line, text)
            self.assertEqual(stat.S_IMODE(os.stat(conf).st_mode), 0o600)


if __name__ == "__main__":
    unittest.main()

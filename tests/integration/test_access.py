"""Who may ask a site for what: users with keys and roles, partners with rules."""
import base64
import io
import json
import os
import shlex
import stat
import subprocess
import tarfile
import tempfile
import time
import unittest
import uuid

from federation import BUILD, DATA, Federation, example, lr_conf, signature, wait_for
from partner import Request

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
        # A minute is allowed; a clock that is ahead comes nearer while the request is on its way.
        for skew in (-61000, 75000):
            reply = self.raw(signature(key, "/v1/job/query", b"{}", timestamp=round(time.time() * 1000) + skew))
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
        for code, args in ((2, ("key", "create", "x y", "--role", "viewer")),
                           (2, ("key", "create", unique("x"), "--role", "root")),
                           (1, ("key", "create", self.keys["viewer"]["name"], "--role", "viewer")),
                           (1, ("key", "disable", "nobody"))):
            self.assertEqual(self.site.cli(*args, check=False).returncode, code, args)

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

    def test_a_key_replaces_no_file_unasked(self):
        """What has the name may be another's key, which nobody has again."""
        with tempfile.TemporaryDirectory() as folder:
            path, name = os.path.join(folder, "key.json"), unique("second")
            make = ("key", "create", name, "--role", "modeler", "--output", path)
            conf = ("client-config", "--output", path)
            self.site.cli("key", "create", unique("first"), "--role", "modeler", "--output", path)
            with open(path, encoding="utf-8") as f:
                first = f.read()
            for command in (make, conf):
                done = self.site.cli(*command, check=False)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn(path + " is there already", done.stderr)
            with open(path, encoding="utf-8") as f:
                self.assertEqual(f.read(), first)
            self.assertNotIn(name, self.site.cli("key", "list").stdout)
            self.site.cli(*make, "--force")
            with open(path, encoding="utf-8") as f:
                self.assertEqual(json.load(f)["name"], name)

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


class SiteItself(unittest.TestCase):
    """What a site says of itself and keeps for others."""

    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.arbiter

    def test_public_keys_are_kept_and_told_and_open_nothing(self):
        site, party = self.site, "424242"
        before = site.sql("SELECT party_id, HEX(sign_key), url, enabled FROM partner")
        self.assertEqual(site.ok("key/public/save", {"party_id": 424242, "key": "PUBLIC 1"})["data"], "save success")
        self.assertEqual(site.ok("key/public/save", {"party_id": party, "key": "PUBLIC 2"})["data"], "update success")
        self.assertEqual(site.ok("key/query", {"party_id": party})["data"], "PUBLIC 2")
        self.assertEqual(site.ok("key/query", {"party_id": party, "key_name": "public"})["data"], "PUBLIC 2")
        self.assertEqual(site.api("key/query", {"party_id": party, "key_name": "private"})["retcode"], 108)
        self.assertEqual(site.api("key/public/delete", {"party_id": party}), {"retcode": 0, "retmsg": "success"})
        self.assertEqual(site.api("key/query", {"party_id": party}), {"retcode": 0, "retmsg": "success"})
        self.assertEqual(site.sql("SELECT party_id, HEX(sign_key), url, enabled FROM partner"), before)
        for body, text in (({"party_id": party}, "key"), ({"key": "x"}, "party_id"),
                           ({"party_id": "x", "key": "x"}, "digits"), ({"party_id": party, "key": ""}, "1 to"),
                           ({"party_id": party, "key": "-----BEGIN RSA PRIVATE KEY-----"}, "private")):
            reply = site.api("key/public/save", body)
            self.assertEqual(reply["retcode"], 101, reply)
            self.assertIn(text, reply["retmsg"])

    def test_a_site_tells_who_it_is(self):
        host, port = self.site.url.split("//")[1].split(":")
        info = self.site.ok("info/common", {})["data"]
        self.assertEqual((info["party_id"], info["host"], info["http_port"]), ("10001", host, int(port)))
        instances = self.site.ok("server/fateflow/info", {})["data"]
        self.assertEqual(len(instances), 1)
        (name, one), = instances.items()
        self.assertEqual(one["instance_id"], name)
        self.assertEqual(one["http_port"], int(port))
        self.assertLess(abs(one["timestamp"] - time.time() * 1000), 60000)
        self.assertEqual(self.site.request("info/fateboard", {})[0], 404)
        self.assertEqual(self.site.request("info/eggroll", {})[0], 503)

    def test_logs_of_another_instance_are_not_here(self):
        (name,) = self.site.ok("server/fateflow/info", {})["data"]
        log = {"job_id": "20250101000000000000000", "log_type": "jobSchedule"}
        self.assertEqual(self.site.ok("log/size", dict(log, instance_id=name))["data"], {"size": 0})
        for path in ("log/size", "log/cat"):
            status, _, body = self.site.request(path, dict(log, instance_id="other"))
            self.assertEqual((status, json.loads(body)["retcode"]), (404, 404))
            status, _, _ = self.site.request(path, dict(log, instance_id=name, forward_times=3))
            self.assertEqual(status, 429)

    def test_another_party_is_asked_who_it_is(self):
        data = self.site.ok("info/party/9999", {})["data"]
        self.assertEqual(data["party_id"], "9999")
        self.assertTrue(data["version"])
        self.assertEqual(self.site.ok("info/party/10001", {})["data"]["party_id"], "10001")
        self.assertEqual(self.site.ok("info/party/10000/9999", {})["data"]["party_id"], "9999")
        self.assertEqual(self.site.api("info/party/x", {})["retcode"], 101)
        self.assertNotEqual(self.site.api("info/party/77777", {})["retcode"], 0)

    def test_servers_and_services_are_kept_for_who_asks(self):
        site = self.site
        self.assertEqual(site.ok("server/servings/register", {"host": "10.0.0.1", "port": 8059}),
                         {"retcode": 0, "retmsg": "success"})
        for path in ("server/get", "server/service/get"):
            self.assertEqual(site.ok(path, {})["data"]["SERVINGS"],
                             {"host": "10.0.0.1", "port": 8059, "protocol": "http"})
        self.assertEqual(site.ok("server/servings/get", {})["data"]["port"], 8059)
        self.assertNotIn("data", site.ok("server/nobody/get", {}))
        self.assertIn("FATE_ON_STANDALONE", site.ok("server/get", {})["data"])
        for body in ({}, {"host": "x"}, {"host": "x", "port": 0}, {"host": "", "port": 5}):
            self.assertIn(site.api("server/servings/register", body)["retcode"], (101, 103), body)
        service = {"server_name": "HOOK", "service_name": "permission", "uri": "/check", "params": {"a": 1}}
        self.assertEqual(site.ok("service/registry", service)["data"], {})
        rows = site.ok("service/query", {"service_name": "permission"})["data"]["service_info"]
        self.assertEqual([(r["f_server_name"], r["f_url"], r["f_method"], r["f_params"]) for r in rows],
                         [("HOOK", "/check", "POST", {"a": 1})])
        self.assertEqual(site.ok("service/query", {"service_name": "permission", "server_name": "X"})["data"],
                         {"service_info": []})
        self.assertEqual(site.api("service/registry", {"server_name": "HOOK"})["retcode"], 101)
        self.assertEqual(site.api("service/query", {})["retcode"], 101)

    def test_a_server_is_registered_with_all_its_services_or_not_at_all(self):
        site = self.site
        whole = {"hooks": {"host": "10.0.0.2", "port": 9000, "protocol": "https", "api": {
            "sign_in": {"uri": "/sign", "method": "PUT", "headers": {"X-A": "1"}}, "leave": {"uri": "leave"}}}}
        self.assertEqual(site.ok("service/registry", whole)["data"],
                         {"HOOKS": {"host": "10.0.0.2", "port": 9000, "protocol": "https"}})
        self.assertEqual(site.ok("server/hooks/get", {})["data"]["port"], 9000)

        def address(service):
            rows = site.ok("service/query", {"service_name": service})["data"]["service_info"]
            return [(r["f_server_name"], r["f_url"], r["f_method"], r["f_headers"]) for r in rows]
        self.assertEqual(address("sign_in"), [("hooks", "https://10.0.0.2:9000/sign", "PUT", {"X-A": "1"})])
        self.assertEqual([r[1] for r in address("leave")], ["https://10.0.0.2:9000/leave"])
        site.ok("service/registry", {"server_name": "hooks", "service_name": "leave", "uri": "/bye",
                                     "server_info": {"host": "10.0.0.3", "port": 81}})
        self.assertEqual([r[1] for r in address("leave")], ["http://10.0.0.3:81/bye"])
        wrong = ({"api": {"late": {"uri": "/late"}}}, {"host": "x", "port": 1, "api": []},
                 {"host": "x", "port": 70000, "api": {"late": {"uri": "/late"}}},
                 {"host": "x", "port": 1, "api": {"late": {"uri": "/late"}, "later": {}}},
                 {"host": "x", "port": 1, "api": {"late": {"uri": "/late"}, "later": 5}})
        for server in wrong:
            reply = site.api("service/registry", {"other": server})
            self.assertNotEqual(reply["retcode"], 0, server)
            self.assertIn("OTHER" if "/api" in reply["retmsg"] else "other", reply["retmsg"])
        self.assertEqual(address("late"), [])
        self.assertNotIn("data", site.ok("server/other/get", {}))

    def test_versions_are_those_of_what_is_here(self):
        versions = self.site.ok("server/version/get", {})["data"]
        self.assertEqual(set(versions), {"FATE", "FATEFlow", "SLUICE", "API", "AUTHENTICATION"})
        self.assertTrue(all(versions.values()), versions)
        self.assertEqual(self.site.ok("server/version/get", {"module": "FATEFlow"})["data"],
                         {"FATEFlow": versions["FATEFlow"], "API": "v1"})
        for name in ("FATEBoard", "EGGROLL", "CENTOS", "PYTHON", "SPARK", "nonsense"):
            self.assertEqual(self.site.ok("server/version/get", {"module": name})["data"], {name: None, "API": "v1"})
            self.assertEqual(self.site.request("version/get", {"module": name})[0], 404)

    def test_files_are_not_read_by_their_path(self):
        secret = os.path.join(self.site.home, "site.conf")
        for path in ("worker/config/load", "operation/json_conf/load", "forward/fateflow",
                     "forward/fateflow/do"):
            reply = self.site.api(path, {"config_path": secret})
            self.assertEqual(reply["retcode"], 100)
            self.assertIn("not supported", reply["retmsg"])
            self.assertNotIn("data", reply)

    def test_examples_come_as_an_archive(self):
        for body, some, none in (({}, "fate_examples/data/breast_host_partial.csv", "x"),
                                 ({"min_data": 1}, "fate_examples/data/breast_host.csv",
                                  "fate_examples/data/breast_host_partial.csv")):
            status, headers, content = self.site.request("template/download", body)
            self.assertEqual(status, 200)
            self.assertIn("filename=template.tar.gz", headers["Content-Disposition"])
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
                names = tar.getnames()
                self.assertIn(some, names)
                self.assertNotIn(none, names)
                self.assertIn("fateflow_examples/hetero_lr/dsl.json", names)
                dsl = json.load(tar.extractfile("fateflow_examples/hetero_lr/dsl.json"))
            self.assertEqual(dsl, example("dsl.json"))
            self.assertFalse([n for n in names if n.startswith("/") or ".." in n])

    def test_reload_reaches_every_program_and_a_broken_file_none(self):
        site = self.site
        path = os.path.join(site.home, "site.conf")
        with open(path, encoding="utf-8") as f:
            good = f.read()

        def write(text):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

        def default():
            return site.ok("server/config/job/default", {})["data"]["task_cores"]

        def capacity():
            return site.ok("resource/query", {})["data"]["computing_engine_resource"]["f_cores"]

        before = default(), capacity()
        try:
            write(good.replace("task_cores = 1", "task_cores = many"))
            reply = site.api("server/reload", {})
            self.assertEqual(reply["retcode"], 100)
            self.assertIn("task_cores", reply["retmsg"])
            self.assertEqual((default(), capacity()), before)
            write(good.replace("task_cores = 1", "task_cores = 3").replace("\ncores = 0", "\ncores = 77"))
            reply = site.ok("server/reload", {})
            self.assertEqual(reply["data"]["job_default_config"]["task_cores"], 3)
            self.assertIsNone(reply["data"]["server_registry"])
            wait_for(lambda: all(default() == 3 for _ in range(20)), what="all workers read the configuration")
            wait_for(lambda: capacity() == 77, what="the supervisor takes the capacity over")
        finally:
            write(good)
            site.ok("server/reload", {})
        wait_for(lambda: capacity() == before[1] and all(default() == before[0] for _ in range(20)), what="as before")

    def test_the_site_is_changed_by_admins_only(self):
        modeler = self.site.signed(self.site.make_key(unique("modeler"), "modeler"))
        for path in ("server/reload", "resource/return", "server/x/register", "service/registry", "key/public/save", "key/public/delete"):
            self.assertEqual(modeler.api(path, {})["retcode"], 108, path)


ALL = ("--roles", "*", "--commands", "*", "--components", "*", "--datasets", "*")


class Partners(unittest.TestCase):
    """Jobs that the guest initiates, at a host that says what they may do."""

    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.guest, cls.host, cls.arbiter = cls.fed.guest, cls.fed.host, cls.fed.arbiter
        cls.guest.upload(os.path.join(DATA, "breast_guest.csv"), "breast_guest")
        cls.host.upload(os.path.join(DATA, "breast_host.csv"), "breast_host")

    def setUp(self):
        self.close()

    def tearDown(self):
        self.host.sql("DELETE FROM permission")
        self.host.cli("grant", "9999,10001", *ALL)

    def close(self):
        self.host.sql("DELETE FROM permission")

    def grant(self, *rules):
        return self.host.cli("grant", "9999", *rules)

    def open_all_but(self, *left_out):
        self.grant(*[word for i in range(0, len(ALL), 2) if ALL[i] not in left_out for word in ALL[i:i + 2]])

    def job(self, conf=None, dsl=None):
        return self.fed.submit(conf or lr_conf(max_iter=1), dsl)

    def refused(self, job, *words):
        row = self.guest.wait(job)
        self.assertEqual(row["f_status"], "failed")
        why = self.guest.sql("SELECT reason FROM job WHERE job_id = '%s'" % job)[0][0]
        for word in words:
            self.assertIn(word, why)
        return why

    def as_guest(self, path, body):
        """The guest's site itself says this to the host's."""
        with open(os.path.join(self.guest.home, "keys", "sign.key"), encoding="ascii") as f:
            seed = base64.b64decode(f.read().split()[1])
        return Request(seed, "9999", "10000", path, json.dumps(body).encode()).send(self.host, self.guest.home)[1]

    def test_nothing_is_allowed_until_it_is_granted(self):
        before = self.host.sql("SELECT MAX(id) FROM audit")[0][0]
        job = self.job()
        why = self.refused(job, "host 10000", "party 9999 (as guest) may not have the role host",
                           "sluice grant 9999 --roles host")
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM job WHERE job_id = '%s' AND status = 'ready'" % job),
                         [["0"]])
        audit = self.host.sql("SELECT actor, detail FROM audit WHERE outcome = 'refused' AND id > %s" % before)
        self.assertEqual({row[0] for row in audit}, {"party 9999"})
        self.assertTrue(any("may not have the role host" in row[1] for row in audit), audit)
        self.assertNotIn("  ", why)

    def test_each_branch_of_the_tree_is_needed(self):
        for option, words in (("--roles", "role host"), ("--commands", "create jobs"),
                              ("--components", "use component reader"), ("--datasets", "read dataset test breast_host")):
            self.close()
            self.open_all_but(option)
            self.refused(self.job(), words)

    def test_the_one_command_of_a_refusal_grants_all_that_is_missing(self):
        why = self.refused(self.job(), "at party 10000: no rule allows it; 7 more are missing; the operator of party 10000 ")
        self.assertEqual(why.count("sluice grant"), 1, why)
        self.assertEqual(self.ask_host()["grants"], [why.split(" allows it by: ")[1]])
        self.host.cli(*why.split(" allows it by: sluice ")[1].split())
        self.assertEqual(self.guest.wait(self.job())["f_status"], "success")
        # Exactly what the job needs, and nothing else.
        rules = {(r[0], r[1], r[2]) for r in self.host.sql("SELECT kind, subject, detail FROM permission")}
        self.assertIn(("dataset", "test", "breast_host"), rules)
        self.assertNotIn(("component", "*", ""), rules)

    def ask_host(self):
        """What it would decide about the job."""
        body = {"job_dsl": example("dsl.json"), "job_runtime_conf": lr_conf(max_iter=1)}
        return self.host.ok("permission/explain", body)["data"]["members"][0]

    def test_rules_are_about_a_party_and_the_role_it_initiates_as(self):
        self.host.cli("grant", "10001", *ALL)
        self.refused(self.job(), "may not")
        self.host.cli("grant", "9999", "--as", "arbiter", *ALL)
        self.refused(self.job(), "may not")
        self.host.cli("grant", "9999", "--as", "guest", *ALL)
        self.assertEqual(self.guest.wait(self.job())["f_status"], "success")

    def test_every_member_here_is_judged_by_what_it_reads(self):
        """Tables named for all members, for one, or for the second of a role."""
        self.open_all_but("--datasets")
        self.grant("--datasets", "test/other")
        conf = lr_conf(max_iter=1)
        table = conf["component_parameters"]["role"]["host"].pop("all")["reader_0"]
        conf["component_parameters"]["common"]["reader_0"] = table
        self.refused(self.job(conf), "read dataset test breast_host")
        conf = lr_conf(max_iter=1)
        conf["component_parameters"]["role"]["host"]["0"] = conf["component_parameters"]["role"]["host"].pop("all")
        self.refused(self.job(conf), "read dataset test breast_host")

    def test_the_second_member_here_is_judged_too(self):
        self.open_all_but("--roles", "--datasets")
        self.grant("--roles", "host", "--datasets", "test/breast_host")
        conf = lr_conf(max_iter=1)
        conf["role"]["arbiter"] = [10000]
        self.refused(self.job(conf), "arbiter 10000", "may not have the role arbiter")
        # The other host has nothing to refuse, or might do so first.
        self.arbiter.upload(os.path.join(DATA, "breast_host.csv"), "breast_host")
        conf = lr_conf(max_iter=1, early_stop="weight_diff")
        conf["role"]["host"] = [10001, 10000]
        role = conf["component_parameters"]["role"]["host"]
        role["0"] = role.pop("all")
        role["1"] = {"reader_0": {"table": {"namespace": "test", "name": "secret"}}}
        self.refused(self.job(conf), "host 10000", "read dataset test secret")

    def test_a_revoked_right_stops_tasks_that_have_not_started(self):
        self.open_all_but("--components")
        self.grant("--components", "Reader,DataTransform,Intersection,Evaluation,HeteroLR,TestFail")
        dsl, conf = example("dsl.json"), lr_conf(max_iter=30)
        # One task after the other: none follows the reader before the guest has computed for a while.
        dsl["components"] = {"reader_0": dsl["components"].pop("reader_0"), "fail_0": {
            "module": "TestFail", "provider": "sluice_test"}, **dsl["components"]}
        conf["job_parameters"]["common"]["task_parallelism"] = 1
        conf["component_parameters"]["common"]["fail_0"] = {"what": "compute", "seconds": 3, "who": "guest"}
        job = self.job(conf, dsl)
        wait_for(lambda: self.host.has_begun(job, "reader_0", "host"), what="the reader starts")
        self.host.cli("revoke", "9999", "--components", "HeteroLR")
        row = self.guest.wait(job)
        self.assertEqual(row["f_status"], "failed")
        task = self.guest.tasks(job, component_name="hetero_lr_0", role="host", party_id="10000")[0]
        self.assertEqual(task["f_party_status"], "failed")
        self.assertIn("may not use component heterolr", task["f_error_report"])
        self.assertIn("sluice grant 9999 --components heterolr", task["f_error_report"])
        # The component never ran there.
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM attempt WHERE job_id = '%s' AND component = 'hetero_lr_0'"
                                       " AND shepherd_pid IS NOT NULL" % job), [["0"]])
        audit = self.host.sql("SELECT detail FROM audit WHERE action = 'task start' AND subject = '%s'" % job)
        self.assertIn("may not use component heterolr", audit[0][0])

    def test_uses_are_counted_once_for_each_job(self):
        self.open_all_but("--datasets")
        self.grant("--datasets", "test/breast_host", "--uses", "2")
        uses = "SELECT uses_left FROM permission WHERE kind = 'dataset'"
        for left in ("1", "0"):
            self.assertEqual(self.guest.wait(self.job())["f_status"], "success")
            self.assertEqual(self.host.sql(uses), [[left]])
        self.refused(self.job(), "read dataset test breast_host", "used up")
        self.grant("--datasets", "test/breast_host")
        self.assertEqual(self.guest.wait(self.job())["f_status"], "success")

    def test_rights_have_their_time(self):
        self.open_all_but("--datasets")
        self.grant("--datasets", "test/*", "--until", "2999-01-01")
        self.host.sql("UPDATE permission SET valid_until = '2001-01-01' WHERE kind = 'dataset'")
        self.refused(self.job(), "was valid until 2001-01-01")
        self.grant("--datasets", "test/*", "--from", "2999-01-01")
        self.refused(self.job(), "is valid from 2999-01-01")
        self.grant("--datasets", "test/*", "--from", "2001-01-01", "--until", "2999-01-01")
        self.assertEqual(self.guest.wait(self.job())["f_status"], "success")

    def test_parameters_are_bounded(self):
        self.grant(*ALL)
        self.grant("--parameter", "HeteroLR.max_iter=1..2")
        self.refused(self.job(lr_conf(max_iter=3)), "set parameter heterolr.max_iter", "has 3")
        self.assertEqual(self.guest.wait(self.job(lr_conf(max_iter=2)))["f_status"], "success")
        self.grant("--parameter", 'HeteroLR.penalty=["L1"]')
        self.refused(self.job(lr_conf(max_iter=2, penalty="L2")), "set parameter heterolr.penalty")
        # What the job does not say is what the provider fills in.
        self.grant("--parameter", "HeteroLR.encrypt_param.key_length=4096..")
        self.refused(self.job(lr_conf(max_iter=2, penalty="L1")), "heterolr.encrypt_param.key_length")

    def test_own_jobs_need_no_permission(self):
        self.guest.sql("DELETE FROM permission")
        try:
            self.grant(*ALL)
            self.assertEqual(self.guest.wait(self.job())["f_status"], "success")
        finally:
            self.guest.cli("grant", "10000,10001", *ALL)

    def test_a_rerun_is_judged_again(self):
        self.open_all_but("--commands")
        self.grant("--commands", "create")
        job = self.job()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")
        self.assertEqual(self.host.wait(job, role="host")["f_status"], "success")
        task = {"auto_retries": 0, "retry_delay_s": 1}
        path = "/v1/party/%s/reader_0/%s_reader_0/1/host/10000/create" % (job, job)
        reply = self.as_guest(path, task)
        self.assertEqual(reply["retcode"], 108, reply)
        self.assertEqual(reply["data"]["code"], 4)
        self.assertIn("rerun jobs", reply["data"]["message"])
        self.grant("--commands", "rerun")
        self.host.cli("revoke", "9999", "--datasets", "*")
        reply = self.as_guest(path, task)
        self.assertEqual((reply["retcode"], reply["data"]["code"]), (108, 3), reply)
        # Allowed, but another run begins with the job: the whole way, then.
        self.grant("--datasets", "*")
        self.assertEqual(self.as_guest(path, task)["retcode"], 103)
        again = {"job_id": job, "component_name": "reader_0", "force": True}
        self.host.cli("revoke", "9999", "--commands", "rerun")
        self.guest.ok("job/rerun", again)
        # It changes nothing, and its reason says so.
        why = wait_for(lambda: self.guest.sql("SELECT reason FROM job WHERE job_id = '%s' AND status = 'success' AND settled = 1"
                                              " AND reason IS NOT NULL" % job), what="the refusal")[0][0]
        self.assertIn("the rerun was refused", why)
        self.assertIn("rerun jobs", why)
        self.grant("--commands", "rerun")
        self.guest.ok("job/rerun", again)
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    # --- the classic words ---------------------------------------------------

    def test_the_classic_grant_query_and_delete(self):
        host = self.host
        grant = {"party_id": 9999, "component": "reader,datatransform, intersection",
                 "dataset": [{"namespace": "test", "name": "breast_host"}]}
        self.assertEqual(host.api("permission/grant", grant), {"retcode": 0, "retmsg": "success"})
        self.assertEqual(host.api("permission/grant", grant), {"retcode": 0, "retmsg": "success"})
        data = host.ok("permission/query", {"party_id": "9999"})["data"]
        self.assertEqual(data, {"component": ["datatransform", "intersection", "reader"],
                                "dataset": [{"namespace": "test", "name": "breast_host"}]})
        self.refused(self.job(), "use component")
        host.ok("permission/grant", {"party_id": "9999", "component": "*"})
        self.assertEqual(self.guest.wait(self.job())["f_status"], "success")
        host.ok("permission/delete", {"party_id": "9999", "component": "heterolr"})
        self.refused(self.job(), "use component heterolr")
        host.ok("permission/delete", {"party_id": "9999", "component": "*", "dataset": "*"})
        self.assertEqual(host.ok("permission/query", {"party_id": 9999})["data"], {"component": [], "dataset": []})
        self.refused(self.job(), "use component reader")

    def test_classic_requests_that_are_wrong_change_nothing(self):
        for body, code, text in (
                ({"component": "reader"}, 101, "party_id"),
                ({"party_id": "nine"}, 101, "party_id"),
                ({"party_id": 9999, "component": "heterolrr"}, 100, "did you mean"),
                ({"party_id": 9999, "component": ["reader"]}, 101, "component must be"),
                ({"party_id": 9999, "dataset": "*"}, 100, "cannot be granted"),
                ({"party_id": 9999, "dataset": {"name": "x"}}, 101, "namespace"),
                ({"party_id": 9999, "component": "reader", "dataset": [{"namespace": "", "name": "x"}]}, 101, "bytes")):
            reply = self.host.api("permission/grant", body)
            self.assertEqual(reply["retcode"], code, (body, reply))
            self.assertIn(text, reply["retmsg"])
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM permission"), [["0"]])
        self.assertEqual(self.host.api("permission/query/privilege", {"party_id": 1})["retcode"], 100)

    def test_only_admins_change_permissions(self):
        modeler = self.host.signed(self.host.make_key(unique("modeler"), "modeler"))
        reply = modeler.api("permission/grant", {"party_id": 9999, "component": "*"})
        self.assertEqual(reply["retcode"], 108)
        admin = self.host.signed(self.host.make_key(unique("admin"), "admin"))
        admin.ok("permission/grant", {"party_id": 9999, "component": "reader"})
        by = self.host.sql("SELECT DISTINCT created_by FROM permission")
        self.assertEqual(by, [["client " + admin.key["name"]]])

    # --- asking first -----------------------------------------------------------

    def test_explain_says_what_would_be_decided(self):
        self.open_all_but("--datasets", "--components")
        self.grant("--components", "reader")
        body = {"job_dsl": example("dsl.json"), "job_runtime_conf": lr_conf(max_iter=1)}
        data = self.host.ok("permission/explain", body)["data"]
        self.assertFalse(data["allowed"])
        self.assertEqual([m["role"] for m in data["members"]], ["host"])
        said = {(d["kind"], d["subject"], d.get("detail", "")): d for d in data["members"][0]["decisions"]}
        self.assertTrue(said["component", "reader", ""]["allowed"])
        self.assertIn("rule", said["component", "reader", ""])
        self.assertFalse(said["component", "heterolr", ""]["allowed"])
        self.assertEqual(said["component", "heterolr", ""]["grant"], "sluice grant 9999 --components heterolr")
        self.assertFalse(said["dataset", "test", "breast_host"]["allowed"])
        self.assertTrue(said["role", "host", ""]["allowed"])
        self.host.cli("grant", "10001", *ALL)
        self.assertTrue(self.host.ok("permission/explain", dict(body, party_id="10001"))["data"]["allowed"])
        reply = self.host.api("permission/explain", dict(body, job_dsl={"components": {}}))
        self.assertEqual(reply["retcode"], 101)
        self.assertIn("errors", reply)
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for name in ("job_dsl", "job_runtime_conf"):
                files.append(os.path.join(folder, name))
                with open(files[-1], "w", encoding="utf-8") as f:
                    json.dump(body[name], f)
            done = self.host.cli("explain", "--dsl", files[0], "--conf", files[1], check=False)
            self.assertEqual(done.returncode, 1)
            # One command, that runs as it is where it was asked.
            command = "    sluice grant 9999 --components datatransform,intersection,heterolr,evaluation " \
                      "--datasets test/breast_host"
            self.assertIn("  what is missing is allowed by:\n%s --config FILE\n" % command
                          if "--party" in done.args else command, done.stdout)
            self.assertIn("the job would be refused", done.stdout)
            done = self.host.cli("explain", "--dsl", files[0], "--conf", files[1], "--party", "10001")
            self.assertIn("the job would be taken in\n", done.stdout)
            self.named("mia")
            self.host.cli("grant", "10001", "--datasets", "test/breast_host", "--approval-by", "mia", "--approval-within", "48h")
            done = self.host.cli("explain", "--dsl", files[0], "--conf", files[1], "--party", "10001")
            self.assertIn("waits for mia to approve it, 48 h at most", done.stdout)
            self.assertIn("the job would be taken in once that is approved", done.stdout)
        data = self.host.ok("permission/explain", dict(body, party_id="10001"))["data"]
        self.assertEqual([d["approval"] for d in data["members"][0]["decisions"] if "approval" in d],
                         [{"by": "mia", "within_s": 172800}])

    def test_explain_at_the_initiator_asks_every_party(self):
        self.open_all_but("--components", "--datasets")
        self.grant("--components", "reader,datatransform,intersection,heterolr,evaluation")
        body = {"job_dsl": example("dsl.json"), "job_runtime_conf": lr_conf(max_iter=1)}

        def said():
            data = self.fed.guest.ok("permission/explain", body)["data"]
            return data["allowed"], {m["role"]: m for m in data["members"]}

        allowed, members = said()
        self.assertFalse(allowed)
        self.assertEqual(sorted(members), ["arbiter", "host"])
        missing = [d for d in members["host"]["decisions"] if not d["allowed"]]
        self.assertEqual([d["grant"] for d in missing], ["sluice grant 9999 --datasets test/breast_host"])
        self.grant("--datasets", "test/breast_host", "--approval-by", "admin", "--approval-within", "1h")
        allowed, members = said()
        self.assertTrue(allowed)
        asked = [d for d in members["host"]["decisions"] if "approval" in d]
        self.assertEqual([(d["subject"], d["approval"]) for d in asked],
                         [("test", {"by": "admin", "within_s": 3600})])
        # Nothing was taken in, counted or asked for.
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM job WHERE job_id LIKE '2000%'"), [["0"]])
        self.assertEqual(self.host.ok("approval/query")["data"], [])
        self.fed.arbiter.stop()
        try:
            allowed, members = said()
        finally:
            self.fed.arbiter.start()
        self.assertFalse(allowed)
        self.assertTrue(members["host"]["allowed"])
        self.assertIn("connect", members["arbiter"]["error"])

    def test_rules_that_make_no_sense_are_refused(self):
        for args in (("grant", "x", "--components", "*"), ("grant", "9999"),
                     ("grant", "9999", "--components", "heterolrr"), ("grant", "9999", "--datasets", "breast_host"),
                     ("grant", "9999", "--datasets", "*/x"), ("grant", "9999", "--commands", "delete"),
                     ("grant", "9999", "--parameter", "HeteroLR.max_iter"),
                     ("grant", "9999", "--datasets", "a/b", "--approval-by", "mia", "--approval-within", "1h", "--no-approval"),
                     ("grant", "9999", "--parameter", "HeteroLR.max_iter=5..1"),
                     ("grant", "9999", "--parameter", "HeteroLR.max_iter=[]"),
                     ("grant", "9999", "--components", "reader", "--uses", "3"),
                     ("grant", "9999", "--datasets", "a/b", "--uses", "0"),
                     ("grant", "9999", "--datasets", "a/b", "--until", "tomorrow"),
                     ("grant", "9999", "--datasets", "a/b", "--from", "2030-01-01", "--until", "2029-01-01")):
            done = self.host.cli(*args, check=False)
            self.assertEqual(done.returncode, 2, (args, done.stdout))
        for args, words in ((("--roles", "hots"), "did you mean host?"),
                            (("--as", "gest", "--roles", "host"), "did you mean guest?"),
                            (("--parameter", "HeteroLR.max_itr=1..3"), "did you mean max_iter?"),
                            (("--parameter", "HeteroLR.encrypt_param.key_lenght=1.."), "did you mean key_length?"),
                            (("--datasets", "a/b", "--until", "2020-01-01"), "is in the past")):
            done = self.host.cli("grant", "9999", *args, check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM permission"), [["0"]])

    def named(self, name):
        """Somebody of this site is called so."""
        self.host.make_key(name, "viewer")
        self.addCleanup(self.host.cli, "key", "delete", name)

    def test_nobody_has_to_approve_who_is_not_there(self):
        demand = ("grant", "9999", "--datasets", "my/ads", "--approval-within", "1h", "--approval-by")
        self.named("mia")
        for name, words in (("mai", "did you mean mia?"), ("zacharias", "sluice user list"), ("", "name of a user")):
            done = self.host.cli(*demand, name, check=False)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("--approval-by: ", done.stderr)
            self.assertIn(words, done.stderr)
            reply = self.host.api("permission/grant", {"party_id": 9999, "component": "reader", "approval_by": name,
                                                       "approval_within": "1h"})
            self.assertEqual(reply["retcode"], 101, reply)
            self.assertIn(words, reply["retmsg"])
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM permission"), [["0"]])
        for name in ("mia", "admin"):
            self.host.cli(*demand, name)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as f:
            f.write("correct horse battery\n")
            f.flush()
            self.host.cli("user", "create", "zacharias", "--role", "viewer", "--password-file", f.name)
        self.addCleanup(self.host.cli, "user", "delete", "zacharias")
        self.host.cli(*demand, "zacharias")

    def test_a_revocation_says_what_allows_the_same_all_the_same(self):
        self.grant("--components", "reader,heterolr", "--datasets", "my/ads")
        done = self.host.cli("revoke", "9999", "--components", "heterolr")
        self.assertEqual((done.stdout, done.stderr), ("1 rule removed\n", ""))
        self.host.cli("grant", "*", "--components", "*", "--datasets", "my/*")
        self.host.cli("grant", "9999", "--as", "guest", "--components", "reader")
        done = self.host.cli("revoke", "9999", "--components", "reader")
        self.assertEqual(done.stdout, "1 rule removed\n")
        self.assertIn("(* as *: component *) still allows it; \"sluice revoke '*' --components '*'", done.stderr)
        self.assertIn("(9999 as guest: component reader) still allows it; \"sluice revoke 9999 --as guest --components reader",
                      done.stderr)
        self.assertNotIn("dataset", done.stderr)
        data = self.host.ok("permission/delete", {"party_id": 9999, "dataset": {"namespace": "my", "name": "ads"}})["data"]
        self.assertEqual([(r["party_id"], r["subject"], r["detail"], r["revoke"]) for r in data["still_allowed"]],
                         [("*", "my", "*", "sluice revoke '*' --datasets 'my/*'")])
        # What it names removes it.
        for rule in data["still_allowed"]:
            self.assertEqual(self.host.cli(*shlex.split(rule["revoke"])[1:]).stdout, "1 rule removed\n")
        self.assertEqual(self.host.api("permission/delete", {"party_id": 9999, "dataset": {"namespace": "my", "name": "ads"}}),
                         {"retcode": 0, "retmsg": "success"})

    def test_an_approval_is_not_lost_by_granting_the_same_again(self):
        approval = "SELECT approval_by, approval_within_s FROM permission WHERE subject = 'my'"
        self.named("mia")
        self.grant("--datasets", "my/ads,my/other", "--approval-by", "mia", "--approval-within", "1h")
        done = self.host.cli("grant", "9999", "--datasets", "my/ads", "--uses", "3")
        self.assertIn("1 of them still waits for the approval", done.stderr)
        self.assertEqual(self.host.sql(approval), [["mia", "3600"]] * 2)
        done = self.host.cli("grant", "9999", "--datasets", "my/ads", "--no-approval")
        self.assertNotIn("approval", done.stderr)
        self.assertEqual(sorted(row[1] for row in self.host.sql(approval)), ["3600", "NULL"])
        # Decisions name rules by their numbers.
        for rule in json.loads(self.host.cli("grants", "--json").stdout):
            self.assertRegex(self.host.cli("grants").stdout, r"(?m)^%d +9999 .* %s" % (rule["id"], rule["detail"]))

    def test_names_with_odd_characters_stay_what_they_are(self):
        """Dots, dashes, commas, slashes and quotes in names mean nothing."""
        names = [{"namespace": "a.b;c,d", "name": "e-f/g"}, {"namespace": "x/y", "name": "z'\""}]
        self.grant("--datasets", json.dumps(names))
        self.assertEqual(sorted(self.host.ok("permission/query", {"party_id": 9999})["data"]["dataset"],
                                key=lambda d: d["name"]), names)
        self.host.ok("permission/delete", {"party_id": 9999, "dataset": names[0]})
        self.assertEqual(self.host.ok("permission/query", {"party_id": 9999})["data"]["dataset"], names[1:])


if __name__ == "__main__":
    unittest.main()

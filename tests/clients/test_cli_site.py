"""flow server, service, provider, privilege, key, template: the site."""
import json
import os
import unittest

from client import WORLD, Flow, scratch_file


class Site(unittest.TestCase):
    def test_versions_are_told(self):
        data = WORLD.flow.ok("server", "versions")["data"]
        self.assertEqual(data["API"], "v1")
        self.assertRegex(data["FATEFlow"], r"^1\.11\.")
        self.assertRegex(data["FATE"], r"^1\.11\.")

    def test_the_site_reloads(self):
        data = WORLD.flow.ok("server", "reload")["data"]
        self.assertIn("task_cores", data["job_default_config"])
        WORLD.flow.ok("server", "versions")

    def test_services_are_told(self):
        data = WORLD.flow.ok("service", "registry")["data"]
        self.assertTrue(all(name == name.upper() for name in data))

    def test_templates_are_downloaded(self):
        for options in ([], ["--min-data", "1"]):
            out = WORLD.flow.path("templates%d" % len(options))
            answer = WORLD.flow.ok("template", "download", *options, "-o", out)
            files = [f for _, _, names in os.walk(answer["directory"]) for f in names]
            self.assertTrue(any(f.endswith(".json") for f in files), files)


class Providers(unittest.TestCase):
    def test_providers_are_listed(self):
        data = WORLD.flow.ok("provider", "list")["data"]
        self.assertTrue(data)
        for entry in data.values():
            version = entry["default"]["version"]
            self.assertEqual(set(entry[version]), {"path", "python", "class_path", "components"})
        name = next(iter(data))
        one = WORLD.flow.ok("provider", "list", "-n", name)["data"]
        self.assertIn(data[name]["default"]["version"], one)
        self.assertNotIn("data", WORLD.flow.ok("provider", "list", "-n", "nobody"))

    def test_components_are_listed_by_every_name(self):
        data = WORLD.flow.ok("provider", "list-components")["data"]
        for name in ("HeteroLR", "heterolr", "Reader", "reader"):
            self.assertEqual(set(data[name]), {"default_provider", "support_provider", "alias"})

    def test_a_provider_comes_from_the_site_not_from_a_client(self):
        conf = {"name": "fate", "version": "9.9.9", "path": "/nowhere"}
        answer = WORLD.flow("provider", "register", "-c", scratch_file("register.json", conf))
        self.assertNotEqual(answer["retcode"], 0)
        self.assertNotIn("9.9.9", json.dumps(WORLD.flow.ok("provider", "list")["data"]))
        conf.pop("version")
        answer = WORLD.flow("provider", "register", "-c", scratch_file("register.json", conf))
        self.assertNotEqual(answer["retcode"], 0)


class Privileges(unittest.TestCase):
    def conf(self, **more):
        return scratch_file("grant.json", dict({"party_id": 10000}, **more))

    def test_what_a_partner_may_is_granted_told_and_taken_back(self):
        flow = WORLD.flow
        before = flow("privilege", "query", "-p", "10000")
        if before["retcode"] != 0:  # the switch is off: said in words
            self.assertEqual(before["retcode"], 100)
            self.assertGreater(len(before["retmsg"]), 10)
            self.assertEqual(flow("privilege", "grant", "-c", self.conf(component="reader"))["retcode"], 100)
            return
        self.assertEqual(set(before["data"]), {"component", "dataset"})
        table = {"namespace": "cli", "name": "granted"}
        flow.ok("privilege", "grant", "-c", self.conf(component="reader", dataset=[table]))
        told = flow.ok("privilege", "query", "-p", "10000")["data"]
        self.assertIn(table, told["dataset"])
        flow.ok("privilege", "delete", "-c", self.conf(dataset=[table]))
        self.assertNotIn(table, flow.ok("privilege", "query", "-p", "10000")["data"]["dataset"])
        self.assertEqual(flow("privilege", "grant", "-c", self.conf(component="no_such_component"))["retcode"], 100)
        self.assertEqual(flow("privilege", "grant", "-c", self.conf(dataset="*"))["retcode"], 100)


class Keys(unittest.TestCase):
    def test_a_key_is_kept_told_and_forgotten(self):
        flow = WORLD.flow
        conf = {"party_id": 8765, "key": "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----"}
        answer = flow("key", "save", "-c", scratch_file("key.json", conf))
        if answer["retcode"] == 0:
            self.assertIn(answer["data"], ("save success", "update success"))
            self.assertEqual(flow.ok("key", "query", "-p", "8765")["data"], conf["key"])
            flow.ok("key", "delete", "-p", "8765")
        else:  # sites prove themselves by other keys: said in words
            self.assertGreater(len(answer["retmsg"]), 10)
        self.assertNotIn("data", flow("key", "query", "-p", "8765"))

    def test_a_private_key_is_never_told(self):
        answer = WORLD.guest.api("key/query", {"party_id": "9999", "key_name": "private"})
        self.assertNotEqual(answer["retcode"], 0)
        self.assertNotIn("data", answer)


class Signed(unittest.TestCase):
    """With keys the client signs; this site takes loopback without, and a
    wrong signature is refused all the same."""

    def signed(self, role):
        key = WORLD.guest.make_key("clients-%s-%d" % (role, os.getpid()), role)
        self.addCleanup(WORLD.guest.cli, "key", "delete", key["name"])
        return Flow(WORLD.guest, app_key=key["app_key"], secret_key=key["secret_key"]), key

    def test_whatever_the_client_signs_is_taken(self):
        """Bodies, no bodies, `{}`, forms, configurations in the query."""
        flow, key = self.signed("modeler")
        with open(flow.path("a.csv"), "w", encoding="ascii") as f:
            f.write("id,y\n1,2\n")
        conf = {"file": flow.path("a.csv"), "head": 1, "partition": 1, "namespace": "a b&c=d'/", "table_name": "signed"}
        for args in (["server", "versions"], ["resource", "query"], ["service", "registry"], ["job", "list"],
                     ["job", "query", "-j", "1"], ["tag", "list"],
                     ["data", "upload", "--drop", "-c", scratch_file("signed.json", conf)],
                     ["table", "info", "-n", "a b&c=d'/", "-t", "signed"]):
            with self.subTest(args):
                answer = flow(*args)
                self.assertEqual(answer["retcode"], 0, dict(answer))
        url = WORLD.guest.url.split("//")[1].split(":")
        text = flow.python(
            "import sys\nfrom flow_sdk.client import FlowClient\n"
            "c = FlowClient(sys.argv[1], int(sys.argv[2]), 'v1', app_key=sys.argv[3], secret_key=sys.argv[4])\n"
            "assert c.remote_version.api() == 'v1'\n"
            "for r in (c.job.query(), c.job.list(), c.task.list(), c.data.upload_history()):\n"
            "    assert r['retcode'] == 0, r\nprint('TAKEN')\n", url[0], url[1], key["app_key"], key["secret_key"])
        self.assertIn("TAKEN", text)

    def test_a_form_is_signed_with_its_fields(self):
        flow, _ = self.signed("modeler")
        conf = dict(WORLD.model, role="guest", party_id=9999, file=scratch_file("no.zip", "no archive"))
        answer = flow("model", "import", "-c", scratch_file("signed_import.json", conf))
        self.assertNotIn(answer["retcode"], (0, 109), dict(answer))

    def test_a_role_bounds_what_a_key_may(self):
        flow, _ = self.signed("viewer")
        self.assertEqual(flow("job", "list")["retcode"], 0)
        self.assertEqual(flow("job", "stop", "-j", "1")["retcode"], 108)
        self.assertEqual(flow("privilege", "grant", "-c", scratch_file("g.json", {"party_id": 1}))["retcode"], 108)

    def test_a_signature_that_does_not_fit_is_refused(self):
        flow = Flow(WORLD.guest, app_key="nobody", secret_key="nothing")
        for args in (["job", "query", "-j", "1"], ["server", "versions"], ["queue", "clean"]):
            self.assertEqual(flow(*args)["retcode"], 109, args)

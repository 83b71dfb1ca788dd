"""Versions for other parties, and what few ask for."""
import base64
import hashlib
import json
import os
import unittest
import zipfile

from test_archive import export, train


class Migrate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed, cls.key = train()
        cls.request = {
            "migrate_initiator": {"role": "guest", "party_id": 99990},
            "role": {"guest": [9999], "arbiter": [10001], "host": [10000]},
            "migrate_role": {"guest": [99990], "arbiter": [100010], "host": [100000]},
            "execute_party": {"guest": ["9999"], "arbiter": [10001], "host": [10000]},
            "model_id": cls.key["model_id"], "model_version": cls.key["model_version"],
            "job_parameters": {"federated_mode": "MULTIPLE"}}
        cls.new_id = "arbiter-100010#guest-99990#host-100000#model"

    def migrate(self, **changes):
        return self.fed.guest.api("model/migrate", dict(self.request, **changes))

    def archive(self, site, role, party, version):
        path = os.path.join(site.home, "models", "migrated", "%s#%s#%s_%s.zip" % (role, party, self.new_id, version))
        # Another program of the site, with a user of its own, compares it when the errand comes once more.
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
        return zipfile.ZipFile(path)

    def test_all_members_make_archives_of_one_new_version(self):
        version = "20260102030405000006"
        reply = self.migrate(unify_model_version=version)
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(reply["jobId"], version)
        self.assertEqual(reply["data"]["guest"], {"9999": 0})
        self.assertEqual(reply["data"]["host"], {"10000": 0})
        text = reply["data"]["detail"]["guest"]["9999"]["retmsg"]
        for words in (self.new_id, version, "models/migrated/guest#99990#"):
            self.assertIn(words, text)
        roots = set()
        for site, role, party in ((self.fed.guest, "guest", "99990"), (self.fed.host, "host", "100000"),
                                  (self.fed.arbiter, "arbiter", "100010")):
            with self.archive(site, role, party, version) as z:
                manifest = json.loads(z.read("manifest.json"))
                pipeline = json.loads(z.read("variables/data/pipeline/pipeline/Pipeline.json"))
                for part in manifest["manifest"]["parts"]:
                    content = z.read("variables/data/%s/%s/%s" % (part["component"], part["alias"], part["buffer"]))
                    self.assertEqual(hashlib.sha256(content).hexdigest(), part["sha256"])
            roots.add(manifest["root"])
            self.assertEqual(manifest["manifest"]["party_id"], party)
            self.assertEqual(set(manifest["members"]), {"guest", "host", "arbiter"})
            conf = json.loads(base64.b64decode(pipeline["trainRuntimeConf"]))
            self.assertEqual(conf["role"]["host"], [100000])
            self.assertEqual(conf["initiator"], {"role": "guest", "party_id": 99990})
            self.assertEqual((pipeline["modelId"], pipeline["modelVersion"]), (self.new_id, version))
        self.assertEqual(len(roots), 1, "one root for all")
        # The same version again is taken, and nothing is written anew.
        again = self.migrate(unify_model_version=version)
        self.assertEqual(again["retcode"], 0)
        self.assertEqual(again["data"]["guest"], {"9999": 100})
        self.assertIn("taken", again["data"]["detail"]["guest"]["9999"]["retmsg"])

    def test_some_members_make_archives_without_a_root(self):
        reply = self.migrate(execute_party={"guest": [9999]})
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(set(reply["data"]), {"detail", "guest"})
        self.assertIn("root is unknown", reply["data"]["detail"]["guest"]["9999"]["retmsg"])
        with self.archive(self.fed.guest, "guest", "99990", reply["jobId"]) as z:
            self.assertNotIn("root", json.loads(z.read("manifest.json")))

    def test_wrong_requests_are_refused(self):
        for changes, words in (
                ({"migrate_role": self.request["role"], "migrate_initiator": {"role": "guest", "party_id": 9999}},
                 "the same"),
                ({"migrate_role": {"guest": [1], "host": [2]}}, "same roles"),
                ({"migrate_role": {"guest": [1, 3], "arbiter": [4], "host": [2]}}, "as many members"),
                ({"execute_party": {"guest": [8888]}}, "is not in role"),
                ({"execute_party": {}}, "names nobody"),
                ({"execute_party": {"guest": [9999], "host": 10000}}, "must be a list"),
                ({"migrate_initiator": {"role": "guest", "party_id": 9999}}, "member of migrate_role"),
                ({"unify_model_version": "../x"}, "form of a job's id"),
                ({"model_version": "20990101000000000000"}, ""),
                ({"migrate_role": [1]}, "must be objects")):
            reply = self.migrate(**changes)
            self.assertEqual(reply["retcode"], 100, (changes, reply))
            self.assertIn(words, reply["retmsg"])
        self.assertEqual(self.fed.guest.api("model/migrate", {"role": {}})["retcode"], 101)
        reply = self.migrate(role=[1])
        self.assertEqual(reply["retcode"], 101, reply)
        self.assertIn("/role", reply["retmsg"])

    def test_buffers_are_handed_out_as_text(self):
        guest, key = self.fed.guest, self.key
        data = guest.ok("model/transfer", {"namespace": "guest#9999#" + key["model_id"],
                                           "name": key["model_version"]})["data"]
        _, body = export(guest, key)
        with open(os.path.join(guest.home, "export.zip"), "wb") as f:
            f.write(body)
        with zipfile.ZipFile(f.name) as z:
            want = z.read("variables/data/hetero_lr_0/model/HeteroLogisticRegressionParam")
        self.assertEqual(base64.b64decode(data["HeteroLogisticRegressionParam"]), want)
        path = "model/transfer/%s/%s" % (("guest#9999#" + key["model_id"]).replace("#", "~"), key["model_version"])
        self.assertEqual(guest.ok(path)["data"], data)
        self.assertEqual(guest.request("model/transfer", {"namespace": "x", "name": "y"})[0], 400)
        self.assertEqual(guest.request("model/transfer", {"namespace": "guest#1#m", "name": "y"})[0], 404)

    def test_what_is_not_done_is_said_with_the_reason(self):
        for path in ("model/homo/convert", "model/homo/deploy", "model/service/register", "model/archive/packaging",
                     "component/hetero/merge", "component/woe_array/extract", "component/woe_array/merge"):
            reply = self.fed.guest.api(path, {})
            self.assertEqual(reply["retcode"], 100)
            self.assertTrue(reply["retmsg"].startswith("not supported: "), reply)
            self.assertNotIn("no such operation", reply["retmsg"])


if __name__ == "__main__":
    unittest.main()

"""Keys of partners: fingerprints, a change of keys while a job runs, and
withdrawal that holds from the next request on."""
import base64
import json
import os
import subprocess
import tempfile
import unittest

from federation import BUILD, DATA, Federation, example, lr_conf, wait_for
from partner import Request


class PartnerKeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        for site, file in ((cls.fed.guest, "breast_guest"), (cls.fed.host, "breast_host")):
            site.upload(os.path.join(DATA, file + ".csv"), file, namespace="keys")

    def keys(self, site, party):
        return json.loads(site.cli("partner", "keys", "--party", party, "--json").stdout)

    def states(self, site, party):
        return sorted((k["kind"], k["state"]) for k in self.keys(site, party))

    def bundle(self, site):
        path = os.path.join(tempfile.mkdtemp(), "partner")
        with open(path, "w", encoding="utf-8") as f:
            f.write(site.cli("partner", "export").stdout)
        return path

    def ask(self, path="/v1/party/20260101000000000000/host/10000/start"):
        """The guest's voice at the host: 102 means that it was heard."""
        with open(os.path.join(self.fed.guest.home, "keys", "sign.key"), encoding="ascii") as f:
            seed = base64.b64decode(f.read().split()[1])
        return Request(seed, "9999", "10000", path, body=b"{}").send(
            self.fed.host, self.fed.guest.home)[1]

    def heard(self):
        """nginx reads its file of certificates in its own time."""
        def asked():
            try:
                return self.ask()["retcode"] == 102
            except OSError:
                return False
        wait_for(asked, what="a partner that is heard again")

    def test_both_sides_read_the_same_fingerprints_to_each_other(self):
        own = json.loads(self.fed.guest.cli("key", "fingerprint", "--json").stdout)
        seen = [p for p in json.loads(self.fed.host.cli("partner", "list", "--json").stdout)
                if p["party_id"] == "9999"][0]
        for name in ("fingerprint", "tls_fingerprint"):
            self.assertRegex(own[name], r"^([0-9]{5} ){7}[0-9]{5}$")
            self.assertEqual(seen[name], own[name])

    def test_a_partner_file_is_looked_at_before_it_is_trusted(self):
        own = json.loads(self.fed.guest.cli("key", "fingerprint", "--json").stdout)
        before = self.keys(self.fed.host, "9999")
        seen = subprocess.run([os.path.join(BUILD, "bin", "sluice"), "partner", "show", self.bundle(self.fed.guest), "--json"],
                              check=True, capture_output=True, text=True).stdout
        seen = json.loads(seen)
        self.assertEqual([seen[k] for k in ("party_id", "fingerprint", "tls_fingerprint")],
                         [own[k] for k in ("party_id", "fingerprint", "tls_fingerprint")])
        self.assertEqual(self.keys(self.fed.host, "9999"), before)

    def test_new_keys_follow_the_old_ones_while_a_job_runs(self):
        fed, guest = self.fed, self.fed.guest
        others = (fed.host, fed.arbiter)
        job = fed.submit(lr_conf(namespace="keys", max_iter=10, tol=0))
        wait_for(lambda: [t for t in fed.host.tasks(job, component_name="hetero_lr_0")
                          if t["f_party_status"] == "running"], what="training")
        before = self.keys(fed.host, "9999")
        path = os.path.join(tempfile.mkdtemp(), "9999.partner")
        guest.cli("site", "rotate-key", "--output", path)
        early = guest.cli("site", "rotate-key", "--switch", check=False)
        self.assertEqual(early.returncode, 1)
        for party in ("10000", "10001"):
            self.assertIn("party %s (" % party, early.stderr)
        fed.host.cli("partner", "import", path)
        early = guest.cli("site", "rotate-key", "--switch", check=False)
        self.assertEqual(early.returncode, 1)
        self.assertIn("party 10001 (", early.stderr)
        self.assertNotIn("party 10000 (", early.stderr)
        for site in others:
            site.cli("partner", "import", path)
            known = {key["key_id"]: key["state"] for key in before}
            now = self.keys(site, "9999")
            self.assertEqual(sorted((k["kind"], k["state"]) for k in now if k["key_id"] not in known),
                             [("sign", "active"), ("tls", "active")])
            self.assertEqual([k["state"] for k in now if known.get(k["key_id"]) == "active"], ["ending", "ending"])
        # Programs of other users read them by these.
        cert = os.path.join(guest.home, "keys", "tls.key")
        os.chmod(cert, 0o640)
        self.addCleanup(os.chmod, cert, 0o600)
        guest.cli("site", "rotate-key", "--switch")
        self.assertEqual(os.stat(cert).st_mode & 0o777, 0o640)
        self.heard()
        self.assertEqual(guest.wait(job, seconds=300)["f_status"], "success", guest.events(job))
        # The old ones are over: nothing is left that would still use them.
        for site in others:
            site.sql("UPDATE partner_key SET valid_until = NOW(6) WHERE party_id = '9999' AND valid_until IS NOT NULL")
        second = fed.submit(lr_conf(namespace="keys", max_iter=1))
        self.assertEqual(guest.wait(second, seconds=300)["f_status"], "success", guest.events(second))
        # Asking twice for what is done already changes nothing.
        self.assertNotEqual(guest.cli("site", "rotate-key", "--switch", check=False).returncode, 0)
        for key in before:
            self.assertIn(key["key_id"], [k["key_id"] for k in self.keys(fed.host, "9999")])

    def test_keys_that_nobody_known_has_signed_are_not_taken(self):
        with open(self.bundle(self.fed.guest), encoding="utf-8") as f:
            good = json.load(f)
        with open(self.bundle(self.fed.arbiter), encoding="utf-8") as f:
            other = json.load(f)
        states = self.states(self.fed.host, "9999")
        forged = dict(good, sign_key=other["sign_key"])
        half = dict(good, next={"sign_key": other["sign_key"], "tls_cert": good["tls_cert"], "old_until": 2000000000,
                                "by_old": "A" * 86 + "==", "by_new": "A" * 86 + "=="})
        for bundle in (forged, half):
            path = os.path.join(tempfile.mkdtemp(), "forged")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(bundle, f)
            done = self.fed.host.cli("partner", "import", path, check=False)
            self.assertNotEqual(done.returncode, 0, bundle)
            self.assertEqual(self.states(self.fed.host, "9999"), states)

    def test_a_disabled_partner_is_refused_at_the_next_request(self):
        fed = self.fed
        job = fed.submit(lr_conf(namespace="keys", max_iter=3000, tol=0))
        try:
            wait_for(lambda: [t for t in fed.host.tasks(job, component_name="hetero_lr_0")
                              if t["f_party_status"] == "running"], what="training")
            self.assertEqual(self.ask()["retcode"], 102)
            fed.host.cli("partner", "disable", "9999")
            # By the program, or by nginx once that has read its file again.
            self.assertIn("partner of this site now", self.ask()["retmsg"])
            wait_for(lambda: "the client certificate is not" in self.ask()["retmsg"], what="nginx's word")
            # Nor is a command heard of what runs already.
            state = "SELECT status, cancel_signal, reason FROM job WHERE job_id = '%s'" % job
            before = fed.host.sql(state)
            self.assertNotEqual(self.ask("/v1/party/%s/host/10000/stop/canceled" % job)["retcode"], 0)
            self.assertEqual(fed.host.sql(state), before)
            self.assertEqual(before[0][0], "canceled")
            self.assertIn("disabled", before[0][2])
        finally:
            fed.host.cli("partner", "enable", "9999")
            fed.guest.ok("job/stop", {"job_id": job})
            fed.guest.wait(job)
        self.heard()

    def test_a_disabled_partner_is_known_still_and_its_keys_do_not_enable_it(self):
        host = self.fed.host
        with open(self.bundle(self.fed.guest), encoding="utf-8") as f:
            good = json.load(f)
        with open(self.bundle(self.fed.arbiter), encoding="utf-8") as f:
            other = json.load(f)
        path = os.path.join(tempfile.mkdtemp(), "forged")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(dict(good, sign_key=other["sign_key"]), f)
        host.cli("partner", "disable", "9999")
        try:
            states = self.states(host, "9999")
            done = host.cli("partner", "import", path, check=False)
            self.assertIn("is known with other keys", done.stderr)
            self.assertEqual(self.states(host, "9999"), states)
            again = host.cli("partner", "import", self.bundle(self.fed.guest))
            self.assertIn("party 9999 is disabled still", again.stderr)
            # Its own doctor shows it, and the other side's names the cure.
            own = self.found_by(host, "partner 9999")
            self.assertEqual([(f["health"], f["mend"]) for f in own],
                             [("warn", "sluice partner enable 9999 --config " + os.path.join(host.home, "site.conf"))])
            self.assertIn("is disabled here", own[0]["text"])
            wait_for(lambda: "the client certificate is not" in self.ask()["retmsg"], what="nginx's word")
            theirs = [f for f in self.found_by(self.fed.guest, "partner 10000") if f["health"] == "FAIL"]
            self.assertIn("sluice partner enable 9999 there", theirs[0]["mend"])
            row = [p for p in json.loads(host.cli("partner", "list", "--json").stdout) if p["party_id"] == "9999"][0]
            self.assertFalse(row["enabled"])
        finally:
            host.cli("partner", "enable", "9999")
        self.heard()

    def test_a_change_of_keys_that_was_cut_off_goes_on_and_half_a_pair_is_not_used(self):
        site = self.fed.arbiter
        keys = os.path.join(site.home, "keys")
        following = os.path.join(keys, "next")

        def text(name):
            with open(os.path.join(keys, name), encoding="ascii") as f:
                return f.read()
        # Cut off while it made the pair: nobody was told of that key.
        before = text("sign.key")
        os.mkdir(following, 0o700)
        with open(os.path.join(following, "sign.key"), "w", encoding="ascii") as f:
            f.write(before)
        half = site.cli("site", "rotate-key", "--switch", "--force", check=False)
        self.assertEqual(half.returncode, 1)
        self.assertIn("no keys wait", half.stderr)
        self.assertTrue(os.path.exists(os.path.join(following, "sign.key")))
        os.unlink(os.path.join(following, "sign.key"))
        path = os.path.join(tempfile.mkdtemp(), "10001.partner")
        with open(path, "w", encoding="ascii") as f:
            f.write("mine\n")
        taken = site.cli("site", "rotate-key", "--output", path, check=False)
        self.assertEqual(taken.returncode, 1)
        self.assertIn("%s is there already: name another, or --force" % path, taken.stderr)
        self.assertFalse(os.path.exists(os.path.join(following, "sign.key")), "no key was made")
        with open(path, encoding="ascii") as f:
            self.assertEqual(f.read(), "mine\n")
        shown = site.cli("site", "rotate-key", "--output", path, "--force", "--json").stdout
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f), json.loads(shown))
        for other in (self.fed.guest, self.fed.host):
            other.cli("partner", "import", path)
        # Cut off when all files had moved: what follows from them is missing.
        wanted = {name: text("next/" + name) for name in ("tls.crt", "sign.key")}
        with open(os.path.join(following, "switching"), "w", encoding="ascii"):
            pass
        for name in ("tls.key", "tls.crt", "sign.key"):
            os.rename(os.path.join(following, name), os.path.join(keys, name))
        early = site.cli("site", "rotate-key", check=False)
        self.assertEqual(early.returncode, 1)
        self.assertIn("--switch goes on with it", early.stderr)
        since = site.sql("SELECT MAX(id) FROM audit")[0][0]
        site.cli("site", "rotate-key", "--switch")
        self.assertEqual({name: text(name) for name in wanted}, wanted)
        self.assertIn(wanted["tls.crt"].strip(), text("partners.pem"))
        self.assertEqual(site.cli("key", "show").stdout.strip(), text("sign.pub").strip())
        self.assertFalse(os.path.exists(following))
        self.assertEqual(site.sql("SELECT detail FROM audit WHERE action = 'key' AND id > %s" % since),
                         [["the announced keys are in use"]])

    def test_a_withdrawal_that_was_cut_off_is_finished_by_the_same_command(self):
        host = self.fed.host
        key = [k for k in self.keys(host, "9999") if k["kind"] == "tls" and k["state"] == "active"][0]["key_id"]
        pem = os.path.join(host.home, "keys", "partners.pem")

        def certificates():
            with open(pem, encoding="ascii") as f:
                return f.read().count("BEGIN CERTIFICATE")
        before = certificates()
        # Committed, and killed before the file was written: this site would go on to trust it as a client.
        host.sql("UPDATE partner_key SET revoked_at = NOW(6), reason = 'cut off' WHERE party_id = '9999' AND kind = 'tls'"
                 " AND valid_until IS NULL AND revoked_at IS NULL")
        try:
            self.assertEqual(certificates(), before)
            done = host.cli("partner", "revoke", key, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("revoked already", done.stderr)
            self.assertEqual(certificates(), before - 1)
        finally:
            host.sql("UPDATE partner_key SET revoked_at = NULL, reason = '' WHERE reason = 'cut off'")
            host.cli("partner", "enable", "9999")
        self.assertEqual(certificates(), before)
        self.heard()

    @staticmethod
    def found_by(site, what):
        findings = json.loads(site.cli("doctor", "--json", check=False).stdout)["findings"]
        return [f for f in findings if f["what"] == what]

    def told_everywhere(self, what):
        """A partner that proves nothing here is no partner in order, wherever one looks."""
        host, text = self.fed.host, "no %s of party 9999 counts here (revoked)" % what
        row = [p for p in json.loads(host.cli("partner", "list", "--json").stdout) if p["party_id"] == "9999"][0]
        self.assertFalse(row["keys_count"])
        self.assertIn(text, row["keys_count_not_because"])
        found = self.found_by(host, "partner 9999")
        bad = [f for f in found if f["health"] == "FAIL" and text in f["text"]]
        self.assertTrue(bad, found)
        self.assertIn("sluice site rotate-key", bad[0]["mend"])
        self.assertIn("--replace", bad[0]["mend"])
        self.assertFalse([f for f in found if "reaches this site" in f["text"]], found)
        data = host.ok("permission/explain", {"job_dsl": example("dsl.json"),
                                              "job_runtime_conf": lr_conf(namespace="keys")})["data"]
        self.assertFalse(data["allowed"])
        self.assertIn(text, data["note"])
        metrics = host.request("metrics", method="GET")[2].decode()
        self.assertIn('sluice_partner_trusted{partner="9999"} 0', metrics)
        self.assertIn('sluice_partner_trusted{partner="10001"} 1', metrics)

    def test_a_revoked_key_and_a_revoked_certificate_prove_nothing(self):
        host = self.fed.host
        for kind in ("sign", "tls"):
            key = [k for k in self.keys(host, "9999") if k["kind"] == kind and k["state"] == "active"][0]
            host.cli("partner", "revoke", key["key_id"], "--reason", "a test")
            try:
                # nginx refuses the handshake, or the program the request.
                try:
                    self.assertNotEqual(self.ask()["retcode"], 102)
                except OSError:
                    self.assertEqual(kind, "tls")
                again = host.cli("partner", "import", self.bundle(self.fed.guest), check=False)
                self.assertNotEqual(again.returncode, 0, again.stdout)
                replace = host.cli("partner", "import", self.bundle(self.fed.guest), "--replace", check=False)
                self.assertIn("revoked", replace.stderr)
                self.told_everywhere("signing key" if kind == "sign" else "certificate")
            finally:
                host.sql("UPDATE partner_key SET revoked_at = NULL, reason = ''")
                host.cli("partner", "enable", "9999")
            self.heard()


if __name__ == "__main__":
    unittest.main(verbosity=2)

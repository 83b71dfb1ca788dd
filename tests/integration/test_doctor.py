"""sluice doctor on a real site: each thing is broken in turn, and named."""
import json
import os
import shutil
import signal
import subprocess
import unittest

from federation import BUILD, Federation, wait_for
from test_detectors import settings


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.arbiter

    def doctor(self, site=None):
        done = (site or self.site).cli("doctor", "--json", check=False)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if report["failures"] else 0, report)
        return report

    def bad(self, site=None):
        return {f["what"]: f for f in self.doctor(site)["findings"] if f["health"] == "FAIL"}

    def path(self, *names):
        return os.path.join(self.site.home, *names)

    def moved(self, *names):
        path = self.path(*names)
        os.rename(path, path + ".away")
        self.addCleanup(lambda: os.path.exists(path + ".away") and os.rename(path + ".away", path))
        return path

    def test_a_healthy_site_has_nothing_to_mend(self):
        for site in (self.fed.guest, self.site):
            wait_for(lambda s=site: not self.bad(s), seconds=90, what="health of " + site.party)
        text = self.site.cli("doctor").stdout
        lines = text.splitlines()
        self.assertRegex(lines[-1], r"^\d+ ok, \d+ warnings, 0 failures$")
        for line in lines[:-1]:
            self.assertRegex(line, "^(ok|warn|FAIL) ")
        self.assertIn("partner 9999", text)
        self.assertIn("reaches this site as well", text)

    def test_a_configuration_with_faults(self):
        copy = self.path("broken.conf")
        with open(copy, "w", encoding="ascii") as f:
            f.write("[site]\nparty_id = x\n")
        self.addCleanup(lambda: os.remove(copy))
        path = self.path("site.conf")
        os.rename(path, path + ".away")
        shutil.copy(copy, path)
        try:
            self.assertIn("party_id", self.bad()["configuration"]["text"])
        finally:
            os.rename(path + ".away", path)

    def test_keys_that_others_may_read(self):
        key = self.path("keys", "tls.key")
        os.chmod(key, 0o644)
        self.addCleanup(lambda: os.chmod(key, 0o600))
        found = self.bad()["keys/tls.key"]
        self.assertIn("chmod 640 " + key, found["mend"])

    def test_missing_files(self):
        for names in (("keys", "sign.key"), ("keys", "partners.pem"), ("keys", "tls.crt"), ("jobs",)):
            path = self.moved(*names)
            bad = self.bad()
            self.assertIn("/".join(names), bad)
            self.assertTrue(bad["/".join(names)]["mend"])
            os.rename(path + ".away", path)

    def test_a_database_that_does_not_answer(self):
        old = settings(self.site, "database", socket="/nonexistent/db.sock")
        try:
            self.assertIn("/nonexistent/db.sock", self.bad()["database"]["text"])
        finally:
            settings(self.site, "database", **old)

    def test_a_schema_that_is_older(self):
        last = self.site.sql("SELECT MAX(version) FROM schema_migration")[0][0]
        self.site.sql("UPDATE schema_migration SET applied_at = NULL WHERE version = " + last)
        try:
            self.assertIn("sluice migrate", self.bad()["schema"]["mend"])
        finally:
            self.site.sql("UPDATE schema_migration SET applied_at = NOW(6) WHERE version = " + last)

    def test_a_full_disk(self):
        old = settings(self.site, "fcgi", upload_keep_free_mb=1073741824)
        try:
            self.assertIn("must stay", self.bad()["disk home"]["text"])
        finally:
            settings(self.site, "fcgi", **old)

    def test_providers_that_are_not_there(self):
        old = settings(self.site, "executor", providers_dir="/nonexistent")
        try:
            self.assertIn("/nonexistent", self.bad()["providers"]["text"])
        finally:
            settings(self.site, "executor", **old)

    def test_a_sandbox_that_cannot_be_made(self):
        old = settings(self.site, "executor", bwrap_program="/bin/false")
        try:
            self.assertIn("user namespaces", self.bad()["sandbox"]["mend"])
        finally:
            settings(self.site, "executor", **old)

    def test_an_nginx_configuration_that_is_wrong(self):
        path = self.moved("nginx.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write("nonsense;\n")
        try:
            found = self.bad()["nginx configuration"]
            self.assertIn("nonsense", found["text"])
            self.assertIn("sluice site nginx", found["mend"])
        finally:
            os.rename(path + ".away", path)

    def test_programs_that_do_not_run(self):
        self.site.stop()
        try:
            bad = self.bad()
            for what in ("process fcgi-app", "process supervisor", "process nginx", "run/fcgi.sock",
                         "run/supervisor.sock", "supervisor"):
                self.assertIn(what, bad)
            # Looking leaves nothing that keeps nginx from starting as another user.
            self.assertFalse(os.path.exists(self.path("run", "nginx.pid")))
            # Their partner sees it, too.
            seen = self.bad(self.fed.guest)["partner 10001"]
            self.assertTrue(seen["mend"])
            # The command that is told is the one that mends.
            subprocess.run(bad["process nginx"]["mend"].partition(";")[0], shell=True, check=True, capture_output=True,
                           env=dict(os.environ, PATH=os.path.join(BUILD, "bin") + ":" + os.environ["PATH"]))
            self.assertNotIn("process nginx", self.bad())
        finally:
            self.site.start()

    def test_a_partner_without_grants_is_a_warning(self):
        rows = self.site.sql("SELECT COUNT(*) FROM permission")[0][0]
        self.assertNotEqual(rows, "0")
        self.site.sql("CREATE TABLE permission_kept AS SELECT * FROM permission")
        self.site.sql("DELETE FROM permission")
        try:
            found = [f for f in self.doctor()["findings"] if f["health"] == "warn" and f["what"] == "partner 9999"]
            self.assertIn("sluice grant 9999", found[0]["mend"])
        finally:
            self.site.sql("INSERT INTO permission SELECT * FROM permission_kept; DROP TABLE permission_kept")

    def test_a_partner_that_takes_our_key_no_more(self):
        self.set_revoked("NOW(6)")
        try:
            wait_for(lambda: "partner 9999" in self.bad(), what="that its signature is refused")
            self.assertIn("sluice partner export", self.bad()["partner 9999"]["mend"])
        finally:
            self.set_revoked("NULL")

    def set_revoked(self, value):
        self.fed.guest.sql("UPDATE partner_key SET revoked_at = %s WHERE party_id = '10001' AND kind = 'sign'" % value)
        os.kill(self.fed.guest.pid("fcgi-app"), signal.SIGHUP)  # workers keep keys for a while


if __name__ == "__main__":
    unittest.main()

"""sluice doctor on a real site: each thing is broken in turn, and named, with what mends it."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from federation import BUILD, Federation, settings, stand_still, thaw, wait_for


# By which test each row is shown to fail.  A row that is not here fails the first test.
FILES = ("keys", "keys/sign.key", "keys/sign.pub", "keys/tls.key", "keys/tls.crt", "keys/partners.pem",
         "keys/vault.key", "keys/vault.pub", "run", "data/tables", "spool", "mailbox", "jobs", "logs", "models",
         "site.conf", "nginx.conf")
ROWS = dict.fromkeys(FILES, "files_that_others_may_change")
ROWS.update({
    "configuration": "a_configuration_with_faults",
    "client access": "an_open_door",
    "signing key": "a_signing_key_that_is_another",
    "certificate": "certificates_that_are_no_good",
    "disk home": "a_full_disk",
    "disk spool": "a_full_disk",
    "disk memory": "a_full_disk",
    "provider sluice 1.0.0": "a_provider_whose_program_cannot_be_run",
    "provider sluice_test 1.0.0": "a_provider_whose_program_cannot_be_run",
    "database": "a_database_that_does_not_answer",
    "database version": None,  # no older server is at hand: tests/unit/test_db.c
    "database packet size": "a_database_with_room_for_little",
    "audit chain": "a_record_that_was_altered",
    "database clock": "clocks_that_differ",
    "database rights": "rights_that_are_missing",
    "rights of fcgi-app": "rights_that_are_missing",
    "rights of supervisor": "rights_that_are_missing",
    "schema": "a_schema_that_is_older",
    "own sandbox": "a_sandbox_that_cannot_be_made",
    "sandbox": "a_sandbox_that_cannot_be_made",
    "nginx configuration": "an_nginx_configuration_that_is_wrong",
    "process fcgi-app": "programs_that_do_not_run",
    "process supervisor": "programs_that_do_not_run",
    "process nginx": "programs_that_do_not_run",
    "run/fcgi.sock": "programs_that_do_not_run",
    "run/fcgi-partner.sock": "programs_that_do_not_run",
    "run/supervisor.sock": "programs_that_do_not_run",
    "control groups": "control_groups_that_cannot_be_made",
    "supervisor": "programs_that_do_not_run",
    "refused requests": "a_log_of_refusals_that_nobody_reads",
    "refused handshakes": "a_log_of_refusals_that_nobody_reads",
    "partner 9999": "a_partner_that_takes_our_key_no_more",
    "partner 10000": "a_partner_with_another_certificate",
})


def make_certificate(party, days, key=None, name=None):
    """PEM of a certificate as sites have them, of a new key unless one is given."""
    with tempfile.TemporaryDirectory() as folder:
        names = os.path.join(folder, "names")
        with open(names, "w", encoding="ascii") as f:
            f.write("subjectAltName=DNS:party-%s.sluice,DNS:localhost,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n"
                    "extendedKeyUsage=serverAuth,clientAuth\n" % party)
        if key is None:
            key = os.path.join(folder, "key")
            openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
        asked, made = os.path.join(folder, "asked"), os.path.join(folder, "made")
        openssl("req", "-new", "-key", key, "-subj", "/CN=" + (name or party), "-out", asked)
        openssl("x509", "-req", "-in", asked, "-signkey", key, "-days", str(days), "-extfile", names, "-out", made)
        if days == 0:
            wait_for(lambda: subprocess.run(["openssl", "x509", "-in", made, "-noout", "-checkend", "0"],
                                            check=False, capture_output=True).returncode == 1, what="its end")
        with open(made, encoding="ascii") as f:
            return f.read()


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


class Doctor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.arbiter
        cls().is_healthy()

    def is_healthy(self, site=None):
        """What was down a moment ago has been asked again, by all who ask."""
        wait_for(lambda: not self.bad(site), seconds=90, what="health: %s" % self.bad(site))

    def doctor(self, site=None):
        done = (site or self.site).cli("doctor", "--json", check=False)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 1 if report["failures"] else 0, report)
        return report

    def of(self, what, health="FAIL", site=None):
        """What is said of a row when it is not well."""
        found = [f for f in self.doctor(site)["findings"] if f["what"] == what and f["health"] == health]
        self.assertTrue(found, what + " was not noticed")
        for f in found:
            self.assertTrue(f["mend"], f)
        return found[0]

    def only(self, *rows):
        """These fail, and no others."""
        bad = self.bad()
        self.assertEqual(set(bad), set(rows), bad)
        for row in bad.values():
            self.assertTrue(row["mend"], row)
        return bad

    def put(self, text, *names):
        """Another content until the test is over."""
        path = self.path(*names)
        with open(path, encoding="ascii") as f:
            old = f.read()

        def write(what):
            with open(path, "w", encoding="ascii") as f:
                f.write(what)
        write(text)
        self.addCleanup(lambda: write(old))
        return old

    def mends(self, *rows):
        """The command that is told is the one that mends."""
        for row in rows:
            done = subprocess.run(row["mend"].partition(";")[0].partition(" gives")[0], shell=True, check=False,
                                  capture_output=True, text=True,
                                  env=dict(os.environ, PATH=os.path.join(BUILD, "bin") + ":" + os.environ["PATH"]))
            self.assertEqual(done.returncode, 0, done.stderr)
        bad = self.bad()
        for row in rows:
            self.assertNotIn(row["what"], bad)

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
            self.is_healthy(site)
        # A partner knows whether it reaches us once it has tried.
        text = wait_for(lambda: next((t for t in [self.site.cli("doctor").stdout] if "reaches this site as well" in t), None),
                        seconds=120, what="a partner that has reached this site")
        lines = text.splitlines()
        self.assertRegex(lines[-1], r"^\d+ ok, \d+ warnings, 0 failures$")
        for line in lines[:-1]:
            self.assertRegex(line, "^((ok|warn|FAIL) |      mend: )")
        self.assertIn("partner 9999", text)

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

    def test_a_row_without_a_test_is_noticed(self):
        self.assertEqual({f["what"] for f in self.doctor()["findings"]}, set(ROWS))
        for test in set(ROWS.values()) - {None}:
            self.assertTrue(callable(getattr(self, "test_" + test, None)), test)

    def is_well(self, what):
        self.assertEqual({f["health"] for f in self.doctor()["findings"] if f["what"] == what}, {"ok"})

    def test_an_open_door(self):
        """The demo's sites trust this machine; others must not without being told."""
        self.assertIn("client_auth_off_on_loopback = no", self.of("client access", health="warn")["mend"])
        old = settings(self.site, "fcgi", client_auth_off_on_loopback="no")
        self.addCleanup(lambda: settings(self.site, "fcgi", **old))
        self.is_well("client access")

    def test_a_record_that_was_altered(self):
        self.site.cli("partner", "enable", "9999")
        seq, row = wait_for(lambda: self.site.sql("SELECT l.seq, a.id FROM audit a JOIN audit_link l ON l.audit_id = a.id"
                                                  " WHERE a.id = (SELECT MAX(id) FROM audit WHERE action = 'partner'"
                                                  " AND subject = '9999')"),
                            what="its link")[0]
        self.site.sql("UPDATE audit SET outcome = 'refused' WHERE id = %s" % row)
        try:
            self.assertIn("record %s was altered" % seq, self.of("audit chain")["text"])
            finding = json.loads(self.site.cli("verify", "--json", check=False).stdout)["sites"][0]["findings"][0]
            self.assertEqual(finding["seq"], int(seq))
            self.assertRegex(finding["finding"], r"\(\d{4}-.*, partner, 9999\); the records behind it are not checked")
            listed = {r["id"]: r for r in json.loads(self.site.cli("audit", "--action", "partner", "--json").stdout)}
            self.assertEqual(listed[int(row)]["seq"], int(seq))
        finally:
            self.site.sql("UPDATE audit SET outcome = 'ok' WHERE id = %s" % row)
        self.is_well("audit chain")

    def test_files_that_others_may_change(self):
        modes = {name: os.stat(self.path(name)).st_mode & 0o777 for name in FILES}
        try:
            for name, mode in modes.items():
                os.chmod(self.path(name), mode | 0o002)
            bad = self.only("signing key", *FILES)
            for name in FILES:
                self.assertIn("others may do too much", bad[name]["text"])
            self.mends(*(bad[name] for name in FILES))
            self.assertEqual(self.bad(), {})
        finally:
            for name, mode in modes.items():
                os.chmod(self.path(name), mode)

    def test_keys_that_others_may_read(self):
        key = self.path("keys", "tls.key")
        os.chmod(key, 0o644)
        self.addCleanup(lambda: os.chmod(key, 0o600))
        found = self.bad()["keys/tls.key"]
        self.assertIn("chmod 640 " + key, found["mend"])

    def test_a_signing_key_that_is_another(self):
        with open(os.path.join(self.fed.guest.home, "keys", "sign.pub"), encoding="ascii") as f:
            self.put(f.read(), "keys", "sign.pub")
        self.assertIn("not the public half", self.only("signing key")["signing key"]["text"])

    def test_certificates_that_are_no_good(self):
        key = self.path("keys", "tls.key")
        self.put(make_certificate("10001", 0, key), "keys", "tls.crt")
        self.assertIn("expired", self.of("certificate")["text"])
        self.put(make_certificate("10001", 10, key), "keys", "tls.crt")
        soon = self.of("certificate", "warn")
        self.assertRegex(soon["text"], "ends in (9|10) days")
        self.assertIn("rotate-key", soon["mend"])
        # As they were made before they had an authority key id.
        self.put(make_certificate("10001", 300, key), "keys", "tls.crt")
        old = self.of("certificate", "warn")
        self.assertIn("authority key id", old["text"])
        self.assertIn("rotate-key --switch", old["mend"])
        self.put(make_certificate("10001", 300, key, name="10000"), "keys", "tls.crt")
        self.assertIn("10001", self.of("certificate")["text"])

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
        self.site.sql("INSERT INTO schema_migration (version, name, sha256, applied_at)"
                      " VALUES (%d, 'later', '', NOW(6))" % (int(last) + 1))
        try:
            self.assertIn("install the newer program", self.bad()["schema"]["mend"])
        finally:
            self.site.sql("DELETE FROM schema_migration WHERE name = 'later'")

    def test_a_full_disk(self):
        old = settings(self.site, "fcgi", upload_keep_free_mb=1073741824)
        memory = settings(self.site, "mailbox", memory_dir="/proc")
        try:
            bad = self.only("disk home", "disk spool", "disk memory")
            for row in bad.values():
                self.assertIn("must stay", row["text"])
        finally:
            settings(self.site, "fcgi", **old)
            settings(self.site, "mailbox", **memory)

    def test_a_provider_whose_program_cannot_be_run(self):
        with open(self.path("site.conf"), encoding="utf-8") as f:
            folder = next(line.partition("=")[2].strip() for line in f if line.startswith("providers_dir"))
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            old = settings(self.site, "executor", providers_dir=copy)
            try:
                for name in ("sluice", "sluice_test"):
                    os.remove(os.path.join(copy, name, "1.0.0", "executor"))
                bad = self.only("provider sluice 1.0.0", "provider sluice_test 1.0.0")
                self.assertIn(copy, bad["provider sluice 1.0.0"]["mend"])
            finally:
                settings(self.site, "executor", **old)

    def test_a_partner_with_another_build_of_a_provider(self):
        with open(self.path("site.conf"), encoding="utf-8") as f:
            folder = next(line.partition("=")[2].strip() for line in f if line.startswith("providers_dir"))
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            with open(os.path.join(copy, "sluice", "1.0.0", "executor"), "ab") as f:
                f.write(b"another")
            old = settings(self.site, "executor", providers_dir=copy)
            try:
                found = self.of("partner 9999")
                self.assertIn("its provider sluice 1.0.0 is another program", found["text"])
                self.assertIn("same build", found["mend"])
            finally:
                settings(self.site, "executor", **old)

    # --- the database ---

    def test_a_database_with_room_for_little(self):
        old = self.site.sql("SELECT @@global.max_allowed_packet")[0][0]
        self.site.sql("SET GLOBAL max_allowed_packet = 16777216")
        try:
            found = self.of("database packet size", "warn")
            self.assertIn("16 MB", found["text"])
            self.assertIn("max_allowed_packet = 128M", found["mend"])
        finally:
            self.site.sql("SET GLOBAL max_allowed_packet = " + old)

    def test_clocks_that_differ(self):
        # Of all who connect now and may not decide about the server.  It stands still from then on.
        self.site.sql("SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() + 3600'")
        try:
            found = self.of("database clock")
        finally:
            self.site.sql("SET GLOBAL init_connect = ''")
        self.assertRegex(found["text"], "by 3(5[5-9]|60)[0-9]{4} ms")
        self.assertIn("NTP", found["mend"])

    def test_rights_that_are_missing(self):
        self.site.sql("REVOKE INSERT ON sluice_10001.* FROM sluice_10001@localhost")
        self.site.sql("REVOKE INSERT ON sluice_10001.audit FROM sluice_10001_fcgi@localhost")
        self.site.sql("REVOKE UPDATE ON sluice_10001.attempt FROM sluice_10001_supervisor@localhost")
        try:
            bad = self.only("database rights", "rights of fcgi-app", "rights of supervisor")
        finally:
            self.site.sql("GRANT ALL PRIVILEGES ON sluice_10001.* TO sluice_10001@localhost WITH GRANT OPTION")
        self.assertIn("INSERT", bad["database rights"]["text"])
        self.assertIn("no right to INSERT on audit", bad["rights of fcgi-app"]["text"])
        self.assertIn("no right to UPDATE on attempt", bad["rights of supervisor"]["text"])
        self.mends(bad["rights of fcgi-app"])
        self.assertEqual(self.bad(), {})

    def test_an_account_that_may_not_log_in(self):
        self.site.sql("ALTER USER sluice_10001_supervisor@localhost ACCOUNT LOCK")
        try:
            self.assertIn("sluice_10001_supervisor", self.only("rights of supervisor")["rights of supervisor"]["text"])
        finally:
            self.site.sql("ALTER USER sluice_10001_supervisor@localhost ACCOUNT UNLOCK")

    # --- programs and what they need ---

    def test_providers_that_are_not_there(self):
        old = settings(self.site, "executor", providers_dir="/nonexistent")
        try:
            self.assertIn("/nonexistent", self.bad()["providers"]["text"])
        finally:
            settings(self.site, "executor", **old)

    def test_a_sandbox_that_cannot_be_made(self):
        old = settings(self.site, "executor", bwrap_program="/bin/false", sandbox_program="/bin/false")
        try:
            bad = self.bad()
            self.assertIn("user namespaces", bad["sandbox"]["mend"])
            self.assertIn("bubblewrap", bad["own sandbox"]["mend"])
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
                         "run/fcgi-partner.sock", "run/supervisor.sock", "supervisor"):
                self.assertIn(what, bad)
            # Looking leaves nothing that keeps nginx from starting as another user.
            self.assertFalse(os.path.exists(self.path("run", "nginx.pid")))
            # Their partner sees it, too.
            seen = self.bad(self.fed.guest)["partner 10001"]
            self.assertTrue(seen["mend"])
            self.mends(bad["process nginx"])
        finally:
            self.site.start()
            self.is_healthy()

    @unittest.skipIf(os.getuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False,
                                                         capture_output=True).returncode, "that takes root")
    def test_control_groups_that_cannot_be_made(self):
        done = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"", "sh",
                               os.path.join(BUILD, "bin", "sluice"), "doctor", "--json", "--config",
                               self.path("site.conf")], check=False, capture_output=True, text=True)
        found = [f for f in json.loads(done.stdout)["findings"] if f["what"] == "control groups"]
        self.assertEqual(found[0]["health"], "warn")
        self.assertIn("Delegate=yes", found[0]["mend"])

    def test_a_log_of_refusals_that_nobody_reads(self):
        supervisor = self.site.pid("supervisor")
        for what, name in (("refused requests", "refused.log"), ("refused handshakes", "nginx-tls.log")):
            path = self.path("logs", name)
            size = os.path.getsize(path)
            stand_still([supervisor])  # nobody reads on
            try:
                with open(path, "ab") as f:
                    f.write(b"\n" * (2 << 20))
                found = self.of(what, "warn")
            finally:
                os.truncate(path, size)
                thaw([supervisor])
            self.assertIn(name + " are not counted", found["text"])
            self.assertIn("must be able to read", found["mend"])

    # --- partners ---

    def test_a_partner_with_another_certificate(self):
        with open(self.path("keys", "partners.pem"), encoding="ascii") as f:
            others = f.read()
        with open(os.path.join(self.fed.host.home, "keys", "tls.crt"), encoding="ascii") as f:
            right = f.read().strip()
        self.assertIn(right, others)
        self.put(others.replace(right, make_certificate("10000", 300).strip()), "keys", "partners.pem")
        found = self.only("partner 10000")["partner 10000"]
        self.assertIn("sluice partner import", found["mend"])

    def test_a_partner_whose_certificate_ends(self):
        old = self.site.sql("SELECT HEX(tls_cert) FROM partner WHERE party_id = '9999'")[0][0]
        try:
            for days, health, words in ((0, "FAIL", "expired"), (10, "warn", "its certificate ends in")):
                self.set_certificate(make_certificate("9999", days).encode().hex())
                found = self.of("partner 9999", health)
                self.assertIn(words, found["text"])
                self.assertIn("sluice partner export", found["mend"])
            self.set_certificate(make_certificate("9999", 300, name="10000").encode().hex())
            self.assertIn("9999", self.of("partner 9999")["text"])
        finally:
            self.set_certificate(old)

    def set_certificate(self, text):
        self.site.sql("UPDATE partner SET tls_cert = UNHEX('%s') WHERE party_id = '9999'" % text)

    def test_a_partner_that_does_not_reach_us(self):
        guest = self.fed.guest
        wait_for(lambda: guest.sql("SELECT 1 FROM partner_state WHERE party_id = '10001'"), seconds=90, what="its state")
        old = guest.sql("SELECT answers FROM partner_state WHERE party_id = '10001'")[0][0]
        # Nor is it asked again meanwhile.
        supervisor = guest.pid("supervisor")
        stand_still([supervisor])
        started = self.site.sql("SELECT started_at FROM supervisor_state")[0][0]
        try:
            # As this site came up it was asked, and did not answer yet.
            guest.sql("UPDATE partner_state SET answers = 0, checked_at = NOW(6) WHERE party_id = '10001'")
            self.site.sql("UPDATE supervisor_state SET started_at = NOW(6) - INTERVAL 5 SECOND")
            self.assertIn("has not asked this site yet since both run", self.of("partner 9999", "warn")["text"])
            self.site.sql("UPDATE supervisor_state SET started_at = NOW(6) - INTERVAL 1 HOUR")
            guest.sql("UPDATE partner_state SET checked_at = NOW(6) WHERE party_id = '10001'")
            found = self.of("partner 9999")
            self.assertIn("does not reach this site", found["text"])
            self.assertIn("partner_url", found["mend"])
            # What it remembers of before this site was started says nothing of now.
            guest.sql("UPDATE partner_state SET checked_at = NOW(6) - INTERVAL 1 DAY WHERE party_id = '10001'")
            self.assertNotIn("partner 9999", self.bad())
            self.assertIn("has not asked this site yet since both run", self.of("partner 9999", "warn")["text"])
        finally:
            guest.sql("UPDATE partner_state SET answers = %s WHERE party_id = '10001'" % old)
            self.site.sql("UPDATE supervisor_state SET started_at = '%s'" % started)
            thaw([supervisor])
        self.is_healthy()

    def test_a_partner_whose_database_has_just_been_started(self):
        """It does not know what it answered before: what was signed until then is signed anew."""
        guest = self.fed.guest
        since = guest.sql("SELECT since_ms FROM partner_nonce_since")[0][0]
        now = "FLOOR(UNIX_TIMESTAMP(NOW(6)) * 1000)"
        try:
            guest.sql("UPDATE partner_nonce_since SET since_ms = %s" % now)
            self.assertNotIn("partner 9999", self.bad())
            self.assertIn("ok", {f["health"] for f in self.doctor()["findings"] if f["what"] == "partner 9999"})
            guest.sql("UPDATE partner_nonce_since SET since_ms = %s + 60000" % now)
            found = self.of("partner 9999", "warn")
            self.assertNotIn("partner 9999", self.bad())
            self.assertIn("the database started again", found["text"])
            self.assertRegex(found["mend"], "^sluice doctor --config .*, in a minute$")
        finally:
            guest.sql("UPDATE partner_nonce_since SET since_ms = %s" % since)
        self.is_healthy()

    def test_a_partner_with_trouble_of_its_own_has_nothing_to_import(self):
        guest = self.fed.guest
        guest.sql("RENAME TABLE partner_nonce TO partner_nonce_away")
        try:
            found = self.of("partner 9999", "warn")
            self.assertNotIn("partner 9999", self.bad())
            self.assertIn("answers nothing at this moment (status 500)", found["text"])
            self.assertRegex(found["mend"], "^sluice doctor --config .*, in a minute; if it lasts, party 9999 looks")
        finally:
            guest.sql("RENAME TABLE partner_nonce_away TO partner_nonce")
        self.is_healthy()

    def test_what_answers_in_a_partners_place_and_is_none(self):
        url = self.site.sql("SELECT url FROM partner WHERE party_id = '9999'")[0][0]
        try:
            self.site.sql("UPDATE partner SET url = '%s/elsewhere' WHERE party_id = '9999'" % url)
            found = self.of("partner 9999")
            self.assertIn("is %s/elsewhere where party 9999 hears its partners?" % url, found["mend"])
            self.assertNotIn("must import", found["mend"])
        finally:
            self.site.sql("UPDATE partner SET url = '%s' WHERE party_id = '9999'" % url)
        self.is_healthy()

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
            # Request handlers read it one after the other.
            found = wait_for(lambda: self.bad().get("partner 9999"), what="that its signature is refused")
            for part in ("sluice site rotate-key", "sluice partner export", "--replace"):
                self.assertIn(part, found["mend"])
        finally:
            self.set_revoked("NULL")
            self.is_healthy()

    def set_revoked(self, value):
        self.fed.guest.sql("UPDATE partner_key SET revoked_at = %s WHERE party_id = '10001' AND kind = 'sign'" % value)
        os.kill(self.fed.guest.pid("fcgi-app"), signal.SIGHUP)  # workers keep keys for a while


if __name__ == "__main__":
    unittest.main()

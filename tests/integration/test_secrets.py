"""What this site knows and nobody may: nowhere but in its files of mode 0600."""
import base64
import os
import stat
import subprocess
import tempfile
import unittest
import uuid

from federation import DATA, ENDED, Federation, lr_conf
from test_session import Browser, make_user


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        fed = cls.fed = Federation()
        cls.site = fed.guest
        fed.guest.upload(os.path.join(DATA, "breast_guest.csv"), "breast_guest")
        fed.host.upload(os.path.join(DATA, "breast_host.csv"), "breast_host")
        cls.key = cls.site.make_key("s" + uuid.uuid4().hex[:8], "admin")
        cls.user = "u" + uuid.uuid4().hex[:8]
        # A password of its own: PASSWORD stands in other tests' requests.
        cls.password = "the %s of the sea" % uuid.uuid4().hex
        done = make_user(cls.site, cls.user, "admin", cls.password)
        assert done.returncode == 0, done.stderr
        cls.browser = Browser(cls.site)
        assert cls.browser.log_in(cls.user, cls.password)["retcode"] == 0
        assert Browser(cls.site).log_in(cls.user, cls.password + "?")["retcode"] == 109

    def secrets(self):
        """(what, bytes) of each form in which one could show up."""
        cookie = next(iter(self.browser.cookies.values()))
        found = [("key's secret", self.key["secret_key"].encode()), ("password", self.password.encode()),
                 ("cookie", cookie.encode()), ("session", base64.urlsafe_b64decode(cookie + "="))]
        keys = os.path.join(self.site.home, "keys")
        for name in sorted(os.listdir(keys)):
            path = os.path.join(keys, name)
            if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
                continue
            for line in read(path).decode("ascii").splitlines():
                word = (line.split() or [""])[-1]
                if len(word) < 20 or line.startswith("-----"):
                    continue
                found.append((name, word.encode()))
                if name in ("sign.key", "vault.key", "client.vault"):
                    found.append((name + ", raw", base64.b64decode(word)))
        return found + [(what + ", hex", text.hex().encode()) for what, text in found]

    def search(self, where, data):
        for what, secret in self.secrets():
            self.assertNotIn(secret, data, "%s in %s" % (what, where))
            self.assertNotIn(secret.hex().upper().encode(), data, "%s in %s" % (what, where))

    def test_private_files_are_their_owners_alone(self):
        keys = os.path.join(self.site.home, "keys")
        public = {"sign.pub", "vault.pub", "tls.crt", "partners.pem"}
        names = set(os.listdir(keys))
        self.assertTrue({"sign.key", "tls.key", "vault.key", "client.vault", "db.password", "db-fcgi.password",
                         "db-supervisor.password"} <= names, names)
        for name in names - public:
            mode = stat.S_IMODE(os.stat(os.path.join(keys, name)).st_mode)
            self.assertEqual(mode, 0o600, name)
        self.assertEqual(stat.S_IMODE(os.stat(keys).st_mode), 0o700)
        self.assertGreater(len(self.secrets()), 20)

    def test_each_program_has_an_account_with_its_rights_and_no_more(self):
        party = self.site.party
        running = {r[0] for r in self.site.sql("SELECT DISTINCT user FROM information_schema.processlist WHERE db = '%s'" %
                                               self.site.db)}
        self.assertTrue({"sluice_%s_fcgi" % party, "sluice_%s_supervisor" % party} <= running, running)
        self.assertNotIn("sluice_" + party, running - {"root"})
        for program, sql in (("fcgi", "UPDATE audit SET detail = ''"), ("fcgi", "CREATE TABLE x (a INT)"),
                             ("fcgi", "UPDATE site_user SET role = 'admin'"), ("fcgi", "UPDATE partner SET enabled = 1"),
                             ("fcgi", "DELETE FROM egress"), ("supervisor", "SELECT * FROM site_user"),
                             ("supervisor", "SELECT * FROM client_key"), ("supervisor", "DELETE FROM audit"),
                             ("supervisor", "DROP TABLE job")):
            password = read(os.path.join(self.site.home, "keys", "db-%s.password" % program)).decode().strip()
            with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
                f.write("[client]\npassword=%s\n" % password)
                f.flush()
                done = subprocess.run(["mariadb", "--defaults-file=" + f.name, "--socket", self.site.socket, "-u",
                                       "sluice_%s_%s" % (party, program), self.site.db, "-e", sql],
                                      check=False, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, sql)
            self.assertIn("denied", done.stderr, sql)

    def test_a_job_leaves_no_secret_behind(self):
        job = self.fed.submit(lr_conf(max_iter=4))
        executors = set()
        while not self.site.ok("job/query", {"job_id": job})["data"][0]["f_status"] in ENDED:
            for pid in filter(str.isdigit, os.listdir("/proc")):
                line = read("/proc/%s/cmdline" % pid)
                environment = read("/proc/%s/environ" % pid)
                if line.split(b"\0")[0].endswith(b"/executor") and b"PATH" not in environment:
                    executors.add(pid)
                    self.search("environment of executor", environment)
                # Nobody on this machine shows one to everybody.
                self.search("/proc/%s/cmdline %r" % (pid, line[:80]), line)
        self.assertEqual(self.site.wait(job)["f_status"], "success")
        self.assertTrue(executors)
        for folder in ("logs", "jobs", "run", "spool"):
            for top, _, names in os.walk(os.path.join(self.site.home, folder)):
                for name in names:
                    self.search(os.path.join(top, name), read(os.path.join(top, name)))
        dump = subprocess.run(["mariadb-dump", "--no-defaults", "--socket", self.site.socket, "-u", "root", "--hex-blob",
                               self.site.db], check=True, capture_output=True).stdout
        self.assertIn(job.encode(), dump)
        self.search("the database", dump)

    def test_no_program_can_leave_a_core_file(self):
        for name in ("fcgi-app", "supervisor"):
            limits = read("/proc/%d/limits" % self.site.pid(name)).decode()
            core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"])

    def test_commands_say_secrets_once_or_not_at_all(self):
        for args in (("key", "list"), ("key", "list", "--json"), ("user", "list", "--json"), ("partner", "export"),
                     ("key", "show"), ("key", "fingerprint")):
            self.search(" ".join(args), self.site.cli(*args).stdout.encode())


if __name__ == "__main__":
    unittest.main()

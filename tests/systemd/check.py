"""Run by systemd as a service, on the machine that boot.sh makes: "make install", two sites as docs/install.md says, a job,
and what systemd does with their units."""
import os
import pwd
import re
import signal
import subprocess
import sys
import unittest

from federation import DATA, TOP, Site, example, lr_conf, wait_for

HOME = "/var/lib/sluice"
PARTIES = ("9999", "10000")
PROGRAMS = ("sluice-fcgi", "sluice-supervisor", "sluice-nginx")
UNITS = [name + "@" + party for party in PARTIES for name in PROGRAMS]
SOCKET = "/run/mysqld/mysqld.sock"
USERS = {"sluice-fcgi": "sluice-fcgi", "sluice-supervisor": "sluice", "sluice-nginx": "sluice-nginx"}


def run(*args, check=True):
    done = subprocess.run(args, check=False, capture_output=True, text=True, cwd="/")
    if check and done.returncode != 0:
        raise AssertionError("%s: %s%s" % (args, done.stdout, done.stderr))
    return done.stdout


def show(unit, key):
    return run("systemctl", "show", "-p", key, "--value", unit).strip()


class InstalledSite(Site):
    """Its command is the installed one."""

    def cli(self, *args, check=True):
        return subprocess.run(["/usr/bin/sluice", *args, "--config", os.path.join(self.home, "site.conf")], check=check,
                              capture_output=True, text=True)


def make_site(party):
    home = os.path.join(HOME, party)
    conf = os.path.join(home, "site.conf")
    run("sluice", "site", "init", "--system", "--home", home, "--party", party, "--free-ports", "--db-socket", SOCKET,
        "--db-name", "sluice_" + party, "--db-user", "sluice_" + party, "--loopback-without-authentication")
    run("sluice", "db", "create", "--config", conf)
    run("sluice", "migrate", "--config", conf)
    with open(conf, encoding="utf-8") as f:
        said = dict(re.findall(r"(?m)^(\w+) = (.*)$", f.read()))
    return InstalledSite({"party_id": party, "home": home, "db_socket": SOCKET, "db_name": "sluice_" + party,
                          **{k: said[k] for k in ("client_url", "client_tls_url", "partner_url")}})


def introduce(sites):
    for site in sites:
        with open("/root/%s.partner" % site.party, "w", encoding="utf-8") as f:
            f.write(site.cli("partner", "export").stdout)
    for site in sites:
        for other in sites:
            if other is not site:
                site.cli("partner", "import", "/root/%s.partner" % other.party)
                site.cli("grant", other.party, "--roles", "*", "--commands", "*", "--components", "*", "--datasets", "*")


def healthy(site):
    try:
        return site.api("ready", None, method="GET")["retcode"] == 0
    except (OSError, ValueError):
        return False


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run("make", "-C", TOP, "install", "PREFIX=/usr", "B=" + os.environ["BUILD"])
        run("systemctl", "daemon-reload")
        run("systemd-sysusers")
        run("systemd-tmpfiles", "--create", "sluice.conf")
        cls.sites = cls.guest, cls.host = [make_site(p) for p in PARTIES]
        introduce(cls.sites)
        run("systemctl", "enable", "--now", *UNITS)
        for site in cls.sites:
            wait_for(lambda s=site: healthy(s), 60, "site " + site.party)
        for site, name in ((cls.guest, "breast_guest"), (cls.host, "breast_host")):
            reply = site.upload(os.path.join(DATA, name + ".csv"), name)
            assert reply.get("status") == "success", (reply, cls.told(site))

    @classmethod
    def told(cls, site):
        """What the programs said last, when something is wrong."""
        logs = os.path.join(site.home, "logs")
        return "\n".join(run("tail", "-n", "25", os.path.join(logs, name), check=False) for name in os.listdir(logs))

    def submit(self, **lr):
        conf = lr_conf(**lr)
        conf["role"]["arbiter"] = [10000]
        return self.guest.ok("job/submit", {"job_dsl": example("dsl.json"), "job_runtime_conf": conf})["jobId"]

    def ends_well(self, job):
        row = self.guest.wait(job, seconds=400)
        self.assertEqual(row["f_status"], "success", "%s\n%s" % (self.guest.events(job), self.journal()))

    def journal(self):
        return run("journalctl", "--no-pager", "-n", "60", *[a for u in UNITS for a in ("-u", u)], check=False)

    # --- tests, in the order of their names -------------------------------------------

    def test_1_each_unit_runs_as_its_user_without_capabilities(self):
        for unit in UNITS:
            self.assertEqual((show(unit, "ActiveState"), show(unit, "SubState"), show(unit, "NRestarts")),
                             ("active", "running", "0"), unit + self.journal())
            with open("/proc/%s/status" % show(unit, "MainPID"), encoding="ascii") as f:
                text = f.read()
            user = pwd.getpwuid(int(re.search(r"Uid:\s(\d+)", text).group(1))).pw_name
            self.assertEqual(user, USERS[unit.split("@")[0]])
            self.assertEqual([int(x, 16) for x in re.findall(r"Cap(?:Prm|Eff|Bnd|Amb):\s(\w+)", text)], [0] * 4, unit)
            self.assertIn("NoNewPrivs:\t1", text)
            self.assertRegex(text, r"Seccomp:\t2")

    def test_2_a_job_runs_between_the_two_sites(self):
        self.ends_well(self.submit(max_iter=2))
        self.assertEqual([u for u in UNITS if show(u, "NRestarts") != "0"], [], self.journal())

    def test_3_what_each_unit_cannot_see_it_cannot_see(self):
        """Through the unit's own mount namespace, as root: so it is the sandbox that hides it, not a mode."""
        for name, hidden in (("sluice-fcgi", ("keys/sign.key", "keys/tls.key", "keys/vault.key", "keys/db.password")),
                             ("sluice-nginx", ("keys/sign.key", "keys/vault.key", "keys/client.vault", "data", "models")),
                             ("sluice-supervisor", ("keys/client.vault", "keys/db.password", "keys/db-fcgi.password"))):
            pid = show(name + "@9999", "MainPID")
            for path in hidden:
                done = run("nsenter", "-t", pid, "-m", "stat", "-c", "%a", os.path.join(HOME, "9999", path))
                self.assertEqual(done.strip(), "0", (name, path))
            done = subprocess.run(["nsenter", "-t", pid, "-m", "touch", "/usr/here"], check=False, capture_output=True)
            self.assertNotEqual(done.returncode, 0, name)
        pid = show("sluice-fcgi@9999", "MainPID")
        links = run("nsenter", "-t", pid, "-n", "cat", "/proc/self/net/dev").strip().splitlines()[2:]
        self.assertEqual([x.split(":")[0].strip() for x in links], ["lo"])

    def test_4_systemd_finds_the_running_units_as_tight_as_the_files(self):
        for name, most in (("sluice-fcgi", 1.0), ("sluice-supervisor", 3.6), ("sluice-nginx", 2.2)):
            said = run("systemd-analyze", "security", "--no-pager", name + "@9999", check=False)
            level = re.search(r"exposure level for \S+: ([\d.]+)", said)
            self.assertIsNotNone(level, said)
            self.assertLessEqual(float(level.group(1)), most, said)
            print("%s: exposure %s" % (name, level.group(1)), flush=True)

    def test_5_a_unit_that_dies_is_started_again_and_jobs_go_on(self):
        job = self.submit(max_iter=6, tol=0)
        self.guest.wait(job, until=("running",))
        for unit in UNITS:
            pid = int(show(unit, "MainPID"))
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda u=unit, p=pid: show(u, "MainPID") not in ("0", str(p)) and show(u, "SubState") == "running",
                     what="%s again" % unit)
        for site in self.sites:
            wait_for(lambda s=site: healthy(s), 60, "site " + site.party)
        self.ends_well(job)

    def test_6_a_restart_of_each_unit_ends_no_task(self):
        job = self.submit(max_iter=6, tol=0)
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE job_id = '%s' AND component = 'hetero_lr_0'"
                                       " AND party_status = 'running'" % job), 120, "training")
        for unit in UNITS:
            run("systemctl", "restart", unit)
        for site in self.sites:
            wait_for(lambda s=site: healthy(s), 60, "site " + site.party)
        self.ends_well(job)
        self.assertEqual(self.host.sql("SELECT COUNT(DISTINCT attempt_id) FROM attempt WHERE job_id = '%s'"
                                       " AND component = 'hetero_lr_0'" % job), [["2"]])  # host and arbiter

    def test_7_a_reload_and_the_doctor_find_nothing_wrong(self):
        run("systemctl", "reload", *UNITS)
        said = self.guest.cli("doctor", check=False).stdout.splitlines()
        self.assertEqual([line for line in said if line.startswith("FAIL")], [])

    def test_8_a_stop_ends_all_of_a_site_and_a_start_brings_it_back(self):
        mine = [u for u in UNITS if u.endswith("@9999")]
        run("systemctl", "stop", *mine)
        self.assertEqual([show(u, "ActiveState") for u in mine], ["inactive"] * 3)
        self.assertFalse(healthy(self.guest))
        run("systemctl", "start", *mine)
        wait_for(lambda: healthy(self.guest), 60, "the site")
        self.ends_well(self.submit(max_iter=1))


def main():
    work = os.environ["WORK"]
    with open(os.path.join(work, "tests"), encoding="utf-8") as f:
        wanted = f.read().split()
    loader = unittest.TestLoader()
    loader.testNamePatterns = ["*" + w + "*" for w in wanted] or None
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(loader.loadTestsFromTestCase(Installed))
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - bad, bad), flush=True)
    with open(os.path.join(work, "code"), "w", encoding="ascii") as f:
        f.write("%d\n" % (bad > 0))


if __name__ == "__main__":
    main()

"""A site as it is installed, as far as that goes without systemd as the first process: the users of
conf/systemd/sluice.sysusers, the programs as the units start them, each as its user, and a job that runs.
Everything happens in a mount namespace of its own and is gone with it."""
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from federation import BUILD, DATA, TOP, Site, example, lr_conf, wait_for

UNITS = os.path.join(TOP, "conf", "systemd")
HOME = "/var/lib/sluice"
PARTIES = ("9999", "10000")
SLUICE = os.path.join(BUILD, "bin", "sluice")


def unit(name):
    """What a unit says: key -> values, with this build in the place of the installed one."""
    found = {}
    with open(os.path.join(UNITS, name + "@.service"), encoding="utf-8") as f:
        for line in f:
            key, _, value = line.strip().partition("=")
            if value and not line.startswith("#"):
                found.setdefault(key, []).append(value)
    return found


def run(*args, **kw):
    done = subprocess.run(args, check=False, capture_output=True, text=True, **kw)
    if done.returncode != 0:
        raise AssertionError("%s: %s%s" % (args, done.stdout, done.stderr))
    return done.stdout


# --- inside the namespace ---------------------------------------------------------------


def make_users(folder):
    root = os.path.join(folder, "root")
    os.makedirs(os.path.join(root, "etc"))
    for name in ("passwd", "group"):
        shutil.copy("/etc/" + name, os.path.join(root, "etc", name))
    run("systemd-sysusers", "--root=" + root, os.path.join(UNITS, "sluice.sysusers"))
    for name in ("passwd", "group"):
        run("mount", "--bind", os.path.join(root, "etc", name), "/etc/" + name)
    for path in ("/var/lib", "/run"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", path)
    for path, mode in (("/var/lib/sluice", 0o755), ("/run/sluice", 0o750)):
        os.mkdir(path)
        shutil.chown(path, "sluice", "sluice")
        os.chmod(path, mode)


def start(name, party):
    """As systemd would: user, groups, mask, command line."""
    u = unit(name)
    groups = ",".join(u["Group"] + u["SupplementaryGroups"][0].split())
    command = u["ExecStart"][0].replace("@PREFIX@/sbin", os.path.join(BUILD, "bin")).replace("%i", party)
    args = re.findall(r'"([^"]*)"|(\S+)', command)
    log = open(os.path.join("/var/lib", "%s-%s.log" % (name, party)), "wb")
    return subprocess.Popen(
        ["setpriv", "--reuid", u["User"][0], "--regid", u["Group"][0], "--groups", groups, "--no-new-privs",
         "--bounding-set", "-all", "--inh-caps", "-all", *[a or b for a, b in args]],
        umask=int(u["UMask"][0], 8), cwd="/", env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=subprocess.DEVNULL,
        stdout=log, stderr=log)


def make_site(party, server):
    home = os.path.join(HOME, party)
    conf = os.path.join(home, "site.conf")
    run(SLUICE, "site", "init", "--system", "--home", home, "--party", party, "--free-ports", "--db-socket", server.socket,
        "--db-name", "sluice_" + party, "--db-user", "sluice_" + party, "--loopback-without-authentication")
    run(SLUICE, "db", "create", "--config", conf, "--admin-socket", server.socket)
    run(SLUICE, "migrate", "--config", conf)
    # Before anything runs: what the doctor looks at must leave the programs able to start, and init may come again.
    subprocess.run([SLUICE, "doctor", "--config", conf], check=False, capture_output=True)
    run(SLUICE, "site", "init", "--system", "--home", home, "--party", party, "--db-socket", server.socket,
        "--db-name", "sluice_" + party, "--db-user", "sluice_" + party)
    with open(conf, encoding="utf-8") as f:
        said = dict(re.findall(r"(?m)^(\w+) = (.*)$", f.read()))
    return Site({"party_id": party, "home": home, "db_socket": server.socket, "db_name": "sluice_" + party,
                 **{k: said[k] for k in ("client_url", "client_tls_url", "partner_url")}})


def introduce(sites):
    for site in sites:
        with open(os.path.join(HOME, site.party + ".partner"), "w", encoding="utf-8") as f:
            f.write(site.cli("partner", "export").stdout)
    for site in sites:
        for other in sites:
            site.cli("partner", "import", os.path.join(HOME, other.party + ".partner"))
            if other is not site:
                site.cli("grant", other.party, "--roles", "*", "--commands", "*", "--components", "*", "--datasets", "*")


def may_read(user, path):
    return subprocess.run(["setpriv", "--reuid", user, "--regid", "sluice-nginx" if user == "sluice-nginx" else "sluice",
                           "--init-groups", "cat", path], check=False, capture_output=True).returncode == 0


def readers(site):
    """file below keys/ -> which of the users can read it"""
    keys = os.path.join(site.home, "keys")
    return {name: [u for u in ("sluice", "sluice-fcgi", "sluice-nginx") if may_read(u, os.path.join(keys, name))]
            for name in sorted(os.listdir(keys))}


def owners(children):
    found = {}
    for (name, party), child in children.items():
        with open("/proc/%d/status" % child.pid, encoding="ascii") as f:
            text = f.read()
        found["%s %s" % (name, party)] = [int(re.search(r"Uid:\s(\d+)", text).group(1)),
                                          int(re.search(r"CapBnd:\s(\w+)", text).group(1), 16),
                                          int(re.search(r"NoNewPrivs:\s(\d)", text).group(1))]
    return found


def a_job(guest, host):
    guest.upload(os.path.join(DATA, "breast_guest.csv"), "breast_guest")
    host.upload(os.path.join(DATA, "breast_host.csv"), "breast_host")
    shown = guest.ok("table/preview", {"namespace": "test", "name": "breast_guest"})["data"]
    conf = lr_conf(max_iter=2)
    conf["role"]["arbiter"] = [10000]
    job = guest.ok("job/submit", {"job_dsl": example("dsl.json"), "job_runtime_conf": conf})["jobId"]
    row = guest.wait(job)
    large = host.sql("SELECT COUNT(*) FROM egress WHERE bytes > 65536")[0][0]
    log = guest.request("job/log/download", {"job_id": job})
    deleted = guest.ok("table/delete", {"namespace": "test", "table_name": "breast_guest"})
    return {"preview": bool(shown), "status": row["f_status"], "why": guest.events(job), "large": int(large),
            "log": log[0], "delete": deleted["retcode"],
            "metrics": bool(guest.metrics(job, "evaluation_0", "guest"))}


def log_has(site, name, text):
    with open(os.path.join(site.home, "logs", name), encoding="utf-8") as f:
        return text in f.read()


def refused(site):
    """A request that nginx refuses, recorded by the supervisor, who reads what the other's nginx wrote."""
    site.request("../nothing", None, method="GET")
    wait_for(lambda: site.sql("SELECT 1 FROM audit WHERE action = 'front' AND subject = 'client-loopback no_such_path'"),
             what="the record of what nginx refused")
    return True


def rotated_logs(site, folder):
    """Rotation by force; then each program must write to its new file."""
    run("logrotate", "--force", "--state", os.path.join(folder, "state"), os.path.join(TOP, "conf", "logrotate", "sluice"))
    site.request("table/list", {})
    wait_for(lambda: log_has(site, "nginx-access.log", "POST /v1/table/list"), what="nginx's new log")
    wait_for(lambda: log_has(site, "fcgi-app.log", "configuration read again"), what="the request handlers' new log")
    logs = os.path.join(site.home, "logs")
    found = {}
    for name in ("nginx-access.log", "partner-in.log", "refused.log", "nginx-tls.log", "fcgi-app.log"):
        st = os.stat(os.path.join(logs, name))
        found[name] = [sum(n.startswith(name + ".2") for n in os.listdir(logs)), pwd.getpwuid(st.st_uid).pw_name]
    return found


def inside(folder):
    from mariadb import Server
    server, children, result = Server(), {}, {}
    os.chmod(server.folder, 0o711)
    try:
        make_users(folder)
        sites = [make_site(p, server) for p in PARTIES]
        introduce(sites)
        for site in sites:
            for name in ("sluice-fcgi", "sluice-supervisor", "sluice-nginx"):
                children[name, site.party] = start(name, site.party)
        for site in sites:
            wait_for(lambda s=site: healthy(s), what="site " + site.party)
        result["owners"] = owners(children)
        result["readers"] = readers(sites[0])
        result["job"] = a_job(*sites)
        result["doctor"] = sites[0].cli("doctor", check=False).stdout
        result["refused"] = refused(sites[0])
        result["rotated"] = rotated_logs(sites[0], folder)
        spool = os.path.join(sites[0].home, "spool", "mailbox")
        wait_for(lambda: not os.listdir(spool), what="an empty mailbox: %s" % os.listdir(spool))
        result["left"] = os.listdir(spool)
    finally:
        for child in children.values():
            child.send_signal(signal.SIGTERM)
        for child in children.values():
            child.wait(60)
        result["logs"] = {n: open(os.path.join("/var/lib", n), encoding="utf-8", errors="replace").read()[-2000:]
                          for n in os.listdir("/var/lib") if n.endswith(".log")}
        server.stop()
        with open(os.path.join(folder, "result.json"), "w", encoding="utf-8") as f:
            json.dump(result, f)


def healthy(site):
    try:
        return site.api("health", None, method="GET")["retcode"] == 0
    except (OSError, ValueError):
        return False


# --- outside ------------------------------------------------------------------------------


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("NOT RUN: other users' processes are started by root only")
        if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0:
            raise unittest.SkipTest("NOT RUN: this machine lets nobody make a mount namespace")
        cls.folder = tempfile.mkdtemp(prefix="sluice-installed-")
        done = subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable, os.path.abspath(__file__),
                               cls.folder], check=False, capture_output=True, text=True, timeout=900)
        path = os.path.join(cls.folder, "result.json")
        assert os.path.exists(path), done.stderr
        with open(path, encoding="utf-8") as f:
            cls.result = json.load(f)
        cls.error = done.stderr
        shutil.rmtree(cls.folder)

    def part(self, name):
        if name not in self.result:
            self.fail("%s\n%s" % (self.error, self.result.get("logs")))
        return self.result[name]

    def test_each_program_runs_as_its_own_user_without_capabilities(self):
        owned = self.part("owners")
        users = {name: {v[0] for k, v in owned.items() if k.startswith(name)}
                 for name in ("sluice-fcgi", "sluice-supervisor", "sluice-nginx")}
        self.assertEqual([len(u) for u in users.values()], [1, 1, 1])
        self.assertEqual(len(set.union(*users.values())), 3)
        self.assertNotIn(0, set.union(*users.values()))
        for uid, bounding, no_new in owned.values():
            self.assertEqual((bounding, no_new), (0, 1), uid)

    def test_a_secret_is_read_by_the_program_that_uses_it_alone(self):
        everybody = ["sluice", "sluice-fcgi", "sluice-nginx"]
        self.assertEqual(self.part("readers"), {
            "client.vault": ["sluice-fcgi"], "db-fcgi.password": ["sluice-fcgi"], "db-supervisor.password": ["sluice"],
            "db.password": [], "partners.pem": everybody, "sign.key": ["sluice"], "sign.pub": everybody,
            "tls.crt": everybody, "tls.key": ["sluice", "sluice-nginx"], "vault.key": ["sluice"], "vault.pub": everybody})

    def test_a_job_runs_between_two_such_sites(self):
        job = self.part("job")
        self.assertEqual(job["status"], "success", "%s\n%s" % (job["why"], "\n".join(self.result["logs"].values())))
        self.assertTrue(job["preview"] and job["metrics"])
        self.assertGreater(job["large"], 0)
        self.assertEqual((job["log"], job["delete"]), (200, 0))
        self.assertEqual(self.part("left"), [])


    def test_what_nginx_refused_is_recorded_by_the_supervisor(self):
        self.assertTrue(self.part("refused"))

    def test_rotated_logs_are_opened_anew_by_their_programs(self):
        self.assertEqual(self.part("rotated"), {"nginx-access.log": [1, "sluice-nginx"], "partner-in.log": [1, "sluice-nginx"],
                                                "refused.log": [1, "sluice"], "nginx-tls.log": [1, "sluice"],
                                                "fcgi-app.log": [1, "sluice-fcgi"]})

    def test_the_doctor_finds_nothing_wrong_with_such_a_site(self):
        said = self.part("doctor").splitlines()
        self.assertEqual([line for line in said if line.startswith("FAIL")], [])
        self.assertRegex(said[-1], r"^\d\d ok, ")


class Units(unittest.TestCase):
    """What systemd itself says of the units, without running."""

    @classmethod
    def setUpClass(cls):
        if shutil.which("systemd-analyze") is None:
            raise unittest.SkipTest("NOT RUN: systemd-analyze is not here")
        cls.folder = tempfile.mkdtemp(prefix="sluice-units-")
        cls.paths = []
        for name in ("sluice-fcgi", "sluice-supervisor", "sluice-nginx"):
            cls.paths.append(os.path.join(cls.folder, name + "@.service"))
            with open(os.path.join(UNITS, name + "@.service"), encoding="utf-8") as f, \
                    open(cls.paths[-1], "w", encoding="utf-8") as out:
                out.write(f.read().replace("@PREFIX@/sbin", os.path.join(BUILD, "bin")))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_systemd_understands_every_line(self):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *self.paths], check=False, capture_output=True,
                              text=True)
        ours = [line for line in done.stderr.splitlines() if "sluice-" in line]
        self.assertEqual(ours, [], done.stderr)

    def test_the_sandboxes_are_as_tight_as_they_were(self):
        # systemd's measure, 10 is no protection at all; the supervisor's tasks need namespaces and mounts.
        for path, most in zip(self.paths, (1.0, 3.6, 2.2)):
            done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", path], check=False,
                                  capture_output=True, text=True)
            level = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
            self.assertIsNotNone(level, done.stdout + done.stderr)
            self.assertLessEqual(float(level.group(1)), most, done.stdout)


if __name__ == "__main__":
    if len(sys.argv) == 2 and os.path.isdir(sys.argv[1]):
        inside(sys.argv[1])
    else:
        unittest.main()

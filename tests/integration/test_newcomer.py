"""What somebody meets who uses the command line for the first time: commands that run as they are printed, words for what
is not there, and lines that fit the terminal."""
import fcntl
import json
import os
import pty
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

import sites
from federation import BUILD, DATA, TOP, Federation, example, lr_conf, wait_for

SLUICE = os.path.join(BUILD, "bin", "sluice")
NOBODY = "202001010000000000001"


def run(*args):
    return subprocess.run([SLUICE, *args], check=False, capture_output=True, text=True)


def on_terminal(columns, *args):
    """What a command prints on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen([SLUICE, *args], stdout=slave, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as p:
        os.close(slave)
        text = b""
        try:
            while piece := os.read(master, 65536):
                text += piece
        except OSError:
            pass  # it has ended
        os.close(master)
    return p.returncode, text.decode().replace("\r\n", "\n")


class Newcomer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.guest
        cls.conf = os.path.join(cls.site.home, "site.conf")

    def test_a_site_is_named_by_its_folder_or_its_file(self):
        for where in (("--config", self.conf), ("--home", self.site.home)):
            done = run("site", "status", *where)
            self.assertEqual(done.returncode, 0, done.stderr)
        for where in ((), ("--config", self.conf, "--home", self.site.home)):
            done = run("site", "status", *where)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--home DIR or --config FILE", done.stderr)

    def test_a_federation_starts_for_who_is_not_root_and_has_no_sbin_in_the_path(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "parties"), "w", encoding="ascii") as f:
                f.write("9999\n")
            env = dict(os.environ, PATH="/usr/local/bin:/usr/bin:/bin", FEDERATION=folder)
            for command in ("database", "down"):
                done = subprocess.run([os.path.join(TOP, "examples", "federation.sh"), command], env=env, check=False,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), command)

    def test_a_federation_that_was_switched_off_does_not_count_as_kept(self):
        def running(**env):
            return subprocess.run(["sh", os.path.join(TOP, "examples", "federation.sh"), "running"], check=False,
                                  env=dict(os.environ, **env)).returncode
        self.assertEqual(running(), 0)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("parties", "sites.json"):
                shutil.copy(os.path.join(os.path.dirname(self.site.home), name), folder)
            self.assertEqual(running(FEDERATION=folder), 1)

    @unittest.skipIf(os.geteuid() != 0, "only root may be the first process of a namespace")
    def test_a_federation_stops_where_the_first_process_waits_for_nobody(self):
        """As in a container whose first process is "sleep": the database remains a zombie."""
        first = "import subprocess, sys\nfor c in ('database', 'down'): subprocess.run([sys.argv[1], c], check=True, timeout=60)"
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "parties"), "w", encoding="ascii") as f:
                f.write("9999\n")
            done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c",
                                   first, os.path.join(TOP, "examples", "federation.sh")], check=False, capture_output=True,
                                  text=True, env=dict(os.environ, FEDERATION=folder))
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_first_word_of_commands_tells_the_second(self):
        for word, commands in (("key", ("create", "list", "show")), ("partner", ("import", "enable")),
                               ("site", ("start", "status")), ("user", ("create",)), ("model", ("export",)),
                               ("table", ("info", "delete")), ("db", ("create",)), ("audit", ("export", "prune")),
                               ("egress", ("totals", "compare"))):
            done = run(word, "--help")
            self.assertEqual((done.returncode, run("help", word).stdout), (0, done.stdout), done.stderr)
            for c in commands:
                self.assertIn("  %s %s " % (word, c), done.stdout)
        alone = run("key")
        self.assertEqual((alone.returncode, alone.stdout), (2, ""))
        self.assertIn("key create NAME", alone.stderr)

    def test_programs_tell_how_they_are_started(self):
        for name in ("sluice-fcgi", "sluice-supervisor", "sluice-sandbox"):
            done = subprocess.run([os.path.join(BUILD, "bin", name), "--help"], check=False, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            self.assertTrue(done.stdout.startswith("usage: %s " % name), done.stdout)
            self.assertIn("\n  --", done.stdout)

    def test_what_is_not_there_is_said_to_be_not_there(self):
        for command in ("tasks", "query"):
            done = self.site.cli(command, NOBODY, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("there is no job " + NOBODY, done.stderr)
            self.assertNotIn("find task failed", done.stderr)
        for args in (("egress", "--job", NOBODY), ("egress", "totals", "--job", NOBODY), ("audit", "--subject", NOBODY),
                     ("grants", "--party", "77777"), ("partner", "keys", "--party", "77777")):
            done = self.site.cli(*args)
            self.assertIn("there is none with " + " ".join(args[-2:]), done.stderr, args)
            self.assertEqual(self.site.cli(*args, "--json").stderr, "")
        job = self.site.upload(os.path.join(DATA, "breast_guest.csv"), "there", namespace="newcomer")["jobId"]
        done = self.site.cli("tasks", job, "--role", "host", check=False)
        self.assertIn("job %s has none with --role host" % job, done.stderr)

    def test_what_a_site_has_is_listed(self):
        site = self.site
        job = site.upload(os.path.join(DATA, "breast_guest.csv"), "listed", namespace="newcomer list")["jobId"]
        mine = ("tables", "--namespace", "newcomer list")
        row = json.loads(site.cli(*mine, "--json").stdout)
        self.assertEqual([(t["table_name"], t["count"], t["origin"], t["job_id"], t["enable"]) for t in row],
                         [("listed", 569, "upload", job, True)])
        self.assertRegex(site.cli(*mine).stdout, "newcomer list +listed +569 +[0-9]+ +STANDALONE +upload +20.* " + job)
        site.ok("table/disable", {"namespace": "newcomer list", "table_name": "listed"})
        self.assertIn(" disabled\n", site.cli(*mine).stdout)
        self.assertIn("there is none with", site.cli("tables", "--namespace", "nowhere").stderr)
        self.assertEqual(site.api("table/all", {"limit": 10001})["retcode"], 101)
        pages = [site.ok("table/all", {"limit": 1, "page": n, "namespace": "newcomer list"})["data"] for n in (1, 2)]
        self.assertEqual([[t["table_name"] for t in page] for page in pages], [["listed"], []])
        # The upload's result is no output of a task that somebody has to ask for.
        self.assertEqual([t for t in json.loads(site.cli("tables", "--json").stdout) if t["origin"] == "output"], [])
        done = site.cli("jobs", "--role", "local", "--limit", "1")
        self.assertRegex(done.stdout.splitlines()[1], job + " +local +0 +success +20")
        self.assertEqual(json.loads(site.cli("jobs", "--limit", "1", "--json").stdout)[0]["job_id"], job)
        for option, value, right in (("--status", "done", "canceled"), ("--role", "hst", "guest, host, arbiter or local")):
            done = site.cli("jobs", option, value, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn("%s: '%s' is not one of " % (option, value), done.stderr)
            self.assertIn(right, done.stderr)
        self.assertEqual(site.cli("jobs", "--status", "canceled").returncode, 0)
        rows = {c["component"]: c for c in json.loads(site.cli("components", "--json").stdout)}
        self.assertEqual((rows["HeteroLR"]["provider"], rows["HeteroLR"]["alias"][0]), ("sluice", "HeteroLR"))
        self.assertRegex(site.cli("components").stdout, r"(?m)^HeteroLR +sluice +[0-9]+\.[0-9.]+")

    def test_what_is_printed_as_a_command_runs_as_it_is(self):
        with tempfile.TemporaryDirectory(prefix="a b") as d:
            # A path that a shell would cut.
            conf = os.path.join(d, "it's.conf")
            os.symlink(self.conf, conf)
            files = []
            for name, what in (("dsl", example("dsl.json")), ("conf", lr_conf(max_iter=1))):
                files.append(os.path.join(d, name))
                with open(files[-1], "w", encoding="utf-8") as f:
                    json.dump(what, f)
            done = run("grant", "77777", "--roles", "guest", "--config", conf)
            self.assertIn("77777 is no partner yet", done.stderr)
            self.assertIn("--config '%s'" % conf.replace("'", "'\\''"), done.stderr)
            run("grant", "*", "--roles", "guest", "--config", conf)
            done = run("revoke", "77777", "--roles", "guest", "--config", conf)
            command = done.stderr.split('"')[1]
            again = subprocess.run(["sh", "-c", command.replace("sluice", shlex.quote(SLUICE), 1)], check=False,
                                   capture_output=True, text=True)
            self.assertEqual((again.stdout, again.returncode), ("1 rule removed\n", 0), (command, again.stderr))

    def test_a_job_that_is_not_there_is_so_in_the_same_words(self):
        for command in (("query",), ("tasks",), ("watch",), ("stop",), ("rerun",), ("approve",), ("reject",)):
            done = self.site.cli(*command, NOBODY, *(["--note", "no"] if command == ("reject",) else []), check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""), command)
            self.assertIn("there is no job %s at this site: is the id complete" % NOBODY, done.stderr)

    def test_what_cannot_be_right_is_wrong_usage(self):
        for args in (("jobs",), ("jobs", "--config", self.conf, "--limit", "0"), ("verify",), ("site", "status"),
                     ("egress", "compare", "x", "--to", "1"), ("quota", "--party", "1", "--config", self.conf),
                     ("grant", "1", "--no-approval", "--approval-by", "x", "--config", self.conf), ("nonsense",)):
            self.assertEqual(run(*args).returncode, 2, args)
        self.assertEqual(run("jobs", "--config", "/nowhere").returncode, 1)
        self.assertIn("2 wrong usage", run("--help").stdout)

    def test_words_that_are_wrong_are_wrong_usage_of_every_command(self):
        site = ("--config", self.conf)
        for args in (("key", "create", "x", "--role", "boss"), ("key", "create", "a b", "--role", "viewer"),
                     ("user", "create", "x", "--role", "boss"), ("grant", "x", "--roles", "guest"), ("grant", "1"),
                     ("grant", "1", "--roles", "a b"), ("grant", "1", "--commands", "stop"),
                     ("grant", "1", "--datasets", "x"), ("grant", "1", "--datasets", "a/b", "--until", "soon"),
                     ("grant", "1", "--datasets", "a/b", "--approval-within", "soon"),
                     ("grant", "1", "--parameter", "HeteroLR.alpha=x"), ("quota", "--party", "1", "--cores", "many"),
                     ("submit", "--conf", os.path.join(TOP, "examples", "hetero_lr", "conf.json"))):
            done = run(*args, *site)
            self.assertEqual((done.returncode, done.stdout), (2, ""), (args, done.stderr))

    def test_a_table_that_is_not_there_is_said_to_be_not_there(self):
        for command in ("info", "delete"):
            done = self.site.cli("table", command, "--namespace", "newcomer", "--name", "nowhere", check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn('there is no table nowhere in namespace newcomer; "sluice tables --config %s" lists'
                          % self.conf, done.stderr)

    def test_what_is_fetched_replaces_nothing_and_is_of_the_own_member(self):
        """A site with one member of a job need not say which."""
        self.site.upload(os.path.join(DATA, "breast_guest.csv"), "fetched", namespace="newcomer")
        conf = sites.conf([], {"guest": [9999]}, {"reader_0": {"table": {"name": "fetched", "namespace": "newcomer"}}})
        job = self.fed.submit(conf, {"components": {"reader_0": {"module": "Reader", "output": {"data": ["data"]}}}})
        self.assertEqual(self.site.wait(job)["f_status"], "success")
        with tempfile.TemporaryDirectory() as d:
            def fetch(command, *args, to="rows"):
                return self.site.cli(command, job, *args, "--output", os.path.join(d, to), check=False)
            os.mkdir(os.path.join(d, "rows"))
            for command, args, to in (("output", ("reader_0",), "rows"), ("log", (), "logs")):
                done = fetch(command, *args, to=to)
                self.assertEqual(done.returncode, 0, done.stderr)
                files = sorted(os.listdir(os.path.join(d, to)))
                done = fetch(command, *args, to=to)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("%s is there already: name another, or --force" % os.path.join(d, to), done.stderr)
                self.assertEqual(fetch(command, *args, "--force", to=to).returncode, 0)
                self.assertEqual(sorted(os.listdir(os.path.join(d, to))), files)
            report = os.path.join(d, "report.json")
            self.site.cli("report", job, "--write", report)
            kept = os.stat(report).st_ino
            done = self.site.cli("report", job, "--write", report, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("%s is there already: name another, or --force" % report, done.stderr)
            self.assertEqual(os.stat(report).st_ino, kept)
            self.site.cli("report", job, "--write", report, "--force")
            self.assertNotEqual(os.stat(report).st_ino, kept)
            demo = subprocess.run(["sh", os.path.join(TOP, "demo.sh"), "--report", report], check=False, capture_output=True,
                                  text=True)
            self.assertEqual((demo.returncode, demo.stdout), (1, ""))
            self.assertIn("demo.sh: %s is there already" % report, demo.stderr)
        one = self.site.cli("output", job, "reader_0")
        self.assertEqual(one.stdout, self.site.cli("output", job, "reader_0", "--role", "guest", "--party", "9999").stdout)
        self.assertGreater(len(one.stdout.splitlines()), 10)
        done = self.site.cli("output", NOBODY, "reader_0", check=False)
        self.assertIn("there is no job " + NOBODY, done.stderr)
        done = self.site.cli("output", job, "reader_0", "--role", "host", check=False)
        self.assertIn("job %s has no member here with --role host" % job, done.stderr)

    def test_several_members_here_are_to_be_told_apart(self):
        members = {"guest": [9999], "host": [9999]}
        job = self.fed.submit(sites.conf(["empty_0"], members), {"components": {"empty_0": {"module": "TestEmpty"}}})
        self.site.wait(job)
        done = self.site.cli("output", job, "empty_0", check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, "guest 9999, host 9999|host 9999, guest 9999")

    def test_what_mends_a_site_without_its_files_is_told(self):
        done = run("doctor", "--config", "/nowhere/site.conf")
        self.assertIn("mend: name the site.conf of a site, or make one: sluice site init --home DIR --party ID\n", done.stdout)
        path = os.path.join(self.site.home, "keys", "db.password")
        os.rename(path, path + ".away")
        try:
            done = self.site.cli("doctor", check=False)
        finally:
            os.rename(path + ".away", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("\n      mend: sluice site init --home %s --party 9999 makes another, and sluice db create --config %s "
                      "gives it to the account\n" % (self.site.home, self.conf), done.stdout)

    def test_who_is_locked_out_is_shown_until_when(self):
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as f:
            f.write("a long passphrase for nobody\n")
            f.flush()
            self.site.cli("user", "create", "locked", "--role", "viewer", "--password-file", f.name)
        self.addCleanup(self.site.cli, "user", "delete", "locked")
        self.site.sql("UPDATE site_user SET locked_until = '2099-12-31 12:00:00' WHERE name = 'locked'")
        self.assertIn(" locked until 2099-12-31T12:00:00Z ", self.site.cli("user", "list").stdout)
        row = [u for u in json.loads(self.site.cli("user", "list", "--json").stdout) if u["name"] == "locked"][0]
        self.assertEqual((row["state"], row["locked_until_ms"]), ("locked", 4102401600000))

    def test_a_job_with_a_stranger_is_refused_before_it_has_an_id(self):
        conf = lr_conf(max_iter=1)
        conf["role"]["host"] = [77777]
        self.site.upload(os.path.join(DATA, "breast_guest.csv"), "breast_guest")
        before = self.site.sql("SELECT COUNT(*) FROM job")
        with tempfile.TemporaryDirectory() as d:
            files = []
            for name, what in (("dsl", example("dsl.json")), ("conf", conf)):
                files += ["--" + name, os.path.join(d, name)]
                with open(files[-1], "w", encoding="utf-8") as f:
                    json.dump(what, f)
            done = self.site.cli("submit", *files, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            why = "party 77777 is no partner of this site; its operator makes it one by: sluice partner import FILE"
            self.assertIn("%s: /role/host/0: %s" % (files[3], why), done.stderr)
            self.assertEqual(self.site.sql("SELECT COUNT(*) FROM job"), before)
            done = self.site.cli("explain", *files, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("host 77777\n  NO: %s\n" % why, done.stdout)
            self.assertTrue(done.stdout.endswith("the job would be refused\n"), done.stdout)

    def test_what_was_taken_away_does_not_come_back_when_the_demo_starts_again(self):
        site, env = self.fed.host, {k: v for k, v in os.environ.items() if k != "ANEW"}

        def up(**more):
            done = subprocess.run(["sh", os.path.join(TOP, "examples", "federation.sh"), "up"], check=True,
                                  capture_output=True, text=True, env=dict(env, **more))
            return done.stdout.splitlines()[-1]
        try:
            # As a federation that was left running, whoever had started it.
            up()
            site.cli("revoke", "9999", "--roles", "*")
            site.cli("partner", "disable", "10001")
            self.assertIn("partners and grants are as they were left", up())
            self.assertNotIn("role ", site.cli("grants", "--party", "9999").stdout)
            rows = {p["party_id"]: p for p in json.loads(site.cli("partner", "list", "--json").stdout)}
            self.assertEqual([rows[p]["enabled"] for p in ("9999", "10001")], [True, False])
        finally:
            site.cli("partner", "enable", "10001")
            self.assertIn("new partners of each site may do everything there", up(ANEW="1"))
        self.assertRegex(site.cli("grants", "--party", "9999").stdout, "role +[*]")

    def test_sites_that_stay_up_are_started_again_with_what_was_built_anew(self):
        """Else every job is refused: its provider is another program than the one that the site knows."""
        def up():
            done = subprocess.run(["sh", os.path.join(TOP, "examples", "federation.sh"), "up"], check=True,
                                  capture_output=True, text=True)
            return done.stdout, [site.pid("fcgi-app") for site in self.fed.sites.values()]
        _, before = up()
        said, now = up()
        self.assertNotIn("started again", said)
        self.assertEqual(now, before)
        os.utime(os.path.join(BUILD, "providers", "sluice", "1.0.0", "executor"))
        said, now = up()
        for party in ("9999", "10000", "10001"):
            self.assertIn("site %s is started again: it was built anew" % party, said)
        self.assertFalse(set(now) & set(before))
        said, again = up()
        self.assertNotIn("started again", said)
        self.assertEqual(again, now)

    def test_a_rule_that_changes_nothing_is_told(self):
        site = self.site
        done = site.cli("grant", "77777", "--datasets", "newcomer/missing", "--roles", "guest", "--approval-by", "admin",
                        "--approval-within", "48h")
        try:
            self.assertIn("there is no table newcomer missing here yet", done.stderr)
            self.assertEqual(site.cli("grants", "--party", "77777").stdout.count("needs the approval of an admin within 48 h"), 2)
            # Wildcards name no table.
            self.assertNotIn("no table", site.cli("grant", "77777", "--datasets", "newcomer/*").stderr)
        finally:
            done = site.cli("revoke", "77777", "--datasets", "newcomer/missing,newcomer/*", "--roles", "guest,hots")
        self.assertEqual(done.stdout, "3 rules removed\n")
        self.assertIn("there was no rule 77777 as *: role hots", done.stderr)
        self.assertEqual(done.stderr.count("there was no rule"), 1)

    def test_limits_are_listed_as_they_were_typed_and_told_when_they_end(self):
        site, rule = self.site, ("77777", "--datasets", "newcomer/limits")
        bound = ("77777", "--parameter", "HeteroLR.alpha=")

        def limits(what):
            return next(line for line in site.cli("grants", "--party", "77777").stdout.splitlines() if what in line)
        try:
            done = site.cli("grant", *rule, "--uses", "1", "--from", "2020-01-31", "--until", "2099-12-31")
            self.assertNotIn("limits that ended", done.stderr)
            self.assertIn(" from 2020-01-31, until 2099-12-31, 1 use left", limits("newcomer"))
            done = site.cli("grant", *rule, "--until", "2099-12-31T18:00")
            self.assertIn("limits that ended with this (from 2020-01-31, 1 use left)", done.stderr)
            self.assertTrue(limits("newcomer").endswith(" until 2099-12-31T18:00:00"), limits("newcomer"))
            done = site.cli("grant", *rule)
            self.assertIn("77777 as *: dataset newcomer limits had limits that ended with this (until 2099-12-31T18:00:00)",
                          done.stderr)
            self.assertNotIn("ended", site.cli("grant", *rule).stderr)
            site.cli("grant", *rule, "--from", "2098-01-01")
            self.assertIn(" not yet: from 2098-01-01", limits("newcomer"))
            site.cli("grant", *rule, "--until", "2099-01-01")
            site.sql("UPDATE permission SET valid_until = '2020-01-01' WHERE party_id = '77777' AND detail = 'limits'")
            self.assertIn(" expired: until 2020-01-01", limits("newcomer"))
            for typed in ("1..2.5", "0.01..", "..3", '["a","b"]'):
                site.cli("grant", bound[0], bound[1], bound[2] + typed)
                self.assertTrue(limits("alpha").endswith(" " + typed), (typed, limits("alpha")))
        finally:
            site.cli("revoke", *rule, check=False)
            site.cli("revoke", bound[0], bound[1], bound[2].rstrip("="), check=False)

    def test_an_export_that_is_broken_or_ends_early_says_where(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "export")
            self.site.cli("audit", "export", "--output", path)
            with open(path, encoding="utf-8") as f:
                lines = f.read().splitlines()
            last = json.loads(run("verify", "--file", path, "--json").stdout)["sites"][0]
            done = run("verify", "--file", path)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("the file ends with record %d of %s: what came after it cannot be missed here; --against"
                          % (last["last_seq"], last["last_at"]), done.stdout)
            self.assertRegex(last["last_at"], "^20[0-9]{2}-")
            for broken in (len(lines) // 2, len(lines)):
                text = lines[:broken - 1] + [lines[broken - 1][:-9]] + lines[broken:]
                with open(path, "w", encoding="utf-8") as f:
                    f.write("\n".join(text) + "\n")
                done = run("verify", "--file", path)
                self.assertEqual(done.returncode, 1)
                self.assertIn("line %d is no JSON" % broken, done.stdout)
                self.assertNotIn("the file ends with", done.stdout)
            with open(path, "w", encoding="utf-8") as f:
                f.write("\n".join(lines[:1] + ['{"kind":"x"}'] + lines[1:]))
            self.assertIn("line 2: ", run("verify", "--file", path).stderr)

    def test_the_demo_says_what_it_cannot_do_without(self):
        with tempfile.TemporaryDirectory() as d:
            os.mkdir(os.path.join(d, "9999"))
            conf = os.path.join(d, "9999", "site.conf")
            with open(conf, "w", encoding="utf-8") as f:
                f.write("[fcgi]\nclient_auth_off_on_loopback = no\n")
            done = subprocess.run(["sh", os.path.join(TOP, "demo.sh"), "--keep"], check=False, capture_output=True, text=True,
                                  env=dict(os.environ, FEDERATION=d))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertEqual(len(done.stderr.splitlines()), 1)
            self.assertIn("%s has client_auth_off_on_loopback = no" % conf, done.stderr)

    def test_what_was_done_is_said(self):
        name = "said-%d" % os.getpid()
        self.site.make_key(name, "viewer")
        for verb, done in (("disable", "disabled"), ("enable", "enabled"), ("delete", "deleted")):
            self.assertEqual(self.site.cli("key", verb, name).stdout, "key %s %s\n" % (name, done))
        self.assertEqual(self.site.cli("partner", "enable", "10000").stdout, "partner 10000 is enabled\n")
        self.assertEqual(json.loads(self.site.cli("partner", "enable", "10000", "--json").stdout),
                         {"done": "partner 10000 is enabled"})

    def test_faults_of_a_job_are_told_with_file_and_place(self):
        with tempfile.TemporaryDirectory() as d:
            dsl, conf = example("dsl.json"), lr_conf()
            dsl["components"]["hetero_lr_0"]["module"] = "HeteroLRR"
            conf["role"]["host"] = ["x"]
            files = []
            for name, what in (("dsl", dsl), ("conf", conf)):
                files += ["--" + name, os.path.join(d, "my %s.json" % name)]
                with open(files[-1], "w", encoding="utf-8") as f:
                    json.dump(what, f)
            for command in ("submit", "explain"):
                done = self.site.cli(command, *files, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn("\n%s: /components/hetero_lr_0/module: " % files[1], done.stderr)
                self.assertIn("\n%s: /role/host/0: " % files[3], done.stderr)
                self.assertNotIn("/job_", done.stderr)
            dsl["components"]["hetero_lr_0"]["module"] = "HeteroLR"
            with open(files[1], "w", encoding="utf-8") as f:
                json.dump(dsl, f)
            with open(files[3], "w", encoding="utf-8") as f:
                json.dump(lr_conf(), f)
            done = self.site.cli("explain", *files, "--party", "10000", check=False)
            self.assertRegex(done.stdout, "component +HeteroLR: ")

    def test_a_job_that_is_not_so_far_leaves_nothing_and_says_so(self):
        for site, name in ((self.fed.guest, "breast_guest"), (self.fed.host, "breast_host")):
            site.upload(os.path.join(DATA, name + ".csv"), name)
        self.fed.host.cli("grant", "9999", "--commands", "create", "--approval-by", "admin", "--approval-within", "1h")
        try:
            job = self.fed.submit(lr_conf(max_iter=1))
            done = self.site.cli("deploy", job, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("job %s is waiting: its model is there when it has succeeded" % job, done.stderr)
            done = self.site.cli("metrics", job, "hetero_lr_0", check=False)
            self.assertIn("no data: hetero_lr_0 of guest 9999 has not begun", done.stderr)
            self.assertEqual(self.site.cli("stop", job).stdout, "job %s is canceled here; its other members are told\n" % job)
            self.assertEqual(self.site.wait(job)["f_status"], "canceled")
        finally:
            self.fed.host.cli("grant", "9999", "--commands", "create", "--no-approval")
        self.assertIn("job %s ended with canceled and left no model" % job, self.site.cli("deploy", job, check=False).stderr)
        # The tasks' end follows the job's.
        wait_for(lambda: "did not end well and left none" in self.site.cli("metrics", job, "hetero_lr_0", check=False).stderr,
                 what="the end of its tasks")

    def test_a_site_that_is_down_is_started_by_what_is_printed(self):
        site = self.fed.arbiter
        site.stop()
        try:
            done = site.cli("query", NOBODY, check=False)
            self.assertEqual(done.returncode, 4)
            conf = os.path.join(site.home, "site.conf")
            self.assertIn('"sluice site status --config %s" tells' % conf, done.stderr)
            self.assertIn('"sluice site start --config %s" starts it' % conf, done.stderr)
        finally:
            site.start()

    def test_a_site_that_is_stopped_says_which_tasks_that_ends(self):
        host = self.fed.host
        job = self.fed.submit(sites.conf(["fail_0"], sites.TWO, {"fail_0": {"what": "compute", "who": "host", "seconds": 600}}),
                              {"components": {"fail_0": {"module": "TestFail"}}})
        wait_for(lambda: host.sql("SELECT 1 FROM attempt WHERE executor_pid > 0 AND job_id = '%s'" % job), what="its task")
        try:
            text = host.cli("site", "stop").stdout
            self.assertEqual(text.count(" ended: "), 1)
            self.assertRegex(text, r"(?m)^task +ended: fail_0 of job %s, host 10000$" % job)
            self.assertRegex(text, r"(?m)^supervisor +stopped$")
            self.assertNotIn("ended", host.cli("site", "stop").stdout)
        finally:
            host.start()
            self.site.cli("stop", job)
            self.site.wait(job)

    def test_records_fit_the_terminal_and_nothing_of_them_is_lost(self):
        for _ in range(3):
            self.site.cli("grant", "77777", "--roles", "guest", "--datasets", "newcomer/" + "x" * 200)
        self.site.cli("revoke", "77777", "--roles", "guest", "--datasets", "newcomer/" + "x" * 200)
        plain = self.site.cli("audit").stdout.splitlines()
        self.assertGreater(max(len(line) for line in plain), 200)
        code, text = on_terminal(100, "audit", "--config", self.conf)
        self.assertEqual(code, 0)
        self.assertLessEqual(max(len(line) for line in text.splitlines()), 100)
        # Rows are as they were but for blanks, and for the numbers that they got meanwhile.
        packed = "".join(text.split())
        for line in plain[-20:]:
            self.assertIn("".join(line.split()[1:]), packed)

    def test_options_are_called_as_they_were_given(self):
        with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as f:
            f.write("id,x\n1,2\n")
            f.flush()
            done = self.site.cli("upload", f.name, "--namespace", "newcomer", "--name", "t", "--delimiter", "x" * 30,
                                 check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--delimiter", done.stderr)
            self.assertNotIn("id_delimiter", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

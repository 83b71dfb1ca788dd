"""Every row of the detectors' table, its condition brought about on running sites: it is found in its time, acted upon,
told by an event, counted, and nothing else is disturbed.  The short form does not wait for minutes: what stands for so
long is made older in the database, and SIGUSR2 has the detectors look.  DETECTORS=long waits as long as the table says
(what takes hours is made older there, too)."""
import os
import re
import signal
import subprocess
import threading
import time
import unittest

from federation import TOP, Federation, kill, processes, settings, stand_still, thaw, wait_for

LONG = os.environ.get("DETECTORS") == "long"
PATIENCE_S = 150  # what the long form waits for itself
CORES = 16

# By which test each row is shown.  A row that is not here fails the first test.
ROWS = {
    "attempt leases": "a_shepherd_that_hangs_loses_its_task_and_is_killed",
    "orphans": "a_shepherd_that_hangs_loses_its_task_and_is_killed",
    "job timeouts": "a_job_over_its_time_limit_ends",
    "reservations": "cores_reserved_for_an_initiator_that_vanished_come_back",
    "queue": "what_becomes_free_wakes_those_who_wait_for_it",
    "ledger": "more_granted_than_there_is_and_grants_of_nobody_are_told",
    "stuck jobs": "an_end_that_does_not_come_and_a_start_that_nobody_takes_are_told",
    "late launches": "an_end_that_does_not_come_and_a_start_that_nobody_takes_are_told",
    "stale jobs": "jobs_of_an_initiator_that_is_gone_end",
    "forgotten jobs": "jobs_of_an_initiator_that_is_gone_end",
    "report backlog": "jobs_of_an_initiator_that_is_gone_end",
    "partners": "jobs_of_an_initiator_that_is_gone_end",
    "needed partners": "jobs_of_an_initiator_that_is_gone_end",
    "doubtful jobs": "a_job_that_its_initiator_does_not_know_any_more_ends",
    "lost tasks": "a_running_task_that_nobody_runs_ends",
    "late ends": "an_end_that_does_not_come_and_a_start_that_nobody_takes_are_told",
    "engine sessions": "a_task_that_holds_its_engines_for_a_week_ends",
    "withdrawals": "a_withdrawal_whose_command_was_killed_is_finished",
    "disks": "a_disk_below_its_limit_is_told_and_work_refused",
    "work folders": "what_was_left_behind_is_removed",
    "uploads": "what_was_left_behind_is_removed",
    "caches": "what_was_left_behind_is_removed",
    "model files": "what_was_left_behind_is_removed",
    "nonces": "what_was_left_behind_is_removed",
    "models": "a_version_that_was_staged_and_never_sealed_is_dropped",
    "errands": "an_errand_that_nobody_began_in_time_ends",
    "audit": "audit_rows_that_were_not_linked_are_told_and_linked",
    "heads": "a_site_that_says_nothing_of_a_head_for_a_week_is_given_up",
}
# These tidy up; the others find.
TIDY = ("queue", "work folders", "uploads", "caches", "model files", "nonces")


def documented():
    """{name: seconds of its period} of the table in the documentation, which a unit test compares with the program."""
    with open(os.path.join(TOP, "docs", "operations.md"), encoding="utf-8") as f:
        rows = re.findall(r"^\| ([a-z ]+) \| ([0-9.]+) (s|min) \|", f.read(), re.M)
    return {name: float(n) * (60 if unit == "min" else 1) for name, n, unit in rows}


PERIODS = documented()


def metric(site, name, **labels):
    """The sum over supervisors; None when there is no such series."""
    text = site.request("metrics", method="GET")[2].decode()
    found = [float(line.rpartition(" ")[2]) for line in text.splitlines()
             if re.match("sluice_%s[{ ]" % name, line) and all('%s="%s"' % p in line for p in labels.items())]
    return sum(found) if found else None


class Locked:
    """Rows that a client of the database keeps locked, as one that hangs in its transaction does."""

    def __init__(self, site, select):
        self.client = subprocess.Popen(
            ["mariadb", "--no-defaults", "--socket", site.socket, "-u", "root", "-N", "-B", "-n", site.db],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.client.stdin.write("BEGIN; SELECT 'locked' FROM %s FOR UPDATE;\n" % select)
        self.client.stdin.flush()
        assert self.client.stdout.readline() == "locked\n"

    def release(self):
        if self.client.returncode is None:
            self.client.communicate("ROLLBACK;\n")


class DetectorTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host, cls.arbiter = cls.sites = (fed.guest, fed.host, fed.arbiter)
        for site in cls.sites:
            # What was told within the hour is told anew by another supervisor.
            cls.dies(site)
            settings(site, "supervisor", cores=CORES, memory_mb=1024 * CORES * 4)
            site.start()
        # It waits for a word that never comes, all the time, and must not notice anything.
        cls.bystander = cls.submit("wait")
        cls.runs(cls.bystander)

    @classmethod
    def tearDownClass(cls):
        cls.guest.ok("job/stop", {"job_id": cls.bystander})
        cls.guest.wait(cls.bystander)
        for site in cls.sites:
            cls.reloaded(site, "supervisor", cores=0, memory_mb=0)

    def setUp(self):
        self.marks = {s: int(s.sql("SELECT COALESCE(MAX(id), 0) FROM event")[0][0]) for s in self.sites}
        self.counts = {}

    def tearDown(self):
        for site in self.sites:
            site.start()
        for site, role in ((self.guest, "guest"), (self.host, "host")):
            row = site.ok("job/query", {"job_id": self.bystander, "role": role})["data"][0]
            self.assertEqual(row["f_status"], "running", site.events(self.bystander))
            tried = site.sql("SELECT COUNT(*) FROM attempt WHERE job_id = '%s'" % self.bystander)
            self.assertLessEqual(int(tried[0][0]), 1)
            told = site.sql("SELECT reason FROM event WHERE job_id = '%s' AND kind = 'detector'" % self.bystander)
            self.assertEqual(told, [], "the job beside it was disturbed")

    # --- tools ---

    @classmethod
    def reloaded(cls, site, section, **values):
        old = settings(site, section, **values)
        pid = site.pid("supervisor")
        with open(os.path.join(site.home, "logs", "supervisor.log"), "rb") as f:
            f.seek(0, os.SEEK_END)
            os.kill(pid, signal.SIGHUP)
            wait_for(lambda: b"configuration read again" in f.read(), what="the new configuration of " + site.party)
        return old

    def with_settings(self, site, section, **values):
        old = self.reloaded(site, section, **values)
        self.addCleanup(lambda: self.reloaded(site, section, **old))

    @classmethod
    def submit(cls, what, who="host", arbiter=False, **job):
        seconds = job.pop("seconds", None)
        params = {"what": what, "who": who}
        if seconds:
            params["seconds"] = seconds
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000]},
                "job_parameters": {"common": dict({"task_cores": 1}, **job)},
                "component_parameters": {"common": {"fail_0": params}},
                "provider": {"common": {"fail_0": "sluice_test@1.0.0"}}}
        if arbiter:
            conf["role"]["arbiter"] = [10001]
        return cls.fed.submit(conf, {"components": {"fail_0": {"module": "TestFail", "output": {"data": ["data"]}}}})

    @classmethod
    def runs(cls, job, site=None):
        """The host's half has an executor."""
        site = site or cls.host
        return wait_for(lambda: site.sql("SELECT attempt_id FROM attempt WHERE job_id = '%s' AND executor_pid > 0"
                                         " AND ended_at IS NULL" % job), what="a task of " + job)[0][0]

    def shepherd(self, attempt):
        return processes("--attempt " + attempt)[0]

    def freeze(self, pid):
        stand_still([pid])
        self.addCleanup(thaw, [pid])

    def stands(self, site, seconds, change):
        """Something stands so long: it is waited for, or the database says so."""
        if LONG and seconds <= PATIENCE_S:
            threading.Event().wait(seconds)
        else:
            site.sql(change.replace("AGO", "NOW(6) - INTERVAL %d SECOND" % (seconds + 1)))

    def look(self, site):
        if not LONG:
            os.kill(site.pid("supervisor"), signal.SIGUSR2)

    def count(self, site, detector):
        """How often it has found something, before something is done; one that has just begun says so a moment later."""
        wait_for(lambda: metric(site, "findings_total", detector=detector) is not None, what="numbers of " + site.party)
        self.counts[site, detector] = metric(site, "findings_total", detector=detector)

    def told(self, site, detector, job="", kind="detector"):
        return site.sql("SELECT reason FROM event WHERE id > %d AND kind = '%s' AND job_id = '%s' AND to_state = '%s'" % (
            self.marks[site], kind, job, detector))

    def found(self, site, detector, words, job=""):
        """In its time, by an event that says what, and counted."""
        looked = time.monotonic()

        def told():
            # A look may have come too early: while a question was on its way, or another supervisor's settings held.
            nonlocal looked
            rows = [r for r in self.told(site, detector, job) if words in r[0]]
            if not rows and time.monotonic() - looked > 2:
                looked = time.monotonic()
                self.look(site)
            return rows
        wait_for(told, PERIODS[detector] * 1.2 + 20 if LONG else 60, "event of %s that says: %s" % (detector, words))
        self.is_counted(site, detector)

    def is_counted(self, site, detector):
        self.look(site)
        before = self.counts[site, detector]
        wait_for(lambda: (metric(site, "findings_total", detector=detector) or 0) > before, what="number of " + detector)

    def field(self, site, job, what, table="job"):
        return site.sql("SELECT %s FROM %s WHERE job_id = '%s'" % (what, table, job))

    @staticmethod
    def dies(site, *names):
        """Its shepherds go on; start() brings back what died."""
        for name in names or ("supervisor",):
            pid = site.pid(name)
            if name == "nginx":
                os.kill(pid, signal.SIGTERM)  # its workers, too
            else:
                kill(pid)
            wait_for(lambda p=pid: not os.path.exists("/proc/%d" % p), what="end of " + name)

    def reserved(self):
        """A job with cores reserved at the guest and the host; release() what it waits for and it starts."""
        locked = Locked(self.arbiter, "resource")
        self.addCleanup(locked.release)
        job = self.submit("compute", seconds=1, arbiter=True)
        wait_for(lambda: [r for r in self.field(self.host, job, "expires_at IS NOT NULL", "resource_grant") if r == ["1"]],
                 what="the reservation")
        return job, locked

    # --- the table itself ---

    def test_a_row_without_a_test_is_noticed(self):
        self.assertEqual(set(PERIODS), set(ROWS))
        for site in self.sites:
            # The numbers are written every few seconds.
            wait_for(lambda s=site: self.rows_of(s), what="numbers of detectors")
            self.assertEqual(self.rows_of(site), set(ROWS))
        for test in ROWS.values():
            self.assertTrue(callable(getattr(self, "test_" + test, None)), test)

    @staticmethod
    def rows_of(site):
        text = site.request("metrics", method="GET")[2].decode()
        return set(re.findall(r'^sluice_findings_total\{.*?detector="([^"]+)"', text, re.M))

    # --- processes ---

    def test_a_shepherd_that_hangs_loses_its_task_and_is_killed(self):
        self.count(self.host, "attempt leases")
        self.count(self.host, "orphans")
        job = self.submit("wait")
        attempt = self.runs(job)
        pid = self.shepherd(attempt)
        self.freeze(pid)
        self.found(self.host, "attempt leases", "gave no sign of life", job)
        report = self.host.sql("SELECT error_report FROM task WHERE run_here = 1 AND job_id = '%s'" % job)
        self.assertIn("no sign of life", report[0][0])
        self.assertEqual(self.guest.wait(job)["f_status"], "failed")
        # It has ten leases' time to notice and to tidy up; it hangs still.
        self.stands(self.host, 50, "UPDATE attempt SET lease_until = AGO WHERE attempt_id = '%s'" % attempt)
        self.look(self.host)
        self.found(self.host, "orphans", attempt, job)
        wait_for(lambda: pid not in processes("--attempt " + attempt), what="its end")

    def test_a_job_over_its_time_limit_ends(self):
        self.count(self.guest, "job timeouts")
        job = self.submit("wait", timeout=600)
        self.runs(job)
        wait_for(lambda: self.guest.sql("SELECT COUNT(*) FROM task WHERE job_id = '%s' AND (role = 'guest' AND party_status ="
                                        " 'success' OR role = 'host' AND party_status = 'running')" % job) == [["2"]],
                 what="that it runs being known")

        def is_over():
            # In one statement: whoever looks at the job for another reason would end it untold.
            self.guest.sql("UPDATE job SET started_at = NOW(6) - INTERVAL 601 SECOND, next_look_at = NOW(6) + INTERVAL 1 HOUR"
                           " WHERE job_id = '%s' AND status = 'running' AND lease_owner IS NULL" % job)
            return self.guest.sql("SELECT 1 FROM job WHERE job_id = '%s' AND started_at < NOW(6) - INTERVAL 600 SECOND" % job)
        wait_for(is_over, what="a job that nobody looks at")
        self.found(self.guest, "job timeouts", "longer than its limit", job)
        self.assertEqual(self.guest.wait(job)["f_status"], "timeout")
        self.assertEqual(self.host.wait(job, role="host")["f_status"], "timeout")

    def test_a_task_that_holds_its_engines_for_a_week_ends(self):
        self.count(self.host, "engine sessions")
        job = self.submit("wait")
        attempt = self.runs(job)
        self.host.sql("UPDATE attempt SET started_at = NOW(6) - INTERVAL 169 HOUR WHERE attempt_id = '%s'" % attempt)
        self.look(self.host)
        self.found(self.host, "engine sessions", "open for 169 hours", job)
        self.assertEqual(self.guest.wait(job)["f_status"], "timeout")
        self.assertEqual(self.host.wait(job, role="host")["f_status"], "timeout")
        wait_for(lambda: not processes("--attempt " + attempt), what="the end of its session")

    def test_a_withdrawal_whose_command_was_killed_is_finished(self):
        """Trusted again or not: what it withdrew ends, and nothing that began later."""
        self.count(self.guest, "withdrawals")
        job = self.submit("wait")
        self.runs(job)
        self.guest.sql("UPDATE job SET created_at = NOW(6) - INTERVAL 2 DAY WHERE job_id = '%s'" % job)
        self.guest.sql("INSERT INTO withdrawal (party_id, kind, since)"
                       " VALUES ('10000', 'disabled', NOW(6) - INTERVAL 1 DAY)")
        self.look(self.guest)
        self.found(self.guest, "withdrawals", "party 10000 was withdrawn (disabled)")
        self.assertEqual(self.guest.wait(job)["f_status"], "failed")
        self.assertEqual(self.host.wait(job, role="host")["f_status"], "failed")
        wait_for(lambda: not self.guest.sql("SELECT 1 FROM withdrawal"), what="nothing being left of it")

    def test_a_running_task_that_nobody_runs_ends(self):
        self.count(self.host, "lost tasks")
        job = self.submit("wait")
        attempt = self.runs(job)
        # As after an operator's hand, or an older copy of one table.
        self.host.sql("UPDATE attempt SET ended_at = NOW(6) WHERE attempt_id = '%s'" % attempt)
        wait_for(lambda: not processes("--attempt " + attempt), what="end of the shepherd, which lost its lease")
        self.stands(self.host, 30, "UPDATE task SET updated_at = AGO WHERE run_here = 1 AND job_id = '%s'" % job)
        self.look(self.host)
        self.found(self.host, "lost tasks", "nobody runs this task", job)
        self.assertEqual(self.guest.wait(job)["f_status"], "failed")

    def test_an_end_that_does_not_come_and_a_start_that_nobody_takes_are_told(self):
        for site, detector in ((self.host, "late ends"), (self.host, "late launches"), (self.guest, "stuck jobs")):
            self.count(site, detector)
        self.with_settings(self.host, "supervisor", lease_ms=600000)
        job = self.submit("compute", seconds=5)
        shepherd = self.shepherd(self.runs(job))
        self.freeze(shepherd)
        self.guest.ok("job/stop", {"job_id": job})
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE kill_wanted <> '' AND job_id = '%s'" % job),
                 what="the wish")
        # Or it would be late as well, which is told once an hour.
        wait_for(lambda: not self.host.sql("SELECT 1 FROM task WHERE report_due = 1 AND job_id = '%s'" % job),
                 what="that it runs being known")
        old = "UPDATE task SET updated_at = AGO WHERE job_id = '%s'" % job
        self.stands(self.host, 60, old)
        self.look(self.host)
        self.found(self.host, "late ends", "told to end a minute ago", job)
        # The next run begins where the hanging one has ended, and not before.
        self.guest.ok("job/rerun", {"job_id": job})
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE launch_wanted = 1 AND job_id = '%s'" % job),
                 what="its start")
        wait_for(lambda: self.guest.sql("SELECT 1 FROM task WHERE run_here = 1 AND party_status = 'success'"
                                        " AND job_id = '%s'" % job), what="the guest's half")
        self.stands(self.host, 60, old)
        self.look(self.host)
        self.found(self.host, "late launches", "nobody took its start", job)
        self.stands(self.guest, 60, old)
        if not LONG:
            self.guest.sql("UPDATE job SET started_at = NOW(6) - INTERVAL 61 SECOND WHERE job_id = '%s'" % job)
        self.look(self.guest)
        self.found(self.guest, "stuck jobs", "none of its tasks", job)
        thaw([shepherd])
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    # --- starts, reservations, the ledger ---

    def test_cores_reserved_for_an_initiator_that_vanished_come_back(self):
        self.count(self.host, "reservations")
        job, locked = self.reserved()
        self.dies(self.guest)
        locked.release()
        self.stands(self.host, 30, "UPDATE resource_grant SET expires_at = NOW(6) WHERE expires_at IS NOT NULL"
                                   " AND job_id = '%s'" % job)
        wait_for(lambda: [r for r in self.told(self.host, "returned", job, "resource") if "expired" in r[0]],
                 what="event of the reservation")
        self.is_counted(self.host, "reservations")
        self.assertEqual(self.field(self.host, job, "returned_at IS NULL", "resource_grant"), [["0"]])
        self.guest.start()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    def test_what_becomes_free_wakes_those_who_wait_for_it(self):
        self.host.sql("INSERT INTO resource_grant (job_id, role, party_id, engine, cores, memory_mb)"
                      " SELECT 'nobodys', 'host', '10000', engine, cores, 0 FROM resource")
        try:
            job = self.submit("compute", seconds=1)
            wait_for(lambda: (self.guest.ok("job/query", {"job_id": job})["data"][0]["f_wait"] or {}).get("code")
                     == "waiting_resources", what="its reason to wait")
        finally:
            self.host.sql("DELETE FROM resource_grant WHERE job_id = 'nobodys'")
        # Nobody of the site gave it back, so nobody was woken.
        self.assertEqual(self.guest.wait(job, seconds=2 * PERIODS["queue"] + 20)["f_status"], "success")

    def test_more_granted_than_there_is_and_grants_of_nobody_are_told(self):
        self.count(self.host, "ledger")
        job = self.submit("wait", task_parallelism=2)
        self.runs(job)
        self.with_settings(self.host, "supervisor", cores=1)
        nobodys = job[:-1] + ("8" if job.endswith("9") else "9")
        self.host.sql("INSERT INTO resource_grant (job_id, role, party_id, engine, cores, memory_mb, granted_at)"
                      " VALUES ('%s', 'host', '10000', 'STANDALONE', 1, 1, NOW(6) - INTERVAL 2 MINUTE)" % nobodys)
        self.look(self.host)
        self.found(self.host, "ledger", "of 1 cores")
        self.found(self.host, "ledger", "a job that is not here", nobodys)
        self.assertEqual(self.field(self.host, nobodys, "returned_at IS NULL", "resource_grant"), [["0"]])
        wait_for(lambda: (metric(self.host, "ledger_broken") or 0) > 0, what="the number of what is broken")
        self.reloaded(self.host, "supervisor", cores=CORES)
        self.look(self.host)
        wait_for(lambda: metric(self.host, "ledger_broken") == 0, PERIODS["ledger"] + 20, "a ledger that is whole again")
        # What ran went on.
        self.assertEqual(self.field(self.host, job, "status"), [["running"]])
        self.guest.ok("job/stop", {"job_id": job})
        self.guest.wait(job)

    # --- initiators ---

    def test_jobs_of_an_initiator_that_is_gone_end(self):
        # That it did not answer may have been told within the hour: by another supervisor.
        self.dies(self.host)
        self.host.start()
        for detector in ("partners", "report backlog", "stale jobs", "forgotten jobs"):
            self.count(self.host, detector)
        ends, runs = self.submit("wait"), self.submit("wait")
        ends_by = self.runs(ends)
        self.runs(runs)
        waits, locked = self.reserved()
        self.dies(self.guest, "supervisor", "nginx")
        locked.release()
        kill(int(self.host.sql("SELECT executor_pid FROM attempt WHERE attempt_id = '%s'" % ends_by)[0][0]))
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE report_due = 1 AND job_id = '%s'" % ends),
                 what="an end that nobody hears of")
        self.found(self.host, "partners", "party 9999 does not answer")
        self.stands(self.host, 60, "UPDATE task SET updated_at = AGO WHERE report_due = 1 AND job_id = '%s'" % ends)
        self.look(self.host)
        self.found(self.host, "report backlog", "reports wait")
        self.stands(self.host, 7 * 3600, "UPDATE job SET updated_at = AGO WHERE job_id = '%s'" % waits)
        self.look(self.host)
        self.found(self.host, "stale jobs", "never started it", waits)
        self.assertEqual(self.field(self.host, waits, "status"), [["timeout"]])
        self.assertEqual(self.field(self.host, waits, "DISTINCT status, party_status", "task"), [["canceled", "canceled"]])
        limit = int(self.field(self.host, runs, "timeout_s")[0][0])
        self.stands(self.host, limit + 3600, "UPDATE job SET started_at = AGO WHERE job_id = '%s'" % runs)
        self.look(self.host)
        self.found(self.host, "forgotten jobs", "beyond its time limit", runs)
        wait_for(lambda: not self.host.sql("SELECT 1 FROM attempt WHERE ended_at IS NULL AND job_id = '%s'" % runs),
                 what="the end of its task")
        self.guest.start()
        self.assertEqual(self.guest.wait(ends)["f_status"], "failed")
        wait_for(lambda: not self.host.sql("SELECT 1 FROM task WHERE report_due = 1"), what="the report")
        self.assertEqual(self.host.sql("SELECT answers FROM partner_state WHERE party_id = '9999'"), [["1"]])
        for job in (runs, waits):
            self.guest.api("job/stop", {"job_id": job})
            self.guest.wait(job)

    def test_a_job_that_its_initiator_does_not_know_any_more_ends(self):
        self.count(self.host, "doubtful jobs")
        self.count(self.arbiter, "doubtful jobs")
        job, locked = self.reserved()
        self.dies(self.guest)
        locked.release()
        # As an older copy of the database has it.
        for table in ("task", "job_party", "resource_grant", "job"):
            self.guest.sql("DELETE FROM %s WHERE job_id = '%s'" % (table, job))
        self.guest.start()
        self.stands(self.host, 60, "UPDATE job SET updated_at = AGO WHERE job_id = '%s'" % job)
        self.stands(self.arbiter, 1, "UPDATE job SET updated_at = NOW(6) - INTERVAL 61 SECOND WHERE job_id = '%s'" % job)
        for site, role in ((self.host, "host"), (self.arbiter, "arbiter")):
            self.look(site)
            self.found(site, "doubtful jobs", "9999 has ended it, or never had it", job)
            self.assertEqual(site.wait(job, role=role)["f_status"], "canceled")
            self.assertEqual(site.sql("SELECT 1 FROM resource_grant WHERE returned_at IS NULL AND job_id = '%s'" % job), [])

    # --- the site ---

    def test_a_disk_below_its_limit_is_told_and_work_refused(self):
        self.count(self.guest, "disks")
        self.with_settings(self.guest, "fcgi", upload_keep_free_mb=1073741824)
        os.kill(self.guest.pid("fcgi-app"), signal.SIGHUP)
        self.look(self.guest)
        self.found(self.guest, "disks", "is nearly full")
        wait_for(lambda: self.guest.request("job/submit", {})[0] == 503, what="refusal of work")
        status, head, body = self.guest.request("job/submit", {})
        self.assertEqual((status, head["Retry-After"]), (503, "30"), body)
        settings(self.guest, "fcgi", upload_keep_free_mb=1024)
        os.kill(self.guest.pid("fcgi-app"), signal.SIGHUP)
        wait_for(lambda: self.guest.request("job/submit", {})[0] != 503, what="work being taken again")

    def test_an_errand_that_nobody_began_in_time_ends(self):
        self.count(self.guest, "errands")
        self.dies(self.guest)
        before = {r[0] for r in self.guest.sql("SELECT errand_id FROM errand")}
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000]}, "job_parameters": {"common": {}},
                "component_parameters": {"common": {"fail_0": {"what": "compute"}}},
                "provider": {"common": {"fail_0": "sluice_test@1.0.0"}}}
        asking = threading.Thread(target=lambda: self.try_to(lambda: self.guest.api("permission/explain", {
            "job_dsl": {"components": {"fail_0": {"module": "TestFail", "output": {"data": ["data"]}}}},
            "job_runtime_conf": conf})))
        asking.start()
        new = wait_for(lambda: {r[0] for r in self.guest.sql("SELECT errand_id FROM errand")} - before, what="an errand")
        # Whoever waits for it goes as well.
        for pid in self.children(self.guest.pid("fcgi-app")):
            kill(pid)
        asking.join(60)
        errand = new.pop()
        self.guest.sql("UPDATE errand SET deadline_at = NOW(6) WHERE errand_id = '%s'" % errand)
        self.guest.start()
        # Numbers begin anew with the supervisor.
        self.counts[self.guest, "errands"] = 0
        self.look(self.guest)
        self.found(self.guest, "errands", "1 errands were not done in time")
        self.assertEqual(self.guest.sql("SELECT state FROM errand WHERE errand_id = '%s'" % errand), [["expired"]])

    @staticmethod
    def try_to(what):
        try:
            what()
        except (OSError, ValueError):
            pass  # its worker is killed

    @staticmethod
    def children(pid):
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            return [int(p) for p in f.read().split()]

    def test_audit_rows_that_were_not_linked_are_told_and_linked(self):
        self.count(self.guest, "audit")
        # Nothing is being linked when the supervisor stops.
        wait_for(lambda: self.unlinked() == [], what="a chain that has all")
        self.freeze(self.guest.pid("supervisor"))
        # Whoever wrote it was killed before it could wake anybody, or it would be linked before the detector looks.
        self.guest.sql("INSERT INTO audit (at, actor, action, subject, outcome, detail)"
                       " SELECT NOW(6) - INTERVAL 11 SECOND, actor, action, subject, outcome, detail"
                       " FROM audit ORDER BY id DESC LIMIT 1")
        os.kill(self.guest.pid("supervisor"), signal.SIGUSR2)
        thaw([self.guest.pid("supervisor")])
        self.found(self.guest, "audit", "had no link after 10 s")
        wait_for(lambda: self.unlinked() == [], what="their links")

    def unlinked(self):
        return self.guest.sql("SELECT id FROM audit WHERE id NOT IN (SELECT audit_id FROM audit_link)")

    def test_a_site_that_says_nothing_of_a_head_for_a_week_is_given_up(self):
        self.count(self.guest, "heads")
        job = self.submit("compute", seconds=1)
        self.assertEqual(self.guest.wait(job)["f_status"], "success")
        wait_for(lambda: self.field(self.guest, job, "open", "audit_exchange") == [["0"]], what="the exchange")
        # Not tried again before the detector looks.
        self.guest.sql("UPDATE audit_exchange SET open = 1, created_at = NOW(6) - INTERVAL 8 DAY,"
                       " next_try_at = NOW(6) + INTERVAL 1 HOUR WHERE job_id = '%s'" % job)
        os.kill(self.guest.pid("supervisor"), signal.SIGUSR2)
        self.found(self.guest, "heads", "1 exchanges of heads were given up")
        self.assertEqual(self.field(self.guest, job, "open", "audit_exchange"), [["2"]])

    def test_a_version_that_was_staged_and_never_sealed_is_dropped(self):
        self.count(self.guest, "models")
        job = "202601010000000000077"
        self.guest.sql(
            "INSERT INTO model (model_id, model_version, role, party_id, state, job_id, is_parent, roles,"
            " initiator_role, initiator_party, train_dsl, inference_dsl, train_runtime_conf, runtime_conf_on_party,"
            " manifest, manifest_hash, imported) VALUES ('guest-9999#abandoned', '%s', 'guest', '9999', 'staged', '%s', 1,"
            " '{}', 'guest', '9999', '{}', '{}', '{}', '{}', '{}', REPEAT('x', 32), 0)" % (job, job))
        self.look(self.guest)
        self.found(self.guest, "models", "was staged and not sealed", job)
        self.assertEqual(self.guest.sql("SELECT 1 FROM model WHERE model_version = '%s'" % job), [])

    def test_what_was_left_behind_is_removed(self):
        site, job = self.guest, "202601010000000000088"
        stray = "ab" + "0" * 62
        made = [self.made(site, 700, "jobs", job, "guest", "left"),
                self.made(site, 7200, "spool", "upload", job + ".csv"),
                self.made(site, 7200, "models", "objects", stray[:2], stray)]
        folder = self.made(site, 0, "data", "tables", "left", "data.mdb")
        site.sql("INSERT INTO task_cache (cache_key, job_id, component, version, role, party_id, cache_name, folder, meta,"
                 " row_count, expires_at) VALUES (REPEAT('c', 32), '%s', 'x', 0, 'guest', '9999', 'x', 'left', '{}', 0,"
                 " NOW(6) - INTERVAL 3 DAY)" % job)
        site.sql("INSERT INTO nonce VALUES ('10000', 'left', NOW(6) - INTERVAL 1 DAY)")
        kinds = ("attempt folder", "upload", "model file", "cache", "nonce")
        before = {k: metric(site, "janitor_removed_total", kind=k) or 0 for k in kinds}
        os.kill(site.pid("supervisor"), signal.SIGUSR2)
        for path in (*made, folder):
            wait_for(lambda p=path: not os.path.exists(p), what="end of " + path)
        wait_for(lambda: not site.sql("SELECT 1 FROM nonce WHERE nonce = 'left'"), what="end of the nonce")
        wait_for(lambda: not site.sql("SELECT 1 FROM task_cache WHERE folder = 'left'"), what="end of the cache")
        for kind in kinds:
            wait_for(lambda k=kind: (metric(site, "janitor_removed_total", kind=k) or 0) > before[k],
                     what="number of " + kind)

    @staticmethod
    def made(site, age_s, *names):
        path = os.path.join(site.home, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write("left")
        then = time.time() - age_s
        os.utime(path, (then, then))
        if names[0] == "jobs":
            os.utime(os.path.join(site.home, *names[:2]), (then, then))
        return path


if __name__ == "__main__":
    unittest.main(verbosity=2)

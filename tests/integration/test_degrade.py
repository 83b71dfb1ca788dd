"""What a site stands: its database gone for longer than leases last, reloads, upgrades.  No task fails that could
have gone on, and nothing is lost."""
import os
import signal
import subprocess
import unittest

from federation import BUILD, DATA, FEDERATION, TOP, Federation, kill, lr_conf, wait_for
from sites import TWO, conf

OUTAGE_S = float(os.environ.get("OUTAGE_S", "7"))  # leases last five seconds


class Degrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.sites = (fed.guest, fed.host, fed.arbiter)
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="degrade")
            assert reply.get("status") == "success", reply

    def tearDown(self):
        self.database_up()
        for site in self.sites:
            site.start()

    def submit(self, **lr):
        """On one core: a machine with two has room for another job."""
        c = lr_conf(namespace="degrade", encrypt_param={"key_length": 1024}, **lr)
        c["job_parameters"]["common"]["task_cores"] = 1
        return self.fed.submit(c)

    def training(self, job):
        wait_for(lambda: self.fed.guest.has_begun(job, "hetero_lr_0"), what="training of " + job)

    def assert_nothing_was_tried_twice(self, job):
        for site, role in zip(self.sites, ("guest", "host", "arbiter")):
            row = site.wait(job, role=role)
            self.assertEqual(row["f_status"], "success", site.events(job))
            self.assertEqual(site.sql("SELECT component, role FROM attempt WHERE job_id = '%s'"
                                      " AND outcome NOT IN ('success', 'never started')" % job), [])

    # --- the database ---

    def database_down(self):
        with open(os.path.join(os.path.dirname(self.fed.guest.socket), "db.pid"), encoding="ascii") as f:
            pid = int(f.read())
        kill(pid)
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), what="end of the database")

    def database_up(self):
        subprocess.run([os.path.join(TOP, "examples", "federation.sh"), "database"], check=True,
                       env=dict(os.environ, BUILD=BUILD, FEDERATION=FEDERATION))

    def hangs(self):
        """A job of one task that does not end by itself: (job, its shepherd, its executor) at the guest."""
        job = self.fed.submit(conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "guest"}}),
                              {"components": {"fail_0": {"module": "TestFail"}}})
        rows = wait_for(lambda: self.fed.guest.sql("SELECT shepherd_pid, executor_pid FROM attempt WHERE job_id = '%s'"
                                                   " AND executor_pid > 0" % job), what="the task of " + job)
        return (job, *map(int, rows[0]))

    def outage(self, shepherd=None, meanwhile=lambda: None):
        """The database goes and comes back after leases have run out; a shepherd whose task has begun lives on."""
        self.database_down()
        meanwhile()
        # It is the time itself that is waited for.
        stopped = subprocess.Popen(["sleep", str(OUTAGE_S)])
        stopped.wait()
        # Those that had begun nothing yet go, and come again.
        self.assertTrue(shepherd is None or os.path.exists("/proc/%d" % shepherd), "shepherds must live on")
        self.database_up()

    def test_tasks_go_on_while_the_database_is_away(self):
        """Those that hear of each other, and one that says nothing."""
        job = self.submit(max_iter=6)
        self.training(job)
        silent, shepherd, _ = self.hangs()
        self.outage(shepherd)
        self.assert_nothing_was_tried_twice(job)
        self.assertEqual(self.fed.guest.sql("SELECT shepherd_pid, ended_at IS NULL FROM attempt WHERE job_id = '%s'"
                                            % silent), [[str(shepherd), "1"]])
        self.fed.guest.ok("job/stop", {"job_id": silent})
        self.assertEqual(self.fed.guest.wait(silent)["f_status"], "canceled")

    def test_the_end_of_a_task_is_kept_until_the_database_is_back(self):
        job, shepherd, executor = self.hangs()
        self.outage(shepherd, meanwhile=lambda: kill(executor))
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        reports = self.fed.guest.sql("SELECT error_report FROM task WHERE job_id = '%s' AND role = 'guest'" % job)
        self.assertIn("signal 9", reports[0][0])
        self.assertEqual(self.fed.guest.sql("SELECT COUNT(*) FROM attempt WHERE job_id = '%s'" % job), [["1"]])

    def test_a_job_that_was_submitted_before_begins_afterwards(self):
        job = self.submit(max_iter=1)
        self.outage()
        self.assert_nothing_was_tried_twice(job)

    # --- reloads and upgrades ---

    def test_nginx_reads_its_configuration_anew_under_load(self):
        job = self.submit(max_iter=4)
        self.training(job)
        for site in self.sites:
            os.kill(site.pid("nginx"), signal.SIGHUP)
        self.assert_nothing_was_tried_twice(job)

    def test_a_supervisor_is_replaced_while_jobs_run(self):
        job = self.submit(max_iter=4)
        self.training(job)
        for site in self.sites:
            pid = site.pid("supervisor")
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda p=pid: not os.path.exists("/proc/%d" % p), what="end of the supervisor")
            site.start()
        self.assert_nothing_was_tried_twice(job)

    def test_request_handlers_are_replaced_while_jobs_run(self):
        job = self.submit(max_iter=4)
        self.training(job)
        for site in self.sites:
            pid = site.pid("fcgi-app")
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda p=pid: not os.path.exists("/proc/%d" % p), what="end of the request handlers")
            site.start()
        self.assert_nothing_was_tried_twice(job)


if __name__ == "__main__":
    unittest.main(verbosity=2)

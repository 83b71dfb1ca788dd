"""Any process may be killed at any instant; the job goes on, or ends with a
reason on every party.  Uses the tables that test_main_job uploads, or its own."""
import fcntl
import os
import signal
import subprocess
import time
import unittest

from federation import BUILD, DATA, ENDED, Federation, kill, lr_conf, processes, wait_for

EPOCHS = 10  # as many as it takes to be killed in
REFERENCE_LAST_LOSS = 0.42222  # of so many that nobody disturbs, see test_main_job


class Kill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="kill")
            assert reply.get("status") == "success", reply

    def submit(self, **lr):
        return self.fed.submit(lr_conf(namespace="kill", **dict({"max_iter": EPOCHS}, **lr)))

    def training(self, job):
        """Wait until HeteroLR runs at the guest."""
        return wait_for(lambda: [t for t in self.fed.guest.tasks(job, component_name="hetero_lr_0")
                                 if t["f_role"] == "guest" and t["f_party_status"] == "running"],
                        what="training of " + job)

    def assert_right_result(self, job):
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        data = self.fed.arbiter.metrics(job, "hetero_lr_0", "arbiter")["train"]["loss"]["data"]
        self.assertAlmostEqual(sorted(data)[-1][1], REFERENCE_LAST_LOSS, delta=1e-3)

    def kill_and_restart(self, site, name):
        kill(site.pid(name))
        site.start()

    def test_supervisor_of_the_initiator(self):
        job = self.submit()
        self.training(job)
        shepherd = self.victim(self.fed.guest, "shepherd_pid", job)
        kill(self.fed.guest.pid("supervisor"))
        attempt = self.fed.guest.sql("SELECT outcome FROM attempt WHERE job_id = '%s' AND shepherd_pid = %d" % (job, shepherd))
        # It lives on, or has done its work meanwhile.
        self.assertTrue(os.path.exists("/proc/%d" % shepherd) or attempt == [["success"]], attempt)
        self.fed.guest.start()
        self.assert_right_result(job)

    def test_supervisor_of_a_partner(self):
        job = self.submit()
        self.training(job)
        self.kill_and_restart(self.fed.host, "supervisor")
        self.assert_right_result(job)

    def test_supervisor_again_and_again_from_the_start(self):
        job = self.submit()
        for _ in range(4):
            time.sleep(0.15)  # any instant will do
            self.kill_and_restart(self.fed.guest, "supervisor")
        self.assert_right_result(job)

    def test_all_request_workers_of_a_partner(self):
        job = self.submit()
        self.training(job)
        parent = self.fed.host.pid("fcgi-app")
        for pid in processes("sluice-fcgi --config " + self.fed.host.home):
            if pid != parent:
                kill(pid)
        self.assert_right_result(job)

    def test_the_parent_of_request_workers_while_one_is_busy(self):
        """The worker may finish; the next parent does not wait for it, and there is one parent at a time."""
        host = self.fed.host
        config = os.path.join(host.home, "site.conf")
        parent = host.pid("fcgi-app")
        worker = next(pid for pid in processes("sluice-fcgi --config " + config) if pid != parent)
        os.kill(worker, signal.SIGSTOP)
        try:
            kill(parent)
            host.start()
            self.assertNotEqual(host.pid("fcgi-app"), parent)
            second = subprocess.run([os.path.join(BUILD, "bin", "sluice-fcgi"), "--config", config],
                                    check=False, capture_output=True, text=True)
            self.assertEqual(second.returncode, 1)
            self.assertIn("another sluice-fcgi serves this site", second.stderr)
            job = self.submit(max_iter=2)
            self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))
        finally:
            os.kill(worker, signal.SIGCONT)

    def test_the_parent_of_request_workers_that_is_about_to_end_is_waited_for(self):
        """It has removed its pid file, and holds its lock for a moment still."""
        host = self.fed.host
        parent = host.pid("fcgi-app")
        with open(os.path.join(host.home, "run", "fcgi.lock"), "r+b") as lock:
            os.kill(parent, signal.SIGTERM)
            fcntl.lockf(lock, fcntl.LOCK_EX)
            started = subprocess.Popen([os.path.join(BUILD, "bin", "sluice-fcgi"), "--config",
                                        os.path.join(host.home, "site.conf")], stderr=subprocess.DEVNULL)

            def waits():
                self.assertIsNone(started.poll())
                with open("/proc/locks", encoding="ascii") as f:
                    return any("->" in line and " %d " % started.pid in line for line in f)
            try:
                wait_for(waits, what="a start that waits for the lock")
                fcntl.lockf(lock, fcntl.LOCK_UN)
                wait_for(lambda: os.path.exists(os.path.join(host.home, "run", "fcgi-app.pid")), what="its pid file")
                self.assertEqual(host.pid("fcgi-app"), started.pid)
            finally:
                started.terminate()
                started.wait()
        host.start()

    def test_nurseries(self):
        job = self.submit(max_iter=2)
        for _ in range(3):
            for site in (self.fed.guest, self.fed.host):
                kill(wait_for(lambda s=site: processes("sluice-shepherd --nursery --config " + s.home))[0])
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))

    def test_nginx_of_a_partner(self):
        job = self.submit()
        self.training(job)
        kill(self.fed.host.pid("nginx"))  # its worker lives on and holds the ports
        self.fed.host.start()
        self.assert_right_result(job)

    def end_everywhere(self, job, status):
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host"), (self.fed.arbiter, "arbiter")):
            self.assertEqual(site.wait(job, role=role)["f_status"], status, site.events(job))

    def victim(self, site, program, job):
        """The process of a running attempt; its number is written with the next heartbeat."""
        rows = wait_for(lambda: site.sql("SELECT %s FROM attempt WHERE job_id = '%s' AND ended_at IS NULL"
                                         " AND %s IS NOT NULL" % (program, job, program)))
        return int(rows[0][0])

    def test_executor_of_a_partner(self):
        job = self.submit()
        self.training(job)
        kill(wait_for(lambda: self.victim(self.fed.host, "executor_pid", job)))
        self.end_everywhere(job, "failed")
        reports = [t["f_error_report"] for t in self.fed.guest.tasks(job) if t["f_role"] == "host"]
        self.assertTrue(any("signal" in str(r) or "killed" in str(r) for r in reports), reports)

    def test_shepherd_of_the_initiator(self):
        job = self.submit()
        self.training(job)
        kill(self.victim(self.fed.guest, "shepherd_pid", job))
        self.end_everywhere(job, "failed")
        wait_for(lambda: not [p for p in processes(job)], what="no process of the job left")

    def test_a_killed_task_is_retried_when_the_job_says_so(self):
        conf = lr_conf(namespace="kill", max_iter=EPOCHS)
        conf["job_parameters"]["common"]["auto_retries"] = 1
        job = self.fed.submit(conf)
        self.training(job)
        kill(wait_for(lambda: self.victim(self.fed.host, "executor_pid", job)))
        self.assert_right_result(job)
        versions = {t["f_task_version"] for t in self.fed.guest.tasks(job, component_name="hetero_lr_0")}
        self.assertEqual({str(v) for v in versions}, {"1"})

    def tearDown(self):
        for site in self.fed.sites.values():
            site.start()  # a no-op for what runs
            for row in site.sql("SELECT job_id, status FROM job WHERE status NOT IN ('%s')" % "','".join(ENDED)):
                site.api("job/stop", {"job_id": row[0]})


if __name__ == "__main__":
    unittest.main(verbosity=2)

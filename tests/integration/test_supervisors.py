"""Two supervisors of one site: every task runs once, one goes on when the other stops, is stopped, or dies."""
import os
import signal
import subprocess
import unittest

from federation import BUILD, DATA, Federation, example, kill, processes, settings, stand_still, thaw, wait_for

CHAIN = 6
LONG_MS = 120000  # a lease that nobody waits for


def chain_dsl():
    dsl = {"components": {"reader_0": example("dsl.json")["components"]["reader_0"]}}
    before = "reader_0"
    for i in range(CHAIN):
        name = "test_empty_%d" % i
        dsl["components"][name] = {"module": "TestEmpty", "provider": "sluice_test",
                                   "input": {"data": {"data": [before + ".data"]}}, "output": {"data": ["data"]}}
        before = name
    return dsl


class Supervisors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="two")
            assert reply.get("status") == "success", reply

    def setUp(self):
        self.second = None
        self.start_second()

    def tearDown(self):
        for pid in self.supervisors():
            thaw([pid])
        self.second.terminate()
        self.second.wait(20)
        self.fed.guest.start()

    def start_second(self):
        site = self.fed.guest
        # Pid and socket of one that was killed may be there still.
        before = self.runs()
        self.second = subprocess.Popen(
            [os.path.join(BUILD, "bin", "sluice-supervisor"), "--config", os.path.join(site.home, "site.conf"),
             "--name", "b"], stdin=subprocess.DEVNULL)
        wait_for(lambda: self.runs() > before, what="second supervisor")

    def runs(self):
        """How often a second supervisor has said that it runs."""
        return len([line for line in self.log("supervisor-b.log") if " of party 9999 runs" in line])

    def supervisors(self):
        return processes("sluice-supervisor --config %s/" % self.fed.guest.home)

    def conf(self, **more):
        conf = example("conf.json")
        conf["role"] = {"guest": [9999], "host": [10000]}
        conf["job_parameters"]["common"].update({"task_cores": 1}, **more)
        conf["component_parameters"] = {"role": {
            "guest": {"0": {"reader_0": {"table": {"name": "breast_guest", "namespace": "two"}}}},
            "host": {"0": {"reader_0": {"table": {"name": "breast_host", "namespace": "two"}}}}}}
        return conf

    def submit(self, **more):
        return self.fed.submit(self.conf(**more), chain_dsl())

    def assert_each_task_ran_once(self, job):
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            row = site.wait(job, role=role)
            self.assertEqual(row["f_status"], "success", site.events(job))
            rows = site.sql("SELECT component, COUNT(*), MAX(outcome) FROM attempt WHERE job_id = '%s'"
                            " AND outcome <> 'never started' GROUP BY component" % job)
            self.assertEqual({(r[1], r[2]) for r in rows}, {("1", "success")}, rows)
            self.assertEqual(len(rows), CHAIN + 1)
            self.assertEqual(site.sql("SELECT component, version FROM event WHERE job_id = '%s' AND kind = 'attempt'"
                                      " AND to_state = 'running' GROUP BY component, version HAVING COUNT(*) > 1" % job), [])
            self.assertEqual(site.sql("SELECT COUNT(*) FROM event WHERE job_id = '%s' AND kind = 'job'"
                                      " AND to_state = 'success'" % job), [["1"]])

    def launchers(self, jobs):
        return {r[0].rsplit(":", 1)[0] for r in self.fed.guest.sql(
            "SELECT launcher FROM attempt WHERE job_id IN ('%s')" % "','".join(jobs))}

    def test_both_work_and_every_task_runs_once(self):
        jobs = [self.submit() for _ in range(8)]
        for job in jobs:
            self.assert_each_task_ran_once(job)

    def first_task_is_running(self, job):
        wait_for(lambda: self.fed.guest.sql("SELECT 1 FROM task WHERE job_id = '%s' AND status IN ('running', 'success')"
                                            % job), what="a task of " + job)

    def test_a_killed_one_is_replaced(self):
        for victim in ("supervisor", "supervisor-b"):
            jobs = [self.submit() for _ in range(3)]
            self.first_task_is_running(jobs[0])
            events = self.fed.guest.sql("SELECT MAX(id) FROM event")[0][0]
            kill(self.fed.guest.pid(victim))
            wait_for(lambda: self.fed.guest.sql(
                "SELECT 1 FROM event WHERE id > %s AND actor LIKE 'supervisor%%' AND kind IN ('job', 'task')" % events),
                what="work of the other")
            for job in jobs:
                self.assert_each_task_ran_once(job)
            if victim == "supervisor-b":
                self.second.wait(20)
                self.start_second()
            else:
                self.fed.guest.start()

    def read_again(self, **values):
        """Both supervisors have read these settings; what they were before."""
        def readings():
            return sum("configuration read again" in line for line in self.log())
        old, before = settings(self.fed.guest, "supervisor", **values), readings()
        for name in ("supervisor", "supervisor-b"):
            os.kill(self.fed.guest.pid(name), signal.SIGHUP)
        wait_for(lambda: readings() >= before + 2, what="both having read the configuration again")
        return old

    def test_a_live_shepherd_is_adopted_by_the_other(self):
        # Nobody finds a shepherd's end by its lease here.
        old = self.read_again(lease_ms=LONG_MS)
        self.addCleanup(lambda: (self.fed.guest.stop(), settings(self.fed.guest, "supervisor", **old), self.fed.guest.start()))
        dsl = {"components": {"reader_0": chain_dsl()["components"]["reader_0"], "test_fail_0": {
            "module": "TestFail", "provider": "sluice_test", "input": {"data": {"data": ["reader_0.data"]}},
            "output": {"data": ["data"]}}}}
        conf = self.conf()
        conf["component_parameters"]["common"] = {"test_fail_0": {"who": "guest", "what": "hang"}}
        job = self.fed.submit(conf, dsl)
        rows = wait_for(lambda: self.fed.guest.sql(
            "SELECT shepherd_pid, launcher FROM attempt WHERE job_id = '%s' AND component = 'test_fail_0'"
            " AND executor_pid IS NOT NULL" % job), what="the task that hangs")
        launcher = "supervisor-b" if ".b:" in rows[0][1] else "supervisor"
        kill(self.fed.guest.pid(launcher))
        # Whoever is left notices the shepherd's end at once, though it did not start it.
        wait_for(lambda: any("goes on, shepherd " + rows[0][0] in line for line in self.log()), what="adoption")
        kill(int(rows[0][0]))
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        # Not by its lease, which lasted.
        self.assertEqual(self.fed.guest.sql("SELECT ended_at < lease_until FROM attempt WHERE job_id = '%s'"
                                            " AND component = 'test_fail_0'" % job), [["1"]])
        self.second.poll()
        if launcher == "supervisor-b":
            self.second.wait(20)
            self.start_second()

    def log(self, *names):
        lines = []
        for name in names or ("supervisor.log", "supervisor-b.log"):
            path = os.path.join(self.fed.guest.home, "logs", name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    lines += f.read().splitlines()
        return lines

    def test_one_that_slept_through_its_lease_does_nothing_more(self):
        for victim in ("supervisor", "supervisor-b"):
            jobs = [self.submit() for _ in range(4)]
            self.first_task_is_running(jobs[0])
            pid = self.fed.guest.pid(victim)
            stand_still([pid])
            for job in jobs:
                self.assert_each_task_ran_once(job)
            thaw([pid])
            # It works again: with the other stopped, jobs go on.
            other = self.fed.guest.pid("supervisor" if victim == "supervisor-b" else "supervisor-b")
            stand_still([other])
            job = self.submit()
            self.assert_each_task_ran_once(job)
            thaw([other])
            for job in jobs:
                self.assert_each_task_ran_once(job)

    def test_what_waited_to_be_sent_when_it_froze_is_not_sent_when_it_thaws(self):
        guest, host = self.fed.guest, self.fed.host
        slow = processes("sluice-fcgi --config %s/" % host.home)
        frozen, other = guest.pid("supervisor"), guest.pid("supervisor-b")
        stand_still([other])
        for pid in slow:
            stand_still([pid])
        try:
            # More creates than may be under way to one partner at once.
            jobs = [self.submit() for _ in range(24)]
            ids = "','".join(jobs)
            wait_for(lambda: guest.sql("SELECT COUNT(*) FROM job WHERE job_id IN ('%s') AND lease_owner IS NOT NULL"
                                       % ids) == [["24"]], what="all of them taken up")
            stand_still([frozen])
            for job in jobs:
                guest.ok("job/stop", {"job_id": job})
        finally:
            for pid in slow:
                thaw([pid])
            thaw([other])
        wait_for(lambda: guest.sql("SELECT COUNT(*) FROM job WHERE job_id IN ('%s') AND settled = 1" % ids) == [["24"]],
                 what="their end by the other")
        known = host.sql("SELECT job_id, status FROM job WHERE job_id IN ('%s') ORDER BY job_id" % ids)
        thaw([frozen])
        # It goes on: what it sends now comes after whatever it kept.
        stand_still([other])
        self.assert_each_task_ran_once(self.submit())
        thaw([other])
        self.assertEqual(host.sql("SELECT job_id, status FROM job WHERE job_id IN ('%s') ORDER BY job_id" % ids), known)
        self.assertLess(len(known), 24)
        self.assertEqual({row[1] for row in known}, {"canceled"} if known else set())
        self.assertEqual(host.sql("SELECT COUNT(*) FROM resource_grant WHERE returned_at IS NULL"), [["0"]])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Who gets how much of a site, who comes first, who may stop what, and what others hear of an error."""
import os
import unittest

from federation import Federation, wait_for
from sites import TWO, chain, conf


class Queue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host = fed.guest, fed.host
        cls.cores = int(fed.host.sql("SELECT cores FROM resource")[0][0])

    def tearDown(self):
        self.host.cli("quota", "--party", "9999", "--remove", check=False)
        for (job,) in self.guest.sql("SELECT job_id FROM job WHERE status IN ('waiting', 'running')"):
            self.guest.api("job/stop", {"job_id": job})
            self.guest.wait(job)

    def quota(self, **limits):
        self.host.cli("quota", "--party", "9999", *[a for k, v in limits.items()
                                                    for a in ("--" + k.replace("_", "-"), str(v))])

    def parameters(self, c, host_cores=None, **common):
        c["job_parameters"]["common"].update(common)
        if host_cores is not None:
            c["job_parameters"]["role"] = {"host": {"0": {"task_cores": host_cores}}}

    def submit(self, **parameters):
        c = conf(["empty_0"], TWO)
        self.parameters(c, **parameters)
        return self.fed.submit(c, chain(1))

    def hang(self, who="guest", what="hang", **parameters):
        """A job one of whose members runs until it is stopped."""
        c = conf(["fail_0"], TWO, {"fail_0": {"what": what, "who": who}})
        self.parameters(c, **parameters)
        job = self.fed.submit(c, {"components": {"fail_0": {"module": "TestFail"}}})
        if what == "hang":
            self.guest.wait(job, until=("running",))
        return job

    def waits(self, job, code):
        def look():
            wait = self.guest.ok("job/query", {"job_id": job, "role": "guest"})["data"][0]["f_wait"]
            return wait if wait and wait["code"] == code else None
        return wait_for(look, what="%s of job %s" % (code, job))

    def end(self, job):
        self.guest.ok("job/stop", {"job_id": job})
        self.assertEqual(self.guest.wait(job)["f_status"], "canceled")

    def test_a_quota_of_running_jobs_holds_the_next_one_until_it_ends(self):
        self.quota(running_jobs=1)
        first, second = self.hang(), self.submit()
        wait = self.waits(second, "quota")
        self.assertEqual((wait["role"], wait["party_id"], wait["numbers"]), ("host", "10000", {"used": 1, "limit": 1}))
        # Now and then it asks again.
        wait_for(lambda: "quota, host 10000" in self.guest.cli("query", second).stdout, what="it on the command line")
        self.end(first)
        self.assertEqual(self.guest.wait(second)["f_status"], "success")

    def test_more_cores_than_a_quota_ever_gives_are_refused_with_numbers(self):
        self.quota(cores=1)
        row = self.guest.wait(self.submit(task_cores=2))
        self.assertEqual(row["f_status"], "failed")
        self.assertIn("2 cores are asked for, the quota of party 9999 here is 1", row["f_reason"])

    def test_a_quota_of_waiting_jobs_is_named_and_the_partner_not_called_away(self):
        first = self.hang(task_cores=self.cores)
        self.quota(waiting_jobs=1)
        second = self.submit()
        self.waits(second, "waiting_resources")
        third = self.submit()
        wait = self.waits(third, "quota")
        self.assertEqual((wait["role"], wait["party_id"], wait["numbers"]), ("host", "10000", {"used": 1, "limit": 1}))
        self.assertEqual(self.guest.sql("SELECT answers FROM partner_state WHERE party_id = '10000'"), [["1"]])
        self.end(first)
        for job in (second, third):
            self.assertEqual(self.guest.wait(job)["f_status"], "success")

    def sleeps(self, job):
        self.guest.sql("UPDATE job SET next_look_at = NOW(6) + INTERVAL 1 HOUR WHERE job_id = '%s' AND lease_owner IS NULL"
                       " AND wait_code = 'waiting_resources'" % job)
        return self.guest.sql("SELECT 1 FROM job WHERE job_id = '%s' AND lease_owner IS NULL"
                              " AND next_look_at > NOW(6) + INTERVAL 50 MINUTE" % job)

    def test_a_higher_priority_starts_first_and_none_is_above_the_ceiling(self):
        # Both wait at the host, and nowhere else: at two places one may be free a moment before the other.
        first = self.hang(host_cores=self.cores)
        low = self.submit(host_cores=self.cores)
        self.waits(low, "waiting_resources")
        high = self.submit(host_cores=self.cores, priority=5)
        self.waits(high, "waiting_resources")
        # Neither asks by itself any more: whose turn it is decides which comes first.
        for job in (low, high):
            wait_for(lambda j=job: self.sleeps(j), what="%s asleep" % job)
        self.end(first)
        for job in (low, high):
            self.assertEqual(self.guest.wait(job)["f_status"], "success")
        order = self.guest.sql("SELECT job_id FROM job WHERE job_id IN ('%s', '%s') ORDER BY started_at" % (low, high))
        self.assertEqual(order, [[high], [low]])
        c = conf(["empty_0"], TWO)
        c["job_parameters"]["common"]["priority"] = 11
        reply = self.guest.api("job/submit", {"job_dsl": chain(1), "job_runtime_conf": c})
        self.assertEqual(reply["retcode"], 103)
        self.assertIn("/job_parameters/common/priority: is 11, this site allows up to 10", reply["retmsg"])

    def test_a_member_stops_a_job_that_waits_and_one_whose_half_is_done(self):
        runs = self.hang(task_cores=self.cores)
        wait_for(lambda: self.guest.tasks(runs, role="host")[0]["f_party_status"] == "success", what="the host's half")
        waiting = self.submit()
        self.waits(waiting, "waiting_resources")
        for job in (waiting, runs):
            self.assertIn("success", self.host.ok("job/stop", {"job_id": job})["retmsg"])
            for site, role in ((self.guest, "guest"), (self.host, "host")):
                row = site.wait(job, role=role)
                self.assertEqual(row["f_status"], "canceled")
                self.assertIn("stopped by a user of party 10000", row["f_reason"])
            self.assertIn("ended", self.host.ok("job/stop", {"job_id": job})["retmsg"])

    def test_an_error_leaves_in_full_or_as_its_kind_as_the_site_decides(self):
        words, kind = "row 17, column x3", "the component ended with an error of its own"
        job = self.hang(who="host", what="error")
        for site, role in ((self.guest, "guest"), (self.host, "host")):
            self.assertIn(words, site.wait(job, role=role)["f_reason"])
        path = os.path.join(self.host.home, "site.conf")
        with open(path, encoding="utf-8") as f:
            before = f.read()
        self.addCleanup(self.configure, path, before)
        self.configure(path, before.replace("error_detail = full", "error_detail = class"))
        job = self.hang(who="host", what="error")
        row = self.guest.wait(job)
        self.assertEqual(row["f_status"], "failed")
        self.assertIn(kind, row["f_reason"])
        self.assertEqual(self.host.wait(job, role="host")["f_status"], "failed")
        everything = self.guest.sql("SELECT COALESCE(error_report, '') FROM task WHERE job_id = '%s'"
                                    " UNION ALL SELECT COALESCE(reason, '') FROM event WHERE job_id = '%s'" % (job, job))
        self.assertNotIn(words, str(everything))
        own = [t["f_error_report"] for t in self.host.tasks(job, role="host")]
        self.assertIn(words, own[0])

    def configure(self, path, text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.host.stop()
        self.host.start()


if __name__ == "__main__":
    unittest.main()

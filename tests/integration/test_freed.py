"""What one initiator's job gives back wakes those of others that wait for it, at once."""
import os
import time
import unittest

from federation import Federation, wait_for
from sites import chain, conf


class Freed(unittest.TestCase):
    """Guests 9999 and 10001 initiate; 10000 is the host of both."""

    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.a, cls.x, cls.b = fed.guest, fed.host, fed.arbiter
        cls.cores = int(cls.x.sql("SELECT cores FROM resource")[0][0])

    def tearDown(self):
        for site in (self.a, self.b, self.x):
            for (job,) in site.sql("SELECT job_id FROM job WHERE is_initiator = 1"
                                   " AND status IN ('waiting', 'running')"):
                site.api("job/stop", {"job_id": job})
                wait_for(lambda s=site, j=job: s.sql("SELECT 1 FROM job WHERE job_id = '%s' AND ended_at IS NOT NULL"
                                                     % j), what="the end of " + job)

    def submit(self, site, cores=None, dsl=None, host=True, **fail):
        component = "fail_0" if fail else "empty_0"
        roles = {"guest": [int(site.party)]}
        if host:
            roles["host"] = [int(self.x.party)]
        c = conf([component], roles, {component: fail} if fail else None)
        c["initiator"]["party_id"] = int(site.party)
        c["job_parameters"]["common"]["task_cores"] = cores or self.cores
        dsl = {"components": {"fail_0": {"module": "TestFail"}}} if fail else chain(1)
        reply = site.api("job/submit", {"job_dsl": dsl, "job_runtime_conf": c})
        self.assertEqual(reply["retcode"], 0, reply)
        return reply["jobId"]

    def holds(self, site, **kw):
        """A job that has all cores of the host until it is stopped."""
        job = self.submit(site, what="hang", who="guest", **kw)
        site.wait(job, until=("running",))
        return job

    def sleeps(self, site, job):
        """It waits for the host's cores, and asks by itself in an hour only, as the ninth of a queue does."""
        def put_to_sleep():
            site.sql("UPDATE job SET next_look_at = NOW(6) + INTERVAL 1 HOUR WHERE job_id = '%s'"
                     " AND wait_code = 'waiting_resources' AND wait_party = '%s' AND lease_owner IS NULL"
                     % (job, self.x.party))
            return site.sql("SELECT 1 FROM job WHERE job_id = '%s' AND next_look_at > NOW(6) + INTERVAL 50 MINUTE"
                            " AND lease_owner IS NULL" % job)
        wait_for(put_to_sleep, what="job %s asleep" % job)

    def stop(self, site, job):
        site.ok("job/stop", {"job_id": job})

    def test_what_another_initiators_job_held_wakes_who_waits_for_it(self):
        holder = self.holds(self.b)
        job = self.submit(self.a)
        self.sleeps(self.a, job)
        self.stop(self.b, holder)
        self.assertEqual(self.a.wait(job, seconds=60)["f_status"], "success")  # by itself it would ask in an hour

    def test_a_sites_own_jobs_are_woken_by_what_partners_jobs_give_back(self):
        holder = self.holds(self.b)
        job = self.submit(self.x, host=False)
        self.sleeps(self.x, job)
        self.stop(self.b, holder)
        self.assertEqual(self.x.wait(job, seconds=60)["f_status"], "success")

    def test_a_notice_that_is_lost_costs_no_more_than_asking_again(self):
        holder = self.holds(self.b)
        job = self.submit(self.a)
        wait_for(lambda: self.a.sql("SELECT 1 FROM job WHERE job_id = '%s' AND wait_code = 'waiting_resources'" % job),
                 what="the refusal of " + job)
        self.a.stop()
        try:
            self.stop(self.b, holder)
            self.b.wait(holder)
            wait_for(lambda: not self.x.sql("SELECT 1 FROM resource_grant WHERE returned_at IS NULL"), what="all free")
        finally:
            self.a.start()
        self.assertEqual(self.a.wait(job, seconds=60)["f_status"], "success")

    def aged(self, initiator):
        """Its refusal at the host is older than what others may pass."""
        def has_asked():
            self.x.sql("UPDATE resource_waiter SET asked_at = LEAST(asked_at, NOW(6) - INTERVAL 2 MINUTE)"
                       " WHERE party_id = '%s' AND code = 'waiting_resources'" % initiator.party)
            return self.x.sql("SELECT 1 FROM resource_waiter WHERE party_id = '%s' AND asked_at < NOW(6) - INTERVAL 1 MINUTE"
                              " AND refused_at > NOW(6) - INTERVAL 10 SECOND" % initiator.party)
        wait_for(has_asked, what="a refusal of party %s" % initiator.party)

    def waits(self, site, job):
        def wait():
            row = site.ok("job/query", {"job_id": job, "role": "guest", "party_id": site.party})["data"][0]
            return row["f_wait"] if row["f_wait"] and row["f_wait"]["code"] == "waiting_resources" else None
        return wait_for(wait, what="job %s waiting" % job)

    def test_a_large_job_of_one_initiator_is_not_passed_for_ever_by_small_ones_of_another(self):
        holder = self.holds(self.b, cores=1)
        large = self.submit(self.a)
        self.assertNotIn("cores_kept", self.waits(self.a, large)["numbers"])
        # So it would go on: one ends, and another has begun by then.
        second = self.holds(self.b, cores=1)
        self.stop(self.b, holder)
        self.b.wait(holder)
        self.aged(self.a)
        third = self.submit(self.b, cores=1)
        wait = self.waits(self.b, third)
        self.assertEqual((wait["role"], wait["party_id"]), ("host", self.x.party))
        self.assertEqual({k: wait["numbers"][k] for k in ("cores_asked", "cores_kept", "cores_free")},
                         {"cores_asked": 1, "cores_kept": self.cores, "cores_free": self.cores - 1})
        self.stop(self.b, second)
        self.assertEqual(self.a.wait(large, seconds=30)["f_status"], "success")
        self.assertEqual(self.b.wait(third, seconds=30)["f_status"], "success")
        began = [int(self.x.sql("SELECT MAX(granted_at) + 0 FROM resource_grant WHERE job_id = '%s'" % j)[0][0]
                     .replace(".", "")) for j in (large, third)]
        self.assertLess(*began)

    def test_the_jobs_of_two_initiators_all_get_on_and_nobody_asks_in_vain_for_long(self):
        each = 6
        holder = self.holds(self.b)
        jobs = [(site, self.submit(site)) for _ in range(each) for site in (self.a, self.b)]
        for site, job in jobs:
            self.sleeps(site, job)
        log = os.path.join(self.x.home, "logs", "partner-in.log")
        size, began = os.path.getsize(log), time.monotonic()
        self.stop(self.b, holder)
        for site, job in jobs:
            self.assertEqual(site.wait(job)["f_status"], "success")
        with open(log, encoding="utf-8", errors="replace") as f:
            f.seek(size)
            asked = sum("/resource/apply" in line for line in f)
        # The first of each queue asks by itself about once a second, and the seven behind it every five.
        self.assertLessEqual(asked, 8 * len(jobs) + 2 * (1 + 7 / 5) * (time.monotonic() - began))
        wait_for(lambda: self.x.sql("SELECT COUNT(*) FROM resource_grant WHERE returned_at IS NULL") == [["0"]],
                 what="all free")
        # Who was served or did not come is not kept.
        wait_for(lambda: self.x.sql("SELECT COUNT(*) FROM resource_waiter WHERE told_at IS NOT NULL") == [["0"]],
                 what="an empty list of who was told")


if __name__ == "__main__":
    unittest.main()

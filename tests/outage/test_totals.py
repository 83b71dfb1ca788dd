"""What a site has is made smaller and larger while jobs hold some of it: what is granted is never taken away, nothing
is granted that is not there, and what is too much is waited out."""
import os
import signal
import time

from federation import settings, wait_for
from world import CORES, World, chain_dsl, long_only

JOBS = 4  # which is what the memory of a small machine bears


@long_only
class Totals(World):
    def tearDown(self):
        self.total(CORES)
        self.stop_jobs()

    def total(self, cores):
        """By a reload, while all goes on."""
        settings(self.guest, "supervisor", cores=cores)
        os.kill(self.guest.pid("supervisor"), signal.SIGHUP)
        wait_for(lambda: self.guest.sql("SELECT 1 FROM resource WHERE cores = %d" % cores), what="%d cores" % cores)

    def held(self):
        return int(self.guest.sql("SELECT COALESCE(SUM(cores), 0) FROM resource_grant WHERE returned_at IS NULL")[0][0])

    def holding(self):
        """A job that holds its core until it is stopped."""
        return self.submit(chain_dsl("TestFail", "test_fail", 1), {"test_fail_0": {"who": "guest", "what": "hang"}})

    def stop(self, job):
        self.guest.ok("job/stop", {"job_id": job})
        self.guest.wait(job)

    def test_less_is_waited_out(self):
        first = [self.holding() for _ in range(JOBS)]
        wait_for(lambda: self.held() == JOBS, what="all that run")
        for job in first:
            self.guest.wait(job, until=("running",))
        self.total(2)
        more = [self.submit(chain_dsl(n=1)) for _ in range(3)]
        for left in range(JOBS - 1, 1, -1):
            self.stop(first.pop())
            wait_for(lambda n=left: self.held() <= n, what="a core given back")
            # Each look is a sample: what is too much goes to nobody.
            end = time.monotonic() + 1
            while time.monotonic() < end:
                self.assertEqual(self.held(), left)
                time.sleep(0.05)
            for job in more:
                wait_for(lambda j=job: self.waiting_for(j) in (["waiting", "waiting_resources"], ["waiting", "turn"]),
                         what="a reason that is said")
        self.stop(first.pop())
        for job in more:
            self.ends_well(job)
            self.assertLessEqual(self.held(), 2)
        self.stop(first.pop())
        self.nothing_is_held()
        self.ledger_is_right()

    def waiting_for(self, job):
        return self.guest.sql("SELECT status, wait_code FROM job WHERE job_id = '%s'" % job)[0]

    def ledger_is_right(self):
        self.assertEqual(self.guest.sql("SELECT reason FROM event WHERE kind = 'detector' AND reason LIKE '%ledger%'"), [])

    def test_jobs_that_wait_go_as_soon_as_there_is_more(self):
        self.total(1)
        jobs = [self.holding() for _ in range(3)]
        wait_for(lambda: self.held() == 1, what="the first")
        self.total(CORES)
        wait_for(lambda: self.held() == 3, what="all of them")
        for job in jobs:
            self.stop(job)
        self.nothing_is_held()
        self.ledger_is_right()

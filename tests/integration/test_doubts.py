"""A party that does not know whether the end of a job got lost on its way asks the initiator, and does what it says."""
import os
import signal
import subprocess
import time
import unittest

from federation import Federation, wait_for
from sites import TWO, chain, conf

TABLES = ("job", "job_party", "task")


class Doubts(unittest.TestCase):
    """The host has a job of the guest's that waits for its cores; another guest's job holds them."""

    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.a, cls.x, cls.b = fed.guest, fed.host, fed.arbiter
        cls.cores = int(cls.x.sql("SELECT cores FROM resource")[0][0])

    def setUp(self):
        c = conf(["fail_0"], {"guest": [10001], "host": [10000]}, {"fail_0": {"what": "hang", "who": "guest"}})
        c["initiator"]["party_id"] = 10001
        c["job_parameters"]["common"]["task_cores"] = self.cores
        reply = self.b.ok("job/submit", {"job_dsl": {"components": {"fail_0": {"module": "TestFail"}}},
                                         "job_runtime_conf": c})
        self.holder = reply["jobId"]
        self.b.wait(self.holder, until=("running",))
        c = conf(["empty_0"], TWO)
        c["job_parameters"]["common"]["task_cores"] = self.cores
        self.job = self.fed.submit(c, chain(1))
        wait_for(lambda: self.a.sql("SELECT 1 FROM job WHERE job_id = '%s' AND wait_code = 'waiting_resources'"
                                    % self.job), what="the refusal of " + self.job)

    def tearDown(self):
        for site, job in ((self.b, self.holder), (self.a, self.job)):
            site.api("job/stop", {"job_id": job})
            site.wait(job)

    def frees(self):
        self.b.ok("job/stop", {"job_id": self.holder})
        self.b.wait(self.holder)

    def asked(self):
        """How often the guest was asked whether it still wants a job."""
        with open(os.path.join(self.a.home, "logs", "partner-in.log"), encoding="utf-8", errors="replace") as f:
            return sum("/errand/job-doubt/" in line for line in f)

    def doubts(self):
        """A minute without a word; then the detectors look."""
        self.x.sql("UPDATE job SET updated_at = NOW(6) - INTERVAL 61 SECOND WHERE job_id = '%s'" % self.job)
        os.kill(self.x.pid("supervisor"), signal.SIGUSR2)

    def asks_again(self, what):
        """Whenever the detectors look, but while a question is on its way, and some seconds after each silence."""
        before, looked = self.asked(), [0]

        def has_asked():
            if time.monotonic() - looked[0] > 2:
                looked[0] = time.monotonic()
                self.doubts()
            return self.asked() > before
        wait_for(has_asked, 90, what)

    def row(self):
        return self.x.sql("SELECT status, run, COALESCE(reason, '') FROM job WHERE job_id = '%s'" % self.job)[0]

    def backup(self):
        return subprocess.run(
            ["mariadb-dump", "--no-defaults", "--socket", self.x.socket, "-u", "root", "--no-create-info", "--replace",
             "--skip-triggers", "--hex-blob", "--where", "job_id = '%s'" % self.job, self.x.db, *TABLES],
            check=True, capture_output=True, text=True).stdout

    def restore(self, dump):
        subprocess.run(["mariadb", "--no-defaults", "--socket", self.x.socket, "-u", "root", self.x.db], input=dump,
                       check=True, capture_output=True, text=True)

    def ends_in_doubt(self):
        looked = [0]

        def has_ended():
            # A word of the initiator that was on its way makes it young again.
            if self.row()[0] == "ready" and time.monotonic() - looked[0] > 2:
                looked[0] = time.monotonic()
                self.doubts()
            return self.row()[0] == "canceled"
        wait_for(has_ended, what="the end of what nobody wants: %s" % self.row())
        self.assertIn("its initiator has ended it, or never had it", self.row()[2])
        self.assertEqual(self.x.sql("SELECT 1 FROM event WHERE job_id = '%s' AND kind = 'detector'"
                                    " AND reason LIKE '%%9999 has ended it%%'" % self.job), [["1"]])
        self.assertEqual(self.x.sql("SELECT 1 FROM resource_grant WHERE job_id = '%s' AND returned_at IS NULL"
                                    % self.job), [])

    def test_a_job_that_is_still_wanted_waits_on_and_runs(self):
        self.asks_again("the question")
        # What it asked is answered: only then does it ask again.
        self.asks_again("the second question")
        self.assertEqual(self.row()[0], "ready")
        self.frees()
        self.assertEqual(self.a.wait(self.job)["f_status"], "success")

    def test_an_end_that_this_site_has_lost_is_asked_for(self):
        old = self.backup()
        self.a.ok("job/stop", {"job_id": self.job})
        self.a.wait(self.job)
        wait_for(lambda: self.a.sql("SELECT settled FROM job WHERE job_id = '%s'" % self.job) == [["1"]], what="peace")
        self.restore(old)
        self.assertEqual(self.row()[0], "ready")
        self.ends_in_doubt()

    def test_a_run_that_was_overtaken_by_the_next_one_ends(self):
        old = self.backup()
        self.a.ok("job/stop", {"job_id": self.job})
        self.a.wait(self.job)
        self.frees()
        self.a.ok("job/rerun", {"job_id": self.job, "component_name": "pipeline"})
        wait_for(lambda: self.a.sql("SELECT status, settled FROM job WHERE job_id = '%s'" % self.job)
                 == [["success", "1"]], what="the second run")
        self.restore(old)
        self.assertEqual(self.row()[:2], ["ready", "0"])
        self.ends_in_doubt()

    def test_without_an_answer_nothing_is_decided(self):
        self.a.stop()
        try:
            for _ in range(2):
                self.doubts()
                wait_for(lambda: self.x.sql("SELECT answers FROM partner_state WHERE party_id = '9999'") == [["0"]],
                         what="the silence of the initiator")
            self.assertEqual(self.row()[0], "ready")
        finally:
            self.a.start()
        self.asks_again("the question, once it answers again")
        self.assertEqual(self.row()[0], "ready")
        self.frees()
        self.assertEqual(self.a.wait(self.job)["f_status"], "success")


if __name__ == "__main__":
    unittest.main()

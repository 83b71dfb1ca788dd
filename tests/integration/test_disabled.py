"""Partners that are disabled and enabled again, and what becomes of jobs."""
import os
import unittest

from federation import DATA, Federation, lr_conf, wait_for
from test_contract import short_job


class Disabled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, file in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload(os.path.join(DATA, file + ".csv"), file, namespace="contract")
            assert reply.get("status") == "success", reply

    def disable(self, at, party):
        at.cli("partner", "disable", party)
        self.addCleanup(at.cli, "partner", "enable", party)

    def submit(self):
        dsl, conf = short_job("contract")
        return self.fed.submit(conf, dsl)

    def training(self):
        job = self.fed.submit(lr_conf(namespace="contract", max_iter=30000, tol=0))
        wait_for(lambda: [t for t in self.fed.host.tasks(job, component_name="hetero_lr_0")
                          if t["f_party_status"] == "running"], what="training")
        return job

    def ends(self, job, *words):
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "failed")
        for w in words:
            self.assertIn(w, row["f_reason"])

    def test_a_site_does_not_disable_itself(self):
        done = self.fed.host.cli("partner", "disable", "10000", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("party 10000 is this site itself", done.stderr)

    def test_a_job_submitted_right_after_enable_is_carried_out(self):
        for _ in range(5):
            self.fed.host.cli("partner", "disable", "9999")
            self.fed.host.cli("partner", "enable", "9999")
            job = self.submit()
            self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))

    def test_a_job_for_a_site_that_disabled_its_initiator_fails_and_says_so(self):
        self.disable(self.fed.host, "9999")
        self.ends(self.submit(), "host 10000", "not one of a partner of party 10000 now")

    def test_a_running_job_whose_member_disabled_the_initiator_fails_and_says_so(self):
        job = self.training()
        self.disable(self.fed.host, "9999")
        self.ends(job, "host 10000", "partner of party 10000 now")
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], "canceled")

    def test_a_job_that_hears_nothing_of_its_member_any_more_fails_and_says_so(self):
        """Nothing is sent: only by asking does the initiator's site find out."""
        dsl = {"components": {"hang_0": {"module": "TestFail", "output": {"data": ["data"]}}}}
        job = self.fed.submit({
            "dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999}, "role": {"guest": [9999], "host": [10000]},
            "job_parameters": {"common": {}}, "component_parameters": {"common": {"hang_0": {"what": "hang"}}},
            "provider": {"common": {"hang_0": "sluice_test@1.0.0"}}}, dsl)
        wait_for(lambda: self.fed.host.sql("SELECT 1 FROM task WHERE job_id = '%s' AND party_status = 'running'" % job),
                 what="the host's task")
        self.disable(self.fed.host, "9999")
        self.ends(job, "hang_0 failed at host 10000", "partner of party 10000 now")

    def test_a_running_job_whose_member_the_initiator_disabled_fails_and_says_so(self):
        job = self.training()
        self.disable(self.fed.guest, "10000")
        self.ends(job, "host 10000", "party 10000 is disabled at this site (sluice partner enable 10000)")
        self.fed.guest.cli("partner", "enable", "10000")
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], "failed")


if __name__ == "__main__":
    unittest.main()

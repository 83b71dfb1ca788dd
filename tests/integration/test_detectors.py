"""Detectors, each with its condition brought about for real: an executor that
hangs, one that computes in silence, one that waits for what never comes."""
import json
import unittest

from federation import Federation, settings, wait_for


class Detectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()

    def with_settings(self, site, section, **values):
        old = settings(site, section, **values)
        self.addCleanup(lambda: settings(site, section, **old))

    def submit(self, what, who="host", timeout=None, **params):
        guest, host = self.fed.guest, self.fed.host
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000]},
                "job_parameters": {"common": {}},
                "component_parameters": {"common": {"fail_0": dict(params, what=what, who=who)}},
                "provider": {"common": {"fail_0": "sluice_test@1.0.0"}}}
        if timeout:
            conf["job_parameters"]["common"]["task_timeout"] = timeout
        dsl = {"components": {"fail_0": {"module": "TestFail", "output": {"data": ["data"]}}}}
        self.assertTrue(guest and host)
        return self.fed.submit(conf, dsl)

    def error_of(self, site, job, role):
        return site.sql("SELECT error_report FROM task WHERE job_id = '%s' AND role = '%s' AND run_here = 1"
                        " ORDER BY version DESC LIMIT 1" % (job, role))[0][0]

    def test_an_executor_that_hangs_is_found_and_the_task_says_so(self):
        self.with_settings(self.fed.host, "executor", no_progress_s=2)
        job = self.submit("hang")
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        self.assertIn("the executor hangs", self.error_of(self.fed.host, job, "host"))

    def test_a_long_silent_computation_is_left_alone(self):
        # Long enough to get some time of the processor wherever others want it, too.
        self.with_settings(self.fed.host, "executor", no_progress_s=3)
        job = self.submit("compute", seconds=7)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))
        rows = self.fed.host.sql("SELECT progress, progress_at IS NOT NULL FROM attempt WHERE job_id = '%s'" % job)
        self.assertGreater(int(rows[0][0]), 3)
        self.assertEqual(rows[0][1], "1")

    def test_a_task_ends_at_its_own_time_limit(self):
        job = self.submit("compute", seconds=600, timeout=2)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "timeout", self.fed.guest.events(job))
        self.assertIn("task_timeout", self.error_of(self.fed.host, job, "host"))

    def test_waiting_for_an_object_is_no_silence_but_ends(self):
        self.with_settings(self.fed.host, "executor", no_progress_s=1, partner_wait_s=4)
        job = self.submit("wait")
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        text = self.error_of(self.fed.host, job, "host")
        self.assertRegex(text, r"waited ([4-9]|\d\d+) s for word \(tag 'never'\) of guest 9999")

    def state_of(self, site, party):
        return site.sql("SELECT answers, since, reason FROM partner_state WHERE party_id = '%s'" % party)

    def test_whether_a_partner_answers_is_known_and_since_when(self):
        guest, host = self.fed.guest, self.fed.host
        wait_for(lambda: self.state_of(guest, "10000")[:1] and self.state_of(guest, "10000")[0][0] == "1",
                 seconds=60, what="the first answer")
        before = self.state_of(guest, "10000")[0][1]
        host.stop()
        try:
            job = self.submit("compute", who="guest", seconds=1)
            wait_for(lambda: self.state_of(guest, "10000")[0][0] == "0", what="the silence of 10000")
            row = self.state_of(guest, "10000")[0]
            self.assertGreater(row[1], before)
            self.assertNotIn(row[2], ("", "NULL"))
            told = {p["party_id"]: p for p in json.loads(guest.cli("partner", "list", "--json").stdout)}
            self.assertIs(told["10000"]["answers"], False)
            self.assertTrue(told["10000"]["silent_because"])
        finally:
            host.start()
        self.assertEqual(guest.wait(job)["f_status"], "success", guest.events(job))
        self.assertEqual(self.state_of(guest, "10000")[0][0], "1")


if __name__ == "__main__":
    unittest.main()

"""A partner that is not heard any more, in the middle of a job: the job ends at all members, with the cause, and holds nothing."""
import json
import os
import signal
import time
import unittest

from federation import DATA, Federation, kill, lr_conf, settings, wait_for
from sites import TWO, chain, conf

HANGS = {"components": {"fail_0": {"module": "TestFail"}}}


class Withdrawal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host = fed.guest, fed.host

    def key(self, kind):
        keys = json.loads(self.guest.cli("partner", "keys", "--party", "10000", "--json").stdout)
        return [k for k in keys if k["kind"] == kind and k["state"] == "active"][0]["key_id"]

    def trust_again(self):
        self.guest.sql("UPDATE partner_key SET revoked_at = NULL, reason = ''")
        self.guest.cli("partner", "enable", "10000")

    def runs(self, job, component):
        wait_for(lambda: [t for t in self.host.tasks(job, component_name=component) if t["f_party_status"] == "running"],
                 60, "the host's half of " + component)

    def hanging(self):
        """Both halves run and send nothing."""
        job = self.fed.submit(conf(["fail_0"], TWO, {"fail_0": {"what": "hang"}}), HANGS)
        self.runs(job, "fail_0")
        return job

    def row(self, site, job):
        return site.sql("SELECT status, COALESCE(reason, '') FROM job WHERE job_id = '%s'" % job)[0]

    def holds(self, site, job):
        return site.sql("SELECT 1 FROM resource_grant WHERE job_id = '%s' AND returned_at IS NULL" % job)

    def check_end(self, job, *words):
        """The initiator says why; the partner is told of an end and not of whom the initiator trusts."""
        status, reason = self.row(self.guest, job)
        self.assertEqual(status, "failed", self.guest.events(job))
        for word in words:
            self.assertIn(word, reason)
        told = self.host.wait(job, role="host", seconds=60)
        self.assertEqual(told["f_status"], "failed")
        self.assertNotIn("sluice partner", told["f_reason"])
        for site in (self.guest, self.host):
            wait_for(lambda s=site: not self.holds(s, job), what="the cores of " + site.party)

    def test_what_a_partner_refuses_is_not_taken_for_delivered(self):
        """Only the partner's answers tell: its operator's command is not what ends the job here."""
        for site, file in ((self.guest, "breast_guest"), (self.host, "breast_host")):
            site.upload(os.path.join(DATA, file + ".csv"), file, namespace="withdrawal")
        job = self.fed.submit(lr_conf(namespace="withdrawal", max_iter=30000, tol=0))
        self.runs(job, "hetero_lr_0")
        self.addCleanup(self.trust_again)
        self.guest.sql("UPDATE partner_key SET revoked_at = NOW(6) WHERE party_id = '10000' AND kind = 'sign'")
        self.guest.wait(job, seconds=60)
        self.check_end(job, "hetero_lr_0 failed at host 10000", "to guest 9999", "revoked")

    def test_the_last_key_that_is_revoked_ends_the_jobs_with_that_partner(self):
        job = self.hanging()
        self.addCleanup(self.trust_again)
        self.guest.cli("partner", "revoke", self.key("sign"), "--reason", "a test")
        self.guest.wait(job, seconds=30)
        self.check_end(job, "host 10000: no signing key of party 10000 counts at this site")

    def settled(self, job):
        return self.guest.sql("SELECT settled FROM job WHERE job_id = '%s'" % job) == [["1"]]

    def in_doubt(self, condition, what):
        """Minute after minute without a word, and the detectors look."""
        looked = [0]

        def look():
            if time.monotonic() - looked[0] > 1.5:
                looked[0] = time.monotonic()
                self.host.sql("UPDATE job SET updated_at = NOW(6) - INTERVAL 61 SECOND WHERE status = 'running'")
                os.kill(self.host.pid("supervisor"), signal.SIGUSR2)
            return condition()
        wait_for(look, 60, what)

    def ends_in_doubt(self, job):
        self.in_doubt(lambda: self.row(self.host, job)[0] != "running", "the end of what nobody wants")

    def test_what_a_disabled_partner_is_owed_is_sent_once_it_is_enabled(self):
        job, stopped = self.hanging(), self.hanging()
        self.addCleanup(self.trust_again)
        self.guest.cli("partner", "disable", "10000")
        for j in (job, stopped):
            self.guest.wait(j, seconds=30)
            self.assertEqual(self.row(self.guest, j), [
                "failed", "host 10000: party 10000 is disabled at this site (sluice partner enable 10000)"])
        # The member's own operator gives back what it holds, whoever hears of it.
        self.host.cli("stop", stopped)
        self.assertEqual(self.row(self.host, stopped), ["canceled", "stopped by a user of party 10000"])
        self.assertEqual(self.holds(self.host, stopped), [])
        # For longer than the address of a partner is believed.
        end = time.monotonic() + 6
        wait_for(lambda: self.assertFalse(self.settled(job)) or time.monotonic() > end, what="some looks")
        self.assertEqual(self.row(self.host, job)[0], "running")
        self.guest.cli("partner", "enable", "10000")
        self.check_end(job, "disabled")
        for j in (job, stopped):
            wait_for(lambda x=j: self.settled(x), what="the end of " + j)

    def test_an_end_that_is_never_told_is_found_by_the_member(self):
        job = self.hanging()
        self.addCleanup(self.trust_again)
        self.guest.cli("partner", "disable", "10000")
        self.guest.wait(job, seconds=30)
        # As if the end had been lost on its way.
        self.guest.sql("UPDATE job_party SET ended = 1 WHERE job_id = '%s'" % job)
        self.guest.cli("partner", "enable", "10000")
        self.ends_in_doubt(job)
        wait_for(lambda: self.settled(job), what="the initiator's peace")
        self.assertEqual(self.row(self.host, job), ["failed", "its initiator has ended it, or never had it"])
        self.assertEqual(self.holds(self.host, job), [])

    def test_an_initiator_that_does_not_hear_a_member_holds_its_cores_for_the_time_of_an_outage(self):
        old = settings(self.host, "supervisor", partner_outage_s=2)
        self.addCleanup(self.configure, old)
        self.configure({})
        job = self.hanging()
        self.addCleanup(self.trust_again)
        self.guest.cli("partner", "disable", "10000")
        self.ends_in_doubt(job)
        status, reason = self.row(self.host, job)
        self.assertEqual(status, "failed")
        self.assertRegex(reason, r"its initiator has refused to hear this site for \d+ s: .*the client certificate is not")
        self.assertEqual(self.holds(self.host, job), [])

    def refused_since(self):
        return self.host.sql("SELECT refused_since FROM partner_state WHERE party_id = '9999'") not in ([], [["NULL"]])

    def test_since_when_an_initiator_refuses_is_known_to_another_supervisor_and_forgotten_when_it_hears_again(self):
        job = self.hanging()
        self.addCleanup(self.trust_again)
        self.guest.cli("partner", "disable", "10000")
        self.in_doubt(self.refused_since, "the refusal")
        self.assertEqual(self.row(self.host, job)[0], "running")
        self.host.sql("UPDATE partner_state SET refused_since = NOW(6) - INTERVAL 30 DAY WHERE party_id = '9999'")
        kill(self.host.pid("supervisor"))
        self.host.start()
        self.ends_in_doubt(job)
        self.assertRegex(self.row(self.host, job)[1], r"has refused to hear this site for 2592\d\d\d s: ")
        self.guest.cli("partner", "enable", "10000")
        again = self.fed.submit(conf(["empty_0"], TWO), chain(1))
        self.assertEqual(self.guest.wait(again)["f_status"], "success")
        wait_for(lambda: not self.refused_since(), what="the refusal being over")

    def configure(self, values):
        settings(self.host, "supervisor", **values)
        self.host.ok("server/reload", {})


if __name__ == "__main__":
    unittest.main(verbosity=2)

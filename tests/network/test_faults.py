"""Cuts, one-way cuts and loss between real sites.  Packets to a partner's port are dropped, so "to the host" cuts the
initiator's commands and objects, "to the guest" the host's reports and objects; both together cut everything."""
import os
import subprocess
import threading
import time
import unittest
from urllib.parse import urlsplit

from federation import DATA, Federation, example, wait_for


LONG = os.environ.get("NETWORK_FORM") == "long"
BLACK_HOLE_S = float(os.environ.get("BLACK_HOLE_S", "60"))


def nft(text):
    subprocess.run(["nft", text], check=True)


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host"), (fed.arbiter, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="net")
            assert reply.get("status") == "success", reply

    def setUp(self):
        nft("add table inet faults")
        nft("add chain inet faults out { type filter hook output priority 0; }")

    def tearDown(self):
        self.heal()

    def heal(self):
        subprocess.run(["nft", "delete table inet faults"], check=False, capture_output=True)

    def drop(self, *to, how=""):
        """Packets to these sites' partner ports, and the answers, are lost (all, or as `how` picks)."""
        for site in to:
            port = urlsplit(site.partner_url).port
            nft("add rule inet faults out tcp dport %d %s drop" % (port, how))
            nft("add rule inet faults out tcp sport %d %s drop" % (port, how))

    def submit(self, host="10000", rounds=1):
        conf = example("conf.json")
        conf["role"] = {"guest": [9999], "host": [int(host)]}
        conf["job_parameters"]["common"].update({"task_cores": 1})
        conf["component_parameters"] = {"common": {"test_mail_0": {"rounds": rounds}}, "role": {
            "guest": {"0": {"reader_0": {"table": {"name": "breast_guest", "namespace": "net"}}}},
            "host": {"0": {"reader_0": {"table": {"name": "breast_host", "namespace": "net"}}}}}}
        dsl = {"components": {
            "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
            "test_mail_0": {"module": "TestMail", "provider": "sluice_test",
                            "input": {"data": {"data": ["reader_0.data"]}}, "output": {"data": ["data"]}}}}
        return self.fed.submit(conf, dsl)

    def ends(self, job, status, seconds=180):
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            row = site.wait(job, role=role, seconds=seconds)
            self.assertEqual(row["f_status"], status, site.events(job))
            self.assertEqual(site.sql("SELECT COUNT(*) FROM resource_grant WHERE job_id = '%s'"
                                      " AND returned_at IS NULL" % job), [["0"]])

    def is_waiting_for(self, job):
        wait_for(lambda: self.fed.guest.sql("SELECT 1 FROM job WHERE job_id = '%s' AND status IN ('ready', 'waiting')"
                                            % job), what="a job that waits")

    def mails(self, job):
        wait_for(lambda: self.fed.host.sql("SELECT 1 FROM egress WHERE job_id = '%s' LIMIT 1" % job),
                 what="objects of " + job)

    def test_a_job_begins_when_the_cut_is_healed_and_delays_no_other(self):
        self.drop(self.fed.host)
        cut = self.submit()
        other = self.submit(host="10001")
        row = self.fed.guest.wait(other)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(other))
        self.is_waiting_for(cut)
        self.heal()
        self.ends(cut, "success")

    def test_a_cut_while_objects_travel_is_survived(self):
        job = self.submit(rounds=200)
        self.mails(job)
        self.drop(self.fed.host, self.fed.guest)
        began = time.monotonic()
        # As long as it takes until somebody has noticed.
        wait_for(lambda: self.fed.guest.sql("SELECT 1 FROM job WHERE job_id = '%s'" % job)
                 and time.monotonic() - began > 8, 20, "eight seconds")
        self.heal()
        self.ends(job, "success")

    def test_a_cut_of_one_way_only_is_survived(self):
        for cut in (self.fed.guest, self.fed.host):
            job = self.submit(rounds=200)
            self.mails(job)
            self.drop(cut)
            began = time.monotonic()
            wait_for(lambda b=began: time.monotonic() - b > 5, 20, "five seconds")
            self.heal()
            self.ends(job, "success")
            self.setUp()

    @unittest.skipUnless(LONG, "part of the long form")
    def test_a_black_hole_of_a_minute_in_one_direction_is_survived(self):
        """What is sent to a site's port is lost, or what that answers: it has heard then, and nobody knows."""
        for to in (self.fed.host, self.fed.guest):
            for packets in ("dport", "sport"):
                with self.subTest(to=to.party, packets=packets):
                    self.black_hole(to, packets)

    def black_hole(self, to, packets):
        mails, computes = self.submit(rounds=300), self.computing(20)
        self.mails(mails)
        wait_for(lambda: self.fed.host.sql("SELECT 1 FROM attempt WHERE job_id = '%s' AND executor_pid > 0" % computes),
                 what="a task that computes")
        nft("add rule inet faults out tcp %s %d drop" % (packets, urlsplit(to.partner_url).port))
        began = time.monotonic()
        late = self.submit()
        other = self.submit(host="10001")
        if to is self.fed.host:  # the way to and from the third site is free
            self.assertEqual(self.fed.guest.wait(other, seconds=30)["f_status"], "success")
        # It is the time itself that is waited for.
        threading.Event().wait(max(0, began + BLACK_HOLE_S - time.monotonic()))
        self.assertEqual(self.fed.guest.ok("job/query", {"job_id": mails})["data"][0]["f_status"], "running")
        self.heal()
        for job in (mails, computes, late):
            self.ends(job, "success", seconds=90)
            for site in (self.fed.guest, self.fed.host):
                self.assertEqual(site.sql("SELECT component, role, outcome FROM attempt WHERE job_id = '%s' AND outcome"
                                          " NOT IN ('success', 'never started')" % job), [], "tried twice")
        self.assertEqual(self.fed.guest.wait(other, seconds=60)["f_status"], "success")
        self.setUp()

    def computing(self, seconds):
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000]}, "job_parameters": {"common": {"task_cores": 1}},
                "component_parameters": {"common": {"fail_0": {"what": "compute", "who": "host", "seconds": seconds}}},
                "provider": {"common": {"fail_0": "sluice_test@1.0.0"}}}
        return self.fed.submit(conf, {"components": {"fail_0": {"module": "TestFail", "output": {"data": ["data"]}}}})

    def test_a_tenth_of_all_packets_lost_costs_time_and_nothing_else(self):
        self.drop(self.fed.host, self.fed.guest, how="numgen random mod 10 == 0")
        job = self.submit(rounds=10)
        self.ends(job, "success")

    def test_a_job_canceled_while_the_host_is_cut_off_ends_there_too(self):
        job = self.submit(rounds=100000)
        self.mails(job)
        self.drop(self.fed.host, self.fed.guest)
        self.fed.guest.api("job/stop", {"job_id": job})
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "canceled")
        self.heal()
        self.ends(job, "canceled")


if __name__ == "__main__":
    unittest.main(verbosity=2)

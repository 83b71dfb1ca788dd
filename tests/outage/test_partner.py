"""A partner that is gone for a while in the middle of a task with large objects, and lines between sites that are long,
thin, or break: jobs end with the same result, and nothing arrives twice."""
import os
import random
import unittest
from urllib.parse import urlsplit

from federation import kill, wait_for
from relay import Relay
from world import OUTAGE_S, SHORT, World, learning_dsl, long_only, pass_time, restart_with

TIMEOUT_MS = 2000 if SHORT else 10000
LARGE = 3 << 20


@long_only
class Partner(World):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        random.seed(7)
        cls.relays = [Relay(urlsplit(s.partner_url).port) for s in cls.sites]
        cls.to_guest, cls.to_host = cls.relays
        for site, partner, relay in ((cls.guest, cls.host, cls.to_host), (cls.host, cls.guest, cls.to_guest)):
            cls.send_by(site, partner, relay.port)
        restart_with(cls.sites, "supervisor", partner_timeout_ms=TIMEOUT_MS)

    @classmethod
    def tearDownClass(cls):
        for site, partner in ((cls.guest, cls.host), (cls.host, cls.guest)):
            cls.send_by(site, partner, urlsplit(partner.partner_url).port)
        restart_with(cls.sites, "supervisor", partner_timeout_ms=None)
        for relay in cls.relays:
            relay.close()

    @classmethod
    def send_by(cls, site, partner, port):
        site.sql("UPDATE partner SET url = 'https://127.0.0.1:%d' WHERE party_id = '%s'" % (port, partner.party))

    def setUp(self):
        super().setUp()
        job = self.submit(learning_dsl())
        self.ends_well(job)
        self.good = self.result(job)

    def tearDown(self):
        for relay in self.relays:
            relay.heal()
        self.stop_jobs()

    # --- jobs in the middle of it ---

    def begin(self, rounds=40):
        mail = self.mail_job(rounds, LARGE)
        self.mails(mail)
        self.rounds = rounds
        return mail, self.submit(learning_dsl())

    def end(self, jobs, seconds=300):
        mail, learning = jobs
        for job in jobs:
            self.ends_well(job, seconds)
        self.assertEqual(self.result(learning), self.good)
        self.everything_left_once(mail)
        self.nothing_is_held()

    def everything_left_once(self, mail):
        """The ledgers have each object (or part of one) that left, once."""
        for site, name in ((self.guest, "ping"), (self.host, "pong")):
            rows = site.sql("SELECT COUNT(*), COUNT(DISTINCT tag), SUM(bytes) FROM egress WHERE job_id = '%s'"
                            " AND name = '%s'" % (mail, name))[0]
            self.assertEqual(rows[0], rows[1], rows)
            self.assertEqual(int(rows[2]), self.rounds * (LARGE if name == "ping" else 1))

    # --- the partner ---

    def test_its_front_is_gone_for_a_while(self):
        jobs = self.begin()
        pid = self.host.pid("nginx")
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            workers = [int(p) for p in f.read().split()]
        for each in (pid, *workers):
            kill(each)
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), what="end of the front")
        pass_time(OUTAGE_S)
        self.host.start()
        self.end(jobs)

    def test_nothing_comes_through_for_a_while(self):
        jobs = self.begin()
        for relay in self.relays:
            relay.silent()
        pass_time(OUTAGE_S)
        for relay in self.relays:
            relay.heal()
        self.end(jobs)

    def test_nothing_comes_through_in_one_direction(self):
        for relay in self.relays:
            jobs = self.begin()
            relay.silent()
            pass_time(OUTAGE_S)
            relay.heal()
            self.end(jobs)

    def test_connections_that_are_there_fall_silent_for_ever(self):
        jobs = self.begin()
        for relay in self.relays:
            relay.forget()
        self.end(jobs)

    # --- the line ---

    def test_a_long_and_thin_line(self):
        for relay in self.relays:
            relay.delay_s, relay.jitter_s, relay.rate = 0.2, 0.1, 4 << 20
        jobs = self.begin(rounds=3)
        self.end(jobs)

    def test_connections_are_cut_in_the_middle_of_bodies(self):
        for relay in self.relays:
            relay.cut_between = (1 << 20, 8 << 20)
        jobs = self.begin(rounds=20)
        self.end(jobs)
        self.assertGreater(self.to_host.cuts, 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)

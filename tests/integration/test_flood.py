"""A partner that sends more documents than it may leave here, and strangers who take connections."""
import hashlib
import json
import re
import resource
import select
import socket
import time
import unittest
from urllib.parse import urlsplit

from federation import Federation, wait_for
from partner import Request, sign
from sites import TWO, chain, conf
from test_partner import seed

MB = 1 << 20


DAWDLERS = 4500
BEGIN = b"\x16\x03\x01"  # of a record with a ClientHello, and no more


class Strangers(unittest.TestCase):
    """At the partners' port, whom nobody knows yet."""

    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host = fed.guest, fed.host

    def connect(self, n, said):
        at = urlsplit(self.host.partner_url)
        links = []
        for _ in range(n):
            links.append(socket.create_connection((at.hostname, at.port), timeout=20))
            self.addCleanup(links[-1].close)
            # At once: the first may be over before the last begins.
            links[-1].sendall(said)
        return links

    @staticmethod
    def over(links, seconds):
        """Those that the other side has ended, once there is one."""
        poll = select.poll()
        for link in links:
            poll.register(link, select.POLLIN)
        return poll.poll(seconds * 1000)

    def test_handshakes_that_dawdle_keep_out_neither_users_nor_partners_and_are_over_soon(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < DAWDLERS + 1000:
            self.skipTest("this account may not open so many connections")
        resource.setrlimit(resource.RLIMIT_NOFILE, (DAWDLERS + 1000, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(3):
            dawdlers = self.connect(DAWDLERS, BEGIN)
            self.host.ok("job/query", {"job_id": "1"})
            reply = Request(seed(self.guest), "9999", "10000", "/v1/party/20260101000000000000/host/10000/start",
                            body=b"{}").send(self.host, self.guest.home)[1]
            self.assertEqual(reply["retcode"], 102, reply)
            # Not because those had gone by then.
            if len(self.over(dawdlers, 0)) < DAWDLERS // 2:
                break
            for link in dawdlers:
                link.close()
        else:
            self.skipTest("this machine is too slow to have so many dawdle at once")
        self.assertTrue(self.over(dawdlers[-1:], 60), "nobody ends a handshake that dawdles")


class Flood(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host = fed.guest, fed.host
        dsl = chain(150)
        job = fed.submit(conf(list(dsl["components"]), TWO), dsl)
        wait_for(lambda: fed.host.sql("SELECT 1 FROM job WHERE job_id = '%s'" % job), what="the job at the host")
        fed.guest.ok("job/stop", {"job_id": job})
        fed.guest.wait(job)
        text = fed.guest.sql("SELECT contract FROM job WHERE job_id = '%s'" % job)[0][0]
        text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
        cls.job, cls.contract = job, text
        # The federation may have seen this test before.
        cls.numbers = "20260101%010d" % (time.time_ns() // 10**9 % 10**10)

    def quota(self, mb):
        used = int(self.host.sql("SELECT bytes FROM partner_stored WHERE party_id = '9999'")[0][0])
        self.host.cli("quota", "--party", "9999", "--stored-mb", str(used // MB + mb))
        self.addCleanup(self.host.cli, "quota", "--party", "9999", "--remove", check=False)
        return used, (used // MB + mb) * MB

    def stored(self):
        return int(self.host.sql("SELECT bytes FROM partner_stored WHERE party_id = '9999'")[0][0])

    def create(self, number):
        """A job that the guest's site never had, signed as if it had; what was wrong in its digests, the host said."""
        job = "%s%03d" % (self.numbers, number)
        contract = self.contract.replace(self.job, job)
        while True:
            status, reply = self.send(job, contract)
            differs = re.search('the contract has "([0-9a-f]{64})", this site has "([0-9a-f]{64})"', reply["retmsg"])
            if not differs:
                return job, (status, reply)
            contract = contract.replace(*differs.groups())

    def send(self, job, contract):
        at = int(time.time())
        words = "sluice job contract 1\njob %s\nrevision 0\nmember guest 9999\nat %d\nsha-256 %s\n" % (
            job, at, hashlib.sha256(contract.encode()).hexdigest())
        key = self.guest.sql("SELECT key_id FROM contract_signature WHERE job_id = '%s' AND role = 'guest'" % self.job)
        o = json.loads(contract)
        body = {"dsl": o["dsl"], "runtime_conf": o["runtime_conf"], "contract": o, "signatures": [
            {"role": "guest", "party_id": "9999", "key_id": key[0][0], "signed_at": at,
             "signature": sign(seed(self.guest), words.encode()).hex()}]}
        return Request(seed(self.guest), "9999", "10000", "/v1/party/%s/host/10000/create" % job,
                       json.dumps(body).encode()).send(self.host, self.guest.home)

    def test_documents_of_a_partner_stop_at_its_quota_and_go_on_when_there_is_room(self):
        before, limit = self.quota(4)
        taken, reply = [], {}
        for number in range(60):
            job, (status, reply) = self.create(number)
            if reply["retcode"] != 0:
                break
            taken.append(job)
            after = self.stored()
            self.assertEqual(self.create(number)[1][1]["retcode"], 10)
            self.assertEqual(self.stored(), after)
        self.assertGreater(len(taken), 2, reply)
        self.assertEqual((status, reply["retcode"]), (200, 103), reply)
        self.assertEqual(reply["data"], {"wait": {"code": "quota", "numbers": {"used": self.stored(), "limit": limit}}})
        self.assertIn("the quota of party 9999 is %d stored bytes, %d are in use" % (limit, self.stored()), reply["retmsg"])
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM job WHERE job_id LIKE '%s%%'" % self.numbers), [[str(len(taken))]])
        self.assertEqual(self.host.sql("SELECT COUNT(*) FROM task WHERE job_id = '%s'" % job), [["0"]])
        self.assertLessEqual(self.stored(), limit)
        # What is counted is no less than what stands there.
        there = self.host.sql("SELECT SUM(LENGTH(dsl) + LENGTH(runtime_conf) + LENGTH(contract)) FROM job"
                              " WHERE job_id LIKE '%s%%'" % self.numbers)[0][0]
        self.assertGreater(self.stored() - before, int(there))
        text = self.host.request("metrics", method="GET")[2].decode()
        self.assertIn('sluice_partner_stored_bytes{partner="9999"} %d' % self.stored(), text)
        self.honest_job()

    def honest_job(self):
        """Of the same partner: it waits and says why, and begins when there is room."""
        dsl = chain(150)
        job = self.fed.submit(conf(list(dsl["components"]), TWO), dsl)
        row = wait_for(lambda: [r for r in self.guest.ok("job/query", {"job_id": job, "role": "guest"})["data"]
                                if (r["f_wait"] or {}).get("code") == "quota"], what="the reason")[0]
        self.assertEqual((row["f_wait"]["party_id"], row["f_wait"]["numbers"]["used"]), ("10000", self.stored()))
        self.assertIn("stored bytes", row["f_wait"]["text"])
        self.host.cli("quota", "--party", "9999", "--stored-mb", "0")
        self.guest.wait(job, until=("running", "success"))
        self.guest.ok("job/stop", {"job_id": job})
        self.guest.wait(job)

    def test_one_job_that_is_more_than_the_quota_is_refused_for_good(self):
        self.host.cli("quota", "--party", "9999", "--stored-mb", "1")
        self.addCleanup(self.host.cli, "quota", "--party", "9999", "--remove")
        dsl = chain(600)
        row = self.guest.wait(self.fed.submit(conf(list(dsl["components"]), TWO), dsl))
        self.assertEqual(row["f_status"], "failed")
        self.assertIn("bytes would be stored, the quota of party 9999 here is 1048576", row["f_reason"])


if __name__ == "__main__":
    unittest.main()

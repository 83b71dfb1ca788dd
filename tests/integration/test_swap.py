"""A provider's program that somebody replaces while a job is on: its site refuses to run it, and says so."""
import json
import os
import shutil
import unittest

from federation import BUILD, DATA, Federation, settings, wait_for
from test_contract import short_job

AGREED = "is another program than the one that was agreed"


class Swap(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host"), (fed.arbiter, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="contract")
            assert reply.get("status") == "success", reply

    def setUp(self):
        """The host has programs of its own, the same as the others'."""
        host = self.fed.host
        self.providers = os.path.join(host.home, "own-providers")
        shutil.copytree(os.path.join(BUILD, "providers"), self.providers)
        old = settings(host, "executor", providers_dir=self.providers)
        self.again(host)
        self.addCleanup(self.again, host)
        self.addCleanup(shutil.rmtree, self.providers)
        self.addCleanup(settings, host, "executor", **old)

    @staticmethod
    def again(site):
        site.stop()
        site.start()

    def program(self, provider):
        return os.path.join(self.providers, provider, "1.0.0", "executor")

    def refused(self, job, component):
        """The task did not begin at the host, both parties know why, and both have it on record."""
        guest, host = self.fed.guest, self.fed.host
        for site, role in ((guest, "guest"), (host, "host")):
            row = site.wait(job, role=role)
            self.assertEqual(row["f_status"], "failed", site.events(job))
            self.assertIn(AGREED, row["f_reason"])
            self.assertIn("host 10000", row["f_reason"])
            self.assertIn(component, row["f_reason"])
            end = json.loads(site.cli("audit", "--subject", job, "--action", "job end", "--json").stdout)
            self.assertEqual([e["outcome"] for e in end], ["failed"])
            self.assertIn(AGREED, end[0]["detail"])
        task = json.loads(host.cli("audit", "--subject", "%s %s " % (job, component), "--json").stdout)
        self.assertEqual([(t["action"], t["outcome"]) for t in task], [("task end", "failed")])
        self.assertIn(AGREED, task[0]["detail"])
        self.assertEqual(host.sql("SELECT COUNT(*) FROM egress WHERE job_id = '%s' AND component = '%s'"
                                  " AND name NOT LIKE '(%%'" % (job, component)), [["0"]])

    def test_between_two_tasks(self):
        dsl = {"components": {
            "first": {"module": "TestFail", "output": {"data": ["data"]}},
            "second": {"module": "TestEmpty", "output": {"data": ["data"]}}}}
        job = self.fed.submit({
            "dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
            "role": {"guest": [9999], "host": [10000]},
            "job_parameters": {"common": {"task_parallelism": 1}},
            "component_parameters": {"common": {"first": {"what": "compute", "seconds": 4}}},
            "provider": {"common": {name: "sluice_test@1.0.0" for name in dsl["components"]}}}, dsl)
        host = self.fed.host
        wait_for(lambda: ["first", "running"] in host.sql(
            "SELECT component, party_status FROM task WHERE run_here = 1 AND job_id = '%s'" % job), what="the first task")
        other = self.program("sluice_test") + ".new"
        shutil.copy(self.program("sluice_test"), other)
        with open(other, "ab") as f:
            f.write(b"\0")
        os.rename(other, self.program("sluice_test"))
        self.refused(job, "second")
        self.assertEqual(host.sql("SELECT party_status FROM task WHERE run_here = 1 AND component = 'first'"
                                  " AND job_id = '%s'" % job), [["success"]])

    def test_between_its_site_has_signed_and_the_job_starts(self):
        """In place, of the same size and with the same times: what is left is what the file holds."""
        host, arbiter = self.fed.host, self.fed.arbiter
        arbiter.cli("grant", "9999", "--datasets", "contract/breast_host", "--approval-by", "admin", "--approval-within", "1h")
        self.addCleanup(arbiter.cli, "revoke", "9999", "--datasets", "contract/breast_host")
        dsl, conf = short_job("contract", hosts=("10000", "10001"))
        job = self.fed.submit(conf, dsl)
        wait_for(lambda: ["10000"] in host.sql("SELECT party_id FROM contract_signature WHERE job_id = '%s'" % job),
                 what="the host's signature")
        wait_for(lambda: arbiter.ok("approval/query", {"job_id": job})["data"], what="the question at the other host")
        path = self.program("sluice")
        before = os.stat(path)
        with open(path, "r+b") as f:
            f.seek(9)
            f.write(b"\1")  # padding of the file's head: it runs as before
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual((os.stat(path).st_size, os.stat(path).st_mtime_ns), (before.st_size, before.st_mtime_ns))
        arbiter.cli("approve", job)
        self.refused(job, "reader_0")


if __name__ == "__main__":
    unittest.main()

"""What waits says why: to clients, in events, on the command line."""
import os
import subprocess
import unittest

import sites
from federation import BUILD, DATA, Federation, example, lr_conf, wait_for


class Waiting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="waiting")
            assert reply.get("status") == "success", reply

    def submit(self, conf=None):
        """Two parties, three tasks, no training."""
        conf, dsl = conf or lr_conf(namespace="waiting"), example("dsl.json")
        for name in set(dsl["components"]) - {"reader_0", "data_transform_0", "intersection_0"}:
            del dsl["components"][name]
            conf["component_parameters"]["common"].pop(name, None)
            for role in conf["component_parameters"].get("role", {}).values():
                for member in role.values():
                    member.pop(name, None)
        return self.fed.submit(conf, dsl)

    def row(self, job, site=None, role="guest"):
        return (site or self.fed.guest).ok("job/query", {"job_id": job, "role": role})["data"][0]

    def waits(self, job, code, site=None, role="guest"):
        def look():
            row = self.row(job, site, role)
            return row["f_wait"] if row["f_wait"] and row["f_wait"]["code"] == code else None
        return wait_for(look, what="job %s waiting for %s, not %s" % (
            job, code, self.row(job, site, role)["f_wait"]))

    def test_a_job_without_free_cores_names_the_party_and_the_numbers(self):
        fed = self.fed
        cores = int(fed.host.sql("SELECT cores FROM resource")[0][0])
        fed.host.sql("REPLACE INTO resource_grant (job_id, role, party_id, engine, cores, memory_mb)"
                     " SELECT 'taken', 'host', '10000', engine, cores, 0 FROM resource")
        try:
            job = self.submit()
            wait = self.waits(job, "waiting_resources")
            self.assertEqual((wait["role"], wait["party_id"]), ("host", "10000"))
            self.assertEqual(wait["numbers"]["cores_free"], 0)
            self.assertEqual(wait["numbers"]["cores_total"], cores)
            self.assertGreater(wait["numbers"]["cores_asked"], 0)
            self.assertGreater(wait["since"], 0)
            self.assertTrue(wait["clears"])
            # One reason at each member and for each task.
            there = self.waits(job, "waiting_resources", fed.host, "host")
            self.assertEqual((there["party_id"], there["on"], wait["on"]), ("10000", "taken", ""))
            codes = {t["f_component_name"]: t["f_wait"]["code"] for t in fed.guest.tasks(job)}
            self.assertEqual(codes["reader_0"], "job_start")
            self.assertEqual(codes["intersection_0"], "upstream")
            on = [t["f_wait"]["on"] for t in fed.guest.tasks(job, component_name="intersection_0")]
            self.assertEqual(set(on), {"data_transform_0"})
            # Now and then it asks again.
            wait_for(lambda: "waiting_resources, host 10000" in fed.guest.cli("query", job).stdout, what="it on the command line")
            self.assertIn("wait", [e[4] for e in fed.guest.events(job)])
        finally:
            fed.host.sql("UPDATE resource_grant SET returned_at = NOW(6) WHERE job_id = 'taken'")
        row = fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success")
        self.assertIsNone(row["f_wait"])
        self.assertEqual([t["f_wait"] for t in fed.guest.tasks(job) if t["f_wait"]], [])

    def test_a_partner_that_is_gone_is_named_until_it_answers(self):
        fed = self.fed
        sluice = [os.path.join(BUILD, "bin", "sluice"), "site", "stop", "--home", fed.host.home]
        subprocess.run(sluice, check=True, capture_output=True)
        try:
            job = self.submit()
            wait = self.waits(job, "partner_unreachable")
            self.assertEqual((wait["role"], wait["party_id"]), ("host", "10000"))
            self.assertIn("10000", self.row(job)["f_reason"])
        finally:
            fed.host.start()
        self.assertEqual(fed.guest.wait(job)["f_status"], "success")

    def test_what_a_retry_cannot_mend_fails_at_once_and_says_so_everywhere(self):
        conf = sites.conf(["fail_0"], sites.TWO, {"fail_0": {"what": "error", "who": "host"}})
        conf["job_parameters"]["common"].update({"auto_retries": 5, "auto_retry_delay": 0})
        job = self.fed.submit(conf, {"components": {"fail_0": {"module": "TestFail"}}})
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            row = site.wait(job, role=role)
            self.assertEqual(row["f_status"], "failed")
            self.assertIn("this test fails", row["f_reason"])
        reader = {t["f_role"]: t for t in self.fed.guest.tasks(job, component_name="fail_0")}
        self.assertEqual(reader["host"]["f_fault"], "component")
        self.assertEqual(reader["host"]["f_task_version"], 0)


if __name__ == "__main__":
    unittest.main()

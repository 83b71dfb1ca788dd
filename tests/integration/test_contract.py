"""Contracts that every member signs, people who approve, and rows that somebody
changed in between: over real sites."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest

from federation import BUILD, DATA, Federation, example, kill, lr_conf, stand_still, thaw, wait_for

SHORT = ("reader_0", "data_transform_0", "intersection_0")


def short_job(namespace, hosts=("10000",)):
    """Two tables meet: documents of a job that takes a second."""
    dsl, conf = example("dsl.json"), lr_conf(namespace=namespace)
    dsl["components"] = {name: dsl["components"][name] for name in SHORT}
    conf["role"] = {"guest": [9999], "host": [int(h) for h in hosts]}
    conf["component_parameters"]["common"].pop("hetero_lr_0", None)
    conf["component_parameters"]["common"].pop("evaluation_0", None)
    for scope in conf["component_parameters"]["role"].values():
        for parameters in scope.values():
            for name in [n for n in parameters if n not in SHORT]:
                del parameters[name]
    conf["component_parameters"]["role"].pop("arbiter", None)
    return dsl, conf


class Contracts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host"), (fed.arbiter, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="contract")
            assert reply.get("status") == "success", reply

    def demand(self, *options, site=None):
        """The host's table needs a person's word from now on."""
        site = site or self.fed.host
        site.cli("grant", "9999", "--datasets", "contract/breast_host", *options)
        self.addCleanup(site.cli, "revoke", "9999", "--datasets", "contract/breast_host")

    def submit(self, **kw):
        dsl, conf = short_job("contract", **kw)
        return self.fed.submit(conf, dsl)

    def page(self, site, job, role):
        return site.ok("job/query", {"job_id": job, "role": role, "party_id": site.party})["data"][0]

    def asked(self, job, site=None):
        """What waits at the host, once the initiator knows of it."""
        site = site or self.fed.host
        wait_for(lambda: "to approve" in (self.page(self.fed.guest, job, "guest")["f_reason"] or ""),
                 what="the initiator's page")
        return site.ok("approval/query", {"job_id": job})["data"]

    def end(self, job, status):
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], status, self.fed.guest.events(job))
        there = self.fed.host.wait(job, role="host")
        self.assertEqual(there["f_status"], status)
        return row["f_reason"] or "", there["f_reason"] or ""

    def test_every_member_holds_the_signatures_of_all(self):
        job = self.submit()
        self.end(job, "success")
        rows = [site.sql("SELECT role, party_id, key_id, signature FROM contract_signature WHERE job_id = '%s'"
                         " ORDER BY role" % job) for site in (self.fed.guest, self.fed.host)]
        self.assertEqual([r[:2] for r in rows[0]], [["guest", "9999"], ["host", "10000"]])
        self.assertEqual(rows[0], rows[1])
        self.assertNotEqual(rows[0][0][2], rows[0][1][2])

    def test_a_job_waits_for_a_person_and_goes_on_when_they_approve(self):
        self.demand("--approval-by", "admin", "--approval-within", "48h", "--uses", "3")
        job = self.submit()
        asked = self.asked(job)
        self.assertEqual(len(asked), 1)
        self.assertEqual(asked[0]["subject"], "dataset contract breast_host")
        self.assertEqual([a["missing"] for a in asked[0]["asks"]], [None] * len(SHORT))
        # Both pages say who, what and until when.
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            page = self.page(site, job, role)
            self.assertEqual(page["f_status"], "waiting" if role == "guest" else "ready", page)
            for words in ("waits until 20", "an admin of party 10000", "dataset contract breast_host"):
                self.assertIn(words, page["f_reason"])
        # Nothing is counted, held or signed before.
        left = "SELECT uses_left FROM permission WHERE subject = 'contract'"
        self.assertEqual(self.fed.host.sql(left), [["3"]])
        self.assertEqual(self.fed.host.sql("SELECT COUNT(*) FROM resource_grant WHERE job_id = '%s'" % job), [["0"]])
        signed = "SELECT COUNT(*) FROM contract_signature WHERE job_id = '%s' AND role = 'host'" % job
        self.assertEqual(self.fed.host.sql(signed), [["0"]])
        self.assertIn("contract breast_host", self.fed.host.cli("approvals").stdout)
        listed = [x for x in self.fed.guest.cli("jobs", "--status", "waiting").stdout.splitlines() if x.startswith(job)]
        self.assertEqual(len(listed), 1)
        self.assertRegex(listed[0], "guest +9999 +waiting +20.* approval: a person has to approve$")
        # This site lets in who signs nothing: the record claims no more than that.
        nobody = "loopback (unsigned)"
        self.assertIn("job %s approved by %s\n" % (job, nobody),
                      self.fed.host.cli("approve", job, "--note", "seen by the committee").stdout)
        self.end(job, "success")
        self.assertEqual(self.fed.host.sql(left), [["2"]])
        decided = self.fed.host.ok("approval/query", {"job_id": job, "all": True})["data"][0]
        self.assertEqual((decided["decision"], decided["note"], decided["signed"], decided["decided_by"]),
                         ("approved", "seen by the committee", True, nobody))
        self.assertEqual(self.fed.host.api("approval/approve", {"job_id": job})["retcode"], 102)
        self.assertEqual(self.fed.host.sql("SELECT outcome, actor FROM audit WHERE action = 'approval' AND subject = '%s'"
                                           % job), [["approved", nobody]])
        self.assertEqual(self.fed.host.sql("SELECT outcome, detail FROM audit WHERE action = 'approval note'"
                                           " AND subject = '%s'" % job), [["approved", "seen by the committee"]])
        line = [x for x in self.fed.host.cli("approvals", "--all").stdout.splitlines() if job in x][0]
        self.assertRegex(line, "approved +%s +20.* seen by the committee" % re.escape(nobody))

    def test_nobody_hears_what_is_not_there_before_a_person_has_approved(self):
        self.fed.host.cli("grant", "9999", "--datasets", "contract/nothing", "--approval-by", "admin", "--approval-within", "1h")
        self.addCleanup(self.fed.host.cli, "revoke", "9999", "--datasets", "contract/nothing")
        dsl, conf = short_job("contract")
        conf["component_parameters"]["role"]["host"]["all"]["reader_0"] = {"table": {"name": "nothing", "namespace": "contract"}}
        body = {"job_dsl": dsl, "job_runtime_conf": conf}
        # To the initiator it looks like one that is there; this site's own users see that it is not.
        data = self.fed.guest.ok("permission/explain", body)["data"]
        self.assertTrue(data["allowed"], data)
        self.assertNotIn("table", [d["kind"] for m in data["members"] for d in m["decisions"]])
        data = self.fed.host.ok("permission/explain", dict(body, party_id="9999"))["data"]
        self.assertIn(("table", "contract/nothing", "there is no such table"),
                      [(d["kind"], d["subject"], d["why"]) for m in data["members"] for d in m["decisions"]])
        job = self.fed.submit(conf, dsl)
        asked = self.asked(job)
        self.assertEqual([a["subject"] for a in asked], ["dataset contract nothing"])
        # Who is to approve sees what is asked for, and what will not be found.
        self.assertEqual([a["component"] for a in asked[0]["asks"]], list(SHORT))
        why = "this site has no such table that the job may read"
        self.assertEqual([a["missing"] for a in asked[0]["asks"]], [why, None, None])
        reader = asked[0]["asks"][0]
        self.assertEqual((reader["module"], reader["namespace"], reader["table_name"], reader["egress_bytes"]),
                         ("Reader", "contract", "nothing", 0))
        self.assertEqual(reader["parameters"], {"table": {"name": "nothing", "namespace": "contract"}})
        self.assertEqual(asked[0]["limits"]["runs"], 100)
        self.assertNotIn("asks", self.fed.host.ok("approval/query")["data"][0])
        said = self.fed.host.cli("approvals", "--job", job).stdout
        self.assertIn("as host 10000, until 20", said)
        self.assertRegex(said, r"reader_0 +Reader +contract nothing: %s +0 MB +\{" % why)
        self.assertIn("reader_0 will fail: contract nothing: " + why, self.fed.host.cli("approve", job).stderr)
        self.assertIn("has no table contract nothing", self.end(job, "failed")[0])

    def test_a_rejection_ends_the_job_with_its_words(self):
        self.demand("--approval-by", "admin", "--approval-within", "1h")
        job = self.submit()
        self.asked(job)
        reply = self.fed.host.api("approval/reject", {"job_id": job})
        self.assertEqual(reply["retcode"], 101, reply)
        self.assertIn("note must say why", reply["retmsg"])
        self.fed.host.cli("reject", job, "--note", "not for this purpose")
        for reason in self.end(job, "failed"):
            self.assertIn("of party 10000 rejected dataset contract breast_host: not for this purpose", reason)

    def test_a_deadline_that_passes_ends_it_too(self):
        self.fed.host.make_key("mia", "viewer")
        self.addCleanup(self.fed.host.cli, "key", "delete", "mia")
        self.demand("--approval-by", "mia", "--approval-within", "1s")
        job = self.submit()
        for reason in self.end(job, "failed"):
            self.assertIn("mia of party 10000 had until", reason)
            self.assertIn("to approve dataset contract breast_host and did not", reason)

    def test_each_of_two_hosts_decides_for_itself(self):
        for site in (self.fed.host, self.fed.arbiter):
            self.demand("--approval-by", "admin", "--approval-within", "1h", site=site)
        job = self.submit(hosts=("10000", "10001"))
        for site in (self.fed.host, self.fed.arbiter):
            wait_for(lambda at=site: at.ok("approval/query", {"job_id": job})["data"], what="both ask")
        self.fed.host.cli("approve", job)
        wait_for(lambda: "of party 10001 to approve" in (self.page(self.fed.guest, job, "guest")["f_reason"] or ""))
        self.fed.arbiter.cli("approve", job)
        self.end(job, "success")

    def test_supervisors_that_are_killed_change_nothing(self):
        self.demand("--approval-by", "admin", "--approval-within", "1h")
        job = self.submit()
        self.asked(job)
        for site in (self.fed.host, self.fed.guest):
            kill(site.pid("supervisor"))
        self.fed.host.cli("approve", job)
        for site in (self.fed.host, self.fed.guest):
            site.start()
        self.end(job, "success")

    def test_other_parameters_need_another_approval_and_the_same_do_not(self):
        self.demand("--approval-by", "admin", "--approval-within", "1h")
        job = self.submit()
        self.asked(job)
        self.fed.host.cli("approve", job)
        self.end(job, "success")
        self.fed.guest.ok("job/rerun", {"job_id": job, "component_name": "intersection_0", "force": True})
        self.end(job, "success")
        self.fed.guest.ok("job/parameter/update", {
            "job_id": job, "component_parameters": {"common": {"intersection_0": {"only_output_key": True}}}})
        self.fed.guest.ok("job/rerun", {"job_id": job, "component_name": "intersection_0", "force": True})
        self.assertEqual([a["revision"] for a in self.asked(job)], [1])
        self.fed.host.cli("approve", job)
        self.end(job, "success")

    def test_who_is_named_decides_and_nobody_else_below_an_admin(self):
        mia = self.fed.host.signed(self.fed.host.make_key("mia", "viewer"))
        tom = self.fed.host.signed(self.fed.host.make_key("tom", "modeler"))
        for name in ("mia", "tom"):
            self.addCleanup(self.fed.host.cli, "key", "delete", name)
        self.demand("--approval-by", "mia", "--approval-within", "1h")
        job = self.submit()
        self.asked(job)
        reply = tom.api("approval/approve", {"job_id": job})
        self.assertEqual(reply["retcode"], 108, reply)
        self.assertIn("job %s waits for mia (or an admin) to approve " % job, reply["retmsg"])
        self.assertIn("it is not for tom to decide", reply["retmsg"])
        self.assertEqual(mia.api("approval/approve", {"job_id": job})["data"]["decided_by"], "mia")
        self.end(job, "success")

    def tampered(self, site, statement, words):
        """What was changed while the job waited is refused there, and said."""
        job = self.submit()
        self.asked(job)
        before = site.sql("SELECT role, signature FROM contract_signature WHERE job_id = '%s'" % job)
        site.sql(statement.format(job=job))
        for role, signature in before:
            self.addCleanup(site.sql, "UPDATE contract_signature SET signature = '%s' WHERE job_id = '%s'"
                            " AND role = '%s'" % (signature, job, role))
        self.fed.host.cli("approve", job)
        for reason in self.end(job, "failed"):
            self.assertIn(words, reason)
            self.assertIn("%s %s" % ("guest" if site is self.fed.guest else "host", site.party), reason)

    def test_changed_rows_are_refused_by_the_site_that_has_them(self):
        self.demand("--approval-by", "admin", "--approval-within", "1h")
        host, guest = self.fed.host, self.fed.guest
        parameters = ("UPDATE task SET parameters = REPLACE(parameters, 'breast_host', 'breast_hosu')"
                      " WHERE job_id = '{job}' AND component = 'reader_0' AND run_here = 1")
        dsl = "UPDATE job SET dsl = REPLACE(dsl, 'Intersection', 'intersection') WHERE job_id = '{job}'"
        conf = "UPDATE job SET runtime_conf = REPLACE(runtime_conf, 'breast_guest', 'breast_other') WHERE job_id = '{job}'"
        signature = ("UPDATE contract_signature SET signature = REPLACE(signature, 'a', 'b')"
                     " WHERE job_id = '{job}' AND role = 'guest'")
        for site, statement, words in (
                (host, parameters, "the task's parameters changed after the contract was signed"),
                (host, dsl, "the DSL changed after the contract was signed: at /components/intersection_0/module"),
                (guest, conf, "the conf changed after the contract was signed: at /component_parameters/role/guest"),
                (guest, signature, "signature of guest 9999: it is not over this contract")):
            with self.subTest(words):
                self.tampered(site, statement, words)

    def test_a_changed_contract_is_not_even_signed(self):
        self.demand("--approval-by", "admin", "--approval-within", "1h")
        job = self.submit()
        self.asked(job)
        change = "UPDATE job SET contract = REPLACE(contract, 'breast_%s', 'breast_%s') WHERE job_id = '%s'"
        self.fed.host.sql(change % ("host", "hosu", job))
        self.addCleanup(self.fed.host.sql, change % ("hosu", "host", job))
        self.fed.host.cli("approve", job)
        for reason in self.end(job, "failed"):
            self.assertIn("host 10000: the contract was changed: its text has the SHA-256", reason)

    def agreed_until(self, until, **first):
        """A job under a contract of an hour that began in time to end then: of an initiator whose clock is behind.
        Before the supervisor signs and sends it, nobody has seen another one."""
        guest = self.fed.guest
        dsl = {"components": {n: {"module": "TestFail", "output": {"data": ["data"]}} for n in ("first", "second")}}
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999}, "role": {"guest": [9999], "host": [10000]},
                "job_parameters": {"common": {"task_parallelism": 1, "valid_hours": 1}},
                "component_parameters": {"common": {"first": first, "second": {"what": "compute"}}},
                "provider": {"common": {n: "sluice_test@1.0.0" for n in dsl["components"]}}}
        supervisor = guest.pid("supervisor")
        stand_still([supervisor])
        try:
            job = self.fed.submit(conf, dsl)
            text, old = guest.sql("SELECT contract, LOWER(HEX(contract_hash)) FROM job WHERE job_id = '%s'" % job)[0]
            was = json.loads(text.replace("\\\\", "\\"))["validity"]
            for key, value in (("not_before", until - 3600), ("not_after", until)):
                guest.sql("UPDATE job SET contract = REPLACE(contract, '\"%s\":%d', '\"%s\":%d') WHERE job_id = '%s'"
                          % (key, was[key], key, value, job))
            guest.sql("UPDATE job SET contract_hash = UNHEX(SHA2(contract, 256)) WHERE job_id = '%s'" % job)
            new = guest.sql("SELECT LOWER(HEX(contract_hash)) FROM job WHERE job_id = '%s'" % job)[0][0]
            guest.sql("UPDATE audit SET detail = REPLACE(detail, '%s', '%s') WHERE subject = '%s'" % (old, new, job))
        finally:
            thaw([supervisor])
        return job

    def test_no_task_starts_when_the_time_of_the_contract_is_over(self):
        until = int(time.time()) - 5
        job = self.agreed_until(until, what="compute")
        for reason in self.end(job, "failed"):
            self.assertIn("the contract held until", reason)
        self.assertEqual(self.fed.host.sql("SELECT COUNT(*) FROM audit WHERE action = 'task start' AND subject LIKE '%s %%'"
                                           % job), [["0"]])

    def test_a_task_that_outlasts_the_time_of_the_contract_is_ended_and_none_follows(self):
        host = self.fed.host
        until = int(time.time()) + 15
        job = self.agreed_until(until, what="hang")
        wait_for(lambda: host.sql("SELECT 1 FROM task WHERE job_id = '%s' AND run_here = 1 AND party_status = 'running'"
                                  % job), what="the host's task")
        for reason in self.end(job, "failed"):
            self.assertIn("first failed at host 10000: the contract held until", reason)
        self.assertGreaterEqual(time.time(), until)
        self.assertLess(time.time(), until + 15)
        tasks = host.sql("SELECT component, party_status FROM task WHERE job_id = '%s' AND run_here = 1 ORDER BY 1" % job)
        self.assertEqual(tasks, [["first", "failed"], ["second", "canceled"]])
        self.assertEqual(self.fed.guest.api("job/rerun", {"job_id": job, "component_name": "first"})["retcode"], 108)

    def findings(self, folder):
        """Of the host's record, as a file away from the site and by the site itself."""
        path = os.path.join(folder, "host")
        self.fed.host.cli("audit", "export", "--output", path)
        found = []
        for where in (["--file", path], ["--config", os.path.join(self.fed.host.home, "site.conf")]):
            done = subprocess.run([os.path.join(BUILD, "bin", "sluice"), "verify", *where, "--json"], check=False,
                                  capture_output=True, text=True)
            site = json.loads(done.stdout)["sites"][0]
            found.append([f["finding"] for f in site["findings"]])
            self.assertEqual(done.returncode, 1 if found[-1] else 0)
        os.unlink(path)
        self.assertEqual(found[0], found[1])
        return found[0]

    def test_signatures_of_old_decisions_and_contracts_are_checked(self):
        self.demand("--approval-by", "admin", "--approval-within", "1h")
        host = self.fed.host
        job = self.submit()
        self.asked(job)
        host.cli("approve", job, "--note", "for the study")
        self.end(job, "success")
        self.fed.guest.ok("job/parameter/update", {
            "job_id": job, "component_parameters": {"common": {"intersection_0": {"only_output_key": True}}}})
        self.fed.guest.ok("job/rerun", {"job_id": job, "component_name": "intersection_0", "force": True})
        self.asked(job)
        host.cli("reject", job, "--note", "not that")
        # A rerun that is refused leaves the job as it was, and its reason says who refused it.
        for site, role in ((self.fed.guest, "guest"), (host, "host")):
            row = wait_for(lambda: [r for r in site.ok("job/query", {"job_id": job, "role": role})["data"]
                                    if r["f_status"] == "success" and r["f_reason"]], what="the refusal at " + role)[0]
            self.assertIn("the rerun was refused", row["f_reason"])
            self.assertIn("not that", row["f_reason"])
        wait_for(lambda: host.sql("SELECT COUNT(*) FROM approval WHERE job_id = '%s' AND signature = ''" % job) == [["0"]],
                 what="the rejection's signature")
        host.sql("CREATE TABLE kept_a SELECT * FROM approval WHERE job_id = '%s'; CREATE TABLE kept_s SELECT * FROM"
                 " contract_signature WHERE job_id = '%s'" % (job, job))
        self.addCleanup(host.sql, "DROP TABLE kept_a, kept_s")
        of_job = " WHERE job_id = '%s' AND revision = 0" % job
        with tempfile.TemporaryDirectory() as d:
            self.assertEqual(self.findings(d), [])
            for table, kept, change, words in (
                    ("approval", "kept_a", "UPDATE approval SET note = 'for all studies'" + of_job,
                     ": for all studies) is not what key"),
                    ("approval", "kept_a", "DELETE FROM approval" + of_job, "and that decision is missing"),
                    ("contract_signature", "kept_s", "UPDATE contract_signature SET signed_s = signed_s + 1"
                     + of_job + " AND role = 'guest'", "guest 9999: the signature is none of key")):
                host.sql(change)
                try:
                    found = self.findings(d)
                finally:
                    host.sql("DELETE FROM %s%s" % (table, of_job))
                    host.sql("INSERT INTO %s SELECT * FROM %s%s" % (table, kept, of_job))
                self.assertEqual(len(found), 1, found)
                self.assertIn("job " + job, found[0])
                self.assertIn(words, found[0])
            self.assertEqual(self.findings(d), [])

    def test_a_contract_allows_so_many_runs(self):
        dsl, conf = short_job("contract")
        conf["job_parameters"]["common"]["max_runs"] = 1
        job = self.fed.submit(conf, dsl)
        self.end(job, "success")
        reply = self.fed.guest.api("job/rerun", {"job_id": job, "component_name": "intersection_0", "force": True})
        self.assertEqual(reply["retcode"], 108, reply)
        self.assertIn("the contract allows 1 run, this would be number 2", reply["retmsg"])


if __name__ == "__main__":
    unittest.main()

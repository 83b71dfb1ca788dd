"""Jobs that run again: from a component, with other parameters, whatever is
killed or gone meanwhile."""
import json
import os
import tempfile
import unittest

from federation import DATA, ENDED, Federation, example, kill, lr_conf, processes, wait_for

UPSTREAM = ("reader_0", "data_transform_0", "intersection_0")
DOWNSTREAM = ("hetero_lr_0", "evaluation_0")


class Rerun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="rerun")
            assert reply.get("status") == "success", reply

    def submit(self, **lr):
        return self.fed.submit(lr_conf(namespace="rerun", **dict({"max_iter": 2, "tol": 0}, **lr)))

    def end(self, job, status="success"):
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], status, self.fed.guest.events(job))
        # Nobody is left behind.
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], status)
        return row

    def rerun(self, job, **body):
        """The job is under way again when the request is answered."""
        run = "SELECT run FROM job WHERE job_id = '%s'" % job
        before = int(self.fed.guest.sql(run)[0][0])
        reply = self.fed.guest.ok("job/rerun", dict(body, job_id=job))
        self.assertEqual(reply["retmsg"], "rerun job success")
        self.assertEqual(self.fed.guest.sql(run), [[str(before + 1)]])

    def versions(self, job, site=None):
        return {t["f_component_name"]: t["f_task_version"] for t in (site or self.fed.guest).tasks(job)}

    def loss(self, job):
        return self.fed.arbiter.metrics(job, "hetero_lr_0", "arbiter")["train"]["loss"]["data"]

    def lr_update(self, job, **values):
        return self.fed.guest.api("job/parameter/update", {
            "job_id": job, "component_parameters": {"common": {"hetero_lr_0": values}}})

    def test_a_rerun_that_a_partner_refuses_leaves_the_job_as_it_was(self):
        job = self.submit()
        self.end(job)
        # The arbiter has heard of it, too.
        wait_for(lambda: self.fed.guest.sql("SELECT settled FROM job WHERE job_id = '%s'" % job) == [["1"]],
                 what="its end everywhere")
        sites = (("guest", self.fed.guest), ("host", self.fed.host), ("arbiter", self.fed.arbiter))
        shown = ("f_status", "f_progress", "f_start_time", "f_end_time")

        def state():
            return [[[s.ok("job/query", {"job_id": job, "role": role})["data"][0][k] for k in shown],
                     self.versions(job, s)] for role, s in sites] + [self.loss(job)]
        before = state()
        self.assertEqual([s[0][1] for s in before[:3]], [100, 100, 100])
        # More than it ever gives is refused for good.
        self.fed.host.cli("quota", "--party", "9999", "--cores", "1")
        try:
            self.rerun(job, force=True)
            words = [wait_for(lambda: [r["f_reason"] for r in s.ok("job/query", {"job_id": job, "role": role})["data"]
                                       if r["f_status"] == "success" and r["f_reason"]], what="the refusal at " + role)[0]
                     for role, s in sites]
            wait_for(lambda: self.fed.guest.sql("SELECT settled FROM job WHERE job_id = '%s'" % job) == [["1"]],
                     what="all having heard of it")
            # The command line says no more than that it is asked for, and then what came of it.
            done = self.fed.guest.cli("rerun", job, "--force", "--watch", check=False)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("sluice rerun: the rerun was refused", done.stderr)
            self.assertNotIn("rerun job success", done.stdout)
        finally:
            self.fed.host.cli("quota", "--party", "9999", "--remove")
        for text in words:
            self.assertIn("the rerun was refused, and the job is as it was before: host 10000: ", text)
        self.assertIn("the rerun was refused", self.fed.guest.cli("query", job).stdout)
        wait_for(lambda: self.fed.guest.sql("SELECT settled FROM job WHERE job_id = '%s'" % job) == [["1"]],
                 what="all having heard of it")
        self.assertEqual(state(), before)
        for _, s in sites:
            self.assertEqual(s.sql("SELECT 1 FROM resource_grant WHERE returned_at IS NULL AND job_id = '%s'" % job), [])
        # Nothing stands in the way of the next.
        self.rerun(job, force=True)
        self.end(job)
        self.assertEqual(set(self.versions(job).values()), {1})

    def test_from_a_component_after_success_upstream_stays_and_downstream_follows(self):
        job = self.submit()
        self.end(job)
        self.assertEqual(len(self.loss(job)), 2)
        reply = self.lr_update(job, max_iter=3)
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(reply["data"]["component_parameters"]["common"]["hetero_lr_0"]["max_iter"], 3)
        self.assertEqual(reply["data"]["component_parameters"]["common"]["hetero_lr_0"]["penalty"], "L2")
        self.assertEqual(reply["data"]["components"], ["hetero_lr_0"])
        self.rerun(job, component_name="hetero_lr_0", force=True)
        self.end(job)
        for site in (self.fed.guest, self.fed.host):
            versions = self.versions(job, site)
            for name, version in versions.items():
                self.assertEqual(version, 1 if name in DOWNSTREAM else 0, (site.party, versions))
        self.assertEqual(len(self.loss(job)), 3)
        # Everybody holds the same new contract.
        hashes = {tuple(s.sql("SELECT HEX(contract_hash), revision, run FROM job WHERE job_id='%s'" % job)[0])
                  for s in self.fed.sites.values()}
        self.assertEqual(len(hashes), 1)
        self.assertEqual(next(iter(hashes))[1:], ("1", "1"))
        # Task 0 ran with what it ran with.
        rows = self.fed.guest.sql("SELECT version, parameters LIKE '%%\"max_iter\":3%%' FROM task WHERE job_id='%s'"
                                  " AND component='hetero_lr_0' AND role='guest' ORDER BY version" % job)
        self.assertEqual(rows, [["0", "0"], ["1", "1"]])

    def test_nothing_to_rerun_changes_nothing(self):
        job = self.submit()
        self.end(job)
        reply = self.fed.guest.ok("job/rerun", {"job_id": job})
        self.assertIn("nothing to rerun", reply["retmsg"])
        self.assertEqual(set(self.versions(job).values()), {0})
        self.assertEqual(self.end(job)["f_status"], "success")

    def test_after_a_failure_with_changed_parameters_it_succeeds(self):
        conf = lr_conf(namespace="rerun", max_iter=2, tol=0)
        conf["component_parameters"]["role"]["host"]["all"]["reader_0"]["table"]["name"] = "no_such_table"
        job = self.fed.submit(conf)
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "failed")
        self.assertIn("no_such_table", row["f_reason"])
        self.fed.guest.ok("job/parameter/update", {"job_id": job, "component_parameters": {"role": {"host": {"all": {
            "reader_0": {"table": {"name": "breast_host"}}}}}}})
        self.rerun(job)
        self.end(job)
        versions = self.versions(job, self.fed.host)
        self.assertEqual(versions["reader_0"], 1)

    def test_what_is_wrong_with_new_parameters_is_told_at_once_and_nothing_changes(self):
        long = self.submit(max_iter=10000)
        busy = self.lr_update(long, max_iter=3)
        self.assertEqual(busy["retcode"], 103, busy)
        self.assertIn("once it has ended", busy["retmsg"])
        self.fed.guest.ok("job/stop", {"job_id": long})
        job = self.submit()
        self.end(job)
        reply = self.fed.guest.api("job/parameter/update", {"job_id": job, "component_parameters": {
            "common": {"hetero_lr_0": {"max_itr": 3, "penalty": "L7"}, "hetero_lr_9": {}},
            "role": {"host": {"7": {"reader_0": {}}}}}, "job_parameters": {"common": {"task_cores": -1}}})
        self.assertEqual(reply["retcode"], 103, reply)
        for text in ("/component_parameters/common/hetero_lr_0/max_itr", "max_iter", "/component_parameters/common/hetero_lr_9",
                     "/component_parameters/common/hetero_lr_0/penalty", "/component_parameters/role/host/7",
                     "/job_parameters/common/task_cores"):
            self.assertIn(text, reply["retmsg"])
        for body, code in (({"job_id": job}, 103), ({"job_id": job, "component_parameters": 5}, 103),
                           ({"component_parameters": {}}, 101), ({"job_id": "2" * 21, "job_parameters": {}}, 102),
                           ({"job_id": None, "job_parameters": {}}, 102)):
            reply = self.fed.guest.api("job/parameter/update", body)
            self.assertEqual(reply["retcode"], code, (body, reply))
        self.assertEqual(self.fed.guest.sql("SELECT revision FROM job WHERE job_id='%s'" % job), [["0"]])

    def test_only_its_initiator_changes_a_job(self):
        job = self.submit()
        self.end(job)
        for path in ("job/rerun", "job/parameter/update"):
            reply = self.fed.host.api(path, {"job_id": job, "job_parameters": {"common": {}}})
            self.assertEqual(reply["retcode"], 103, reply)
            self.assertIn("at the site of party 9999", reply["retmsg"])
            reply = self.fed.guest.api(path, {"job_id": "2" * 21, "job_parameters": {"common": {}}})
            self.assertEqual(reply["retcode"], 102, reply)

    def test_unknown_components_are_named_with_the_nearest(self):
        job = self.submit()
        self.end(job)
        reply = self.fed.guest.api("job/rerun", {"job_id": job, "component_name": ["hetero_lr", 7]})
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertIn("/component_name/0", reply["retmsg"])
        self.assertIn('did you mean "hetero_lr_0"', reply["retmsg"])
        self.assertIn("/component_name/1", reply["retmsg"])
        self.assertEqual(set(self.versions(job).values()), {0})

    def test_an_update_that_a_partner_refuses_shows_as_the_reason(self):
        job = self.submit()
        self.end(job)
        cores = {"role": {"host": {"0": {"task_cores": 1000}}}}
        self.fed.guest.ok("job/parameter/update", {"job_id": job, "job_parameters": cores})
        self.rerun(job, force=True)
        why = wait_for(lambda: self.fed.guest.sql("SELECT reason FROM job WHERE job_id = '%s' AND status = 'success'"
                                                  " AND settled = 1 AND reason IS NOT NULL" % job), what="the refusal")[0][0]
        for words in ("the rerun was refused", "host 10000", "1000 cores"):
            self.assertIn(words, why)
        # The host keeps what it agreed to; a good revision brings all together again.
        self.assertEqual(self.fed.host.sql("SELECT revision FROM job WHERE job_id='%s'" % job), [["0"]])
        self.fed.guest.ok("job/parameter/update", {"job_id": job, "job_parameters": {
            "role": {"host": {"0": {"task_cores": 1}}}}})
        self.rerun(job, force=True)
        self.end(job)
        self.assertEqual(self.fed.host.sql("SELECT revision FROM job WHERE job_id='%s'" % job), [["2"]])
        self.assertEqual(self.fed.host.sql("SELECT cores FROM job_party WHERE job_id='%s' AND role='host'" % job),
                         [["1"]])

    def test_the_command_line_submits_warns_and_runs_again(self):
        """A setting that the site does not know is told to whoever submits, in both forms of the answer."""
        names = {}
        with tempfile.TemporaryDirectory(dir=self.fed.guest.home) as folder:
            conf = lr_conf(namespace="rerun", max_iter=2, tol=0)
            conf["job_parameters"]["common"]["task_core"] = 2
            for option, document in (("dsl", example("dsl.json")), ("conf", conf)):
                names[option] = os.path.join(folder, option)
                with open(names[option], "w", encoding="utf-8") as f:
                    json.dump(document, f)
            done = self.fed.guest.cli("submit", "--dsl", names["dsl"], "--conf", names["conf"], "--json")
        answer = json.loads(done.stdout)
        for text in (done.stderr, answer["warning"]):
            self.assertIn('task_core is not known and ignored; did you mean "task_cores"?', text)
        self.end(answer["job_id"])
        done = self.fed.guest.cli("rerun", answer["job_id"], "hetero_lr_0", "evaluation_0", "--force")
        self.assertIn("job %s is to run again, and its members are asked" % answer["job_id"], done.stdout)
        self.end(answer["job_id"])
        versions = self.versions(answer["job_id"])
        self.assertEqual({versions[c] for c in UPSTREAM}, {0})
        self.assertEqual({versions[c] for c in DOWNSTREAM}, {1})
        self.what_came_of_it_is_told(answer["job_id"])
        done = self.fed.guest.cli("rerun", answer["job_id"], "hetero_lr_1", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("hetero_lr_0", done.stderr)

    def what_came_of_it_is_told(self, job):
        command = "sluice metrics %s hetero_lr_0 --role arbiter --party 10001" % job
        self.assertIn("loss           at the arbiter's site, party 10001: " + command, self.fed.guest.cli("report", job).stdout)
        self.assertIn("loss", self.fed.arbiter.cli(*command.split()[1:]).stdout)
        self.assertRegex(self.fed.guest.cli("tasks", job).stdout, r"hetero_lr_0 .* \d+\.\d s\b")
        for site, words in ((self.fed.host, "initiated by party 9999"), (self.fed.arbiter, "initiated by party 9999")):
            self.assertIn(words, site.cli("report", job, check=False).stderr)
        self.assertIn("nothing known of job 2020", self.fed.guest.cli("report", "202001010000000000000", check=False).stderr)

    def test_after_a_cancel(self):
        job = self.submit(max_iter=1000)
        wait_for(lambda: self.fed.guest.tasks(job, component_name="hetero_lr_0", status="running"), what="training")
        self.fed.guest.ok("job/stop", {"job_id": job})
        self.end(job, "canceled")
        self.assertEqual(self.lr_update(job, max_iter=2)["retcode"], 0)
        self.rerun(job)
        self.end(job)
        versions = self.versions(job)
        self.assertEqual({versions[c] for c in UPSTREAM}, {0})
        self.assertEqual({versions[c] for c in DOWNSTREAM}, {1})

    def test_outputs_that_are_gone_are_made_again_at_whatever_site(self):
        for site in (self.fed.guest, self.fed.host):
            job = self.submit()
            self.end(job)
            for namespace, name in site.sql("SELECT namespace, name FROM task_output WHERE job_id='%s'"
                                            " AND component='intersection_0'" % job):
                site.ok("table/delete", {"namespace": namespace, "table_name": name})
            self.rerun(job, component_name="hetero_lr_0", force=True)
            self.end(job)
            versions = self.versions(job)
            self.assertEqual((versions["data_transform_0"], versions["intersection_0"], versions["hetero_lr_0"]),
                             (0, 1, 1), site.party)

    def test_the_supervisor_is_killed_in_the_middle(self):
        job = self.submit()
        self.end(job)
        self.assertEqual(self.lr_update(job, max_iter=3)["retcode"], 0)
        self.rerun(job, force=True)
        for site in (self.fed.guest, self.fed.host):
            pid = site.pid("supervisor")
            kill(pid)
            wait_for(lambda pid=pid, site=site: pid not in processes(site.home), what="end of the supervisor")
            site.start()
        row = self.fed.guest.wait(job, until=ENDED)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        self.assertEqual(len(self.loss(job)), 3)

    def test_uploads_say_why_they_cannot_run_again(self):
        reply = self.fed.guest.upload("%s/breast_guest.csv" % DATA, "again", namespace="rerun")
        reply = self.fed.guest.api("job/rerun", {"job_id": reply["jobId"], "force": True})
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertIn("upload it again", reply["retmsg"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

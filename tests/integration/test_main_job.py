"""The main job over real sites: the numbers, and what everyone may read."""
import io
import json
import os
import tarfile
import tempfile
import unittest

from federation import DATA, Federation, example, lr_conf, settings, wait_for

LOSS = [38.7334, 4.8643, 1.1196, 0.7146, 0.5759]
LOSS_FULL = [0.693147, 78.8756, 5.6951, 1.4786, 0.7330, 0.5325, 0.4611]


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host"),
                           (fed.guest, "breast_guest_partial"), (fed.host, "breast_host_partial")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name)
            assert reply.get("status") == "success", reply

    def run_job(self, conf):
        job = self.fed.submit(conf)
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        return job

    def loss(self, job):
        data = self.fed.arbiter.metrics(job, "hetero_lr_0", "arbiter")["train"]["loss"]["data"]
        return [v for _, v in sorted(data)]

    def scores(self, job):
        data = self.fed.guest.metrics(job, "evaluation_0", "guest")["train"]["hetero_lr_0"]["data"]
        return dict(data)

    def test_mini_batches_give_the_plaintext_result(self):
        job = self.run_job(lr_conf())
        loss = self.loss(job)
        self.assertEqual(len(loss), 30)
        for got, want in zip(loss, LOSS):
            self.assertAlmostEqual(got, want, delta=1e-3)
        self.assertAlmostEqual(loss[9], 0.42222, delta=1e-3)
        self.assertAlmostEqual(loss[-1], 0.354376, delta=1e-3)
        scores = self.scores(job)
        self.assertAlmostEqual(scores["auc"], 0.98992, delta=1e-3)
        self.assertAlmostEqual(scores["ks"], 0.92113, delta=1e-3)
        self.every_reader_finds_its_results(job)

    def every_reader_finds_its_results(self, job):
        guest, host = self.fed.guest, self.fed.host
        for site, role in ((guest, "guest"), (host, "host")):
            data = site.metrics(job, "intersection_0", role)["train"]["intersection"]["data"]
            self.assertEqual(dict(data)["intersect_count"], 569)
        rows = guest.tasks(job)
        self.assertEqual({r["f_party_status"] for r in rows}, {"success"})
        # Reader .. Evaluation at the guest, four at the host, LR at the arbiter
        self.assertGreaterEqual(len(rows), 10)
        status, head, body = guest.request("tracking/component/output/data/download", {
            "job_id": job, "component_name": "hetero_lr_0", "role": "guest", "party_id": "9999"}, method="GET")
        self.assertEqual(status, 200)
        self.assertNotIn('"', head["Content-Disposition"])
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
            names = tar.getnames()
            csv = tar.extractfile([n for n in names if n.endswith(".csv")][0]).read().decode()
        self.assertEqual(len(csv.splitlines()), 570)
        self.assertTrue(csv.splitlines()[0].endswith("label,predict_result,predict_score,predict_detail,type"))
        status, _, body = guest.request("job/log/download", {"job_id": job})
        self.assertEqual(status, 200)
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
            self.assertIn("guest/9999/hetero_lr_0/INFO.log", [n.removeprefix("./") for n in tar.getnames()])

    def test_one_full_batch_gives_the_plaintext_result(self):
        loss = self.loss(self.run_job(lr_conf(batch_size=-1)))
        for got, want in zip(loss, LOSS_FULL):
            self.assertAlmostEqual(got, want, delta=1e-3)
        self.assertAlmostEqual(loss[-1], 0.354564, delta=1e-3)

    def test_partly_overlapping_ids_train_on_the_intersection(self):
        job = self.run_job(lr_conf("breast_guest_partial", "breast_host_partial", max_iter=2))
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            data = dict(site.metrics(job, "intersection_0", role)["train"]["intersection"]["data"])
            self.assertEqual(data["intersect_count"], 331)
            self.assertEqual(data["unmatched_count"], 119)

    def test_what_left_a_site_is_in_its_ledger_and_holds_no_ids(self):
        job = self.run_job(lr_conf(max_iter=2))
        rows = self.fed.guest.sql("SELECT component, to_role, to_party, name, SUM(bytes) FROM egress"
                                  " WHERE job_id = '%s' GROUP BY 1, 2, 3, 4" % job)
        names = {(r[0], r[3]) for r in rows}
        self.assertIn(("intersection_0", "id_ciphertext_exchange_g2h"), names)
        self.assertIn(("hetero_lr_0", "fore_gradient"), names)
        self.assertTrue(all(int(float(r[4])) > 0 for r in rows))
        self.assertFalse([r for r in rows if r[0] in ("reader_0", "data_transform_0", "evaluation_0")])


class WrongJobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()

    def test_five_faults_are_all_reported_with_their_places(self):
        dsl, conf = example("dsl.json"), lr_conf()
        dsl["components"]["hetero_lr_0"]["module"] = "HeteroLogReg"
        dsl["components"]["evaluation_0"]["input"]["data"]["data"] = ["hetero_lr_1.data"]
        dsl["components"]["data_transform_0"]["output"]["data"] = "data"
        conf["component_parameters"]["common"]["intersection_0"]["sync_intersect_id"] = True
        conf["initiator"]["party_id"] = 8888
        before = self.fed.guest.sql("SELECT COUNT(*) FROM job")
        reply = self.fed.guest.api("job/submit", {"job_dsl": dsl, "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 103)
        self.assertNotIn("data", reply)
        for pointer in ("/components/hetero_lr_0/module", "/components/evaluation_0/input/data/data/0",
                        "/components/data_transform_0/output/data",
                        "intersection_0/sync_intersect_id", "/initiator/party_id"):
            self.assertIn(pointer, reply["retmsg"])
        self.assertIn("HeteroLR", reply["retmsg"])
        self.assertIn("sync_intersect_ids", reply["retmsg"])
        self.assertEqual(self.fed.guest.sql("SELECT COUNT(*) FROM job"), before)

    def test_what_this_sites_own_data_lacks_is_told_at_once_and_where(self):
        guest = self.fed.guest
        reply = guest.upload("%s/breast_guest.csv" % DATA, "breast_guest", namespace="own")
        self.assertEqual(reply.get("status"), "success", reply)
        before = guest.sql("SELECT COUNT(*) FROM job")
        at = "/component_parameters/role/guest/0/"

        def refused(conf, pointer, words):
            body = {"job_dsl": example("dsl.json"), "job_runtime_conf": conf}
            for path, code in (("job/submit", 103), ("permission/explain", 101)):
                reply = guest.api(path, body)
                self.assertEqual(reply["retcode"], code, reply)
                found = [e for e in reply["errors"] if e["pointer"].endswith(pointer)]
                self.assertEqual(len(found), 1, reply)
                self.assertIn(words, found[0]["message"])
                self.assertEqual(len(reply["errors"]), 1, reply)
        refused(lr_conf(guest_table="no_such_table", namespace="own"), at + "reader_0/table",
                "party 9999 has no table own no_such_table")
        conf = lr_conf(guest_table="name_to_be_filled_0", namespace="own")
        body = {"job_dsl": example("dsl.json"), "job_runtime_conf": conf}
        self.assertIn(at + "reader_0/table/name: name_to_be_filled_0 is a place that was not filled in",
                      guest.api("job/submit", body)["retmsg"])
        conf = lr_conf(namespace="own")
        conf["component_parameters"]["role"]["guest"]["0"].setdefault("data_transform_0", {}).update(
            with_label=True, label_name="z")
        refused(conf, at + "data_transform_0/label_name", "has no column z")
        guest.ok("table/disable", {"namespace": "own", "table_name": "breast_guest"})
        try:
            refused(lr_conf(namespace="own"), at + "reader_0/table", "is disabled")
        finally:
            guest.ok("table/enable", {"namespace": "own", "table_name": "breast_guest"})
        self.assertEqual(guest.sql("SELECT COUNT(*) FROM job"), before)

    def test_a_partner_refuses_a_job_whose_table_or_label_it_lacks(self):
        no_label = lr_conf()
        no_label["component_parameters"]["role"]["host"]["all"]["data_transform_0"] = {"with_label": True, "label_name": "z"}
        for conf, words in ((lr_conf(host_table="no_such_table"), "party 10000 has no table test no_such_table"),
                            (no_label, "table test breast_host of party 10000 has no column z")):
            job = self.fed.submit(conf)
            row = self.fed.guest.wait(job)
            self.assertEqual(row["f_status"], "failed")
            self.assertIn("host 10000: ", row["f_reason"])
            self.assertIn(words, row["f_reason"])
            # Nothing of it was taken in, or began.
            self.assertEqual(self.fed.host.sql("SELECT 1 FROM job WHERE job_id = '%s'" % job), [])
            wait_for(lambda: {t["f_party_status"] for t in self.fed.guest.tasks(job)} == {"canceled"}, what="the end of all tasks")
            for site in (self.fed.guest, self.fed.arbiter):
                wait_for(lambda: site.sql("SELECT 1 FROM resource_grant WHERE job_id = '%s' AND returned_at IS NULL" % job) == [],
                         what="what was held being given back")

    def test_a_partner_that_tells_kinds_of_errors_alone_does_not_name_tables(self):
        old = settings(self.fed.host, "jobs", error_detail="class")
        self.fed.host.stop()
        self.fed.host.start()
        try:
            row = self.fed.guest.wait(self.fed.submit(lr_conf(host_table="no_such_table")))
        finally:
            settings(self.fed.host, "jobs", **old)
            self.fed.host.stop()
            self.fed.host.start()
        self.assertIn("host 10000: a table or column that the job names is not here", row["f_reason"])

    def test_explain_knows_what_a_partner_lacks_and_what_is_not_known(self):
        guest, host = self.fed.guest, self.fed.host

        def said(conf):
            with tempfile.TemporaryDirectory() as folder:
                files = []
                for name, text in (("dsl", example("dsl.json")), ("conf", conf)):
                    files += ["--" + name, os.path.join(folder, name)]
                    with open(files[-1], "w", encoding="utf-8") as f:
                        json.dump(text, f)
                return guest.cli("explain", *files, check=False)
        self.assertIn("the job would be taken in\n", said(lr_conf()).stdout)
        done = said(lr_conf(host_table="no_such_table"))
        self.assertIn("NO  table     test/no_such_table: there is no such table", done.stdout)
        self.assertIn("the job would be refused\n", done.stdout)
        host.cli("quota", "--party", "9999", "--cores", "1")
        try:
            done = said(lr_conf())
        finally:
            host.cli("quota", "--party", "9999", "--remove")
        self.assertRegex(done.stdout, "NO  quota     cores: [0-9]+ cores are asked for, the quota of party 9999 here is 1")
        self.assertIn("the job would be refused\n", done.stdout)
        host.stop()
        try:
            done, refused = said(lr_conf()), said(lr_conf())
        finally:
            host.start()
        self.assertIn("whether the job would be taken in is not known: host 10000 does not answer\n", done.stdout)
        self.assertNotIn("refused", done.stdout.splitlines()[-1])
        self.assertEqual((done.returncode, refused.returncode), (1, 1))

    def test_stopping_a_running_job_cancels_it_everywhere(self):
        fed = self.fed
        job = fed.submit(lr_conf(max_iter=1000, tol=0))
        fed.guest.wait(job, until=("running",))
        self.assertEqual(fed.guest.api("job/stop", {"job_id": job})["retcode"], 0)
        self.assertEqual(fed.guest.wait(job)["f_status"], "canceled")
        self.assertEqual(fed.host.wait(job, role="host")["f_status"], "canceled")
        self.assertEqual(fed.arbiter.wait(job, role="arbiter")["f_status"], "canceled")


if __name__ == "__main__":
    unittest.main(verbosity=2)

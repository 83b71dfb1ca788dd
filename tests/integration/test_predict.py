"""Predict jobs: a deployed version, the tables of today, the parameters of the training."""
import csv
import io
import json
import os
import tarfile
import tempfile
import unittest
import zipfile

from federation import DATA, Federation, example, kill, lr_conf, processes, wait_for

LR = {"max_iter": 2, "encrypt_param": {"key_length": 1024}}


def without_column(file, name):
    """A copy of a table without one of its columns."""
    with open(os.path.join(DATA, file), encoding="utf-8") as f:
        rows = list(csv.reader(f))
    at = rows[0].index(name)
    with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False, encoding="utf-8") as f:
        for row in rows:
            f.write(",".join(row[:at] + row[at + 1:]) + "\n")
    return f.name


def download(site, job, component, role="guest"):
    """Rows of an output table by id: everything behind the id."""
    status, _, body = site.request("tracking/component/output/data/download", {
        "job_id": job, "component_name": component, "role": role, "party_id": site.party}, method="GET")
    assert status == 200, body
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        lines = tar.extractfile("data.csv").read().decode().splitlines()
        header = json.load(tar.extractfile("data.meta"))["header"]
    assert lines[0] == ",".join(header)
    return header, dict(line.split(",", 1) for line in lines[1:])


def scores(rows):
    """What of prediction rows does not depend on label and type."""
    return {key: row.split(",", 1)[1].rsplit(",", 1)[0] for key, row in rows.items()}


class Predict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        unlabelled = without_column("breast_guest.csv", "y")
        narrow = without_column("breast_host.csv", "x0")
        for site, file, name in ((fed.guest, DATA + "/breast_guest.csv", "breast_guest"),
                                 (fed.host, DATA + "/breast_host.csv", "breast_host"),
                                 (fed.guest, unlabelled, "unlabelled"), (fed.host, narrow, "narrow")):
            reply = site.upload(file, name, namespace="predict")
            assert reply.get("status") == "success", reply
        os.unlink(unlabelled)
        os.unlink(narrow)
        cls.job = fed.submit(lr_conf(namespace="predict", **LR))
        # A model is deployed where it is sealed, and members hear of the end one by one.
        for site, role in ((fed.guest, "guest"), (fed.host, "host"), (fed.arbiter, "arbiter")):
            assert site.wait(cls.job, role=role)["f_status"] == "success", site.events(cls.job)
        cls.model = fed.guest.ok("job/config", {"job_id": cls.job, "role": "guest", "party_id": "9999"})["data"][
            "model_info"]
        cls.child = cls.deploy()

    @classmethod
    def deploy(cls, **options):
        reply = cls.fed.guest.ok("model/deploy", dict(cls.model, **options))
        return reply["data"]["model_version"]

    def conf(self, version=None, guest=None, host=None):
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000], "arbiter": [10001]},
                "job_parameters": {"common": {"job_type": "predict", "model_id": self.model["model_id"],
                                              "model_version": version or self.child}},
                "component_parameters": {"role": {}}}
        for name, table in (("guest", guest), ("host", host)):
            if table:
                conf["component_parameters"]["role"][name] = {
                    "0": {"reader_0": {"table": {"name": table, "namespace": "predict"}}}}
        return conf

    def submit(self, conf, dsl=None):
        return self.fed.guest.api("job/submit", {"job_dsl": dsl or {}, "job_runtime_conf": conf})

    def predict(self, conf, dsl=None):
        reply = self.submit(conf, dsl)
        self.assertEqual(reply["retcode"], 0, reply)
        row = self.fed.guest.wait(reply["jobId"])
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(reply["jobId"]))
        return reply["jobId"]

    def reports(self, job):
        """Why tasks failed, as the initiator has it."""
        return " ".join(str(t["f_error_report"]) for t in self.fed.guest.tasks(job))


class Prediction(Predict):
    def test_predictions_of_the_same_tables_are_those_of_the_training(self):
        job = self.predict(self.conf())
        header, rows = download(self.fed.guest, job, "hetero_lr_0")
        self.assertEqual(header[1:], ["label", "predict_result", "predict_score", "predict_detail", "type"])
        _, trained = download(self.fed.guest, self.job, "hetero_lr_0")
        self.assertEqual(len(rows), 569)
        self.assertEqual({row.rsplit(",", 1)[1] for row in rows.values()}, {"predict"})
        self.assertEqual({k: v.rsplit(",", 1)[0] for k, v in rows.items()},
                         {k: v.rsplit(",", 1)[0] for k, v in trained.items()})
        self.assertRegex(next(iter(rows.values())), r"\"\{'0': [0-9.e-]+, '1': [0-9.e-]+\}\"")
        metrics = self.fed.guest.metrics(job, "evaluation_0", "guest")
        self.assertIn("predict", metrics)
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], "success")

    def test_a_table_without_labels_is_predicted_and_not_evaluated(self):
        job = self.predict(self.conf(guest="unlabelled"))
        _, rows = download(self.fed.guest, job, "hetero_lr_0")
        self.assertEqual({row.split(",")[0] for row in rows.values()}, {"None"})
        _, trained = download(self.fed.guest, self.job, "hetero_lr_0")
        self.assertEqual(scores(rows), scores(trained))
        self.assertEqual(self.fed.guest.metrics(job, "evaluation_0", "guest"), {})

    def test_only_what_was_deployed_runs_and_no_arbiter_is_needed(self):
        child = self.deploy(cpn_list=["reader_0", "data_transform_0", "intersection_0", "hetero_lr_0"])
        conf = self.conf(child)
        del conf["role"]["arbiter"]
        job = self.predict(conf)
        names = {t["f_component_name"] for t in self.fed.guest.tasks(job)}
        self.assertEqual(names, {"reader_0", "data_transform_0", "intersection_0", "hetero_lr_0"})
        self.assertEqual(len(download(self.fed.guest, job, "hetero_lr_0")[1]), 569)

    def test_parameters_are_the_trainings_unless_this_job_has_others(self):
        conf = self.conf()
        conf["component_parameters"]["common"] = {"hetero_lr_0": {"predict_param": 0.9}}
        reply = self.submit(conf)
        self.assertEqual(reply["retcode"], 103)
        self.assertIn("/component_parameters/common/hetero_lr_0/predict_param: must be object", reply["retmsg"])
        conf["component_parameters"]["common"]["hetero_lr_0"]["predict_param"] = {"threshold": 0.9}
        job = self.predict(conf)
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            param = site.ok("tracking/component/parameters", {
                "job_id": job, "component_name": "hetero_lr_0", "role": role, "party_id": site.party})["data"][
                    "ComponentParam"]
            self.assertEqual((param["max_iter"], param["predict_param"]["threshold"]), (2, 0.9))

    def test_a_model_is_missed_by_its_column(self):
        reply = self.submit(self.conf(host="narrow"))
        self.assertEqual(self.fed.guest.wait(reply["jobId"])["f_status"], "failed")
        self.assertIn("x0, which the model was made with", self.reports(reply["jobId"]))


class Views(Predict):
    def test_explain_tells_what_parties_would_decide_about_a_prediction(self):
        guest, host = self.fed.guest, self.fed.host
        data = guest.ok("permission/explain", {"job_dsl": {}, "job_runtime_conf": self.conf()})["data"]
        self.assertTrue(data["allowed"])
        members = {m["role"]: m for m in data["members"]}
        self.assertIn("host", members)
        components = {d["subject"] for d in members["host"]["decisions"] if d["kind"] == "component"}
        self.assertIn("heterolr", components)
        host.cli("revoke", "9999", "--components", "*")
        host.cli("grant", "9999", "--components", "reader,datatransform,intersection")
        try:
            with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as f:
                json.dump(self.conf(), f)
                f.flush()
                done = guest.cli("explain", "--conf", f.name, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("sluice grant 9999 --components heterolr", done.stdout)
            self.assertIn("the job would be refused", done.stdout)
            reply = guest.api("permission/explain", {"job_dsl": {}, "job_runtime_conf": self.conf(version=self.job)})
            self.assertEqual(reply["retcode"], 101)
            self.assertIn("deployed", reply["retmsg"])
        finally:
            host.cli("revoke", "9999", "--components", "reader,datatransform,intersection")
            host.cli("grant", "9999", "--components", "*")

    def test_a_predict_job_shows_training_and_graph(self):
        job = self.predict(self.conf())
        trained = self.fed.guest.ok("job/query", {"job_id": self.job, "role": "guest"})["data"][0]["f_runtime_conf"]
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host"), (self.fed.arbiter, "arbiter")):
            where = {"job_id": job, "role": role, "party_id": site.party}
            row = site.ok("job/query", where)["data"][0]
            self.assertEqual(row["f_train_runtime_conf"], trained)
            self.assertEqual(row["f_runtime_conf"]["job_parameters"]["common"]["model_version"], self.child)
            self.assertEqual(site.ok("job/config", where)["data"]["train_runtime_conf"], trained)
        where = {"job_id": job, "role": "guest", "party_id": "9999"}
        config = self.fed.guest.ok("job/config", where)["data"]
        self.assertEqual(config["model_info"], dict(self.model, model_version=self.child))
        dsl = config["dsl"]["components"]
        self.assertEqual(dsl["hetero_lr_0"]["input"], {"data": {"test_data": ["intersection_0.data"]},
                                                       "model": ["pipeline.hetero_lr_0.model"]})
        graph = self.fed.guest.ok("pipeline/dag/dependency", where)["data"]
        self.assertEqual(graph["dependencies"]["hetero_lr_0"], [
            {"component_name": "intersection_0", "type": "test_data", "up_output_info": ["data", 0]}])
        view = self.fed.guest.ok("tracking/job/data_view", where)["data"]
        self.assertEqual(view["dataset"]["guest"]["9999"], {"reader_0": "predict.breast_guest"})
        # It makes no model of its own and shows the one that it used.
        used = self.fed.guest.ok("tracking/component/output/model", dict(where, component_name="hetero_lr_0"))["data"]
        self.assertEqual(used["iters"], 2)
        self.assertEqual(self.fed.guest.sql("SELECT COUNT(*) FROM model WHERE model_version = '%s'" % job), [["0"]])

    def test_the_dsl_that_was_sent_does_not_run_and_must_be_right(self):
        reply = self.submit(self.conf(), example("dsl.json"))
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertIn("[WARN]the DSL of the deployed model runs", reply["retmsg"])
        self.assertEqual(self.fed.guest.wait(reply["jobId"])["f_status"], "success")
        reply = self.submit(self.conf(), {"components": {"reader_0": {}}})
        self.assertEqual(reply["retcode"], 103)
        self.assertEqual(reply["errors"][0]["pointer"], "/job_dsl/components/reader_0/module")

    def test_the_command_line_deploys_predicts_and_exports(self):
        guest = self.fed.guest
        with tempfile.TemporaryDirectory() as folder:
            conf, archive = folder + "/predict.json", folder + "/model.zip"
            text = guest.cli("deploy", self.job, "--predict-conf", conf).stdout
            self.assertIn(self.model["model_id"], text)
            with open(conf, encoding="utf-8") as f:
                doc = json.load(f)
            self.assertNotEqual(doc["job_parameters"]["common"]["model_version"], self.job)
            self.assertIn(doc["job_parameters"]["common"]["model_version"], text)
            for role, name in (("guest", "breast_guest"), ("host", "breast_host")):
                table = doc["component_parameters"]["role"][role]["0"]["reader_0"]["table"]
                self.assertIn("to_be_filled", table["name"])
                table.update(name=name, namespace="predict")
            with open(conf, "w", encoding="utf-8") as f:
                json.dump(doc, f)
            # Deployed again, the tables that were named stay named.
            done = guest.cli("deploy", self.job, "--predict-conf", conf, check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(conf + " is there already", done.stderr)
            with open(conf, encoding="utf-8") as f:
                self.assertEqual(json.load(f), doc)
            done = guest.cli("submit", "--conf", conf, "--watch", "--json")
            job = json.loads(done.stdout)["job_id"]
            self.assertEqual(len(download(guest, job, "hetero_lr_0")[1]), 569)
            guest.cli("model", "export", self.job, "--role", "guest", "--party", "9999", "--output", archive)
            with zipfile.ZipFile(archive) as z:
                self.assertIn("define/define_meta.yaml", z.namelist())


class Refusals(Predict):
    def refused(self, conf, pointer, words):
        reply = self.submit(conf)
        self.assertEqual((reply["retcode"], reply["errors"][0]["pointer"]),
                         (103, "/job_runtime_conf" + pointer), reply)
        self.assertIn(words, reply["retmsg"])
        self.assertNotIn("data", reply)

    def test_the_command_line_tells_what_is_wrong_with_a_model_or_a_prediction(self):
        guest = self.fed.guest
        with tempfile.TemporaryDirectory() as folder:
            conf, archive = folder + "/train.json", folder + "/model.zip"
            with open(conf, "w", encoding="utf-8") as f:
                json.dump(lr_conf(namespace="predict"), f)
            for words, code, args in (
                    ("version 123", 1, ("deploy", "123")),
                    ('no component "nope_0"', 1, ("deploy", self.job, "--components", "nope_0")),
                    ("job_type", 2, ("submit", "--conf", conf)),
                    ("host 10000", 1, ("model", "export", self.job, "--role", "host", "--party", "10000",
                                       "--output", archive))):
                done = guest.cli(*args, check=False)
                self.assertEqual((done.returncode, done.stdout), (code, ""), args)
                self.assertIn(words, done.stderr)
            self.assertEqual(os.listdir(folder), ["train.json"])

    def test_the_initiator_alone_reports_a_job(self):
        report = json.loads(self.fed.guest.cli("report", self.job, "--json").stdout)
        self.assertEqual((report["job_id"], report["status"]), (self.job, "success"))
        self.assertGreater(report["auc"], 0.5)
        self.assertEqual({t["party_id"] for t in report["tasks"]}, {"9999", "10000", "10001"})
        done = self.fed.host.cli("report", self.job, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("was initiated by party 9999: its site has the report", done.stderr)

    def test_the_command_line_tells_why_there_is_nothing(self):
        guest = self.fed.guest
        for command in ("metrics", "output"):
            done = guest.cli(command, self.job, "nope_0", "--role", "guest", "--party", "9999", check=False)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("no data: nope_0 is no component", done.stderr)

    def test_the_command_line_tells_why_a_job_failed_before_any_task(self):
        guest, host = self.fed.guest, self.fed.host
        doc = lr_conf(namespace="predict", **LR)
        host.cli("revoke", "9999", "--roles", "*")
        self.addCleanup(host.cli, "grant", "9999", "--roles", "*")
        with tempfile.TemporaryDirectory() as folder:
            dsl, conf = folder + "/dsl.json", folder + "/conf.json"
            for path, value in ((dsl, example("dsl.json")), (conf, doc)):
                with open(path, "w", encoding="utf-8") as f:
                    json.dump(value, f)
            done = guest.cli("submit", "--dsl", dsl, "--conf", conf, "--watch", check=False)
        self.assertEqual(done.returncode, 3)
        why = "host 10000: party 9999 (as guest) may not have the role host at party 10000"
        self.assertEqual(done.stdout.count(why), 1, done.stdout)
        job = done.stdout.split()[0]
        # Once, however many members and tasks ended by it.
        for command in ("query", "tasks"):
            self.assertEqual(guest.cli(command, job).stdout.count(why), 1)
        self.assertIn(why, guest.cli("jobs", "--limit", "1").stdout)

    def test_a_version_that_was_not_deployed_is_refused(self):
        self.refused(self.conf(self.job), "/job_parameters/common/model_version", "deploy it")
        self.refused(self.conf("20990101"), "/job_parameters/common/model_version", "no such version")
        conf = self.conf()
        del conf["job_parameters"]["common"]["model_id"]
        self.refused(conf, "/job_parameters/common/model_id", "names a deployed model")

    def test_who_did_not_take_part_is_refused(self):
        conf = self.conf()
        conf["role"]["host"] = [10001]
        self.refused(conf, "/role/host/0", "did not take part as host")

    def test_a_partner_whose_half_is_of_another_version_refuses(self):
        child = self.deploy()
        self.fed.host.sql("UPDATE model SET root_hash = UNHEX(REPEAT('5a', 32)) WHERE model_version = '%s'" % child)
        reply = self.submit(self.conf(child))
        self.assertEqual(reply["retcode"], 0, reply)
        row = self.fed.guest.wait(reply["jobId"])
        self.assertEqual(row["f_status"], "failed")
        self.assertIn("do not belong together", str(self.fed.guest.events(reply["jobId"])))
        self.assertEqual(self.fed.host.sql("SELECT COUNT(*) FROM job WHERE job_id = '%s'" % reply["jobId"]), [["0"]])

    def refused_by_partners(self, child, words):
        reply = self.submit(self.conf(child))
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(self.fed.guest.wait(reply["jobId"])["f_status"], "failed")
        events = str(self.fed.guest.events(reply["jobId"]))
        self.assertIn(words, events)
        return events

    def test_a_partner_that_had_no_part_in_a_version_does_not_hear_of_it(self):
        child = self.deploy()
        for site in (self.fed.host, self.fed.arbiter):
            site.sql("UPDATE model SET roles = '{\"guest\":[7],\"host\":[10000]}' WHERE model_version = '%s'" % child)
        events = self.refused_by_partners(child, "no such version is known here")
        self.assertNotIn("root", events)

    def test_a_changed_model_file_fails_the_task_that_needs_it(self):
        # Another training, so that its files are no other version's too.
        job = self.fed.submit(lr_conf(namespace="predict", **dict(LR, max_iter=1, alpha=0.5)))
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success")
        child = self.deploy(model_version=job)
        sha = self.fed.host.sql("SELECT LOWER(HEX(sha256)) FROM model_part WHERE model_version = '%s' AND"
                                " component = 'hetero_lr_0' AND buffer_name LIKE '%%Param'" % child)[0][0]
        path = os.path.join(self.fed.host.home, "models", "objects", sha[:2], sha)
        with open(path, "r+b") as f:
            byte = f.read(1)
            f.seek(0)
            f.write(bytes([byte[0] ^ 1]))
        reply = self.submit(self.conf(child))
        self.assertEqual(self.fed.guest.wait(reply["jobId"])["f_status"], "failed")
        self.assertIn("hetero_lr_0", self.reports(reply["jobId"]))


class Unproven(Predict):
    """Versions whose halves nothing ties together: they came by an archive without a manifest."""

    def forget_root(self, version):
        for site in self.fed.sites.values():
            site.sql("UPDATE model SET root_hash = UNHEX(REPEAT('00', 32)), manifest_hash = root_hash, members = NULL"
                     " WHERE model_version = '%s'" % version)

    def test_it_is_not_deployed(self):
        job = self.fed.submit(lr_conf(namespace="predict", **dict(LR, max_iter=1)))
        # Members seal when they hear of the end.
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host"), (self.fed.arbiter, "arbiter")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "success")
        self.forget_root(job)
        reply = self.fed.guest.api("model/deploy", dict(self.model, model_version=job))
        self.assertNotEqual(reply["retcode"], 0, reply)
        self.assertIn("came by an archive without a manifest", json.dumps(reply))
        self.assertIn("train again, or import archives", json.dumps(reply))
        for site in self.fed.sites.values():
            self.assertEqual(site.sql("SELECT COUNT(*) FROM model WHERE parent_version = '%s'" % job), [["0"]])

    def test_it_does_not_predict_with_partners(self):
        child = self.deploy()
        self.forget_root(child)
        reply = self.submit(self.conf(child))
        self.assertEqual((reply["retcode"], reply["errors"][0]["pointer"]),
                         (103, "/job_runtime_conf/job_parameters/common/model_version"), reply)
        self.assertIn("serves jobs without partners only", reply["retmsg"])
        self.assertNotIn("data", reply)


class Losses(Predict):
    """A party is lost in the middle of a predict job."""

    def lost(self, site, column):
        """The job's end at every member after a process of its attempt at the site was killed."""
        reply = self.submit(self.conf())
        self.assertEqual(reply["retcode"], 0, reply)
        job = reply["jobId"]
        running = "SELECT %s, component FROM attempt WHERE job_id = '%s' AND ended_at IS NULL AND %s IS NOT NULL" % (
            column, job, column)

        def killed():
            """The task that lost its process before it had ended by itself."""
            for pid, component in site.sql(running):
                try:
                    kill(int(pid))
                except ProcessLookupError:
                    continue
                return self.fed.guest.tasks(job, component_name=component, status="failed")
            return self.fed.guest.tasks(job, status="failed")
        wait_for(killed, what="a task that failed")
        for one, role in ((self.fed.guest, "guest"), (self.fed.host, "host"), (self.fed.arbiter, "arbiter")):
            self.assertEqual(one.wait(job, role=role)["f_status"], "failed", one.events(job))
            held = "SELECT COUNT(*) FROM resource_grant WHERE job_id = '%s' AND returned_at IS NULL" % job
            wait_for(lambda one=one: one.sql(held) == [["0"]], what="resources returned")
            open_ones = "SELECT COUNT(*) FROM attempt WHERE job_id = '%s' AND ended_at IS NULL" % job
            wait_for(lambda one=one: one.sql(open_ones) == [["0"]], what="the ends of its attempts")
        wait_for(lambda: not processes(job), what="no process of the job left")

    def test_an_executor_of_the_host_is_killed(self):
        self.lost(self.fed.host, "executor_pid")

    def test_a_shepherd_of_the_host_is_killed(self):
        self.lost(self.fed.host, "shepherd_pid")

    def test_a_shepherd_of_the_guest_is_killed_and_the_model_still_predicts(self):
        self.lost(self.fed.guest, "shepherd_pid")
        self.predict(self.conf())


class EarlierModels(Predict):
    def test_a_loaded_model_is_applied_and_trained_further(self):
        dsl = {"components": {
            "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
            "load_transform": {"module": "ModelLoader", "output": {"model": ["model"]}},
            "load_lr": {"module": "ModelLoader", "output": {"model": ["model"]}},
            "data_transform_0": {"module": "DataTransform", "input": {
                "data": {"data": ["reader_0.data"]}, "model": ["load_transform.model"]},
                "output": {"data": ["data"], "model": ["model"]}},
            "intersection_0": {"module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
                               "output": {"data": ["data"]}},
            "scale_0": {"module": "FeatureScale", "input": {"data": {"data": ["intersection_0.data"]}},
                        "output": {"data": ["data"], "model": ["model"]}},
            "hetero_lr_0": {"module": "HeteroLR", "input": {
                "data": {"train_data": ["scale_0.data"]}, "model": ["load_lr.model"]},
                "output": {"data": ["data"], "model": ["model"]}},
            "hetero_lr_1": {"module": "HeteroLR", "input": {
                "data": {"test_data": ["scale_0.data"]}, "model": ["load_lr.model"]},
                "output": {"data": ["data"], "model": ["model"]}}}}
        conf = lr_conf(namespace="predict", **dict(LR, max_iter=4))
        common = conf["component_parameters"]["common"]
        del common["evaluation_0"]
        # What is not said here is as it was in that training.
        common["hetero_lr_0"] = {"max_iter": 4}
        common["scale_0"] = {"need_run": False}
        common["load_transform"] = dict(self.model, component_name="data_transform_0")
        common["load_lr"] = {"model_id": self.model["model_id"], "model_version": self.child,
                             "component_name": "hetero_lr_0", "model_alias": "model"}
        job = self.fed.submit(conf, dsl)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))
        model = self.fed.guest.ok("tracking/component/output/model", {
            "job_id": job, "component_name": "hetero_lr_0", "role": "guest", "party_id": "9999"})["data"]
        self.assertEqual(model["iters"], 4)
        for component, iters in (("hetero_lr_0", 4), ("hetero_lr_1", 2)):
            param = self.fed.host.ok("tracking/component/parameters", {
                "job_id": job, "component_name": component, "role": "host", "party_id": "10000"})["data"][
                    "ComponentParam"]
            self.assertEqual((param["max_iter"], param["optimizer"], param["encrypt_param"]["key_length"]),
                             (iters, "rmsprop", 1024))
        _, rows = download(self.fed.guest, job, "hetero_lr_1")
        _, trained = download(self.fed.guest, self.job, "hetero_lr_0")
        self.assertEqual(scores(rows), scores(trained))
        states = {t["f_component_name"]: t["f_party_status"] for t in self.fed.guest.tasks(job, role="guest")}
        self.assertEqual((states["scale_0"], states["hetero_lr_0"]), ("pass", "success"))

    def test_a_model_that_is_not_there_is_missed_by_name(self):
        dsl = {"components": {"load_lr": {"module": "ModelLoader", "output": {"model": ["model"]}}}}
        conf = lr_conf(namespace="predict")
        conf["component_parameters"] = {"common": {"load_lr": dict(self.model, component_name="hetero_lr_7")}}
        job = self.fed.submit(conf, dsl)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        self.assertIn("no such model of hetero_lr_7", self.reports(job))

    def test_halves_without_a_root_are_not_loaded_together(self):
        child = self.deploy()
        for site in (self.fed.guest, self.fed.host, self.fed.arbiter):
            site.sql("UPDATE model SET root_hash = UNHEX(REPEAT('00', 32)) WHERE model_version = '%s'" % child)
        dsl = {"components": {"load_lr": {"module": "ModelLoader", "output": {"model": ["model"]}}}}
        conf = lr_conf(namespace="predict")
        conf["component_parameters"] = {"common": {"load_lr": {
            "model_id": self.model["model_id"], "model_version": child, "component_name": "hetero_lr_0"}}}
        job = self.fed.submit(conf, dsl)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        self.assertIn("imported here without its root", str(self.fed.guest.events(job)))


if __name__ == "__main__":
    unittest.main()

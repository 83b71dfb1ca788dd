"""flow model, tag, checkpoint: as users type them."""
import glob
import json
import os
import unittest
import zipfile

from client import WORLD, scratch_file


def version(v=None):
    return ["--model-id", WORLD.model["model_id"], "--model-version", v or WORLD.trained]


def member_conf(name, **more):
    conf = dict(WORLD.model, role="guest", party_id=9999, output_path=WORLD.flow.path("exported"))
    conf.update(more)
    return scratch_file(name + ".json", conf)


class Info(unittest.TestCase):
    def test_a_model_is_told_in_short(self):
        rows = WORLD.flow.ok("model", "get-model-info", *version())["data"]
        self.assertEqual({r["f_role"] for r in rows}, {"guest"})
        self.assertEqual(set(rows[0]), {"f_" + k for k in (
            "create_date role party_id roles model_id model_version loaded_times size description parent parent_info"
        ).split()})
        self.assertTrue(rows[0]["f_parent"])

    def test_a_model_is_told_in_full(self):
        rows = WORLD.flow.ok("model", "get-model-info", "--model-version", WORLD.trained, "-r", "guest", "-p", "9999",
                             "--detail")["data"]
        for key in ("f_train_dsl", "f_inference_dsl", "f_runtime_conf", "f_train_runtime_conf", "f_initiator_role",
                    "f_fate_version", "f_imported", "f_archive_sha256"):
            self.assertIn(key, rows[0])

    def test_an_unknown_model_is_an_empty_list(self):
        answer = WORLD.flow("model", "get-model-info", "--model-version", "2099")
        self.assertEqual((answer["retcode"], answer["data"]), (100, []))


class Deploy(unittest.TestCase):
    def deploy(self, *options, v=None):
        answer = WORLD.flow("model", "deploy", *version(v), *options)
        if answer["retcode"] == 0:
            self.assertEqual(answer["data"]["model_id"], WORLD.model["model_id"])
            self.assertNotEqual(answer["data"]["model_version"], WORLD.trained)
            self.assertEqual(answer["data"]["guest"], {"9999": 0})
            self.assertEqual(answer["data"]["host"], {"10000": 0})
            self.assertEqual(answer["data"]["arbiter"], {"10001": 0})
            self.assertEqual(answer["data"]["detail"]["host"]["10000"]["retcode"], 0)
        return answer

    def predict_dsl(self, v):
        out = WORLD.flow.path("predict")
        answer = WORLD.flow.ok("model", "get-predict-dsl", *version(v), "-o", out)
        with open(answer["retmsg"].split("File path is: ")[1], encoding="utf-8") as f:
            return json.load(f)["components"]

    def test_with_nothing_said_all_components_stay(self):
        answer = self.deploy()
        self.assertEqual(answer["retcode"], 0, dict(answer))
        self.assertEqual(set(self.predict_dsl(answer["data"]["model_version"])),
                         {"reader_0", "data_transform_0", "intersection_0", "hetero_lr_0", "evaluation_0"})

    def test_a_list_or_a_file_chooses_components(self):
        names = "reader_0, data_transform_0,intersection_0\n,hetero_lr_0"
        for options in (["--cpn-list", names], ["--cpn-path", scratch_file("deploy.txt", "[%s]" % names)]):
            answer = self.deploy(*options)
            self.assertEqual(answer["retcode"], 0, dict(answer))
            self.assertNotIn("evaluation_0", self.predict_dsl(answer["data"]["model_version"]))

    def test_a_graph_may_be_given(self):
        dsl = self.predict_dsl(WORLD.deployed)
        answer = self.deploy("--dsl-path", scratch_file("given.json", {"components": dsl}))
        self.assertEqual(answer["retcode"], 0, dict(answer))
        self.assertEqual(self.predict_dsl(answer["data"]["model_version"]), dsl)

    def test_an_unknown_component_or_model_is_refused(self):
        answer = self.deploy("--cpn-list", "nobody_0")
        self.assertNotEqual(answer["retcode"], 0)
        self.assertIn("nobody_0", json.dumps(answer))
        self.assertEqual(self.deploy(v="20990101000000000000")["retcode"], 404)

    def test_a_child_is_not_deployed_again(self):
        self.assertNotEqual(self.deploy(v=WORLD.deployed)["retcode"], 0)

    def test_an_unknown_checkpoint_is_refused(self):
        for option in ("--cpn-step-index", "--cpn-step-name"):
            answer = self.deploy(option, "hetero_lr_0:1")
            self.assertNotEqual(answer["retcode"], 0)

    def test_a_template_of_the_configuration_is_given(self):
        out = WORLD.flow.path("predict_conf")
        answer = WORLD.flow.ok("model", "get-predict-conf", *version(WORLD.deployed), "-o", out)
        with open(answer["retmsg"].split("File path is: ")[1], encoding="utf-8") as f:
            conf = json.load(f)
        self.assertEqual(conf["job_parameters"]["common"]["model_version"], WORLD.deployed)
        self.assertEqual(conf["job_parameters"]["common"]["job_type"], "predict")
        for role in ("guest", "host"):
            self.assertIn("name", conf["component_parameters"]["role"][role]["0"]["reader_0"]["table"])
        # What was not deployed has none.
        self.assertEqual(WORLD.flow("model", "get-predict-conf", *version("2099"), "-o", out)["retcode"], 210)
        self.assertEqual(WORLD.flow("model", "get-predict-dsl", *version("2099"), "-o", out)["retcode"], 210)


def predict_conf(v):
    return {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
            "role": {"guest": [9999], "host": [10000], "arbiter": [10001]},
            "job_parameters": {"common": {"job_type": "predict", "model_id": WORLD.model["model_id"],
                                          "model_version": v}},
            "component_parameters": {"role": {
                "guest": {"0": {"reader_0": {"table": {"name": "breast_hetero_guest", "namespace": "experiment"}}}},
                "host": {"0": {"reader_0": {"table": {"name": "breast_hetero_host", "namespace": "experiment"}}}}}}}


class Predict(unittest.TestCase):
    def test_a_deployed_model_predicts(self):
        answer = WORLD.flow.ok("job", "submit", "-c", scratch_file("predict.json", predict_conf(WORLD.deployed)))
        job = answer["jobId"]
        self.assertEqual(WORLD.guest.wait(job)["f_status"], "success", WORLD.guest.events(job))
        out = WORLD.flow.path("predicted")
        told = WORLD.flow.ok("component", "output-data", *WORLD.member("hetero_lr_0", job=job), "-o", out)
        files = glob.glob(os.path.join(told["directory"], "*.csv"))
        with open(files[0], encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.assertEqual(len(lines), 570)
        self.assertTrue(lines[1].endswith(",predict"))

    def test_a_model_that_was_not_deployed_does_not_predict(self):
        refused = WORLD.flow("job", "submit", "-c", scratch_file("predict.json", predict_conf(WORLD.trained)))
        self.assertEqual(refused["retcode"], 103)
        self.assertIn("deploy", refused["retmsg"])


class Serving(unittest.TestCase):
    """No serving is configured here: the answers say so, party by party."""

    def test_load_says_what_each_party_said(self):
        for args in (["-j", WORLD.deployed], ["-c", scratch_file("load.json", {
            "initiator": {"party_id": "9999", "role": "guest"},
            "role": {"guest": ["9999"], "host": ["10000"], "arbiter": ["10001"]},
            "job_parameters": {"model_id": WORLD.model["model_id"], "model_version": WORLD.deployed}})]):
            answer = WORLD.flow("model", "load", *args)
            self.assertEqual(answer["retcode"], 101, dict(answer))
            self.assertEqual(answer["data"]["guest"], {"9999": 100})
            self.assertIn("serving", answer["data"]["detail"]["guest"]["9999"]["retmsg"].lower())
            self.assertNotIn("arbiter", answer["data"])
        self.assertEqual(WORLD.flow("model", "load", "-j", "2099")["retcode"], 101)

    def test_bind_says_that_there_is_none(self):
        conf = {"service_id": "s1", "initiator": {"party_id": "9999", "role": "guest"},
                "role": {"guest": ["9999"], "host": ["10000"], "arbiter": ["10001"]},
                "job_parameters": {"model_id": WORLD.model["model_id"], "model_version": WORLD.deployed}}
        self.assertEqual(WORLD.flow("model", "bind", "-c", scratch_file("bind.json", conf))["retcode"], 100)
        conf.pop("service_id")
        self.assertEqual(WORLD.flow("model", "bind", "-c", scratch_file("bind.json", conf))["retcode"], 101)


class Archives(unittest.TestCase):
    def exported(self):
        answer = WORLD.flow.ok("model", "export", "-c", member_conf("export"))
        self.assertEqual(os.path.basename(answer["file"]), "guest#9999#%s_%s.zip" % (
            WORLD.model["model_id"], WORLD.trained))
        return answer["file"]

    def test_an_archive_has_the_classic_layout(self):
        with zipfile.ZipFile(self.exported()) as z:
            self.assertIsNone(z.testzip())
            names = set(z.namelist())
            told = json.loads(z.read("import_model.json"))
        for name in ("define/define_meta.yaml", "variables/data/pipeline/pipeline/Pipeline",
                     "variables/data/hetero_lr_0/model/LRModelParam.json",
                     "run_parameters/hetero_lr_0/run_parameters.json"):
            self.assertTrue(any(n.lower() == name.lower() or name.split("/")[-2] in n for n in names), (name, names))
        self.assertEqual((told["role"], told["party_id"], told["model_version"]), ("guest", 9999, WORLD.trained))

    def test_an_archive_is_imported_once_or_by_force(self):
        file = self.exported()
        refused = WORLD.flow("model", "import", "-c", member_conf("import", file=file))
        self.assertEqual(refused["retcode"], 409, dict(refused))
        answer = WORLD.flow.ok("model", "import", "-c", member_conf("import", file=file, force_update=True))
        self.assertEqual(answer["data"]["party_id"], "9999")
        self.assertEqual(answer["data"]["model_version"], WORLD.trained)
        self.assertNotIn("jobId", answer)
        wrong = WORLD.flow("model", "import", "-c", member_conf("import", file=file, force_update=True, party_id=7777))
        self.assertNotEqual(wrong["retcode"], 0)
        wrong = WORLD.flow("model", "import", "-c", member_conf("import", file=file, force_update=True, hash="00"))
        self.assertEqual(wrong["retcode"], 100)

    def test_what_is_no_archive_is_refused(self):
        file = scratch_file("not.zip", "this is no archive")
        refused = WORLD.flow("model", "import", "-c", member_conf("import", file=file, force_update=True))
        self.assertEqual(refused["retcode"], 100)

    def test_an_unknown_model_is_not_exported(self):
        self.assertEqual(WORLD.flow("model", "export", "-c", member_conf("e", model_version="2099"))["retcode"], 404)

    def test_a_store_takes_a_model_and_gives_it_back(self):
        for command, option in (("export", "--to-database"), ("import", "--from-database")):
            answer = WORLD.flow.ok("model", command, option, "-c", member_conf("store", force_update=True))
            self.assertIn("job_id", answer["data"])
            row = WORLD.guest.wait(answer["jobId"], role="local", party="0")
            if row["f_status"] != "success":  # no store is configured: the job says so
                tasks = WORLD.flow.ok("task", "query", "-j", answer["jobId"])["data"]
                self.assertIn("store", tasks[0]["f_error_report"])

    def test_a_model_moves_to_other_parties(self):
        conf = {"job_parameters": {"federated_mode": "MULTIPLE"}, "execute_party": {"guest": [9999]},
                "role": {"guest": [9999], "host": [10000], "arbiter": [10001]},
                "migrate_initiator": {"role": "guest", "party_id": 8888},
                "migrate_role": {"guest": [8888], "host": [10000], "arbiter": [10001]}, **WORLD.model}
        answer = WORLD.flow("model", "migrate", "-c", scratch_file("migrate.json", conf))
        self.assertEqual(answer["retcode"], 0, dict(answer))
        self.assertEqual(answer["data"]["guest"]["9999"], 0, answer["data"])
        self.assertIn("guest-8888", answer["data"]["detail"]["guest"]["9999"]["retmsg"])
        conf["migrate_role"] = conf["role"]
        self.assertEqual(WORLD.flow("model", "migrate", "-c", scratch_file("migrate.json", conf))["retcode"], 100)


class Homo(unittest.TestCase):
    def test_conversion_and_deployment_answer_honestly(self):
        conf = dict(WORLD.model, role="guest", party_id=9999, framework_name="sklearn")
        answer = WORLD.flow("model", "homo-convert", "-c", scratch_file("convert.json", conf))
        self.assertNotEqual(answer["retcode"], 0, dict(answer))  # nothing homogeneous in this model
        conf.update(service_id="s", component_name="hetero_lr_0", deployment_type="kfserving", deployment_parameters={})
        answer = WORLD.flow("model", "homo-deploy", "-c", scratch_file("homo.json", conf))
        self.assertNotEqual(answer["retcode"], 0)


class Tags(unittest.TestCase):
    def test_a_tag_lives(self):
        flow = WORLD.flow
        for name in ("clients_a", "clients_b", "clients_c"):
            flow("tag", "delete", "-t", name)
        flow.ok("tag", "create", "-t", "clients_a", "-d", "words about it")
        self.assertEqual(flow("tag", "create", "-t", "clients_a")["retcode"], 100)
        flow.ok("tag", "create", "-t", "clients_b")
        tags = {t["name"]: t["description"] for t in flow.ok("tag", "query", "-t", "clients_")["data"]["tags"]}
        self.assertEqual(tags["clients_a"], "words about it")
        self.assertFalse(tags["clients_b"])
        self.assertEqual(flow("tag", "query", "-t", "no such tag")["retcode"], 100)
        flow.ok("tag", "update", "-t", "clients_a", "--new-tag-name", "clients_c")
        self.assertFalse(flow.ok("tag", "query", "-t", "clients_c")["data"]["tags"][0]["description"])
        self.assertEqual(flow("tag", "update", "-t", "clients_c", "--new-tag-name", "clients_b")["retcode"], 100)
        self.assertEqual(flow("tag", "update", "-t", "clients_a", "--new-tag-name", "x")["retcode"], 100)
        tags = {t["name"]: t["model_count"] for t in flow.ok("tag", "list", "-l", "100")["data"]["tags"]}
        self.assertEqual(tags["clients_c"], 0)
        self.assertEqual(len(flow.ok("tag", "list", "-l", "1")["data"]["tags"]), 1)
        flow.ok("tag", "delete", "-t", "clients_b")
        flow.ok("tag", "delete", "-t", "clients_c")
        self.assertEqual(flow("tag", "delete", "-t", "clients_c")["retcode"], 100)

    def test_a_model_wears_tags(self):
        flow, job = WORLD.flow, WORLD.trained
        flow("tag", "delete", "-t", "clients_m")
        flow.ok("model", "tag-model", "-j", job, "-t", "clients_m")
        self.assertEqual(flow("model", "tag-model", "-j", job, "-t", "clients_m")["retcode"], 100)
        told = flow.ok("model", "tag-list", "-j", job)["data"]
        self.assertIn("clients_m", {t["name"] for t in told["tags"]})
        self.assertEqual(told["count"], len(told["tags"]))
        models = flow.ok("tag", "query", "-t", "clients_m", "--with-model")["data"]
        self.assertEqual(models["count"], len(models["models"]))
        self.assertEqual({m["model_version"] for m in models["models"]}, {job})
        flow.ok("model", "tag-model", "-j", job, "-t", "clients_m", "--remove")
        self.assertEqual(flow("model", "tag-model", "-j", job, "-t", "clients_m", "--remove")["retcode"], 100)
        self.assertEqual(flow("model", "tag-model", "-j", "2099", "-t", "clients_m")["retcode"], 100)


class Checkpoints(unittest.TestCase):
    def args(self, *more):
        return ["-r", "guest", "-p", "9999", *version(), "-cpn", "hetero_lr_0", *more]

    def test_none_were_written(self):
        self.assertEqual(WORLD.flow.ok("checkpoint", "list", *self.args())["data"], [])

    def test_an_unknown_one_is_not_there(self):
        for step in (["--step-index", "3"], ["--step-name", "round_3"]):
            self.assertEqual(WORLD.flow("checkpoint", "get", *self.args(*step))["retcode"], 404)

"""flow job, task, queue, resource: as users type them."""
import json
import os
import unittest

from client import ENDED, JOBS, WORLD, Flow, job_file, scratch_file
from federation import wait_for

KEYS_OF_A_JOB = """job_id user_id name description tag dsl runtime_conf runtime_conf_on_party train_runtime_conf roles
initiator_role initiator_party_id status status_code user role party_id is_initiator progress ready_signal ready_time
cancel_signal cancel_time rerun_signal end_scheduling_updates engine_name engine_type cores memory remaining_cores
remaining_memory resource_in_use apply_resource_time return_resource_time inheritance_info inheritance_status start_time
start_date end_time end_date elapsed create_time create_date update_time update_date""".split()
KEYS_OF_A_TASK = """job_id component_name component_module task_id task_version initiator_role initiator_party_id
federated_mode federated_status_collect_type status status_code auto_retries auto_retry_delay role party_id
run_on_this_party worker_id cmd run_ip run_port run_pid party_status provider_info component_parameters engine_conf
kill_status error_report is_deepspeed deepspeed_id start_time start_date end_time end_date elapsed create_time create_date
update_time update_date""".split()


def without(keys, *gone):
    return {"f_" + k for k in keys if k not in gone}


def slow_job():
    """A job that runs until it is stopped."""
    conf = job_file("hetero_lr_conf")
    conf["component_parameters"]["common"]["hetero_lr_0"].update(
        max_iter=100000, tol=0, early_stop="weight_diff", encrypt_param={"key_length": 2048})
    answer = WORLD.flow.ok("job", "submit", "-c", scratch_file("slow.json", conf),
                           "-d", os.path.join(JOBS, "hetero_lr_dsl.json"))
    return answer["jobId"]


class Submit(unittest.TestCase):
    def test_the_answer_has_all_that_clients_read(self):
        assert WORLD.tables
        answer = WORLD.submit("toy")
        self.assertEqual(answer["retcode"], 0, dict(answer))
        job, data = answer["jobId"], answer["data"]
        self.assertRegex(job, r"^\d{21,25}$")
        self.assertEqual((data["job_id"], data["code"]), (job, 0))
        self.assertEqual(data["model_info"], {"model_id": "guest-9999#host-10000#model", "model_version": job})
        self.assertTrue(data["board_url"].endswith("/index.html#/dashboard?job_id=%s&role=guest&party_id=9999" % job))
        for key in ("message", "logs_directory", "dsl_path", "runtime_conf_path", "runtime_conf_on_party_path",
                    "train_runtime_conf_path", "pipeline_dsl_path"):
            self.assertIsInstance(data[key], str)
        # The row is there before the answer is, and never shows `ready`.
        row = WORLD.guest.ok("job/query", {"job_id": job, "role": "guest", "party_id": "9999"})["data"][0]
        self.assertIn(row["f_status"], ("waiting", "running", "success"))
        self.assertEqual(WORLD.guest.wait(job)["f_status"], "success")

    def test_removed_parameters_are_told_but_taken(self):
        conf = job_file("toy_conf")
        conf["job_parameters"]["common"].update(work_mode=1, backend=0)
        answer = WORLD.flow.ok("job", "submit", "-c", scratch_file("warn.json", conf),
                               "-d", os.path.join(JOBS, "toy_dsl.json"))
        self.assertIn("[WARN]", answer["retmsg"] + answer["data"]["message"])
        self.assertEqual(WORLD.guest.wait(answer["jobId"])["f_status"], "success")

    def test_what_is_wrong_is_told_at_once_and_leaves_no_job(self):
        dsl = os.path.join(JOBS, "hetero_lr_dsl.json")

        def broken(change):
            conf = job_file("hetero_lr_conf")
            change(conf)
            return conf
        cases = {
            "version": lambda c: c.update(dsl_version=1),
            "initiator": lambda c: c["initiator"].update(party_id=10000),
            "no roles": lambda c: c.pop("role"),
            "no initiator": lambda c: c.pop("initiator"),
            "parameter": lambda c: c["component_parameters"]["common"]["hetero_lr_0"].update(max_itre=3),
            "value": lambda c: c["component_parameters"]["common"]["hetero_lr_0"].update(penalty="L7"),
            "party": lambda c: c["role"].update(host=[-3]),
            "predict": lambda c: c["job_parameters"]["common"].update(job_type="predict"),
        }
        before = WORLD.guest.sql("SELECT count(*) FROM job")
        for name, change in cases.items():
            with self.subTest(name):
                answer = WORLD.flow("job", "submit", "-c", scratch_file("broken.json", broken(change)), "-d", dsl)
                self.assertEqual(answer["retcode"], 103, dict(answer))
                self.assertNotIn("data", answer)
                self.assertIn("jobId", answer)
                for word in ("connection refused", "max retries"):
                    self.assertNotIn(word, answer["retmsg"].lower())
        self.assertEqual(WORLD.guest.sql("SELECT count(*) FROM job"), before)

    def test_a_job_without_a_graph_is_refused(self):
        answer = WORLD.flow("job", "submit", "-c", os.path.join(JOBS, "hetero_lr_conf.json"))
        self.assertEqual(answer["retcode"], 103)


class Query(unittest.TestCase):
    def test_a_row_has_every_key(self):
        rows = WORLD.flow.ok("job", "query", "-j", WORLD.trained, "-r", "guest", "-p", "9999")["data"]
        self.assertEqual(len(rows), 1)
        self.assertLessEqual(without(KEYS_OF_A_JOB, "dsl", "runtime_conf"), set(rows[0]))
        row = rows[0]
        self.assertEqual((row["f_status"], row["f_progress"], row["f_party_id"], row["f_initiator_party_id"]),
                         ("success", 100, "9999", "9999"))
        self.assertEqual(row["f_roles"], {"guest": [9999], "host": [10000], "arbiter": [10001]})
        self.assertTrue(row["f_is_initiator"])
        self.assertEqual(row["f_elapsed"], row["f_end_time"] - row["f_start_time"])
        self.assertEqual((row["f_tag"], row["f_inheritance_status"]), ("job_end", "pass"))

    def test_filters_choose(self):
        self.assertTrue(WORLD.trained)
        for args, found in ((["-s", "success"], True), (["-r", "guest", "-s", "success"], True),
                            (["-j", WORLD.trained, "-s", "failed"], False), (["-j", "2099"], False),
                            (["-s", "partial"], False), ([], False)):
            with self.subTest(args):
                answer = WORLD.flow.ok("job", "query", *args)
                self.assertEqual(bool(answer["data"]), found)
                if not found:
                    self.assertEqual((answer["retmsg"], answer["data"]), ("no job could be found", []))

    def test_the_list_is_a_page(self):
        self.assertTrue(WORLD.trained)
        answer = WORLD.flow.ok("job", "list", "-l", "2")["data"]
        self.assertLessEqual(len(answer["jobs"]), 2)
        self.assertGreaterEqual(answer["count"], len(answer["jobs"]))
        row = answer["jobs"][0]
        self.assertLessEqual(set(KEYS_OF_A_JOB) | {"partners"}, set(row))
        self.assertIsInstance(row["party_id"], int)
        times = [j["create_time"] for j in answer["jobs"]]
        self.assertEqual(times, sorted(times, reverse=True))

    def test_tasks_are_told(self):
        rows = WORLD.flow.ok("task", "query", "-j", WORLD.trained, "-r", "guest", "-p", "9999")["data"]
        self.assertLessEqual(without(KEYS_OF_A_TASK), set(rows[0]))
        names = {"reader_0", "data_transform_0", "intersection_0", "hetero_lr_0", "evaluation_0"}
        self.assertEqual({r["f_component_name"] for r in rows}, names)
        one = WORLD.flow.ok("task", "query", "-j", WORLD.trained, "-r", "host", "-p", "10000", "-cpn", "hetero_lr_0",
                            "-s", "success")["data"]
        self.assertEqual([(r["f_component_module"], r["f_party_id"]) for r in one], [("HeteroLR", "10000")])
        self.assertEqual(WORLD.flow("task", "query", "-j", WORLD.trained, "-s", "failed")["retcode"], 101)

    def test_tasks_are_listed(self):
        answer = WORLD.flow.ok("task", "list", "-l", "3")["data"]
        self.assertLessEqual(len(answer["tasks"]), 3)
        self.assertLessEqual(set(KEYS_OF_A_TASK), set(answer["tasks"][0]))

    def test_the_view_lists_output_tables(self):
        rows = WORLD.flow.ok("job", "view", "-j", WORLD.trained, "-r", "guest", "-p", "9999", "-s", "failed")["data"]
        self.assertIn("hetero_lr_0", {r["f_component_name"] for r in rows})
        for key in ("f_job_id", "f_task_id", "f_task_version", "f_data_name", "f_role", "f_party_id", "f_table_name",
                    "f_table_namespace", "f_description", "f_create_time"):
            self.assertIn(key, rows[0])
        self.assertEqual(WORLD.flow("job", "view", "-j", "20990101000000000000")["retcode"], 101)

    def test_the_configuration_comes_as_files(self):
        out = WORLD.flow.path("config")
        answer = WORLD.flow.ok("job", "config", "-j", WORLD.trained, "-r", "guest", "-p", "9999", "-o", out)
        for name in ("dsl", "runtime_conf", "train_runtime_conf", "model_info"):
            with open(os.path.join(answer["directory"], name + ".json"), encoding="utf-8") as f:
                content = json.load(f)
            if name == "dsl":
                self.assertIn("hetero_lr_0", content["components"])
        self.assertEqual(answer["data"]["model_info"], WORLD.model)
        self.assertEqual(WORLD.flow("job", "config", "-j", "1", "-r", "guest", "-p", "9999", "-o", out)["retcode"], 101)

    def test_the_logs_come_as_a_tree(self):
        out = WORLD.flow.path("logs")
        answer = WORLD.flow.ok("job", "log", "-j", WORLD.trained, "-o", out)
        for name in ("fate_flow_schedule.log", "guest/9999/INFO.log", "guest/9999/ERROR.log",
                     "guest/9999/hetero_lr_0/INFO.log"):
            self.assertTrue(os.path.exists(os.path.join(answer["directory"], name)), name)
        refused = WORLD.flow("job", "log", "-j", "20990101000000000000", "-o", out)
        self.assertEqual(refused["retcode"], 404)

    def test_a_predict_graph_is_derived(self):
        dsl = os.path.join(JOBS, "hetero_lr_dsl.json")
        kept = "reader_0, data_transform_0,\nintersection_0,hetero_lr_0"
        out = WORLD.flow.path("dsl")
        plain = WORLD.flow.ok("job", "dsl", "--train-dsl-path", dsl, "--cpn-list", "[%s]" % kept)["data"]
        self.assertEqual(plain["components"]["hetero_lr_0"]["input"],
                         {"data": {"test_data": ["intersection_0.data"]}, "model": ["pipeline.hetero_lr_0.model"]})
        self.assertEqual(plain["components"]["hetero_lr_0"]["output"], {"data": ["data"]})
        answer = WORLD.flow.ok("job", "dsl", "--train-dsl-path", dsl, "--cpn-path", scratch_file("cpn.txt", kept),
                               "-o", out)
        path = answer["retmsg"].split("File path is: ")[1]
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f), plain)
        refused = WORLD.flow("job", "dsl", "--train-dsl-path", dsl, "--cpn-list", "nobody_0")
        self.assertEqual(refused["retcode"], 210)


class Control(unittest.TestCase):
    def test_a_running_job_is_stopped_at_all_parties(self):
        assert WORLD.tables
        job = slow_job()
        WORLD.guest.wait(job, until=("running",) + ENDED)
        using = WORLD.flow.ok("resource", "query")["data"]
        self.assertIn(job, {u["job_id"] for u in using["use_resource_job"]})
        self.assertNotIn("data", WORLD.flow.ok("job", "stop", "-j", job))
        self.assertEqual(WORLD.guest.wait(job)["f_status"], "canceled")
        self.assertEqual(WORLD.host.wait(job, role="host")["f_status"], "canceled")
        wait_for(lambda: job not in {u["job_id"] for u in WORLD.flow.ok("resource", "query")["data"][
            "use_resource_job"]}, what="return of resources")
        # Nothing to do any more is no error; nothing known is.
        WORLD.flow.ok("job", "stop", "-j", job)
        self.assertEqual(WORLD.flow("job", "stop", "-j", "20990101000000000000")["retcode"], 102)

    def test_a_stopped_job_runs_again(self):
        assert WORLD.tables
        job = slow_job()
        WORLD.guest.wait(job, until=("running",) + ENDED)
        WORLD.flow.ok("job", "stop", "-j", job)
        self.assertEqual(WORLD.guest.wait(job)["f_status"], "canceled")
        update = {"component_parameters": {"common": {"hetero_lr_0": {
            "max_iter": 2, "encrypt_param": {"key_length": 1024}}}}}
        told = WORLD.flow.ok("job", "parameter-update", "-j", job, "-c", scratch_file("update.json", update))["data"]
        self.assertEqual(told["component_parameters"]["common"]["hetero_lr_0"]["max_iter"], 2)
        answer = WORLD.flow.ok("job", "rerun", "-j", job)
        self.assertIn("rerun", answer["retmsg"])
        row = wait_for(lambda: next((r for r in WORLD.guest.ok("job/query", {
            "job_id": job, "role": "guest", "party_id": "9999"})["data"] if r["f_status"] == "success"), None),
            seconds=300, what="success of the rerun")
        self.assertEqual(row["f_progress"], 100)
        versions = {t["f_component_name"]: t["f_task_version"]
                    for t in WORLD.flow.ok("task", "query", "-j", job, "-r", "guest")["data"]}
        self.assertGreater(versions["hetero_lr_0"], 0)

    def test_a_rerun_with_nothing_to_do_is_no_error(self):
        WORLD.flow.ok("job", "rerun", "-j", WORLD.trained)
        self.assertEqual(WORLD.flow("job", "rerun", "-j", "20990101000000000000")["retcode"], 102)
        self.assertEqual(WORLD.guest.wait(WORLD.trained)["f_status"], "success")

    def test_parameters_of_an_unknown_job_are_not_updated(self):
        path = scratch_file("update.json", {"job_parameters": {}, "component_parameters": {}})
        self.assertEqual(WORLD.flow("job", "parameter-update", "-j", "2099", "-c", path)["retcode"], 102)

    def test_the_queue_is_emptied(self):
        answer = WORLD.flow.ok("queue", "clean")
        self.assertIsInstance(answer["data"], dict)
        self.assertTrue(all(code == 0 for code in answer["data"].values()))

    def test_resources_of_an_ended_job_are_not_returned_again(self):
        rows = WORLD.flow.ok("resource", "return", "-j", WORLD.trained)["data"]
        self.assertTrue(rows)
        for row in rows:
            self.assertEqual((row["job_id"], row["resource_in_use"], row["resource_return_status"]),
                             (WORLD.trained, False, False))
        self.assertEqual(WORLD.flow("resource", "return", "-j", "20990101000000000000")["retcode"], 100)
        self.assertEqual(WORLD.flow("resource", "return")["retcode"], 101)

    def test_the_engine_is_told(self):
        engine = WORLD.flow.ok("resource", "query")["data"]["computing_engine_resource"]
        for key in ("f_cores", "f_memory", "f_remaining_cores", "f_remaining_memory", "f_nodes"):
            self.assertIsInstance(engine[key], int)


class Toy(unittest.TestCase):
    def test_the_toy_test_says_success_and_shows_the_log(self):
        done = WORLD.flow.run("flow", "test", "toy", "-gid", "9999", "-hid", "10000", "--timeout", "240")
        self.assertIn("is success", done.stdout, done.stdout + done.stderr)
        self.assertIn("secure_add_guest", done.stdout)
        self.assertNotIn("is failed", done.stdout)

    def test_a_toy_test_with_an_unknown_partner_says_why(self):
        done = WORLD.flow.run("flow", "test", "toy", "-gid", "9999", "-hid", "7777", "--timeout", "60")
        self.assertIn("7777", done.stdout)
        self.assertNotIn("is success", done.stdout)

    def test_the_minimal_test_trains_and_predicts(self):
        assert WORLD.tables
        flow = Flow(WORLD.guest)
        done = flow.run("flow", "test", "min", "-gid", "9999", "-hid", "10000", "-aid", "10001",
                        "--sbt" if WORLD.has("HeteroSecureBoost") else "--no-sbt", timeout=1000)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        self.assertNotIn("lower than expect", done.stderr)

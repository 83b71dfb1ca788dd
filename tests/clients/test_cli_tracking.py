"""flow component and tracking: what a trained job left, as users ask."""
import csv
import json
import os
import unittest

from client import WORLD


def both(*args):
    """The answer of `component` and of `tracking`, which must agree."""
    answers = [WORLD.flow(group, *args) for group in ("component", "tracking")]
    assert answers[0] == answers[1], answers
    return answers[0]


class Tracking(unittest.TestCase):
    def test_components_are_listed_in_order(self):
        answer = WORLD.flow.ok("component", "list", "-j", WORLD.trained)
        self.assertEqual(answer["data"]["components"],
                         ["reader_0", "data_transform_0", "intersection_0", "hetero_lr_0", "evaluation_0"])
        self.assertEqual(WORLD.flow("component", "list", "-j", "2099")["retcode"], 100)

    def test_metrics_are_named(self):
        data = both("metrics", *WORLD.member("evaluation_0"))["data"]
        self.assertIn("hetero_lr_0", {n for names in data.values() for n in names})
        nothing = both("metrics", *WORLD.member("evaluation_0", "host"))
        self.assertEqual((nothing["retcode"], nothing["data"]), (0, {}))

    def test_metrics_come_with_data_and_meta(self):
        data = both("metric-all", *WORLD.member("evaluation_0"))["data"]
        summary = data["train"]["hetero_lr_0"]
        points = dict(summary["data"])
        self.assertGreater(points["auc"], 0.95)
        self.assertEqual(summary["meta"]["metric_type"], "EVALUATION_SUMMARY")
        # Each site has its own members' series.
        loss = WORLD.arbiter.metrics(WORLD.trained, "hetero_lr_0", "arbiter")["train"]["loss"]
        self.assertEqual(loss["meta"]["metric_type"], "LOSS")
        self.assertEqual([k for k, _ in loss["data"]], list(range(len(loss["data"]))))

    def test_parameters_are_told(self):
        data = both("parameters", *WORLD.member("hetero_lr_0"))["data"]
        self.assertEqual(data["module"], "HeteroLR")
        param = next(v for k, v in data.items() if k.endswith("Param"))
        self.assertEqual(param["max_iter"], 8)
        self.assertEqual(both("parameters", *WORLD.member("nobody_0"))["retcode"], 101)

    def test_a_model_is_told_as_json(self):
        answer = both("output-model", *WORLD.member("hetero_lr_0"))
        self.assertEqual(answer["data"]["header"], ["x%d" % i for i in range(10)])
        self.assertEqual(len(answer["data"]["weight"]), 10)
        self.assertIn("isConverged", answer["data"])
        self.assertEqual(answer["meta"]["module_name"], "HeteroLR")
        self.assertIn("maxIter", json.dumps(answer["meta"]["meta_data"]))
        nothing = both("output-model", *WORLD.member("reader_0"))
        self.assertEqual((nothing["retcode"], nothing["data"]), (0, {}))

    def test_output_tables_are_named(self):
        data = both("output-data-table", *WORLD.member("hetero_lr_0"))["data"]
        self.assertEqual([set(d) for d in data], [{"table_name", "table_namespace", "data_name"}])
        self.assertEqual(data[0]["table_namespace"], "output_data_%s_hetero_lr_0_0" % WORLD.trained)
        self.assertRegex(data[0]["table_name"], "^[0-9a-f]{32}$")
        self.assertEqual(both("output-data-table", *WORLD.member("nobody_0"))["retcode"], 100)

    def download(self, group, component, *options, role="guest"):
        out = WORLD.flow.path("out_" + group)
        answer = WORLD.flow(group, "output-data", *WORLD.member(component, role), "-o", out, *options)
        if answer["retcode"] != 0:
            return answer, None, None
        with open(os.path.join(answer["directory"], "data.csv"), encoding="utf-8", newline="") as f:
            rows = list(csv.reader(f))
        with open(os.path.join(answer["directory"], "data.meta"), encoding="utf-8") as f:
            meta = json.load(f)
        return answer, rows, meta

    def test_output_data_is_downloaded(self):
        for group in ("component", "tracking"):
            _, rows, meta = self.download(group, "hetero_lr_0")
            self.assertEqual(rows[0], meta["header"])
            self.assertEqual(meta["header"][-5:], ["label", "predict_result", "predict_score", "predict_detail", "type"])
            self.assertEqual(len(rows), 570)
            self.assertTrue(all(len(r) == len(meta["header"]) for r in rows))
            self.assertRegex(rows[1][-2], r"^\{'0': [0-9.e-]+, '1': [0-9.e-]+\}$")

    def test_a_limit_counts_rows(self):
        _, rows, _ = self.download("component", "data_transform_0", "-l", "7")
        self.assertEqual(len(rows), 8)
        refused, _, _ = self.download("component", "data_transform_0", "-l", "0")
        self.assertEqual(refused["retcode"], 210)

    def test_a_download_of_nothing_says_so(self):
        for component in ("nobody_0",):
            refused, _, _ = self.download("component", component)
            self.assertIn(refused["retcode"], (210, 404))
            self.assertNotIn("check if the parameters", refused["retmsg"])

    def test_a_summary_is_printed_or_kept(self):
        data = both("get-summary", *WORLD.member("hetero_lr_0"))["data"]
        self.assertIn("coef", data)
        out = WORLD.flow.path()
        answer = WORLD.flow.ok("component", "get-summary", *WORLD.member("hetero_lr_0"), "-o", out)
        path = answer["retmsg"].split("File path is: ")[1].rstrip(".")
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f), data)
        self.assertEqual(WORLD.flow("component", "get-summary", *WORLD.member("nobody_0"), "-o", out)["retcode"], 210)

    def test_metrics_of_a_job_are_deleted_and_those_of_a_day_are_not(self):
        job = WORLD.run("statistics")
        who = {"job_id": job, "component_name": "reader_0", "role": "guest", "party_id": "9999"}
        WORLD.guest.sql("INSERT INTO metric (job_id, component, version, role, party_id, namespace, name)"
                        " VALUES ('%s', 'reader_0', 0, 'guest', '9999', 'test', 'test')" % job)
        self.assertIn("test", WORLD.guest.ok("tracking/component/metrics", who)["data"])
        self.assertEqual(WORLD.flow.ok("component", "metric-delete", "-j", job)["data"], "delete status: True")
        self.assertEqual(WORLD.guest.ok("tracking/component/metrics", who)["data"], {})
        self.assertEqual(WORLD.flow.ok("component", "metric-delete", "-j", job)["data"], "delete status: False")
        self.assertEqual(WORLD.flow("component", "metric-delete", "-d", "20200101")["retcode"], 101)

    def test_what_is_not_offered_is_refused_in_words(self):
        m = ["--model-id", WORLD.model["model_id"], "--model-version", WORLD.trained]
        out = WORLD.flow.path("woe.json")
        for args in (
            ["hetero-model-merge", *m, "--guest-party-id", "9999", "--host-party-ids", "10000", "-cpn", "hetero_lr_0",
             "--model-type", "binary", "--output-format", "pmml", "-o", out],
            ["woe-array-extract", *m, "-r", "guest", "-p", "9999", "-cpn", "hetero_lr_0", "-o", out],
            ["woe-array-merge", *m, "-r", "host", "-p", "10000", "-cpn", "hetero_lr_0", "-i", os.devnull],
        ):
            with self.subTest(args[0]):
                if args[-1] == os.devnull:
                    args[-1] = WORLD.flow.path("empty.json")
                    with open(args[-1], "w", encoding="ascii") as f:
                        f.write("{}")
                refused = WORLD.flow("component", *args)
                self.assertNotEqual(refused["retcode"], 0)
                self.assertGreater(len(refused["retmsg"]), 10)

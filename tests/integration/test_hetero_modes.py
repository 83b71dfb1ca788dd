"""The ways in which HeteroLR trains, over real sites: checkpoints, early stopping, classes, folds."""
import collections
import random
import tempfile
import unittest

from federation import Federation, example, lr_conf
from test_predict import download, scores

LR = {"tol": 1e-9, "optimizer": "sgd", "learning_rate": 0.3, "batch_size": -1, "encrypt_param": {"key_length": 1024}}
ROWS = 90


def tables():
    """Rows of two parties by name; the class follows from what both have."""
    rng = random.Random(5)
    rows = [[rng.gauss(0, 1) for _ in range(4)] for _ in range(ROWS)]
    two = [int(g0 - h0 + 0.3 * rng.gauss(0, 1) > 0) for g0, _, h0, _ in rows]
    three = [i % 3 for i in range(ROWS)]
    for row, label in zip(rows, three):
        row[0] += 4 * (label == 1)
        row[2] += 4 * (label == 2)
    lines = {"two": ["id,y,x0,x1"], "three": ["id,y,x0,x1"], "host": ["id,z0,z1"]}
    for i, (g0, g1, h0, h1) in enumerate(rows):
        for name, labels in (("two", two), ("three", three)):
            lines[name].append("%d,%d,%r,%r" % (i, labels[i], g0, g1))
        lines["host"].append("%d,%r,%r" % (i, h0, h1))
    return {name: "\n".join(part) + "\n" for name, part in lines.items()}


class Modes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.members = ((fed.guest, "guest"), (fed.host, "host"), (fed.arbiter, "arbiter"))
        for name, text in tables().items():
            with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="ascii") as f:
                f.write(text)
                f.flush()
                reply = (fed.host if name == "host" else fed.guest).upload(f.name, name, namespace="modes")
            assert reply.get("status") == "success", reply

    def train(self, table="two", eval_type="binary", validate=False, **lr):
        conf = lr_conf(table, "host", namespace="modes", **dict(LR, **lr))
        conf["component_parameters"]["common"]["evaluation_0"]["eval_type"] = eval_type
        dsl = example("dsl.json")
        if validate:
            dsl["components"]["hetero_lr_0"]["input"]["data"]["validate_data"] = ["intersection_0.data"]
        job = self.fed.submit(conf, dsl)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))
        return job

    def where(self, site, role, job, **more):
        return dict({"job_id": job, "component_name": "hetero_lr_0", "role": role, "party_id": site.party}, **more)

    def model(self, site, role, job):
        return site.ok("tracking/component/output/model", self.where(site, role, job))["data"]

    def weights(self, job):
        """Coefficients of both halves, by column."""
        return {k: v for site, role, in self.members[:2] for k, v in self.model(site, role, job)["weight"].items()}

    def test_a_model_is_deployed_as_it_was_at_one_checkpoint(self):
        job = self.train(max_iter=5, callback_param={"callbacks": ["ModelCheckpoint"], "save_freq": 2})
        model_id = self.fed.guest.sql("SELECT model_id FROM model WHERE model_version = '%s'" % job)[0][0]
        key = {"model_id": model_id, "model_version": job}
        for site, role in self.members:
            rows = site.ok("checkpoint/list", dict(key, **self.where(site, role, job)))["data"]
            self.assertEqual([r["step_index"] for r in rows], [1, 3], role)
        reply = self.fed.guest.ok("model/deploy", dict(
            key, components_checkpoint={"hetero_lr_0": {"step_index": 1}}))
        child = reply["data"]["model_version"]
        for site, role in self.members[:2]:
            def parts(text):
                return sorted(site.sql("SELECT buffer_name, HEX(sha256) FROM " + text))
            step = parts("checkpoint_part p JOIN checkpoint c ON c.id = p.checkpoint_id WHERE c.model_version = '%s'"
                         " AND c.role = '%s' AND c.step_index = 1" % (job, role))
            deployed = parts("model_part WHERE model_version = '%s' AND role = '%s' AND component = 'hetero_lr_0'"
                             % (child, role))
            self.assertEqual(len(step), 2)
            self.assertEqual(deployed, step)
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000], "arbiter": [10001]},
                "job_parameters": {"common": {"job_type": "predict", "model_id": model_id, "model_version": child}}}
        predicted = self.fed.submit(conf, example("dsl.json"))
        self.assertEqual(self.fed.guest.wait(predicted)["f_status"], "success", self.fed.guest.events(predicted))

        def numbers(of):
            rows = scores(download(self.fed.guest, of, "hetero_lr_0")[1])
            return {k: float(row.split(",")[1]) for k, row in rows.items()}
        # A training that ends after two iterations has the weights of step 1.
        short = self.train(max_iter=2)
        self.assertNotEqual(self.weights(short), self.weights(job))
        got, want, last = numbers(predicted), numbers(short), numbers(job)
        self.assertEqual(len(got), ROWS)
        self.assertLess(max(abs(got[k] - want[k]) for k in got), 1e-6)
        self.assertGreater(max(abs(got[k] - last[k]) for k in got), 1e-3)

    def test_early_stopping_ends_all_members_at_the_same_look(self):
        job = self.train(max_iter=40, validate=True, callback_param={
            "callbacks": ["EarlyStopping", "PerformanceEvaluate"], "validation_freqs": 1, "early_stopping_rounds": 2,
            "metrics": ["auc"]})
        halves = [self.model(site, role, job) for site, role in self.members[:2]]
        self.assertLess(halves[0]["iters"], 40)
        for name in ("iters", "bestIteration"):
            self.assertEqual(halves[0][name], halves[1][name], name)
        metrics = self.fed.guest.metrics(job, "hetero_lr_0", "guest")
        looks = [name for name in metrics["validate"] if name.startswith("iteration_")]
        self.assertGreaterEqual(len(looks), 3, metrics.keys())
        self.assertLess(len(looks), 40)

    def test_three_classes_are_a_model_each(self):
        job = self.train("three", "multi", max_iter=12)
        for site, role in self.members[:2]:
            model = self.model(site, role, job)
            self.assertTrue(model["needOneVsRest"], role)
            self.assertEqual(len(model["oneVsRestResult"]["completedModels"]), 3, role)
        _, rows = download(self.fed.guest, job, "hetero_lr_0")
        pairs = collections.Counter(tuple(row.split(",")[:2]) for row in rows.values())
        right = sum(n for (label, result), n in pairs.items() if int(float(label)) == int(float(result)))
        self.assertGreater(right / ROWS, 0.7, pairs)

    def test_folds_are_trained_by_all_and_leave_an_empty_model(self):
        job = self.train(max_iter=3, cv_param={"need_cv": True, "n_splits": 3, "shuffle": True, "random_seed": 7})
        self.assertEqual(self.weights(job), {})
        metrics = self.fed.guest.metrics(job, "hetero_lr_0", "guest")
        for part in ("train", "validate"):
            self.assertTrue(all(any(name.startswith("fold_%d" % k) for name in metrics[part]) for k in range(3)),
                            metrics[part].keys())
        _, rows = download(self.fed.guest, job, "hetero_lr_0")
        kinds = collections.Counter(key.split("#")[-1] for key in rows)
        self.assertEqual(kinds, {"validate": ROWS, "train": 2 * ROWS})


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Job files in the shapes of the classic platform, submitted by its command
line: they run here unchanged, or are refused in words."""
import os
import unittest

from client import DATA, JOBS, WORLD, job_file, scratch_file


def outputs(job, component, role="guest", site=None):
    """data name -> count of rows of a component's outputs."""
    site = site or WORLD.guest
    reply = site.ok("tracking/component/output/data", {
        "job_id": job, "component_name": component, "role": role, "party_id": site.party})
    return dict(zip(reply["meta"]["names"], reply["meta"]["total"])) if reply.get("meta") else {}


def auc(job, component="evaluation_0", space="train", name="hetero_lr_0"):
    return dict(WORLD.guest.metrics(job, component, "guest")[space][name]["data"])["auc"]


class JobFiles(unittest.TestCase):
    def test_hetero_lr_trains_to_the_known_quality(self):
        self.assertGreater(auc(WORLD.trained), 0.97)
        self.assertEqual(outputs(WORLD.trained, "hetero_lr_0"), {"data": 569})

    def test_validation_a_second_transform_and_several_inputs(self):
        job = WORLD.run("hetero_lr_validate")
        self.assertEqual(outputs(job, "hetero_lr_1"), {"data": 569})
        metrics = WORLD.guest.metrics(job, "evaluation_0", "guest")
        names = {name for names in metrics.values() for name in names}
        self.assertLessEqual({"hetero_lr_0", "hetero_lr_1"}, names)

    def test_two_hosts_by_index_keys(self):
        assert WORLD.tables
        reply = WORLD.arbiter.upload(os.path.join(DATA, "breast_host.csv"), "second_host", namespace="experiment")
        self.assertEqual(reply["status"], "success")
        job = WORLD.run("hetero_lr_two_hosts")
        self.assertEqual(WORLD.arbiter.wait(job, role="host")["f_status"], "success")

    def test_homo_lr(self):
        job = WORLD.run("homo_lr")
        self.assertGreater(auc(job, name="homo_lr_0"), 0.9)
        states = {t["f_component_name"]: t["f_party_status"] for t in WORLD.host.tasks(job, role="host")}
        self.assertIn(states["evaluation_0"], ("pass", "success"))

    def test_union(self):
        job = WORLD.run("union")
        self.assertEqual(outputs(job, "union_0"), {"data": 2 * 569})

    def test_hetero_data_split(self):
        job = WORLD.run("hetero_data_split")
        parts = outputs(job, "hetero_data_split_0")
        self.assertEqual(sum(parts.values()), 569)
        self.assertEqual(set(parts), {"train_data", "validate_data", "test_data"})
        self.assertEqual(parts, outputs(job, "hetero_data_split_0", "host", WORLD.host))

    def test_homo_data_split(self):
        parts = outputs(WORLD.run("homo_data_split"), "homo_data_split_0")
        self.assertEqual(sum(parts.values()), 569)

    def test_feature_scale_is_applied_a_second_time_as_it_was_learnt(self):
        job = WORLD.run("feature_scale")
        first, second = (WORLD.guest.ok("tracking/component/output/data", {
            "job_id": job, "component_name": c, "role": "guest", "party_id": "9999"})["data"][0]
            for c in ("feature_scale_0", "feature_scale_1"))
        self.assertEqual(first, second)

    def test_statistics(self):
        job = WORLD.run("statistics")
        model = WORLD.guest.ok("tracking/component/output/model", {
            "job_id": job, "component_name": "statistic_0", "role": "guest", "party_id": "9999"})
        self.assertTrue(model["data"])

    def test_label_transform(self):
        job = WORLD.run("label_transform")
        states = {t["f_component_name"]: t["f_party_status"] for t in WORLD.host.tasks(job, role="host")}
        self.assertEqual(states["label_transform_0"], "pass")
        self.assertEqual(outputs(job, "label_transform_0"), {"data": 569})

    def test_sample(self):
        self.assertGreater(outputs(WORLD.run("sample"), "federated_sample_0")["data"], 569)

    def test_toy(self):
        WORLD.run("toy")

    def test_binning_and_selection_by_its_model_and_boosted_trees(self):
        before = WORLD.guest.sql("SELECT count(*) FROM job")
        for name, modules in (("isometric_model", ("HeteroFeatureBinning", "HeteroFeatureSelection")),
                              ("secureboost", ("HeteroSecureBoost",))):
            with self.subTest(name):
                if WORLD.has(*modules):
                    WORLD.run(name)
                    continue
                refused = WORLD.submit(name)
                self.assertEqual(refused["retcode"], 103, dict(refused))
                for module in modules:
                    if not WORLD.has(module):
                        self.assertIn(module, refused["retmsg"])
                self.assertEqual(WORLD.guest.sql("SELECT count(*) FROM job"), before)

    def test_components_that_are_not_here_are_refused_by_name(self):
        before = WORLD.guest.sql("SELECT count(*) FROM job")
        dsl = job_file("hetero_lr_dsl")
        dsl["components"]["hetero_lr_0"]["module"] = "HeteroFTL"
        refused = WORLD.flow("job", "submit", "-c", os.path.join(JOBS, "hetero_lr_conf.json"),
                             "-d", scratch_file("lacking_dsl.json", dsl))
        self.assertEqual(refused["retcode"], 103, dict(refused))
        self.assertIn("HeteroFTL", refused["retmsg"])
        self.assertEqual(WORLD.guest.sql("SELECT count(*) FROM job"), before)

"""Components between Intersection and the learner, over real sites."""
import csv
import math
import os
import unittest

from federation import DATA, Federation, lr_conf

DSL = {"components": {
    "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
    "data_transform_0": {
        "module": "DataTransform", "input": {"data": {"data": ["reader_0.data"]}},
        "output": {"data": ["data"], "model": ["model"]}},
    "intersection_0": {
        "module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
        "output": {"data": ["data"]}},
    "data_statistics_0": {
        "module": "DataStatistics", "input": {"data": {"data": ["intersection_0.data"]}},
        "output": {"data": ["data"], "model": ["model"]}},
    "feature_scale_0": {
        "module": "FeatureScale", "input": {"data": {"data": ["intersection_0.data"]}},
        "output": {"data": ["data"], "model": ["model"]}},
    "hetero_data_split_0": {
        "module": "HeteroDataSplit", "input": {"data": {"data": ["feature_scale_0.data"]}},
        "output": {"data": ["train_data", "validate_data", "test_data"]}},
    "hetero_lr_0": {
        "module": "HeteroLR",
        "input": {"data": {"train_data": ["hetero_data_split_0.train_data"],
                           "validate_data": ["hetero_data_split_0.validate_data"]}},
        "output": {"data": ["data"], "model": ["model"]}},
    "evaluation_0": {
        "module": "Evaluation", "input": {"data": {"data": ["hetero_lr_0.data"]}},
        "output": {"data": ["data"]}},
}}


def columns(name):
    """The feature columns of an example file, by name."""
    with open(os.path.join(DATA, name + ".csv"), encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return {k: [float(r[k]) for r in rows] for k in rows[0] if k not in ("id", "y")}


def mean_and_deviation(values):
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


class Components(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name)
            assert reply.get("status") == "success", reply
        conf = lr_conf(max_iter=10)
        conf["component_parameters"]["common"].update({
            "feature_scale_0": {"method": "standard_scale"},
            "hetero_data_split_0": {"stratified": True, "random_state": 7, "train_size": 0.7,
                                    "validate_size": 0.2, "test_size": 0.1},
            "data_statistics_0": {"statistics": ["95%", "count"]},
        })
        cls.job = fed.submit(conf, DSL)
        row = fed.guest.wait(cls.job)
        assert row["f_status"] == "success", fed.guest.events(cls.job)
        cls.members = ((fed.guest, "guest", "breast_guest"), (fed.host, "host", "breast_host"))

    def summary(self, site, role, component):
        return site.ok("tracking/component/summary/download", {
            "job_id": self.job, "component_name": component, "role": role, "party_id": site.party})["data"]

    def model(self, site, role, component):
        return site.ok("tracking/component/output/model", {
            "job_id": self.job, "component_name": component, "role": role, "party_id": site.party})["data"]

    def test_every_party_scales_its_own_columns(self):
        for site, role, name in self.members:
            meta = site.metrics(self.job, "feature_scale_0", role)["train"]["scale"]["meta"]
            self.assertEqual(meta["metric_type"], "SCALE")
            self.assertEqual(meta["method"], "standard_scale")
            scaled = self.model(site, role, "feature_scale_0")["colScaleParam"]
            for column, values in columns(name).items():
                mean, deviation = mean_and_deviation(values)
                self.assertAlmostEqual(scaled[column]["mean"], mean, places=9)
                self.assertAlmostEqual(scaled[column]["std"], deviation, places=9)
                self.assertEqual(scaled[column]["columnUpper"], max(values))

    def test_statistics_are_those_of_the_file(self):
        for site, role, name in self.members:
            summary = self.summary(site, role, "data_statistics_0")
            for column, values in columns(name).items():
                mean, deviation = mean_and_deviation(values)
                self.assertAlmostEqual(summary[column]["mean"], mean, places=9)
                self.assertAlmostEqual(summary[column]["stddev"], deviation, places=9)
                self.assertEqual(summary[column]["count"], len(values))
                self.assertEqual(summary[column]["95%"], sorted(values)[math.ceil(0.95 * len(values)) - 1])
            results = self.model(site, role, "data_statistics_0")["selfValues"]["results"]
            self.assertIn("kurtosis", [r["valueName"] for r in results])

    def test_both_sites_split_alike_and_only_the_guest_knows_labels(self):
        infos = []
        for site, role, _ in self.members:
            meta = site.metrics(self.job, "hetero_data_split_0", role)["train"]["data_split"]["meta"]
            self.assertEqual(meta["metric_type"], "DATA_SPLIT")
            infos.append(meta["data_split_count_info"])
            self.assertEqual("data_split_label_info" in meta, role == "guest")
        self.assertEqual(infos[0], {"original": 569, "train": 398, "validate": 114, "test": 57})
        self.assertEqual(infos[0], infos[1])
        sent = self.fed.guest.sql("SELECT DISTINCT name FROM egress WHERE job_id = '%s'"
                                  " AND component = 'hetero_data_split_0'" % self.job)
        self.assertEqual({r[0] for r in sent}, {"id_train", "id_validate", "id_test"})
        for component in ("feature_scale_0", "data_statistics_0"):
            for site, _, _ in self.members:
                self.assertEqual(site.sql("SELECT COUNT(*) FROM egress WHERE job_id = '%s'"
                                          " AND component = '%s'" % (self.job, component)), [["0"]])

    def test_the_learner_is_evaluated_on_both_parts(self):
        metrics = self.fed.guest.metrics(self.job, "evaluation_0", "guest")
        for part in ("train", "validate"):
            scores = dict(metrics[part]["hetero_lr_0"]["data"])
            self.assertGreater(scores["auc"], 0.95, part)


if __name__ == "__main__":
    unittest.main(verbosity=2)

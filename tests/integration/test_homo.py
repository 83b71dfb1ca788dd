"""The classic toy test and horizontal training over real sites."""
import io
import os
import tarfile
import tempfile
import unittest

from federation import DATA, Federation, kill, wait_for
from test_ledger import Records


def toy_conf(guest="9999", host="10000", **host_parameters):
    """As the classic client sends it: party ids are texts, the host's
    parameters stand directly under the role."""
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": guest},
        "role": {"guest": [guest], "host": [host]},
        "job_parameters": {"common": {"task_cores": 2}},
        "component_parameters": {"role": {
            "guest": {"0": {"secure_add_example_0": {"seed": 123}}},
            "host": {"secure_add_example_0": dict({"seed": 321}, **host_parameters)},
        }},
    }


TOY_DSL = {"components": {"secure_add_example_0": {"module": "SecureAddExample"}}}


def log_file(site, job, name, missing=None):
    """A file of the downloaded log archive; what `missing` says when it may not be there."""
    status, _, body = site.request("job/log/download", {"job_id": job})
    assert status == 200, status
    with tarfile.open(fileobj=io.BytesIO(body), mode="r:gz") as tar:
        for member in tar:
            if member.name.removeprefix("./") == name:
                return tar.extractfile(member).read().decode()
    if missing is not None:
        return missing
    raise AssertionError("%s is not in the archive of %s" % (name, job))


class Toy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()

    def test_the_classic_toy_test_finds_its_lines(self):
        job = self.fed.submit(toy_conf(), TOY_DSL)
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        lines = [line for line in log_file(self.fed.guest, job, "guest/9999/INFO.log").splitlines()
                 if "secure_add_guest" in line]
        self.assertTrue(lines[-1].endswith("Secure Add Result is 2000.0000"), lines)
        self.assertTrue(any("host sum is" in line for line in lines), lines)
        self.assertTrue(any("guest sum is" in line for line in lines), lines)
        self.assertEqual(self.fed.host.wait(job, role="host")["f_status"], "success")

    def test_a_failed_toy_test_says_why_in_the_error_log(self):
        job = self.fed.submit(toy_conf(data_num=999), TOY_DSL)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        # Its last line is written when the end is.
        wait_for(lambda: log_file(self.fed.guest, job, "guest/9999/ERROR.log", missing=""), what="the error log")
        text = log_file(self.fed.guest, job, "guest/9999/ERROR.log")
        reports = " ".join(str(t["f_error_report"]) for t in self.fed.guest.tasks(job))
        self.assertIn("data_num", text + reports)
        self.assertNotEqual(text, "")


HOMO_DSL = {"components": {
    "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
    "data_transform_0": {"module": "DataTransform", "input": {"data": {"data": ["reader_0.data"]}},
                         "output": {"data": ["data"], "model": ["model"]}},
    "homo_lr_0": {"module": "HomoLR", "input": {"data": {"train_data": ["data_transform_0.data"]}},
                  "output": {"data": ["data"], "model": ["model"]}},
    "evaluation_0": {"module": "Evaluation", "input": {"data": {"data": ["homo_lr_0.data"]}},
                     "output": {"data": ["data"]}},
}}

# What tests/fixtures/homo_lr_reference.py computes for these clients in the clear.
TWO = {"penalty": "L2", "alpha": 0.01, "optimizer": "sgd", "learning_rate": 0.5, "max_iter": 5, "tol": 1e-9,
       "init_param": {"init_method": "zeros"}, "encrypt_param": {"method": None}}
TWO_LOSS = [0.661378025515, 0.351675905075, 0.300853690409, 0.275357985205, 0.259015948526, 0.247266638659]
TWO_X0, TWO_INTERCEPT = -0.345013121904, 0.53234121785
THREE = dict(TWO, alpha=0.1, optimizer="rmsprop", learning_rate=0.05, max_iter=6, batch_size=64, aggregate_iters=2)
THREE_LOSS = [0.174357261253, 0.176794616992, 0.177011652504, 0.176919535787]


def homo_conf(hosts, lr):
    def part(i):
        return {"reader_0": {"table": {"name": "homo_%d_of_%d" % (i, len(hosts)), "namespace": "test"}}}
    tables = {"guest": {"0": part(0)}, "host": {str(i): part(i + 1) for i in range(len(hosts))}}
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": hosts, "arbiter": [10001]},
        "job_parameters": {"common": {"task_cores": 1}},
        "component_parameters": {
            "common": {"data_transform_0": {"with_label": True, "label_name": "y", "label_type": "int"},
                       "homo_lr_0": lr, "evaluation_0": {"eval_type": "binary"}},
            "role": tables,
        },
    }


class Homo(Records, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.parts([cls.fed.guest, cls.fed.host], [350])
        cls.parts([cls.fed.guest, cls.fed.host, cls.fed.arbiter], [200, 350])

    @classmethod
    def parts(cls, sites, cuts):
        """The rows of one table in parts, one at each site."""
        with open(os.path.join(DATA, "breast_guest.csv"), encoding="ascii") as f:
            head, *rows = f.readlines()
        edges = [0] + cuts + [len(rows)]
        for i, site in enumerate(sites):
            with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="ascii") as f:
                f.write(head + "".join(rows[edges[i]:edges[i + 1]]))
                f.flush()
                reply = site.upload(f.name, "homo_%d_of_%d" % (i, len(sites) - 1))
            assert reply.get("status") == "success", reply

    def run_job(self, conf):
        job = self.fed.submit(conf, HOMO_DSL)
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        return job

    def loss(self, site, job, role):
        data = site.metrics(job, "homo_lr_0", role)["train"]["loss"]["data"]
        return [v for _, v in sorted(data)]

    def test_two_sites_train_the_model_of_numpy(self):
        job = self.run_job(homo_conf([10000], TWO))
        loss = self.loss(self.fed.arbiter, job, "arbiter")
        self.assertEqual(len(loss), len(TWO_LOSS))
        for got, want in zip(loss, TWO_LOSS):
            self.assertAlmostEqual(got, want, delta=1e-6)
        self.assertEqual(len(self.loss(self.fed.guest, job, "guest")), len(TWO_LOSS))
        self.assertEqual(len(self.loss(self.fed.host, job, "host")), len(TWO_LOSS))
        for site, role, rows in ((self.fed.guest, "guest", 350), (self.fed.host, "host", 219)):
            where = {"job_id": job, "component_name": "homo_lr_0", "role": role, "party_id": site.party}
            summary = site.ok("tracking/component/summary/download", where)["data"]
            self.assertAlmostEqual(summary["coef"]["x0"], TWO_X0, delta=1e-6)
            self.assertAlmostEqual(summary["intercept"], TWO_INTERCEPT, delta=1e-6)
            reply = site.ok("tracking/component/output/data", where)
            self.assertEqual(reply["meta"]["total"][0], rows)
            scores = dict(site.metrics(job, "evaluation_0", role)["train"]["homo_lr_0"]["data"])
            self.assertGreater(scores["auc"], 0.95)

    def test_each_site_predicts_with_the_model_of_both(self):
        job = self.run_job(homo_conf([10000], TWO))
        model = self.fed.guest.ok("job/config", {"job_id": job, "role": "guest"})["data"]["model_info"]
        child = self.fed.guest.ok("model/deploy", model)["data"]["model_version"]
        reply = self.fed.guest.api("job/submit", {"job_dsl": {}, "job_runtime_conf": {
            "dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
            "role": {"guest": [9999], "host": [10000]},
            "job_parameters": {"common": {"job_type": "predict", "model_id": model["model_id"],
                                          "model_version": child}}}})
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(self.fed.guest.wait(reply["jobId"])["f_status"], "success",
                         self.fed.guest.events(reply["jobId"]))
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host")):
            rows = [site.ok("tracking/component/output/data", {
                "job_id": j, "component_name": "homo_lr_0", "role": role, "party_id": site.party})["data"][0]
                for j in (job, reply["jobId"])]
            self.assertEqual([r[:-1] for r in rows[0]], [r[:-1] for r in rows[1]])
            self.assertEqual({r[-1] for r in rows[1]}, {"predict"})

    def test_three_sites_train_in_batches_with_the_arbiter_as_a_host(self):
        job = self.run_job(homo_conf([10000, 10001], THREE))
        loss = self.loss(self.fed.arbiter, job, "arbiter")
        self.assertEqual(len(loss), len(THREE_LOSS))
        for got, want in zip(loss, THREE_LOSS):
            self.assertAlmostEqual(got, want, delta=1e-6)

    def test_what_left_a_site_is_masked_models_keys_and_the_set_of_labels(self):
        job = self.run_job(homo_conf([10000], TWO))
        rows = self.fed.host.sql("SELECT to_role, name, COUNT(*) FROM egress WHERE job_id = '%s'"
                                 " AND component = 'homo_lr_0' GROUP BY 1, 2 ORDER BY 2" % job)
        self.assertEqual(rows, [["guest", "dh_ciphertext_host", "1"], ["guest", "host_classes", "1"],
                                ["arbiter", "host_loss", "6"],
                                ["arbiter", "host_model", "6"], ["arbiter", "host_party_weight", "1"]])
        compared = self.ledgers_agree(job)
        self.assertGreaterEqual(compared["10000", "10001"]["objects"], 13)
        self.assertGreaterEqual(compared["10001", "10000"]["objects"], 13)
        self.chains_agree(job)

    def host_executor(self, job):
        """Once guest and arbiter hear from it in every round."""
        wait_for(lambda: len(self.fed.host.sql(
            "SELECT 1 FROM egress WHERE job_id = '%s' AND name = 'host_loss' LIMIT 3" % job)) == 3,
            what="rounds of " + job)
        # Its number is written with a sign of life, which may come later.
        return int(wait_for(lambda: self.fed.host.sql(
            "SELECT executor_pid FROM attempt WHERE job_id = '%s' AND component = 'homo_lr_0' AND ended_at IS NULL"
            " AND executor_pid > 0" % job), what="the host's executor")[0][0])

    def test_a_host_that_drops_out_ends_the_job_everywhere(self):
        job = self.fed.submit(homo_conf([10000], dict(TWO, max_iter=100000, tol=0)), HOMO_DSL)
        kill(self.host_executor(job))
        for site, role in ((self.fed.guest, "guest"), (self.fed.host, "host"), (self.fed.arbiter, "arbiter")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "failed", site.events(job))
        reports = [str(t["f_error_report"]) for t in self.fed.guest.tasks(job, component_name="homo_lr_0")
                   if t["f_role"] == "host"]
        self.assertTrue(any("signal" in r or "killed" in r for r in reports), reports)

    def test_a_host_that_comes_back_trains_with_new_keys(self):
        conf = homo_conf([10000], dict(TWO, max_iter=200, tol=0))
        conf["job_parameters"]["common"]["auto_retries"] = 1
        job = self.fed.submit(conf, HOMO_DSL)
        kill(self.host_executor(job))
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        self.assertEqual(len(self.loss(self.fed.arbiter, job, "arbiter")), 201)
        versions = {str(t["f_task_version"]) for t in self.fed.guest.tasks(job, component_name="homo_lr_0")}
        self.assertEqual(versions, {"1"})

    def test_other_columns_at_a_site_fail_the_job_with_the_reason(self):
        with open(os.path.join(DATA, "breast_guest.csv"), encoding="ascii") as f, \
                tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="ascii") as short:
            short.writelines(line.rstrip("\n").rpartition(",")[0] + "\n" for line in f)
            short.flush()
            self.assertEqual(self.fed.host.upload(short.name, "homo_short")["status"], "success")
        conf = homo_conf([10000], TWO)
        conf["component_parameters"]["role"]["host"]["0"]["reader_0"]["table"]["name"] = "homo_short"
        job = self.fed.submit(conf, HOMO_DSL)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        for site, role in ((self.fed.host, "host"), (self.fed.arbiter, "arbiter")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "failed")
        reports = " ".join(str(t["f_error_report"]) for site in (self.fed.guest, self.fed.host)
                           for t in site.tasks(job, component_name="homo_lr_0"))
        self.assertIn("has other columns", reports)

    def test_encrypted_hosts_are_refused_at_submit(self):
        lr = dict(TWO, encrypt_param={"method": "Paillier"})
        reply = self.fed.guest.api("job/submit", {"job_dsl": HOMO_DSL, "job_runtime_conf": homo_conf([10000], lr)})
        self.assertEqual(reply["retcode"], 103)
        self.assertIn("encrypt_param/method", reply["retmsg"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

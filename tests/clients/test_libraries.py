"""The client's two libraries: flow_sdk and pipeline, as scripts use them."""
import json
import os
import unittest

from flow_sdk.client import FlowClient

from client import DATA, WORLD, job_file


def sdk(site=None, **keys):
    url = (site or WORLD.guest).url.split("//")[1].split(":")
    return FlowClient(url[0], int(url[1]), "v1", **keys)


class Sdk(unittest.TestCase):
    def ok(self, answer):
        self.assertEqual(answer["retcode"], 0, answer)
        return answer

    def test_data_and_tables(self):
        flow = sdk()
        conf = {"file": os.path.join(DATA, "breast_guest.csv"), "head": 1, "partition": 2, "namespace": "sdk",
                "table_name": "sdk"}
        answer = self.ok(flow.data.upload(conf, drop=1))
        WORLD.guest.wait(answer["jobId"], role="local", party="0")
        self.assertEqual(flow.data.upload(conf)["retcode"], 100)
        self.assertEqual(self.ok(flow.table.info(namespace="sdk", table_name="sdk"))["data"]["count"], 569)
        history = self.ok(flow.data.upload_history(job_id=answer["jobId"]))["data"]
        self.assertIn(answer["jobId"], history[0])
        self.ok(flow.table.delete(namespace="sdk", table_name="sdk"))
        self.assertEqual(flow.table.delete(namespace="sdk", table_name="sdk")["retcode"], 101)

    def test_bind(self):
        answer = sdk().table.bind(engine="LOCALFS", name="sdk_bind", namespace="sdk", address={"path": "/nowhere"})
        self.assertEqual(answer["retcode"], 100, answer)
        self.assertNotIn("not supported", answer["retmsg"])

    def test_jobs_and_tasks(self):
        flow = sdk()
        job = self.ok(flow.job.submit(job_file("toy_conf"), job_file("toy_dsl")))["jobId"]
        self.assertEqual(WORLD.guest.wait(job)["f_status"], "success")
        self.assertEqual(len(self.ok(flow.job.query(job_id=job))["data"]), 1)
        self.assertEqual(self.ok(flow.job.query(job_id=job, role="guest", party_id=9999, status="success"))
                         ["data"][0]["f_job_id"], job)
        self.assertEqual(self.ok(flow.job.query())["data"], [])
        self.assertGreater(self.ok(flow.job.list(limit=1))["data"]["count"], 0)
        self.assertTrue(self.ok(flow.task.query(job_id=job, party_id=9999, role="guest"))["data"])
        self.assertTrue(self.ok(flow.task.list(limit=2))["data"]["tasks"])
        self.assertIn(flow.job.view(job_id=job)["retcode"], (0, 101))
        self.ok(flow.job.stop(job))
        out = WORLD.flow.path("sdk")
        self.assertTrue(os.path.isdir(self.ok(flow.job.log(job_id=job, output_path=out))["directory"]))
        self.assertTrue(os.path.isdir(self.ok(flow.job.config(job_id=job, role="guest", party_id=9999,
                                                              output_path=out))["directory"]))

    def test_the_predict_graph(self):
        answer = self.ok(sdk().job.generate_dsl(train_dsl=job_file("hetero_lr_dsl"), cpn=["reader_0", "hetero_lr_0"]))
        self.assertIn("hetero_lr_0", answer["data"]["components"])

    def test_tracking(self):
        c = sdk().component
        who = {"job_id": WORLD.trained, "role": "guest", "party_id": 9999, "component_name": "hetero_lr_0"}
        self.assertIn("hetero_lr_0", self.ok(c.list(job_id=WORLD.trained))["data"]["components"])
        self.ok(c.metrics(**who))
        self.ok(c.metric_all(**dict(who, component_name="evaluation_0")))
        self.ok(c.parameters(**who))
        self.assertIn("weight", self.ok(c.output_model(**who))["data"])
        self.assertTrue(self.ok(c.output_data_table(**who))["data"])
        self.assertIn("coef", self.ok(c.get_summary(**who))["data"])
        self.assertEqual(c.get_summary(**dict(who, component_name="nobody"))["data"], {})
        self.assertTrue(os.path.isdir(self.ok(c.output_data(output_path=WORLD.flow.path("sdk_out"), **who))["directory"]))

    def test_models(self):
        m = sdk().model
        self.assertEqual(self.ok(m.get_model_info(**WORLD.model))["data"][0]["f_role"], "guest")
        child = self.ok(m.deploy(**WORLD.model))["data"]["model_version"]
        self.assertTrue(self.ok(m.get_predict_dsl(WORLD.model["model_id"], child))["data"]["components"])
        self.assertTrue(self.ok(m.get_predict_conf(WORLD.model["model_id"], child))["data"]["component_parameters"])

    def test_tags_and_the_queue(self):
        flow = sdk()
        flow.tag.delete(tag_name="sdk_tag")
        self.ok(flow.tag.create(tag_name="sdk_tag", tag_desc="d"))
        self.assertEqual(self.ok(flow.tag.query(tag_name="sdk_tag"))["data"]["tags"][0]["description"], "d")
        self.ok(flow.tag.update(tag_name="sdk_tag", new_tag_desc="e"))
        self.ok(flow.tag.list(limit=5))
        self.ok(flow.tag.delete(tag_name="sdk_tag"))
        self.ok(flow.queue.clean())

    def test_checkpoints(self):
        answer = sdk().checkpoint.list_checkpoints(role="guest", party_id=9999, component_name="hetero_lr_0",
                                                   **WORLD.model)
        self.assertEqual(self.ok(answer)["data"], [])

    def test_privileges_of_the_sdk_name_paths_that_never_were(self):
        answer = sdk().privilege.query(src_party_id="10000", src_role="guest")
        self.assertEqual(answer["retcode"], 100)

    def test_versions(self):
        v = sdk().remote_version
        self.assertEqual(v.api(), "v1")
        self.assertRegex(v.fate_flow(), r"^1\.11\.")

    def test_the_toy_job(self):
        answer = self.ok(sdk().test.toy("9999", "10000"))
        self.assertEqual(WORLD.guest.wait(answer["jobId"])["f_status"], "success")

    def test_a_wrong_signature_is_refused(self):
        answer = sdk(app_key="nobody", secret_key="nothing").job.query(job_id="1")
        self.assertEqual(answer["retcode"], 109)


UPLOAD = """
import sys
from pipeline.backend.pipeline import PipeLine
p = PipeLine().set_initiator(role="guest", party_id=9999).set_roles(guest=9999)
p.add_upload_data(file=sys.argv[1], table_name="pipeline", namespace="pipeline", head=1, partition=4)
p.upload(drop=1)
p.upload(drop=1)
print("UPLOADED")
"""

TRAIN = """
import json
from pipeline.backend.pipeline import PipeLine
from pipeline.component import DataTransform, Evaluation, HeteroLR, Intersection, Reader
from pipeline.interface import Data

def table(name):
    return {"name": "breast_hetero_" + name, "namespace": "experiment"}

def reader(name):
    r = Reader(name=name)
    r.get_party_instance(role="guest", party_id=9999).component_param(table=table("guest"))
    r.get_party_instance(role="host", party_id=10000).component_param(table=table("host"))
    return r

p = PipeLine().set_initiator(role="guest", party_id=9999).set_roles(guest=9999, host=10000, arbiter=10001)
reader_0 = reader("reader_0")
transform = DataTransform(name="data_transform_0")
transform.get_party_instance(role="guest", party_id=9999).component_param(with_label=True, output_format="dense")
transform.get_party_instance(role="host", party_id=10000).component_param(with_label=False)
intersection = Intersection(name="intersection_0")
lr = HeteroLR(name="hetero_lr_0", penalty="L2", optimizer="rmsprop", batch_size=-1, learning_rate=0.15,
              init_param={"init_method": "zeros"}, max_iter=5, early_stop="diff", encrypt_param={"key_length": 1024})
evaluation = Evaluation(name="evaluation_0", eval_type="binary")
p.add_component(reader_0)
p.add_component(transform, data=Data(data=reader_0.output.data))
p.add_component(intersection, data=Data(data=transform.output.data))
p.add_component(lr, data=Data(train_data=intersection.output.data))
p.add_component(evaluation, data=Data(data=lr.output.data))
p.compile()
p.fit()
seen = {
    "summary": p.get_component("hetero_lr_0").get_summary(),
    "param": p.get_component("hetero_lr_0").get_model_param(),
    "table": p.get_component("hetero_lr_0").get_output_data_table(),
    "metric": p.get_component("evaluation_0").get_summary(),
}
frame = p.get_component("hetero_lr_0").get_output_data()
seen["rows"] = len(frame)
seen["columns"] = list(frame.columns)
"""

PREDICT = """
p.deploy_component([transform, intersection, lr])
q = PipeLine()
reader_1 = reader("reader_1")
q.add_component(reader_1)
q.add_component(p, data=Data(predict_input={p.data_transform_0.input.data: reader_1.output.data}))
q.predict()
frame = q.get_component("hetero_lr_0").get_output_data()
seen["predicted"] = len(frame)
"""

REPORT = """
print("SEEN " + json.dumps(seen))
"""


class PipelineScripts(unittest.TestCase):
    def seen(self, text):
        line = next(l for l in text.splitlines() if l.startswith("SEEN "))
        return json.loads(line[5:])

    def test_upload(self):
        text = WORLD.flow.python(UPLOAD, os.path.join(DATA, "breast_guest.csv"))
        self.assertIn("UPLOADED", text)
        self.assertEqual(WORLD.guest.ok("table/table_info", {"namespace": "pipeline", "name": "pipeline"})
                         ["data"]["count"], 569)

    def test_fit_and_what_it_leaves(self):
        assert WORLD.tables
        seen = self.seen(WORLD.flow.python(TRAIN + REPORT))
        self.assertIn("coef", seen["summary"])
        self.assertIn("weight", seen["param"])
        self.assertEqual(set(seen["table"]), {"table_name", "table_namespace"})
        # The library takes the first line away, whatever it is.
        self.assertEqual(seen["rows"], 569)
        self.assertEqual(seen["columns"][-5:], ["label", "predict_result", "predict_score", "predict_detail", "type"])

    def test_deploy_and_predict(self):
        assert WORLD.tables
        seen = self.seen(WORLD.flow.python(TRAIN + PREDICT + REPORT))
        self.assertEqual(seen["predicted"], 569)

    def test_bind_table(self):
        text = WORLD.flow.python(
            "from pipeline.backend.pipeline import PipeLine\n"
            "p = PipeLine().set_initiator(role='guest', party_id=9999).set_roles(guest=9999)\n"
            "try:\n    p.bind_table(name='pb', namespace='pipeline', path='/nowhere/x')\n"
            "except ValueError as e:\n    print('REFUSED', e)\n")
        self.assertIn("REFUSED", text)

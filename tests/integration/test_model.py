"""Versions of models: all members seal the same one, or none has it."""
import concurrent.futures
import json
import os
import time
import unittest

from federation import DATA, Federation, example, kill, lr_conf, processes, wait_for

MODEL_ID = "arbiter-10001#guest-9999#host-10000#model"
ROLES = (("guest", "9999"), ("host", "10000"), ("arbiter", "10001"))


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="model")
            assert reply.get("status") == "success", reply
        cls.job = cls.train(max_iter=2)

    @classmethod
    def train(cls, **lr):
        job = cls.fed.submit(lr_conf(namespace="model", **lr))
        row = cls.fed.guest.wait(job)
        assert row["f_status"] == "success", cls.fed.guest.events(job)
        return job

    def members(self):
        return [(self.fed.sites[party], role, party) for role, party in ROLES]

    def rows(self, version, columns="state, HEX(root_hash)"):
        """What each member has of a version."""
        return [site.sql("SELECT %s FROM model WHERE model_version = '%s' AND role = '%s' AND party_id = '%s'"
                         % (columns, version, role, party)) for site, role, party in self.members()]

    def sealed_roots(self, version):
        """The root hash of the version at each member, once all have it."""
        def all_sealed():
            rows = self.rows(version)
            return all(len(r) == 1 and r[0][0] == "sealed" for r in rows) and [r[0][1] for r in rows]
        return wait_for(all_sealed, what="sealed everywhere: %s" % version)

    def object_path(self, site, version, role, component):
        sha = site.sql("SELECT LOWER(HEX(sha256)) FROM model_part WHERE model_version = '%s' AND role = '%s'"
                       " AND component = '%s' LIMIT 1" % (version, role, component))[0][0]
        return os.path.join(site.home, "models", "objects", sha[:2], sha)


class Sealing(Models):
    def test_every_member_seals_the_same_root(self):
        roots = self.sealed_roots(self.job)
        self.assertEqual(len(set(roots)), 1)
        self.assertEqual(len(roots[0]), 64)
        hashes = {r[0][0] for r in self.rows(self.job, "HEX(manifest_hash)")}
        self.assertEqual(len(hashes), 3, "each member's half is its own")
        for site, role, _ in self.members():
            for sha, size in site.sql("SELECT LOWER(HEX(sha256)), bytes FROM model_part WHERE model_version = '%s'"
                                      " AND role = '%s' AND sealed = 1" % (self.job, role)):
                self.assertEqual(os.path.getsize(os.path.join(site.home, "models/objects", sha[:2], sha)), int(size))

    def test_local_and_failed_jobs_leave_no_version(self):
        job = self.fed.submit(lr_conf(namespace="model", host_table="no_such_table"))
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "failed")
        self.assertEqual(self.rows(job), [[], [], []])
        uploads = self.fed.guest.sql("SELECT COUNT(*) FROM model m JOIN job j USING (job_id)"
                                     " WHERE j.initiator_role = 'local'")
        self.assertEqual(uploads, [["0"]])

    def test_jobs_without_a_model_output_stage_nothing(self):
        dsl, conf = example("dsl.json"), lr_conf(namespace="model")
        for name in list(dsl["components"]):
            if name not in ("reader_0",):
                del dsl["components"][name]
                conf["component_parameters"]["common"].pop(name, None)
                for role in conf["component_parameters"].get("role", {}).values():
                    for part in role.values():
                        part.pop(name, None)
        job = self.fed.submit(conf, dsl)
        self.assertEqual(self.fed.guest.wait(job)["f_status"], "success", self.fed.guest.events(job))
        self.assertEqual(self.rows(job), [[], [], []])

    def test_a_damaged_file_fails_the_job_and_nobody_has_the_version(self):
        """The host's part is changed between its task and the end of the job."""
        job = self.fed.submit(lr_conf(namespace="model", max_iter=10))
        part = wait_for(lambda: self.fed.host.sql("SELECT component FROM model_part WHERE model_version = '%s'" % job),
                        what="a part of the host")[0][0]
        with open(self.object_path(self.fed.host, job, "host", part), "r+b") as f:
            content = f.read()
            f.seek(0)
            f.write(bytes([content[0] ^ 1]) + content[1:])
        row = self.fed.guest.wait(job, seconds=300)
        self.assertEqual(row["f_status"], "failed")
        reason = self.fed.guest.sql("SELECT reason FROM job WHERE job_id = '%s'" % job)[0][0]
        self.assertIn("host 10000", reason)
        self.assertIn("damaged", reason)
        self.fed.host.wait(job, role="host")
        wait_for(lambda: self.rows(job) == [[], [], []], what="nothing staged anywhere")

    def test_supervisor_killed_between_stage_and_seal(self):
        """Stopped as soon as the first half is staged, killed, started again."""
        guest = self.fed.guest
        for _ in range(3):
            job = self.fed.submit(lr_conf(namespace="model", max_iter=1))
            wait_for(lambda: any(self.rows(job)), what="a half staged")
            pid = guest.pid("supervisor")
            kill(pid)
            wait_for(lambda: pid not in processes(guest.home), what="end of the supervisor")
            guest.start()
            self.assertEqual(guest.wait(job)["f_status"], "success", guest.events(job))
            self.assertEqual(len(set(self.sealed_roots(job))), 1)

    def test_a_rerun_seals_anew_at_all_members(self):
        job = self.train(max_iter=1)
        first = self.sealed_roots(job)
        rerun = self.fed.guest.api("job/rerun", {"job_id": job, "component_name": "hetero_lr_0", "force": True})
        if rerun["retcode"] == 100 and "404" in rerun["retmsg"]:
            self.skipTest("job/rerun is not there yet")
        self.assertEqual(rerun["retcode"], 0, rerun)
        wait_for(lambda: self.sealed_roots(job) != first, seconds=60, what="a new root")
        self.fed.guest.wait(job)
        roots = self.sealed_roots(job)
        self.assertEqual(len(set(roots)), 1)
        self.assertNotEqual(set(roots), set(first))

    def test_what_tasks_put_out_is_shown_as_before(self):
        data = self.fed.guest.ok("tracking/component/output/model", {
            "job_id": self.job, "component_name": "hetero_lr_0", "role": "guest", "party_id": "9999"})
        self.assertIn("weight", data["data"])
        self.assertEqual(data["meta"]["module_name"], "HeteroLR")

    def tearDown(self):
        for site in self.fed.sites.values():
            site.start()


class Deploying(Models):
    def tearDown(self):
        for site in self.fed.sites.values():
            site.start()

    def deploy(self, site=None, version=None, **body):
        body = dict({"model_id": MODEL_ID, "model_version": version or self.job}, **body)
        return (site or self.fed.guest).api("model/deploy", body)

    def nothing_is_visible(self, version):
        for site in self.fed.sites.values():
            self.assertEqual(site.api("model/query", {"model_version": version}).get("data"), [])
        wait_for(lambda: self.rows(version) == [[], [], []], what="nothing of %s anywhere" % version)

    def test_a_child_appears_at_all_members_with_one_root(self):
        reply = self.deploy()
        self.assertEqual(reply["retcode"], 0, reply)
        data = reply["data"]
        self.assertEqual(data["model_id"], MODEL_ID)
        self.assertEqual(data["guest"], {"9999": 0})
        self.assertEqual(data["host"], {"10000": 0})
        self.assertEqual(data["arbiter"], {"10001": 0})
        self.assertEqual(data["detail"]["host"]["10000"], {"retcode": 0, "retmsg": "success"})
        roots = self.sealed_roots(data["model_version"])
        self.assertEqual(len(set(roots)), 1)
        self.assertNotEqual(roots[0], self.sealed_roots(self.job)[0])
        for site, role, party in self.members():
            row = site.ok("model/query", {"model_version": data["model_version"], "party_id": int(party)})["data"]
            self.assertEqual([(r["f_role"], r["f_party_id"]) for r in row], [(role, party)])
            self.assertFalse(row[0]["f_parent"])
            self.assertEqual(row[0]["f_parent_info"]["parent_model_version"], self.job)
            self.assertEqual(row[0]["f_inference_dsl"]["components"]["hetero_lr_0"]["input"]["model"],
                             ["pipeline.hetero_lr_0.model"])

    def test_only_the_models_that_are_used_go_along(self):
        components = ["reader_0", "data_transform_0"]
        data = self.deploy(cpn_list=components)["data"]
        self.sealed_roots(data["model_version"])
        dsl = self.fed.guest.ok("model/get/predict/dsl", {
            "model_id": MODEL_ID, "model_version": data["model_version"]})["data"]
        self.assertEqual(sorted(dsl["components"]), sorted(components))
        parts = self.fed.guest.sql("SELECT DISTINCT component FROM model_part WHERE model_version = '%s'"
                                   " AND sealed = 1 ORDER BY 1" % data["model_version"])
        self.assertEqual(parts, [["data_transform_0"], ["pipeline"]])

    def test_an_inference_dsl_can_be_given_as_object_and_as_text(self):
        first = self.deploy()["data"]
        dsl = self.fed.guest.ok("model/get/predict/dsl", {
            "model_id": MODEL_ID, "model_version": first["model_version"]})["data"]
        for given in ({"predict_dsl": dsl}, {"dsl": json.dumps(dsl)}):
            reply = self.deploy(**given)
            self.assertEqual(reply["retcode"], 0, reply)
            again = self.fed.host.ok("model/get/predict/dsl", {
                "model_id": MODEL_ID, "model_version": reply["data"]["model_version"]})["data"]
            self.assertEqual(again, dsl)

    def test_any_member_may_deploy(self):
        reply = self.deploy(self.fed.host)
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(len(set(self.sealed_roots(reply["data"]["model_version"]))), 1)

    def test_a_child_cannot_be_deployed_again(self):
        child = self.deploy()["data"]["model_version"]
        reply = self.deploy(version=child)
        self.assertEqual(reply["retcode"], 101)
        for role, party in ROLES:
            self.assertEqual(reply["data"][role][party], 100)
            self.assertIn("cannot be deployed again", reply["data"]["detail"][role][party]["retmsg"])

    def test_wrong_requests_change_nothing_and_say_what_is_wrong(self):
        count = "SELECT COUNT(*) FROM model"
        before = self.fed.guest.sql(count)
        status, _, body = self.fed.guest.request("model/deploy", {"model_id": MODEL_ID, "model_version": "2020"})
        self.assertEqual((status, json.loads(body)["retcode"]), (404, 404))
        status, _, _ = self.fed.guest.request("model/deploy", {"model_id": "x", "model_version": self.job})
        self.assertEqual(status, 404)
        reply = self.fed.guest.api("model/deploy", {"model_id": MODEL_ID})
        self.assertEqual(reply["retcode"], 101)
        self.assertIn("model_version", reply["retmsg"])
        reply = self.deploy(cpn_list=["reader_0", "hetero_lr_7"])
        self.assertEqual(reply["retcode"], 101)
        self.assertIn("hetero_lr_7", reply["retmsg"])
        self.assertIn("data", reply)
        reply = self.deploy(cpn_list=["reader_0"], predict_dsl={"components": {}})
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("together", reply["retmsg"])
        dsl = {"components": {"lr": {"module": "HeteroLR", "input": {"model": ["pipeline.nobody_0.model"]}}}}
        reply = self.deploy(predict_dsl=dsl)
        self.assertEqual(reply["retcode"], 101)
        self.assertIn("pipeline.nobody_0.model", reply["retmsg"])
        reply = self.deploy(components_checkpoint={"reader_0": {"step_index": 1}})
        self.assertEqual(reply["retcode"], 101)
        self.assertIn("reader_0", reply["retmsg"])
        self.assertEqual(self.fed.guest.sql(count), before)

    def test_a_step_without_checkpoint_is_refused_by_who_lacks_it(self):
        reply = self.deploy(components_checkpoint={"hetero_lr_0": {"step_index": 4711}})
        self.assertEqual(reply["retcode"], 101, reply)
        self.assertIn("checkpoint", json.dumps(reply["data"]["detail"]))
        self.nothing_is_visible(reply["data"]["model_version"])

    def test_nothing_is_visible_when_a_partner_is_down(self):
        self.stop_nginx(self.fed.host)
        try:
            reply = self.deploy()
            self.assertEqual(reply["retcode"], 101, reply)
            self.assertEqual(reply["data"]["host"]["10000"], 100)
            self.assertEqual(reply["data"]["guest"]["9999"], 0)
        finally:
            self.fed.host.start()
        self.nothing_is_visible(reply["data"]["model_version"])

    def stop_nginx(self, site):
        """Master and workers: a worker holds the ports until it is gone."""
        master = site.pid("nginx")
        pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
        workers = []
        for pid in pids:
            try:
                with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
                    parent = int(f.read().rsplit(")", 1)[1].split()[1])
                if parent == master:
                    workers.append(pid)
            except OSError:
                continue
        for pid in [master] + workers:
            kill(pid)
        wait_for(lambda: not {master, *workers} & set(processes("nginx")), what="end of nginx")

    def test_nothing_is_visible_when_a_partners_part_is_damaged(self):
        path = self.object_path(self.fed.host, self.job, "host", "hetero_lr_0")
        with open(path, "rb") as f:
            content = f.read()
        try:
            with open(path, "r+b") as f:
                f.write(bytes([content[0] ^ 1]))
            reply = self.deploy()
        finally:
            with open(path, "r+b") as f:
                f.write(content)
        self.assertEqual(reply["retcode"], 101, reply)
        self.assertIn("damaged", reply["data"]["detail"]["host"]["10000"]["retmsg"])
        self.nothing_is_visible(reply["data"]["model_version"])

    def test_a_partner_with_another_root_refuses(self):
        job = self.train(max_iter=1)
        self.sealed_roots(job)
        self.fed.host.sql("UPDATE model SET root_hash = UNHEX(REPEAT('ab', 32)) WHERE model_version = '%s'" % job)
        reply = self.deploy(version=job)
        self.assertEqual(reply["retcode"], 101, reply)
        self.assertIn("do not belong together", reply["data"]["detail"]["host"]["10000"]["retmsg"])
        self.nothing_is_visible(reply["data"]["model_version"])

    def test_a_supervisor_that_is_down_is_said_and_nothing_happens_later(self):
        guest = self.fed.guest
        pid = guest.pid("supervisor")
        kill(pid)
        wait_for(lambda: pid not in processes(guest.home), what="end of the supervisor")
        before = guest.sql("SELECT COUNT(*) FROM model")
        status, head, body = guest.request("model/deploy", {"model_id": MODEL_ID, "model_version": self.job})
        self.assertEqual(status, 503, body)
        self.assertTrue(int(head["Retry-After"]) > 0)
        self.assertIn("supervisor", json.loads(body)["retmsg"])
        guest.start()
        wait_for(lambda: guest.sql("SELECT COUNT(*) FROM errand WHERE state IN ('waiting', 'running')") == [["0"]],
                 what="no errand left")
        self.assertEqual(guest.sql("SELECT COUNT(*) FROM model"), before)

    def test_only_so_many_workers_wait_for_other_sites(self):
        """Half of the four: the others answer at once, and other requests go on."""
        guest = self.fed.guest
        pid = guest.pid("supervisor")
        kill(pid)
        wait_for(lambda: pid not in processes(guest.home), what="end of the supervisor")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            body = {"model_id": MODEL_ID, "model_version": self.job}
            asked = [pool.submit(guest.request, "model/deploy", body) for _ in range(4)]
            start = time.monotonic()
            guest.ok("model/query", {"model_version": self.job})
            self.assertLess(time.monotonic() - start, 5)
            replies = [json.loads(a.result()[2])["retmsg"] for a in asked]
        refused = [r for r in replies if "requests that wait for other sites" in r]
        self.assertEqual(len(refused), 2, replies)

    def children(self):
        """version → what each member has of it, of all that were ever deployed here."""
        found = {}
        for site, role, party in self.members():
            for version, state, root in site.sql("SELECT model_version, state, COALESCE(HEX(root_hash), '') FROM model"
                                                 " WHERE is_parent = 0 AND role = '%s'" % role):
                found.setdefault(version, {})[party] = (state, root)
        return found

    def all_or_none(self):
        for parties in self.children().values():
            roots = {root for state, root in parties.values() if state == "sealed"}
            sealed = [p for p, (state, _) in parties.items() if state == "sealed"]
            if sealed and (len(sealed) != 3 or len(roots) != 1):
                return False
        return True

    def test_all_members_have_a_child_or_none_whenever_the_supervisor_dies(self):
        guest = self.fed.guest
        for pause in (0, 0.01, 0.02, 0.03, 0.05):
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                asked = pool.submit(self.deploy)
                time.sleep(pause)  # any instant will do
                pid = guest.pid("supervisor")
                kill(pid)
                wait_for(lambda: pid not in processes(guest.home), what="end of the supervisor")
                guest.start()
                reply = asked.result()
            wait_for(self.all_or_none, what="all or none of %s" % self.children())
            if reply["retcode"] == 0:
                self.assertEqual(len(set(self.sealed_roots(reply["data"]["model_version"]))), 1)

    def test_conf_template_names_the_deployed_version(self):
        child = self.deploy()["data"]["model_version"]
        conf = self.fed.guest.ok("model/get/predict/conf", {"model_id": MODEL_ID, "model_version": child})["data"]
        self.assertEqual(conf["job_parameters"]["common"]["model_version"], child)
        self.assertEqual(conf["job_parameters"]["common"]["model_id"], MODEL_ID)
        self.assertEqual(conf["job_parameters"]["common"]["job_type"], "predict")
        self.assertEqual(conf["component_parameters"]["role"]["host"]["0"]["reader_0"]["table"],
                         {"name": "name_to_be_filled_1", "namespace": "namespace_to_be_filled_1"})
        self.assertEqual(conf["role"]["arbiter"], [10001])
        status, head, body = self.fed.guest.request("model/get/predict/conf", {
            "model_id": MODEL_ID, "model_version": child, "filename": "conf.json"})
        self.assertEqual((status, json.loads(body)), (200, conf))
        self.assertIn("conf.json", head["Content-Disposition"])

    def test_predict_templates_need_a_deployed_version_of_no_arbiter(self):
        child = self.deploy()["data"]["model_version"]
        for what in ("dsl", "conf"):
            for site, version in ((self.fed.guest, self.job), (self.fed.arbiter, child), (self.fed.guest, "123")):
                status, _, body = site.request("model/get/predict/" + what, {
                    "model_id": MODEL_ID, "model_version": version})
                self.assertEqual((status, json.loads(body)["retcode"]), (210, 210))

    def test_rows_have_the_classic_columns_and_filters_choose_them(self):
        rows = self.fed.guest.ok("model/query", {"model_id": MODEL_ID, "model_version": self.job, "local": {}})["data"]
        self.assertEqual(len(rows), 1)
        for column in ("f_role f_party_id f_roles f_job_id f_model_id f_model_version f_size f_initiator_role"
                       " f_initiator_party_id f_runtime_conf f_train_dsl f_train_runtime_conf f_runtime_conf_on_party"
                       " f_inference_dsl f_fate_version f_parent f_parent_info f_loaded_times f_imported"
                       " f_archive_sha256 f_archive_from_ip f_create_time f_create_date f_update_time"
                       " f_update_date").split():
            self.assertIn(column, rows[0])
        self.assertTrue(rows[0]["f_parent"])
        self.assertEqual(rows[0]["f_roles"], {"guest": [9999], "host": [10000], "arbiter": [10001]})
        rows = self.fed.guest.ok("model/query", {"model_version": self.job, "query_filters": [
            "role", "size", "parent"]})["data"]
        self.assertEqual(sorted(rows[0]), ["f_parent", "f_role", "f_size"])
        self.assertEqual(self.fed.guest.api("model/query", {"model_version": self.job, "parent": False})["data"], [])
        none = self.fed.guest.api("model/query", {"model_version": "1"})
        self.assertEqual((none["retcode"], none["data"]), (100, []))

    def test_detail_lists_components_in_order(self):
        child = self.deploy()["data"]["model_version"]
        data = self.fed.guest.ok("model/query/detail", {"model_id": MODEL_ID, "model_version": child})["data"]
        info = data["component_info"]
        self.assertEqual(info[0], {"component_name": "reader_0", "module": "Reader", "index": 0})
        self.assertEqual(set(data["dsl"]["components"]), {i["component_name"] for i in info})
        self.assertIn("hetero_lr_0", {i["component_name"] for i in data["inference_component_info"]})

    def test_load_says_for_each_party_why_not(self):
        child = self.deploy()["data"]["model_version"]
        reply = self.fed.guest.api("model/load", {"job_id": child})
        self.assertEqual((reply["retcode"], reply["retmsg"]), (101, "failed"))
        self.assertEqual(reply["data"]["guest"], {"9999": 100})
        self.assertEqual(reply["data"]["host"], {"10000": 100})
        self.assertNotIn("arbiter", reply["data"])
        self.assertIn("no serving is configured", reply["data"]["detail"]["host"]["10000"]["retmsg"])
        self.assertIn("jobId", reply)
        conf = {"initiator": {"party_id": "9999", "role": "guest"}, "role": {"guest": [9999], "host": ["10000"]},
                "job_parameters": {"model_id": MODEL_ID, "model_version": self.job, "file_path": "x"}}
        reply = self.fed.guest.api("model/load", conf)
        self.assertIn("not deployed", reply["data"]["detail"]["guest"]["9999"]["retmsg"])
        self.assertEqual(self.fed.guest.api("model/load", {"job_id": "20200101000000000000"})["retcode"], 101)
        reply = self.fed.guest.api("model/load", {"role": {}})
        self.assertEqual(reply["retcode"], 100)
        self.assertTrue(reply["retmsg"].startswith("the following arguments are required: "), reply)
        loaded = self.fed.guest.sql("SELECT SUM(loaded_times) FROM model")
        self.assertEqual(loaded, [["0"]])

    def test_bind_says_what_lacks(self):
        child = self.deploy()["data"]["model_version"]
        bind = lambda **body: self.fed.guest.api("model/bind", body)
        self.assertEqual(bind(job_id=child)["retcode"], 101)
        self.assertEqual(bind(job_id="20200101000000000000", service_id="s")["retcode"], 101)
        self.assertEqual(bind(service_id="s")["retcode"], 100)
        reply = bind(job_id=child, service_id="s")
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("no serving", reply["retmsg"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Complete job files: every fault of a job told at once and quickly, scopes of
roles, providers by component and role; and what is done to jobs afterwards."""
import json
import os
import shutil
import unittest

from federation import BUILD, DATA, Federation, example, lr_conf, processes, settings, wait_for

TICKS = os.sysconf("SC_CLK_TCK")


class JobFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="files")
            assert reply.get("status") == "success", reply

    def conf(self, **lr):
        return lr_conf(namespace="files", **dict({"max_iter": 2, "tol": 0}, **lr))

    def jobs(self):
        return self.fed.guest.sql("SELECT COUNT(*) FROM job")[0][0]

    def worked(self):
        """Seconds of processor time that the guest's request workers have used."""
        ticks = 0
        for pid in processes("sluice-fcgi --config " + self.fed.guest.home):
            with open("/proc/%d/stat" % pid, encoding="ascii") as f:
                ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        return ticks / TICKS

    def refused(self, conf, dsl=None, *texts, seconds=1.0):
        before, start = self.jobs(), self.worked()
        reply = self.fed.guest.api("job/submit", {"job_dsl": dsl or example("dsl.json"), "job_runtime_conf": conf})
        took = self.worked() - start
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertNotIn("data", reply)
        for text in texts:
            self.assertIn(text, reply["retmsg"])
        self.assertLess(took, seconds)
        self.assertEqual(self.jobs(), before)
        return took

    def done(self, conf, dsl=None):
        job = self.fed.submit(conf, dsl)
        row = self.fed.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.fed.guest.events(job))
        return job

    # --- faults

    def test_ten_thousand_components_are_judged_within_a_second(self):
        dsl = {"components": {"reader_0": {"module": "Reader", "output": {"data": ["data"]}}}}
        for i in range(10000):
            dsl["components"]["transform_%d" % i] = {
                "module": "DataTransform", "input": {"data": {"data": ["reader_0.data"]}},
                "output": {"data": ["data"], "model": ["model"]}}
        conf = self.conf()
        conf["component_parameters"] = {"common": {"transform_%d" % i: {"with_labl": True} for i in range(10000)}}
        took = self.refused(conf, dsl, "/common/transform_1/with_labl", 'did you mean "with_label"')
        print("10 000 components with faults: %.3f s" % took)

    def test_deep_and_hostile_documents_are_refused_quickly(self):
        deep = {}
        for _ in range(40):
            deep = {"x": deep}
        conf = self.conf()
        conf["component_parameters"]["common"]["hetero_lr_0"]["init_param"] = deep
        self.refused(conf, None, "/component_parameters/common/hetero_lr_0/init_param/x")
        for raw in (b'{"job_dsl":{"components":{"r\xff":{}}},"job_runtime_conf":{}}',
                    b'{"job_dsl":' + b'{"a":' * 70 + b"1" + b"}" * 70 + b',"job_runtime_conf":{}}',
                    b'{"job_dsl":{},"job_runtime_conf":{"dsl_version":1e999}}',
                    b'{"job_dsl":{"a":1,"a":2},"job_runtime_conf":{}}', b'{"job_dsl":', b"[]"):
            before, start = self.jobs(), self.worked()
            reply = self.fed.guest.api("job/submit", raw=raw)
            self.assertNotEqual(reply["retcode"], 0, raw)
            self.assertLess(self.worked() - start, 1)
            self.assertEqual(self.jobs(), before)

    def test_wrong_types_at_every_level_are_told_with_their_place(self):
        for path in ("dsl_version", "initiator", "initiator/role", "initiator/party_id", "role", "role/guest",
                     "role/host", "job_parameters", "job_parameters/common", "job_parameters/common/task_cores",
                     "component_parameters", "component_parameters/common", "component_parameters/common/hetero_lr_0",
                     "component_parameters/common/hetero_lr_0/max_iter", "component_parameters/role",
                     "component_parameters/role/guest", "component_parameters/role/guest/0",
                     "component_parameters/role/guest/0/reader_0", "component_parameters/role/guest/0/reader_0/table"):
            keys = path.split("/")
            for wrong in (True, [[1]], 1.5, 10**30, -1, "\u00e9"):
                conf = self.conf()
                at = conf
                for key in keys[:-1]:
                    at = at[key]
                at[keys[-1]] = wrong
                if path == "job_parameters/common/task_cores" and wrong is True:
                    continue
                self.refused(conf, None, "/job_runtime_conf/" + path)

    def test_job_parameters_that_nobody_knows_are_dropped_with_a_warning(self):
        conf = self.conf()
        conf["job_parameters"]["common"].update({"task_core": 1, "backend": 0, "work_mode": 1})
        conf["job_parameters"]["role"] = {"guest": {"0": {"user": "somebody"}}}
        reply = self.fed.guest.api("job/submit", {"job_dsl": example("dsl.json"), "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertIn("[WARN]", reply["retmsg"])
        self.assertIn('did you mean "task_cores"', reply["retmsg"])
        self.assertIn("backend is removed", reply["retmsg"])
        self.assertNotIn("user", reply["retmsg"])
        self.fed.guest.ok("job/stop", {"job_id": reply["jobId"]})

    def test_what_the_clients_add_to_documents_is_ignored(self):
        conf = self.conf()
        conf.update({"conf_path": "/home/me/conf.json", "dsl_path": "/home/me/dsl.json"})
        job = self.fed.submit(conf)
        stored = self.fed.guest.ok("job/config", {"job_id": job, "role": "guest", "party_id": 9999})["data"]
        self.assertNotIn("conf_path", stored["runtime_conf"])
        self.fed.guest.ok("job/stop", {"job_id": job})

    def test_reuse_of_an_earlier_job_is_refused_in_words(self):
        conf = self.conf()
        conf["job_parameters"]["common"]["inheritance_info"] = {"job_id": "2" * 21, "component_list": ["reader_0"]}
        self.refused(conf, None, "/job_parameters/common/inheritance_info", "job/rerun")

    # --- scopes

    def test_parameters_of_a_role_hold_for_its_members(self):
        conf = self.conf()
        conf["job_parameters"]["common"].update({"task_cores": 1, "task_parallelism": 2})
        conf["job_parameters"]["role"] = {"host": {"0": {
            "task_cores": 2, "task_conf": {"hetero_lr_0": {"launcher": "default"}}}},
            "guest": {"all": {"task_parallelism": 1}}}
        job = self.done(conf)
        rows = {(site.party, row[0]): row[1:] for site in self.fed.sites.values() for row in site.sql(
            "SELECT role, cores, JSON_VALUE(party_conf, '$.job_parameters.task_cores'),"
            " JSON_VALUE(party_conf, '$.job_parameters.task_conf.hetero_lr_0.launcher')"
            " FROM job_party WHERE job_id='%s' AND is_local=1" % job)}
        # Two at once would be one too many for the guest: nobody reserves for more.
        self.assertEqual(rows[("9999", "guest")], ["1", "1", "NULL"])
        self.assertEqual(rows[("10000", "host")], ["2", "2", "default"])
        cores = self.fed.host.sql("SELECT DISTINCT cores FROM attempt WHERE job_id='%s'" % job)
        self.assertEqual(cores, [["2"]])

    def test_index_keys_out_of_range_are_faults_in_every_section(self):
        conf = self.conf()
        conf["job_parameters"]["role"] = {"host": {"1": {"task_cores": 1}}}
        conf["component_parameters"]["role"]["guest"]["0|3"] = {"reader_0": {}}
        conf["provider"] = {"role": {"arbiter": {"x": {"hetero_lr_0": "fate"}}}}
        self.refused(conf, None, "/job_parameters/role/host/1", "/component_parameters/role/guest/0|3",
                     "/provider/role/arbiter/x")

    def test_the_toy_example_names_components_directly_under_the_role(self):
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
                "role": {"guest": [9999], "host": [10000]},
                "job_parameters": {"common": {"job_type": "train", "task_cores": 1}},
                "component_parameters": {"role": {
                    "guest": {"0": {"secure_add_example_0": {"seed": 123}}},
                    "host": {"secure_add_example_0": {"seed": 321}}}}}
        self.done(conf, {"components": {"secure_add_example_0": {"module": "SecureAddExample"}}})

    # --- providers

    def own_providers(self):
        """The sites' programs in a folder of this test: those of the build serve other sites, too.  That of "sluice"."""
        own = os.path.join(os.path.dirname(self.fed.guest.home), "providers-of-job-files")
        shutil.copytree(os.path.join(BUILD, "providers"), own)
        self.addCleanup(shutil.rmtree, own)
        for site in self.fed.sites.values():
            old = settings(site, "executor", providers_dir=own)
            self.again(site)
            self.addCleanup(self.again, site)
            self.addCleanup(settings, site, "executor", **old)
        self.providers = os.path.join(own, "sluice")
        return self.providers

    @staticmethod
    def again(site):
        site.stop()
        site.start()

    def second_version(self, version):
        folder = os.path.join(self.providers, version)
        newest = sorted(v for v in os.listdir(self.providers) if v != version)[-1]
        shutil.copytree(os.path.join(self.providers, newest), folder)
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "manifest.json")
        with open(path, encoding="utf-8") as f:
            manifest = json.load(f)
        manifest["version"] = version
        with open(path, "w", encoding="utf-8") as f:
            json.dump(manifest, f)
        return folder, newest

    def test_two_versions_of_a_provider_side_by_side(self):
        newest = sorted(os.listdir(self.own_providers()))[-1]
        spec = {"components": dict(example("dsl.json")["components"])}
        spec["components"]["intersection_0"] = dict(spec["components"]["intersection_0"], provider="sluice@0.9.0")
        conf = self.conf()
        self.refused(conf, spec, "sluice@0.9.0", newest)
        folder, _ = self.second_version("0.9.0")
        for site in self.fed.sites.values():
            for _ in range(2):  # again is fine
                reply = site.ok("provider/register", {"name": "sluice", "version": "0.9.0", "path": folder + "/"})
                self.assertEqual([v["retcode"] for v in reply["data"].values()], [0])
            data = site.ok("provider/get")["data"]["sluice"]
            self.assertEqual(data["default"]["version"], newest)
            self.assertEqual(data["0.9.0"]["path"], folder)
            self.assertIn("heterolr", data["0.9.0"]["components"])
        conf["provider"] = {"common": {"hetero_lr_0": "sluice@%s" % newest, "reader_0": "sluice"},
                            "role": {"guest": {"0": {"reader_0": "sluice@0.9.0"}}, "host": {"all": {
                                "hetero_lr_0": "fate@0.9.0"}}}}
        job = self.done(conf, spec)

        def used(site, component, role):
            return json.loads(site.sql("SELECT provider FROM task WHERE job_id='%s' AND component='%s' AND role='%s'"
                                       % (job, component, role))[0][0])["version"]
        self.assertEqual(used(self.fed.guest, "reader_0", "guest"), "0.9.0")
        self.assertEqual(used(self.fed.host, "reader_0", "host"), newest)
        self.assertEqual(used(self.fed.guest, "intersection_0", "guest"), "0.9.0")
        self.assertEqual(used(self.fed.host, "intersection_0", "host"), "0.9.0")
        self.assertEqual(used(self.fed.guest, "hetero_lr_0", "guest"), newest)
        self.assertEqual(used(self.fed.host, "hetero_lr_0", "host"), "0.9.0")
        self.assertEqual(used(self.fed.guest, "evaluation_0", "guest"), newest)

    def test_registration_takes_no_path_but_the_sites_own(self):
        site, own = self.fed.guest, self.own_providers()
        before = site.sql("SELECT COUNT(*) FROM provider")
        for body in ({"name": "sluice", "version": "0.8.0", "path": "/tmp"},
                     {"name": "sluice", "version": "0.8.0", "path": own + "/0.8.0/../../../.."},
                     {"name": "..", "version": "0.8.0", "path": own + "/../0.8.0"},
                     {"name": "sluice", "version": "..", "path": own + "/.."},
                     {"name": "sluice", "version": "0.8.0", "path": 5},
                     {"name": "x" * 5000, "version": "1", "path": "/"}):
            status, _, text = site.request("provider/register", body)
            self.assertEqual(status, 400, text)
        self.assertIn(own + "/0.8.0", site.api("provider/register", {
            "name": "sluice", "version": "0.8.0", "path": "/home/me/provider"})["retmsg"])
        reply = site.api("provider/register", {"name": "sluice", "version": "0.8.0", "path": own + "/0.8.0"})
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertIn("there is no folder sluice/0.8.0", reply["retmsg"])
        reply = site.api("provider/register", {"name": "sluice"})
        self.assertEqual(reply["retcode"], 101, reply)
        folder, _ = self.second_version("0.7.0")
        with open(os.path.join(folder, "manifest.json"), "w", encoding="utf-8") as f:
            f.write('{"name": "sluice", "version": "0.7.0", "components": 5}')
        reply = site.api("provider/register", {"name": "sluice", "version": "0.7.0", "path": folder})
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertIn("/components", reply["retmsg"])
        self.assertEqual(site.sql("SELECT COUNT(*) FROM provider"), before)

    def test_a_provider_that_does_not_say_its_tags_is_not_registered_and_hears_what_to_write(self):
        site = self.fed.guest
        self.own_providers()
        folder, _ = self.second_version("0.6.0")
        path = os.path.join(folder, "manifest.json")
        with open(path, encoding="utf-8") as f:
            manifest = json.load(f)
        del manifest["components"]["HeteroLR"]["transfers"]["loss"]["tags"]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(manifest, f)
        reply = site.api("provider/register", {"name": "sluice", "version": "0.6.0", "path": folder})
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertIn('objects "loss" of HeteroLR', reply["retmsg"])
        self.assertIn('write "tags": ["#"]', reply["retmsg"])
        said = [line for line in site.cli("doctor", check=False).stdout.splitlines() if "provider sluice 0.6.0" in line]
        self.assertTrue(said and said[0].startswith("warn"), said)
        manifest["components"]["HeteroLR"]["transfers"]["loss"]["tags"] = ["#"]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(manifest, f)
        reply = site.ok("provider/register", {"name": "sluice", "version": "0.6.0", "path": folder})
        self.assertEqual([v["retcode"] for v in reply["data"].values()], [0])

    def test_providers_and_components_are_shown(self):
        site = self.fed.guest
        one = site.ok("provider/fate/get")["data"]
        version = one["default"]["version"]
        self.assertEqual(one[version]["components"]["heterolr"], {"module": "HeteroLR"})
        self.assertNotIn("data", site.ok("provider/nobody/get"))
        every = site.ok("component/get")["data"]
        self.assertEqual(every["HeteroLR"], every["heterolr"])
        self.assertEqual(every["HeteroLR"]["default_provider"], "sluice")
        self.assertEqual(site.ok("component/heterolr/get")["data"], every["HeteroLR"])
        self.assertNotIn("data", site.ok("component/nothing/get"))
        registry = site.ok("provider/registry/get")["data"]
        self.assertEqual(set(registry), {"providers", "components", "default_settings"})
        self.assertEqual(site.ok("provider/update", {"name": "sluice", "version": version})["retcode"], 0)
        self.assertEqual(site.api("provider/update", {"name": "sluice", "version": "77"})["retcode"], 103)

    def test_parameters_can_be_tried_without_a_job(self):
        site = self.fed.guest
        body = {"component_name": "hetero_lr_0", "component_module_name": "HeteroLR", "dsl_version": 2,
                "role": "guest", "component_parameters": {"max_iter": 3}}
        site.ok("component/validate", body)
        body["component_parameters"] = {"common": {"hetero_lr_0": {"max_itr": 3, "penalty": "L9"}}}
        status, _, text = site.request("component/validate", body)
        self.assertEqual(status, 400)
        self.assertIn(b"max_iter", text)
        self.assertIn(b"/component_parameters/penalty", text)
        for change in ({"component_module_name": "HeteroLRR"}, {"role": "local"}, {"dsl_version": 1},
                       {"component_parameters": None}):
            self.assertEqual(site.request("component/validate", dict(body, **change))[0], 400)

    # --- what is done to jobs afterwards

    def test_cleaning_removes_outputs_and_metrics_of_an_ended_job_with_their_files(self):
        site = self.fed.guest
        job = self.done(self.conf())

        def folders():
            return [os.path.join(site.home, "data", "tables", row[0]) for row in site.sql(
                "SELECT d.folder FROM data_table d WHERE d.job_id='%s'" % job)]
        there = folders()
        self.assertGreater(len(there), 3)
        self.assertTrue(all(os.path.isdir(f) for f in there))
        # What cannot be recorded is not done.
        site.sql("CREATE TRIGGER no_record BEFORE INSERT ON audit FOR EACH ROW"
                 " SET NEW.actor = IF(NEW.action IN ('job/clean', 'metric/delete'), NULL, NEW.actor)")
        try:
            for path in ("job/clean", "tracking/component/metric/delete"):
                self.assertNotEqual(site.api(path, {"job_id": job})["retcode"], 0, path)
        finally:
            site.sql("DROP TRIGGER no_record")
        self.assertEqual(folders(), there)
        self.assertNotEqual(site.metrics(job, "evaluation_0", "guest"), {})
        site.ok("job/clean", {"job_id": job, "component_name": "evaluation_0"})
        self.assertEqual([d.split(":")[0] for (d,) in site.sql(
            "SELECT detail FROM audit WHERE action = 'job/clean' AND subject = '%s'" % job)], ["evaluation_0 0"])
        self.assertEqual(site.metrics(job, "evaluation_0", "guest"), {})
        self.assertNotEqual(site.metrics(job, "intersection_0", "guest"), {})
        summaries = "SELECT component FROM summary WHERE job_id='%s'" % job
        self.assertNotIn(["evaluation_0"], site.sql(summaries))
        self.assertIn(["intersection_0"], site.sql(summaries))
        site.ok("job/clean", {"job_id": job})
        self.assertEqual(site.sql(summaries), [])
        self.assertEqual(folders(), [])
        self.assertFalse(any(os.path.exists(f) for f in there))
        self.assertEqual(site.metrics(job, "intersection_0", "guest"), {})
        # The upload it read is nobody's output; and it can be worked out again.
        self.assertEqual(site.ok("table/table_info", {"table_name": "breast_guest", "namespace": "files"})
                         ["data"]["exist"], 1)
        site.ok("job/rerun", {"job_id": job, "component_name": "evaluation_0", "force": True})
        self.assertEqual(site.wait(job)["f_status"], "success", site.events(job))
        versions = {t["f_component_name"]: t["f_task_version"] for t in site.tasks(job)}
        self.assertEqual(set(versions.values()), {1}, versions)

    def test_a_running_job_is_not_cleaned_and_keeps_its_resources(self):
        site = self.fed.guest
        job = self.fed.submit(self.conf(max_iter=1000))
        wait_for(lambda: site.tasks(job, component_name="hetero_lr_0", status="running"), what="training")
        before = site.sql("SELECT COUNT(*) FROM data_table WHERE job_id='%s'" % job)
        reply = site.api("job/clean", {"job_id": job})
        self.assertEqual(reply["retcode"], 103, reply)
        self.assertEqual(site.sql("SELECT COUNT(*) FROM data_table WHERE job_id='%s'" % job), before)
        reply = site.ok("resource/return", {"job_id": job})
        self.assertEqual([(r["resource_in_use"], r["resource_return_status"]) for r in reply["data"]], [(True, False)])
        self.assertEqual(site.api("resource/return", {"job_id": "2" * 21})["retcode"], 100)
        self.assertEqual(site.api("job/clean", {"job_id": "2" * 21})["retcode"], 100)
        self.assertEqual(site.api("job/clean", {"role": "guest"})["retcode"], 101)
        self.assertEqual(site.api("job/stop", {"job_id": job, "stop_status": "exploded"})["retcode"], 101)
        site.ok("job/stop", {"job_id": job, "stop_status": "failed"})
        self.assertEqual(site.wait(job)["f_status"], "failed")

    def test_the_queue_is_emptied_of_waiting_jobs_alone(self):
        site = self.fed.guest
        cores = int(site.sql("SELECT cores FROM resource")[0][0])
        running = self.conf(max_iter=1000)
        running["job_parameters"]["common"]["task_cores"] = cores
        first = self.fed.submit(running)
        wait_for(lambda: site.tasks(first, component_name="hetero_lr_0", status="running"), what="training")
        second = self.fed.submit(running)
        reply = site.request("job/clean/queue", method="POST")
        self.assertEqual(json.loads(reply[2])["data"], {second: 0})
        self.assertEqual(site.wait(second)["f_status"], "canceled")
        self.assertEqual(site.ok("job/query", {"job_id": first})["data"][0]["f_status"], "running")
        self.assertIn(["job/clean/queue"], site.sql("SELECT action FROM audit"))
        site.ok("job/stop", {"job_id": first})
        site.wait(first)
        self.assertEqual(site.ok("job/clean/queue")["data"], {})

    def test_notes_report_and_page_of_a_job(self):
        site = self.fed.guest
        job = self.done(self.conf())
        member = {"job_id": job, "role": "guest", "party_id": "9999"}
        site.ok("job/update", dict(member, notes="the one for the board \u00e9"))
        self.assertEqual(site.ok("job/query", {"job_id": job})["data"][0]["f_description"],
                         "the one for the board \u00e9")
        self.assertEqual(site.api("job/update", dict(member, role="host", notes="x"))["retcode"], 101)
        self.assertEqual(site.api("job/update", dict(member, notes=["x"]))["retcode"], 101)
        self.assertEqual(site.api("job/update", dict(member, notes="x" * 10001))["retcode"], 101)
        rows = site.ok("job/report", member)["data"]
        self.assertEqual({r["component_name"]: r["index"] for r in rows},
                         {"reader_0": 0, "data_transform_0": 1, "intersection_0": 2, "hetero_lr_0": 3,
                          "evaluation_0": 4})
        self.assertTrue(all(r["status"] == "success" and r["elapsed"] >= 0 for r in rows))
        self.assertEqual(site.api("job/report", {"job_id": "2" * 21})["retcode"], 101)
        url = site.ok("job/url/get", member)["data"]["board_url"]
        self.assertIn("job_id=%s&role=guest&party_id=9999" % job, url[0])
        self.assertEqual(site.api("job/url/get", dict(member, party_id=1))["retcode"], 101)
        self.assertEqual(site.api("job/url/get", {"job_id": job})["retcode"], 101)


if __name__ == "__main__":
    unittest.main(verbosity=2)

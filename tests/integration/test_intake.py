"""How data comes in: uploads in all their forms, sparse and tag rows, match ids, caches of intersections."""
import json
import os
import random
import tempfile
import unittest
import urllib.parse

from federation import Federation

CSV = b"id,y,x0\n1,0,0.5\n2,1,1.5\n"
EDGE = "sluicetestboundary5c1a"


def form(content, fields=()):
    """A multipart body: fields, then the file."""
    out = b""
    for name, value in fields:
        out += ('--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (EDGE, name, value)).encode()
    out += ('--%s\r\nContent-Disposition: form-data; name="file"; filename="f.csv"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n" % EDGE).encode()
    return out + content + ("\r\n--%s--\r\n" % EDGE).encode()


def config(name, **more):
    return dict({"file": "/x/f.csv", "head": 1, "partition": 4, "id_delimiter": ",", "namespace": "intake",
                 "table_name": name, "drop": 1}, **more)


def bare(conf):
    """The query as the classic client writes it: JSON, escaped by halves."""
    return urllib.parse.quote(json.dumps(conf), safe=":,/'=&+ ").replace(" ", "%20")


class Uploads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Federation().guest

    def upload(self, content, query="", fields=()):
        """The reply's envelope, with the job's end as "status" and why as "reason"."""
        reply = json.loads(self.site.request(
            "data/upload", raw=form(content, fields), query="?" + query if query else "",
            headers={"Content-Type": "multipart/form-data; boundary=" + EDGE})[2])
        if reply.get("jobId"):
            reply["status"] = self.site.wait(reply["jobId"], role="local", party="0")["f_status"]
            reply["reason"] = self.site.tasks(reply["jobId"], role="local", party_id="0")[0]["f_error_report"]
        return reply

    def info(self, name):
        return self.site.ok("table/table_info", {"table_name": name, "namespace": "intake"})["data"]

    def assert_schema(self, content, conf, header, sid, count):
        reply = self.upload(content, bare(conf))
        self.assertEqual(reply.get("status"), "success", reply)
        info = self.info(conf["table_name"])
        self.assertEqual((info["schema"]["header"], info["schema"]["sid"], info["count"]), (header, sid, count))
        return info["schema"]

    def assert_fails(self, content, conf, *words):
        reply = self.upload(content, bare(conf))
        self.assertEqual(reply.get("status"), "failed", reply)
        for word in words:
            self.assertIn(word, reply["reason"])
        self.assertEqual(self.info(conf["table_name"])["exist"], 0)

    def test_characters_that_the_client_does_not_escape_are_themselves(self):
        for i, c in enumerate("&=+'\t"):
            self.assert_schema(("id%sy\n1%s0\n" % (c, c)).encode(), config("odd_%d" % i, id_delimiter=c), "y", "id", 1)
        stray = bare(config("stray", id_delimiter="%")).replace("%25", "%")
        self.assertEqual(self.upload(b"id%y\n1%0\n", stray)["status"], "success")
        self.assertEqual(self.info("stray")["schema"]["header"], "y")

    def test_names_beyond_ascii_come_escaped_or_as_they_are(self):
        self.assert_schema(CSV, config("tableau_\u00e9\u4e16"), "y,x0", "id", 2)
        plain = bare(config("XX")).replace("XX", "%C3%A9t%C3%A9")
        self.assertEqual(self.upload(CSV, plain)["status"], "success")
        self.assertEqual(self.info("\u00e9t\u00e9")["exist"], 1)

    def test_older_clients_send_pairs_or_form_fields(self):
        pairs = "namespace=intake&table_name=pairs&head=1&partition=4&drop=1&id_delimiter=,"
        self.assertEqual(self.upload(CSV, pairs)["status"], "success")
        fields = [("namespace", "intake"), ("table_name", "fields"), ("head", "1"), ("partition", "4"), ("drop", "1")]
        self.assertEqual(self.upload(CSV, "", fields)["status"], "success")
        self.assertEqual((self.info("pairs")["count"], self.info("fields")["count"]), (2, 2))

    def test_truth_in_words_and_numbers_in_texts(self):
        conf = config("words", head="true", drop="True", partition="4", extend_sid="false", auto_increasing_sid="0")
        self.assert_schema(CSV, conf, "y,x0", "id", 2)
        self.assert_schema(CSV, config("words", head=True, drop=True), "y,x0", "id", 2)
        reply = self.upload(CSV, bare(config("words", head="maybe")))
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("/head", reply["retmsg"])

    def test_what_is_missing_is_named_and_no_job_is_made(self):
        reply = self.upload(CSV, bare({"file": "f", "head": 1}))
        self.assertEqual(reply["retcode"], 100)
        self.assertTrue(reply["retmsg"].startswith("the following arguments are required: "), reply)
        for name in ("namespace", "table_name", "partition"):
            self.assertIn(name, reply["retmsg"])
        self.assertNotIn("jobId", reply)

    def test_a_table_that_exists_needs_drop(self):
        self.assert_schema(CSV, config("there"), "y,x0", "id", 2)
        reply = self.upload(CSV, bare(config("there", drop=0)))
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("--drop", reply["retmsg"])
        self.assert_schema(b"id,z\n7,8\n", config("there", drop=1), "z", "id", 1)

    def test_engines_that_take_no_uploads_are_refused(self):
        reply = self.upload(CSV, bare(config("engine", storage_engine="EGGROLL")))
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("STANDALONE", reply["retmsg"])
        self.assert_schema(CSV, config("engine", storage_engine="standalone"), "y,x0", "id", 2)

    def test_ids_can_be_made(self):
        self.assert_schema(CSV, config("made", extend_sid=1), "id,y,x0", "extend_sid", 2)
        self.assertTrue(self.info("made")["extend_sid"])
        self.assert_schema(CSV, config("counted", extend_sid=1, auto_increasing_sid=1), "id,y,x0", "extend_sid", 2)
        self.assert_schema(CSV, config("no_head", extend_sid=1, auto_increasing_sid=1, head=0), "", "extend_sid", 3)

    def test_meta_names_label_and_match_ids_and_makes_anonymous_names(self):
        schema = self.assert_schema(
            CSV, config("meta", with_meta=True, meta={"with_label": True, "label_name": "y", "id_list": None}),
            ["x0"], "id", 2)
        self.assertEqual((schema["label_name"], schema["anonymous_label"], schema["anonymous_header"]),
                         ("y", "y", ["x0"]))
        self.assertEqual(schema["meta"]["label_type"], "int")
        self.assertNotIn("id_list", schema["meta"])
        schema = self.assert_schema(
            CSV, config("meta_sid", with_meta=True, extend_sid=True, meta={"label_name": "y"}),
            ["y", "x0"], "extend_sid", 2)
        self.assertEqual((schema["match_id_name"], schema["meta"]["with_match_id"]), ("id", True))
        self.assertNotIn("label_name", schema["meta"])
        schema = self.assert_schema(b"1|2\n2|3\n", config("meta_delimiter", head=0, with_meta=True, id_delimiter=",",
                                                        meta={"delimiter": "|", "input_format": "tag"}), "", "", 2)
        self.assertEqual(schema["meta"]["delimiter"], "|")

    def test_a_schema_can_be_given(self):
        self.assert_schema(b"1,2\n2,3\n", config("given", head=0, schema={"sid": "id", "header": "x0"}), "x0", "id", 2)

    def test_broken_files_name_the_line_and_leave_no_table(self):
        self.assert_fails(b"id,x\n1,a\n2,b\x00c\n", config("bad_nul"), "line 3", "NUL")
        self.assert_fails(b"id,x\n1,a\n2,\xff\n", config("bad_utf8"), "line 3", "UTF-8")
        self.assert_fails(b"id,x\n1,a\n2,b\n1,c\n", config("bad_twice"), "line 4 (row 3)", "line 2 (row 1)")
        self.assert_fails(b"id,x\n1,a\n2\n", config("bad_ragged"), "line 3")
        self.assert_fails(b"id;x\n1;a\n", config("bad_delimiter"), "header", "id_delimiter", '";"')
        self.assert_fails(b"id,x\n1,\"a,b\"\n", config("bad_quotes"), "quotes are not supported")
        self.assert_fails(b"", config("bad_empty"), "empty")
        self.assert_fails(b"id,x\n1," + b"a" * (17 << 20) + b"\n", config("bad_long"), "line 2", "longer")
        self.assert_fails(CSV, config("bad_head", head=2), "0 or 1")
        self.assert_fails(CSV, config("bad_partition", partition=0), "1023")

    def test_files_of_the_server_come_only_from_folders_set_aside(self):
        incoming = os.path.join(self.site.home, "incoming")
        os.makedirs(incoming, exist_ok=True)
        with open(os.path.join(incoming, "mine.csv"), "wb") as f:
            f.write(CSV)
        reply = self.site.api("data/upload", config("server", file="mine.csv", use_local_data=0))
        self.assertEqual(self.site.wait(reply["jobId"], role="local", party="0")["f_status"], "success")
        self.assertEqual(self.info("server")["count"], 2)
        for path in ("/etc/passwd", "../site.conf", "nothing.csv"):
            reply = self.site.api("data/upload", config("server", file=path, use_local_data=0))
            self.assertEqual(reply["retcode"], 101, reply)
            self.assertIn("upload_root", reply["retmsg"])
            self.assertNotIn("jobId", reply)

    def test_progress_of_the_job_grows_with_the_lines(self):
        content = b"id,x\n" + b"".join(b"%d,1\n" % i for i in range(1000000))
        job = json.loads(self.site.request(
            "data/upload", raw=form(content), query="?" + bare(config("large")),
            headers={"Content-Type": "multipart/form-data; boundary=" + EDGE})[2])["jobId"]
        seen = set()
        while True:
            row = self.site.ok("job/query", {"job_id": job, "role": "local", "party_id": "0"})["data"][0]
            seen.add(row["f_progress"])
            if row["f_status"] in ("success", "failed"):
                break
        self.assertEqual((row["f_status"], row["f_progress"]), ("success", 100))
        self.assertTrue(any(0 < p < 100 for p in seen), seen)

    def test_history_lists_what_is_still_there(self):
        self.assert_schema(CSV, config("history"), "y,x0", "id", 2)
        newest = self.site.ok("data/upload/history", {"limit": 1})["data"]
        self.assertEqual(len(newest), 1)
        (entry,) = newest[0].values()
        self.assertEqual(entry["upload_info"], {"table_name": "history", "namespace": "intake", "partition": 4,
                                                "upload_count": 2})
        self.site.ok("table/delete", {"table_name": "history", "namespace": "intake"})
        names = [e["upload_info"]["table_name"] for row in self.site.ok("data/upload/history")["data"]
                 for e in row.values()]
        self.assertNotIn("history", names)


READ = {"reader_0": {"module": "Reader", "output": {"data": ["data"]}},
        "data_transform_0": {"module": "DataTransform", "input": {"data": {"data": ["reader_0.data"]}},
                             "output": {"data": ["data"], "model": ["model"]}}}


class Jobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.guest, cls.host = cls.fed.guest, cls.fed.host

    def put(self, site, name, text, **conf):
        with tempfile.NamedTemporaryFile(suffix=".csv") as f:
            f.write(text.encode())
            f.flush()
            reply = site.upload(f.name, name, namespace="intake", **conf)
        self.assertEqual(reply.get("status"), "success", reply)

    def conf(self, guest, host, common=None, roles=("guest", "host")):
        party = {"guest": 9999, "host": 10000, "arbiter": 10001}
        return {
            "dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
            "role": {role: [party[role]] for role in roles},
            "job_parameters": {"common": {"job_type": "train"}},
            "component_parameters": {
                "common": common or {},
                "role": {"guest": {"0": {"reader_0": {"table": {"name": guest, "namespace": "intake"}}}},
                         "host": {"0": {"reader_0": {"table": {"name": host, "namespace": "intake"}}}}}}}

    def run_job(self, components, conf, status="success"):
        reply = self.guest.api("job/submit", {"job_dsl": {"components": components}, "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 0, reply)
        row = self.guest.wait(reply["jobId"])
        self.assertEqual(row["f_status"], status, self.guest.tasks(reply["jobId"]))
        return reply

    def rows(self, site, role, job, component):
        reply = site.ok("tracking/component/output/data", {
            "job_id": job, "component_name": component, "role": role, "party_id": site.party})
        return reply["data"][0], reply["meta"]["header"][0]

    def count(self, site, role, job, component="intersection_0"):
        data = site.metrics(job, component, role)["train"]["intersection"]["data"]
        return dict(map(tuple, data))

    def test_tag_rows_become_a_model_and_other_methods_are_warned_of(self):
        draw = random.Random(5)
        tags, labels = [], []
        for i in range(200):
            y = i % 2
            own = ["common"] + (["buys"] if y and draw.random() < .9 else []) + (["reads"] if draw.random() < .5 else [])
            tags.append("u%d,%d,%s" % (i, y, ",".join(own)))
            labels.append("u%d,%d:1,%d:%g" % (i, 0, 2, draw.random() + y))
        self.put(self.guest, "tags", "\n".join(tags) + "\n", head=0, with_meta=True,
                 meta={"input_format": "tag", "with_label": True})
        self.put(self.host, "svm", "\n".join(labels) + "\n", head=0, with_meta=True,
                 meta={"input_format": "svmlight"})
        components = dict(READ, **{
            "intersection_0": {"module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
                               "output": {"data": ["data"]}},
            "hetero_lr_0": {"module": "HeteroLR", "input": {"data": {"train_data": ["intersection_0.data"]}},
                            "output": {"data": ["data"], "model": ["model"]}},
            "evaluation_0": {"module": "Evaluation", "input": {"data": {"data": ["hetero_lr_0.data"]}},
                             "output": {"data": ["data"]}}})
        conf = self.conf("tags", "svm", {"intersection_0": {"intersect_method": "rsa"},
                                         "hetero_lr_0": {"max_iter": 5, "batch_size": -1,
                                                         "init_param": {"init_method": "zeros"}},
                                         "evaluation_0": {"eval_type": "binary"}},
                         roles=("guest", "host", "arbiter"))
        reply = self.run_job(components, conf)
        self.assertIn("[WARN]", reply["retmsg"])
        self.assertIn("intersect_method", reply["retmsg"])
        rows, header = self.rows(self.guest, "guest", reply["jobId"], "data_transform_0")
        self.assertEqual(header, ["sid", "label", "buys", "common", "reads"])
        self.assertEqual(rows[0][:2], ["u0", 0])
        self.assertEqual(float(rows[0][3]), 1)
        _, header = self.rows(self.host, "host", reply["jobId"], "data_transform_0")
        self.assertEqual(header, ["sid", "x0", "x1", "x2"])
        self.assertEqual(self.count(self.guest, "guest", reply["jobId"])["intersect_count"], 200)
        auc = self.guest.metrics(reply["jobId"], "evaluation_0", "guest")["train"]["hetero_lr_0"]["data"]
        self.assertGreater(dict(map(tuple, auc))["auc"], .95)

    INTERSECT = dict(READ, intersection_0={
        "module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
        "output": {"data": ["data"]}})

    def test_rows_meet_by_match_id_under_the_guests_sample_ids(self):
        meta = {"with_match_id": True}
        self.put(self.guest, "visits", "sid,phone,x0\nv1,111,1\nv2,222,2\nv3,111,3\nv4,999,4\n",
                 with_meta=True, meta=meta)
        self.put(self.host, "people", "sid,phone,z0\np1,222,20\np2,111,10\np3,333,30\n", with_meta=True, meta=meta)
        job = self.run_job(self.INTERSECT, self.conf("visits", "people"))["jobId"]
        rows, header = self.rows(self.host, "host", job, "intersection_0")
        self.assertEqual(header, ["sid", "phone", "z0"])
        self.assertEqual([[r[0], r[1], float(r[2])] for r in rows],
                         [["v1", "111", 10], ["v3", "111", 10], ["v2", "222", 20]])
        self.assertEqual(self.count(self.guest, "guest", job)["intersect_sample_id_count"], 3)
        left = self.conf("visits", "people", {"intersection_0": {"join_method": "left_join"}})
        job = self.run_job(self.INTERSECT, left)["jobId"]
        rows, _ = self.rows(self.host, "host", job, "intersection_0")
        self.assertEqual([r[0] for r in rows], ["v1", "v2", "v3", "v4"])
        self.assertIsNone(rows[3][2])

    def test_a_cache_is_made_once_loaded_and_used(self):
        self.put(self.guest, "ask_1", "id,x0\na,1\nb,2\nc,3\n")
        self.put(self.guest, "ask_2", "id,x0\nd,4\nc,5\n")
        self.put(self.host, "answer", "id,z0\nc,30\nd,40\na,10\n")
        make = dict(READ, intersection_0={
            "module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
            "output": {"cache": ["cache"]}})
        first = self.run_job(make, self.conf("ask_1", "answer", {"intersection_0": {"run_cache": True}}))["jobId"]
        for site in (self.guest, self.host):
            self.assertEqual(site.sql("SELECT COUNT(*) FROM task_cache WHERE job_id = '%s'" % first), [["1"]])
        use = dict(self.INTERSECT, cache_loader_0={"module": "CacheLoader", "output": {"cache": ["cache"]}})
        use["intersection_0"] = {"module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]},
                                                                     "cache": ["cache_loader_0.cache"]},
                                 "output": {"data": ["data"]}}
        loader = {"job_id": first, "component_name": "intersection_0", "cache_name": "cache"}
        job = self.run_job(use, self.conf("ask_2", "answer", {"cache_loader_0": loader}))["jobId"]
        for site, role in ((self.guest, "guest"), (self.host, "host")):
            rows, _ = self.rows(site, role, job, "intersection_0")
            self.assertEqual([r[0] for r in rows], ["d", "c"])
        sent = [row[0] for row in self.host.sql(
            "SELECT DISTINCT name FROM egress WHERE job_id = '%s' AND component = 'intersection_0'" % job)]
        self.assertEqual(sent, ["doubly_encrypted_id"])
        self.put(self.host, "answer", "id,z0\nc,30\nd,40\na,10\ne,50\n")
        reply = self.guest.api("job/submit", {"job_dsl": {"components": use}, "job_runtime_conf": self.conf(
            "ask_2", "answer", {"cache_loader_0": loader})})
        self.assertEqual(self.guest.wait(reply["jobId"])["f_status"], "failed")
        reasons = " ".join(t["f_error_report"] or "" for t in self.host.tasks(reply["jobId"]))
        self.assertIn("run_cache", reasons)

    def test_what_would_show_ids_is_refused_with_its_reason(self):
        conf = self.conf("ask_1", "answer", {"intersection_0": {"run_preprocess": True}})
        reply = self.guest.api("job/submit", {"job_dsl": {"components": self.INTERSECT}, "job_runtime_conf": conf})
        self.assertNotEqual(reply["retcode"], 0)
        self.assertIn("run_preprocess", json.dumps(reply))
        self.assertIn("guesses", json.dumps(reply))


if __name__ == "__main__":
    unittest.main()

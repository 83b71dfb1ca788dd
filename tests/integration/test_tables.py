"""Tables that are kept outside: bound, read, written; what may not be reached is refused."""
import csv
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
import time
import unittest

import mariadb
from federation import BUILD, DATA, Federation, kill, lr_conf, processes, wait_for

READER = {"components": {"reader_0": {"module": "Reader", "output": {"data": ["data"]}}}}


def example_rows(name):
    with open(os.path.join(DATA, name + ".csv"), encoding="utf-8", newline="") as f:
        return list(csv.reader(f))


class Tables(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.guest
        cls.server = mariadb.Server()
        cls.addClassCleanup(cls.server.stop)
        folder = tempfile.TemporaryDirectory(prefix="sluice-tables-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = os.path.join(folder.name, "root")
        cls.outside = os.path.join(folder.name, "outside")
        os.mkdir(cls.root)
        os.mkdir(cls.outside)
        for site, name in ((cls.fed.guest, "breast_guest"), (cls.fed.host, "breast_host")):
            assert site.upload("%s/%s.csv" % (DATA, name), name)["status"] == "success"
        with open("%s/breast_guest.csv" % DATA, encoding="utf-8") as f:
            cls.text = f.read()
        cls.write("guest.csv", cls.text)
        # A site from before there was a vault: its supervisor makes one.
        for name in ("vault.key", "vault.pub"):
            os.remove(os.path.join(cls.site.home, "keys", name))
        cls.configure(file_roots=cls.root, mysql_hosts="127.0.0.1:%d" % cls.server.port)
        cls.export_root = os.path.join(cls.site.home, "exports")

    @classmethod
    def configure(cls, **settings):
        path = os.path.join(cls.site.home, "site.conf")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for key, value in settings.items():
            text, n = re.subn(r"(?m)^%s =.*$" % key, "%s = %s" % (key, value), text)
            assert n == 1, key
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", "stop", "--home", cls.site.home], check=True,
                       capture_output=True)
        cls.site.start()

    @classmethod
    def write(cls, name, text):
        with open(os.path.join(cls.root, name), "w", encoding="utf-8") as f:
            f.write(text)

    def bind(self, name, engine, address, **more):
        return self.site.api("table/bind", dict(
            {"engine": engine, "address": address, "namespace": "bound", "name": name, "drop": 1}, **more))

    def bound(self, name, engine, address, **more):
        reply = self.bind(name, engine, address, **more)
        self.assertEqual((reply["retcode"], reply.get("data")), (0, {"table_name": name, "namespace": "bound"}), reply)

    def info(self, name, namespace="bound"):
        return self.site.ok("table/table_info", {"table_name": name, "namespace": namespace})["data"]

    def conf(self, table):
        return {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999}, "role": {"guest": [9999]},
                "component_parameters": {"role": {"guest": {"0": {"reader_0": {"table": table}}}}}}

    def read(self, table, want="success"):
        """A job with a Reader of the table; its id."""
        if isinstance(table, str):
            table = {"name": table, "namespace": "bound"}
        job = self.fed.submit(self.conf(table), READER)
        row = self.site.wait(job)
        self.assertEqual(row["f_status"], want, (self.site.tasks(job), self.site.events(job)))
        return job

    def reason(self, job, role="guest", party="9999"):
        return self.site.tasks(job, role=role, party_id=party)[0]["f_error_report"]

    def output(self, job, component="reader_0", role="guest", party="9999"):
        """{member: text} of an output download."""
        status, _, body = self.site.request(
            "tracking/component/output/data/download",
            {"job_id": job, "component_name": component, "role": role, "party_id": party}, method="GET")
        self.assertEqual(status, 200, body)
        return members(body)

    def finished(self, reply, want="success"):
        self.assertEqual(reply["retcode"], 0, reply)
        row = self.site.wait(reply["jobId"], role="local", party="0")
        self.assertEqual(row["f_status"], want, self.site.tasks(reply["jobId"]))
        return reply["jobId"]

    # --- reading ---------------------------------------------------------------

    def test_a_bound_file_reads_like_the_same_file_uploaded(self):
        uploaded = self.output(self.read({"name": "breast_guest", "namespace": "test"}))
        for engine in ("PATH", "localfs"):
            self.bound("file", engine, {"path": "guest.csv"}, head=1)
            info = self.info("file")
            self.assertEqual((info["exist"], info["count"], info["origin"]), (1, None, "table_bind"))
            job = self.read("file")
            self.assertEqual(self.output(job), uploaded)
            meta = self.site.metrics(job, "reader_0", "guest")["reader_namespace"]["reader_name"]["meta"]
            self.assertEqual((meta["metric_type"], meta["storage_engine"], meta["count"]),
                             ("data_info", engine.upper(), 569))
            self.assertEqual(meta["attribute_info"]["y"], "feature")

    def test_a_model_of_a_bound_table_is_that_of_the_uploaded_one(self):
        self.bound("learn", "PATH", {"path": os.path.join(self.root, "guest.csv")}, partitions=4)
        losses = []
        for table in ({"name": "breast_guest", "namespace": "test"}, {"name": "learn", "namespace": "bound"}):
            conf = lr_conf(max_iter=3)
            conf["component_parameters"]["role"]["guest"]["0"]["reader_0"]["table"] = table
            job = self.fed.submit(conf)
            self.assertEqual(self.site.wait(job)["f_status"], "success", self.site.events(job))
            data = self.site.metrics(job, "evaluation_0", "guest")
            losses.append(json.dumps(data["train"]["hetero_lr_0"]["data"], sort_keys=True))
        self.assertEqual(losses[0], losses[1])

    def test_columns_are_chosen_by_name(self):
        rows = example_rows("breast_guest")
        self.bound("chosen", "PATH", {"path": "guest.csv"}, head=True, id_column="id", feature_column="x3, y")
        self.assertEqual(self.info("chosen")["schema"], {"sid": "id", "header": "x3,y"})
        out = self.output(self.read("chosen"))["data.csv"].splitlines()
        at = [rows[0].index(n) for n in ("id", "x3", "y")]
        self.assertEqual(out[0], "id,x3,y")
        self.assertEqual(out[1:], [",".join(r[i] for i in at) for r in rows[1:]])
        self.bound("missing", "PATH", {"path": "guest.csv"}, id_column="id", feature_column="x3,nope")
        self.assertIn("'nope'", self.reason(self.read("missing", "failed")))

    def test_ids_are_made_and_names_given_to_a_file_without_a_head(self):
        self.write("plain.csv", "5;6\n7;8\n")
        self.bound("plain", "LOCALFS", {"path": "plain.csv"}, head=0, id_delimiter=";", extend_sid=True,
                   auto_increasing_sid=True, id_column="a", feature_column="b")
        self.assertEqual(self.info("plain")["schema"],
                         {"sid": "extend_sid", "header": "a;b", "extend_tag": True})
        self.assertEqual(self.output(self.read("plain"))["data.csv"], "extend_sid;a;b\n0;5;6\n1;7;8\n")

    def test_meta_of_a_bound_file_sorts_its_columns_out(self):
        self.bound("meta", "PATH", {"path": "guest.csv"}, with_meta=True,
                   meta={"with_label": True, "label_name": "y", "label_type": "int"})
        job = self.read("meta")
        meta = self.site.metrics(job, "reader_0", "guest")["reader_namespace"]["reader_name"]["meta"]
        self.assertEqual(meta["attribute_info"]["y"], "label")
        self.assertEqual(meta["anonymous_info"]["x0"], "guest_9999_x0")

    def test_a_bad_line_of_a_bound_file_is_named(self):
        self.write("ragged.csv", "id,x\n1,2\n2\n")
        self.bound("ragged", "PATH", {"path": "ragged.csv"})
        reason = self.reason(self.read("ragged", "failed"))
        self.assertIn("line 3 (row 2)", reason)
        self.assertIn("table bound ragged", reason)

    def test_a_table_is_bound_under_another_name(self):
        self.bound("alias", "STANDALONE", {"name": "breast_guest", "namespace": "test"})
        info = self.info("alias")
        self.assertEqual((info["count"], info["origin"], info["schema"]["sid"]), (569, "table_bind", "id"))
        self.assertEqual(self.output(self.read("alias")),
                         self.output(self.read({"name": "breast_guest", "namespace": "test"})))
        # Only the meta goes: the table that it stood for stays.
        self.site.ok("table/delete", {"table_name": "alias", "namespace": "bound"})
        self.assertEqual(self.info("alias")["exist"], 0)
        self.assertEqual(self.info("breast_guest", "test")["count"], 569)
        self.read({"name": "breast_guest", "namespace": "test"})
        reply = self.bind("none", "STANDALONE", {"name": "nobody", "namespace": "test"})
        self.assertEqual(reply["retcode"], 100)

    def test_another_name_does_not_open_an_output_to_a_stranger(self):
        job = self.read({"name": "breast_guest", "namespace": "test"})
        out = self.site.ok("table/list", {"job_id": job, "role": "guest", "party_id": "9999"})["data"]["reader_0"][
            "output"]["data"]
        self.bound("veiled", "STANDALONE", out)
        self.read("veiled")
        # The same words as of one that nobody has.
        self.assertIn("has no table bound veiled", self.refused_to_the_host("veiled"))

    def refused_to_the_host(self, table):
        """Why a job of party 10000 that reads it here is not taken in."""
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 10000},
                "role": {"guest": [10000], "host": [9999]}, "component_parameters": {"role": {
                    "guest": {"0": {"reader_0": {"table": {"name": "breast_host", "namespace": "test"}}}},
                    "host": {"0": {"reader_0": {"table": {"name": table, "namespace": "bound"}}}}}}}
        reply = self.fed.host.api("job/submit", {"job_dsl": READER, "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 0, reply)
        row = self.fed.host.wait(reply["jobId"])
        self.assertEqual(row["f_status"], "failed")
        self.assertIn("host 9999: ", row["f_reason"])
        self.assertEqual(self.site.sql("SELECT 1 FROM job WHERE job_id = '%s'" % reply["jobId"]), [])
        return row["f_reason"]

    def test_what_another_name_stands_for_is_not_told_to_a_partner(self):
        one = {"namespace": "test", "table_name": "breast_guest"}
        self.bound("lid", "STANDALONE", {"name": "breast_guest", "namespace": "test"})
        self.site.ok("table/disable", one)
        self.addCleanup(self.site.ok, "table/enable", one)
        reason = self.refused_to_the_host("lid")
        self.assertIn("this table of party 9999 is disabled", reason)
        self.assertNotIn("breast_guest", reason)
        # Whom no rule lets read it does not hear so much.
        self.site.cli("revoke", "10000", "--datasets", "*")
        self.addCleanup(self.site.cli, "grant", "10000", "--datasets", "*")
        reason = self.refused_to_the_host("lid")
        self.assertIn("may not read dataset bound lid", reason)
        self.assertNotIn("disabled", reason)

    def test_an_output_of_an_older_job_is_read(self):
        job = self.read({"name": "breast_guest", "namespace": "test"})
        again = self.read({"job_id": job, "component_name": "reader_0", "data_name": "data"})
        self.assertEqual(len(self.output(again)["data.csv"].splitlines()), 570)
        reply = self.site.api("job/submit", {"job_dsl": READER, "job_runtime_conf": self.conf({"job_id": job})})
        self.assertEqual(reply["retcode"], 103)
        self.assertIn("component_name", reply["retmsg"])

    def test_a_disabled_table_is_refused(self):
        self.bound("off", "PATH", {"path": "guest.csv"})
        self.site.ok("table/disable", {"table_name": "off", "namespace": "bound"})
        self.assertFalse(self.info("off")["enable"])
        conf = self.conf({"name": "off", "namespace": "bound"})
        reply = self.site.api("job/submit", {"job_dsl": READER, "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 103)
        self.assertIn("disabled", reply["retmsg"])
        self.site.ok("table/enable", {"table_name": "off", "namespace": "bound"})
        self.read("off")

    # --- what may not be reached -------------------------------------------------

    def test_paths_out_of_the_roots_are_refused(self):
        secret = os.path.join(self.outside, "secret.csv")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("id,x\n1,2\n")
        os.symlink(secret, os.path.join(self.root, "link.csv"))
        os.symlink("../outside", os.path.join(self.root, "way"))
        os.symlink("guest.csv", os.path.join(self.root, "inner.csv"))
        for path in ("../outside/secret.csv", "link.csv", "way/secret.csv", secret, "/etc/passwd",
                     self.root + "/../outside/secret.csv", "nothing.csv", "."):
            reply = self.bind("escape", "PATH", {"path": path})
            self.assertIn(reply["retcode"], (100, 101), (path, reply))
            self.assertEqual(self.info("escape")["exist"], 0)
        self.bound("inner", "PATH", {"path": "inner.csv"})
        # Checked again when it is read: the file may have become a link since.
        os.remove(os.path.join(self.root, "inner.csv"))
        os.symlink(secret, os.path.join(self.root, "inner.csv"))
        self.assertIn("leads out", self.reason(self.read("inner", "failed")))

    def test_engines_and_addresses_that_are_not_offered_say_what_is(self):
        for engine in ("HDFS", "HIVE", "EGGROLL", "API"):
            reply = self.bind("no", engine, {"path": "x"})
            self.assertEqual(reply["retcode"], 100)
            self.assertIn("STANDALONE, PATH, LOCALFS and MYSQL", reply["retmsg"])
        self.assertEqual(self.site.api("table/bind", {"engine": "PATH"})["retcode"], 101)
        reply = self.bind("no", "MYSQL", {"host": "127.0.0.1", "port": self.server.port})
        self.assertEqual(reply["retcode"], 101)
        for key in ("user", "db", "name"):
            self.assertIn("/address/" + key, reply["retmsg"])
        reply = self.bind("no", "MYSQL", self.server.address(name="t", host="192.0.2.1"))
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("mysql_hosts", reply["retmsg"])
        self.assertEqual(self.info("no")["exist"], 0)

    # --- servers ---------------------------------------------------------------------

    def fill(self, table, rows=None, head=None):
        rows = rows or example_rows("breast_guest")
        head, rows = head or rows[0], rows[1:]
        self.server.sql("DROP TABLE IF EXISTS %s; CREATE TABLE %s (%s, PRIMARY KEY (id)); INSERT INTO %s VALUES %s" % (
            table, table, ", ".join("`%s` VARCHAR(100)" % h for h in head), table,
            ", ".join("(%s)" % ", ".join("'%s'" % c for c in r) for r in rows)))

    def test_a_table_on_a_server_reads_like_the_uploaded_one(self):
        self.fill("guest")
        self.bound("server", "MYSQL", self.server.address(name="guest"))
        info = self.info("server")
        self.assertIsNone(info["address"]["passwd"])
        self.assertEqual(info["address"]["host"], "127.0.0.1")
        job = self.read("server")
        got = sorted(self.output(job)["data.csv"].splitlines())
        want = sorted(self.output(self.read({"name": "breast_guest", "namespace": "test"}))["data.csv"].splitlines())
        self.assertEqual(got, want)
        self.bound("part", "MYSQL", self.server.address(name="guest"), id_column="id", feature_column="x1,x0")
        lines = self.output(self.read("part"))["data.csv"].splitlines()
        self.assertEqual((lines[0], len(lines)), ("id,x1,x0", 570))

    def test_passwords_are_stored_sealed_and_never_shown(self):
        self.fill("guest")
        self.bound("sealed", "MYSQL", self.server.address(name="guest"))
        self.site.ok("table/connector/create", {
            "connector_name": "shop", "engine": "MYSQL", "connector_info": self.server.address()})
        shown = self.site.ok("table/connector/query", {"connector_name": "shop"})["data"]
        self.assertEqual((shown["user"], shown["passwd"]), (mariadb.USER, None))
        self.assertEqual(self.site.ok("table/connector/query", {"connector_name": "none"})["data"], {})
        rows = self.site.sql("SELECT address FROM data_table UNION SELECT info FROM connector")
        self.assertIn("sealed:", str(rows))
        self.assertNotIn(mariadb.PASSWORD, str(rows))
        self.bound("by_connector", "MYSQL", {"connector_name": "shop", "name": "guest"})
        self.read("by_connector")
        for folder, _, files in os.walk(os.path.join(self.site.home, "logs")):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertNotIn(mariadb.PASSWORD.encode(), f.read(), name)

    def test_a_stored_password_does_not_go_to_another_server(self):
        self.fill("guest")
        self.bound("moved", "MYSQL", self.server.address(name="guest"))
        self.site.sql("UPDATE data_table SET address = REPLACE(address, '\"user\":\"%s\"', '\"user\":\"root\"')"
                      " WHERE name = 'moved'" % mariadb.USER)
        self.assertIn("another server or user", self.reason(self.read("moved", "failed")))

    def test_what_is_wrong_with_a_server_is_said_at_bind(self):
        self.fill("guest")
        address = self.server.address(name="guest")
        for wrong, word in (({"passwd": "no"}, "Access denied"), ({"name": "none"}, "none"), ({"db": "none"}, "none"),
                            ({"name": "a`b"}, "cannot be the name")):
            reply = self.bind("wrong", "MYSQL", dict(address, **wrong))
            self.assertIn(reply["retcode"], (100, 101), reply)
            self.assertIn(word, reply["retmsg"])
            self.assertNotIn(mariadb.PASSWORD, str(reply))
        reply = self.bind("wrong", "MYSQL", address, id_column="id", feature_column="x0,nope")
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("'nope'", reply["retmsg"])
        self.assertEqual(self.info("wrong")["exist"], 0)

    def test_a_value_that_a_line_cannot_hold_is_named(self):
        self.fill("dirty", [["id", "x"], ["1", "a"], ["2", "b,c"]])
        self.bound("dirty", "MYSQL", self.server.address(name="dirty"))
        reason = self.reason(self.read("dirty", "failed"))
        self.assertIn("row 2: column 'x'", reason)
        self.bound("dirty", "MYSQL", self.server.address(name="dirty"), id_delimiter="|")
        self.read("dirty")

    # --- writing ------------------------------------------------------------------------

    def writer(self, **body):
        return self.site.api("data/writer", dict({"namespace": "test", "table_name": "breast_guest"}, **body))

    def test_a_table_goes_to_a_server_and_comes_back(self):
        self.server.sql("DROP TABLE IF EXISTS copy")
        job = self.finished(self.writer(storage_engine="MYSQL", address=self.server.address(name="copy")))
        self.assertEqual(self.server.sql("SELECT COUNT(*) FROM copy"), [["569"]])
        self.assertEqual([r for r in self.server.sql("SHOW TABLES") if r[0].startswith("sluice_")], [])
        meta = self.site.metrics(job, "writer_0", "local", "0")["writer"]["writer"]
        self.assertEqual((meta["meta"]["metric_type"], meta["data"]), ("writer", [["count", 569]]))
        self.assertNotIn(mariadb.PASSWORD, str(self.site.sql("SELECT runtime_conf, contract FROM job WHERE job_id = "
                                                             "'%s'" % job)))
        self.bound("back", "MYSQL", self.server.address(name="copy"))
        got = sorted(self.output(self.read("back"))["data.csv"].splitlines())
        self.assertEqual(got, sorted(self.text.splitlines()))
        # Again: rows of equal id are replaced, in one transaction.
        self.server.sql("UPDATE copy SET x0 = 'changed' WHERE id = '0'; INSERT INTO copy (id) VALUES ('own')")
        self.finished(self.writer(storage_engine="MYSQL", address=self.server.address(name="copy")))
        self.assertEqual(self.server.sql("SELECT COUNT(*), SUM(x0 = 'changed') FROM copy"), [["570", "0"]])

    def test_a_server_that_refuses_rows_keeps_what_it_had(self):
        self.server.sql("DROP TABLE IF EXISTS strict; CREATE TABLE strict (id VARCHAR(100) PRIMARY KEY, y INT, x0 INT)")
        self.server.sql("INSERT INTO strict VALUES ('old', 1, 1)")
        job = self.finished(self.writer(storage_engine="MYSQL", address=self.server.address(name="strict")), "failed")
        self.assertIn("no column", self.reason(job, "local", "0"))
        columns = ", ".join("%s %s" % (c, "INT CHECK (%s <= 0)" % c if c == "y" else "VARCHAR(100)")
                            for c in example_rows("breast_guest")[0][1:])
        self.server.sql("DROP TABLE strict; CREATE TABLE strict (id VARCHAR(100) PRIMARY KEY, %s);"
                        "INSERT INTO strict (id, y) VALUES ('old', 0)" % columns)
        job = self.finished(self.writer(storage_engine="MYSQL", address=self.server.address(name="strict")), "failed")
        self.assertIn("rows", self.reason(job, "local", "0"))
        self.assertEqual(self.server.sql("SELECT id FROM strict"), [["old"]])

    def test_a_table_becomes_another_table(self):
        self.site.api("table/delete", {"table_name": "copied", "namespace": "bound"})
        job = self.finished(self.writer(output_namespace="bound", output_name="copied"))
        self.assertEqual(self.info("copied")["count"], 569)
        self.assertEqual(self.writer(output_namespace="bound", output_name="copied")["retcode"], 100)
        self.assertEqual(self.site.ok("table/tracking/source", {"table_name": "copied", "namespace": "bound"})["data"], [
            {"parent_table_name": "breast_guest", "parent_table_namespace": "test",
             "source_table_name": "breast_guest", "source_table_namespace": "test"}])
        jobs = self.site.ok("table/tracking/job", {"table_name": "breast_guest", "namespace": "test"})["data"]
        self.assertIn(job, jobs["job"])
        self.assertEqual(jobs["count"], len(jobs["job"]))

    def test_a_job_may_write_but_not_with_a_password_in_clear(self):
        dsl = {"components": dict(READER["components"], writer_0={
            "module": "Writer", "input": {"data": {"data": ["reader_0.data"]}}})}
        conf = self.conf({"name": "breast_guest", "namespace": "test"})
        role = conf["component_parameters"]["role"]["guest"]["0"]
        role["writer_0"] = {"storage_engine": "MYSQL", "address": self.server.address(name="by_job")}
        reply = self.site.api("job/submit", {"job_dsl": dsl, "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 103)
        self.assertIn("connector_name", reply["retmsg"])
        self.assertNotIn(mariadb.PASSWORD, reply["retmsg"])
        self.site.ok("table/connector/create", {
            "connector_name": "jobs", "engine": "MYSQL", "connector_info": self.server.address()})
        self.server.sql("DROP TABLE IF EXISTS by_job")
        role["writer_0"]["address"] = {"connector_name": "jobs", "name": "by_job"}
        job = self.fed.submit(conf, dsl)
        self.assertEqual(self.site.wait(job)["f_status"], "success", self.site.tasks(job))
        self.assertEqual(self.server.sql("SELECT COUNT(*) FROM by_job"), [["569"]])

    def test_a_partners_job_may_not_write_here(self):
        dsl = {"components": dict(READER["components"], writer_0={
            "module": "Writer", "input": {"data": {"data": ["reader_0.data"]}}})}
        conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 10000},
                "role": {"guest": [10000], "host": [9999]},
                "component_parameters": {"common": {"writer_0": {
                    "storage_engine": "LOCALFS", "address": {"path": "stolen.csv"}}}, "role": {
                    "guest": {"0": {"reader_0": {"table": {"name": "breast_host", "namespace": "test"}}}},
                    "host": {"0": {"reader_0": {"table": {"name": "breast_guest", "namespace": "test"}}}}}}}
        reply = self.fed.host.api("job/submit", {"job_dsl": dsl, "job_runtime_conf": conf})
        self.assertEqual(reply["retcode"], 0, reply)
        self.assertEqual(self.fed.host.wait(reply["jobId"])["f_status"], "failed")
        self.assertFalse(os.path.exists(os.path.join(self.export_root, "stolen.csv")))
        tasks = self.site.tasks(reply["jobId"], role="host", party_id="9999", component_name="writer_0")
        self.assertIn("partner's job", tasks[0]["f_error_report"])

    def test_a_job_that_waits_for_a_server_is_stopped_at_once(self):
        self.fill("guest")
        self.bound("locked", "MYSQL", self.server.address(name="guest"))
        lock = self.server.hold("LOCK TABLES guest WRITE;")
        try:
            job = self.fed.submit(self.conf({"name": "locked", "namespace": "bound"}), READER)
            wait_for(lambda: self.server.sql("SELECT 1 FROM information_schema.processlist WHERE state LIKE '%lock%'"
                                             " AND user = '" + mariadb.USER + "'"), what="a reader that waits")
            began = time.monotonic()
            self.site.ok("job/stop", {"job_id": job})
            self.assertEqual(self.site.wait(job)["f_status"], "canceled")
            wait_for(lambda: not processes(job), what="the end of the shepherd")
            self.assertLess(time.monotonic() - began, 10)
        finally:
            lock.kill()
            lock.wait()

    def test_a_shepherd_that_is_killed_while_it_writes_leaves_the_table_as_it_was(self):
        self.server.sql("DROP TABLE IF EXISTS kept; CREATE TABLE kept (id VARCHAR(100) PRIMARY KEY, %s);"
                        "INSERT INTO kept (id) VALUES ('7')" % ", ".join(
                            "%s VARCHAR(100)" % c for c in example_rows("breast_guest")[0][1:]))
        # Row 7 is locked, so that the transaction waits in its middle.
        lock = self.server.hold("BEGIN; SELECT id FROM kept WHERE id = '7' FOR UPDATE;")
        try:
            reply = self.writer(storage_engine="MYSQL", address=self.server.address(name="kept"))
            self.assertEqual(reply["retcode"], 0, reply)
            wait_for(lambda: self.server.sql("SELECT 1 FROM information_schema.processlist WHERE user = '%s' AND"
                                             " info LIKE 'REPLACE INTO%%' AND time_ms > 300" % mariadb.USER),
                     what="a writer that waits")
            attempt = wait_for(lambda: self.site.sql(
                "SELECT shepherd_pid FROM attempt WHERE job_id = '%s' AND ended_at IS NULL" % reply["jobId"]))
            kill(int(attempt[0][0]))
        finally:
            lock.kill()
            lock.wait()
        self.assertEqual(self.site.wait(reply["jobId"], role="local", party="0")["f_status"], "failed")
        wait_for(lambda: not self.server.sql("SELECT 1 FROM information_schema.processlist WHERE user = '%s'"
                                             % mariadb.USER),
                 what="the end of the transaction")
        self.assertEqual(self.server.sql("SELECT id, x0 FROM kept"), [["7", "NULL"]])

    # --- files out ------------------------------------------------------------------------

    def download(self, path, **more):
        return self.site.api("data/download", dict(
            {"namespace": "test", "table_name": "breast_guest", "output_path": path}, **more))

    def test_a_download_is_below_the_folder_for_exports(self):
        reply = self.download("deep/er/out.csv")
        job = self.finished(reply)
        with open(os.path.join(self.export_root, "deep/er/out.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), self.text)
        self.assertEqual(reply["data"]["output_path"], os.path.join(self.export_root, "deep/er/out.csv"))
        meta = self.site.metrics(job, "download_0", "local", "0")["download"]["data_access"]["meta"]
        self.assertEqual((meta["metric_type"], meta["output_path"]), ("DOWNLOAD", "deep/er/out.csv"))
        # What clients make absolute on their own machine keeps its name.
        reply = self.download("/home/somebody/there.csv", delimiter=";")
        self.finished(reply)
        self.assertIn(os.path.join(self.export_root, "there.csv"), reply["retmsg"])
        with open(os.path.join(self.export_root, "there.csv"), encoding="utf-8") as f:
            self.assertEqual(f.readline().count(";"), self.text.splitlines()[0].count(","))
        for path in ("../out.csv", "a/../../out.csv", "folder/", ""):
            self.assertIn(self.download(path)["retcode"], (100, 101), path)
        left = [n for _, _, files in os.walk(self.export_root) for n in files if n.endswith(".part")]
        self.assertEqual(left, [])

    def test_an_export_does_not_follow_links_out_of_its_folder(self):
        os.makedirs(self.export_root, exist_ok=True)
        link = os.path.join(self.export_root, "way")
        if not os.path.islink(link):
            os.symlink(self.outside, link)
        job = self.finished(self.download("way/out.csv"), "failed")
        self.assertIn("export", self.reason(job, "local", "0"))
        self.assertFalse(os.path.exists(os.path.join(self.outside, "out.csv")))

    def test_a_writer_to_a_file(self):
        self.finished(self.writer(storage_engine="PATH", address={"path": "written.csv"}))
        with open(os.path.join(self.export_root, "written.csv"), encoding="utf-8") as f:
            self.assertEqual(f.read(), self.text)
        self.assertEqual(self.writer(storage_engine="PATH", address={"path": "/tmp/x.csv"})["retcode"], 100)

    def test_a_table_is_downloaded_as_an_archive(self):
        status, headers, body = self.site.request(
            "table/download", {"name": "breast_guest", "namespace": "test"}, method="GET")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Disposition"], "attachment; filename=table_test_breast_guest.tar.gz")
        got = members(body)
        self.assertEqual(got["table.csv"], self.text)
        self.assertEqual(json.loads(got["table.meta"])["header"], self.text.splitlines()[0].split(","))
        status, _, body = self.site.request(
            "table/download", {"name": "breast_guest", "namespace": "test", "head": False}, method="GET")
        self.assertEqual(members(body)["table.csv"], self.text.split("\n", 1)[1])
        self.assertEqual(self.site.request(
            "table/download", {"name": "nobody", "namespace": "test"}, method="GET")[0], 210)

    # --- what is known of tables -----------------------------------------------------------

    def test_ancestry_of_outputs_goes_back_to_what_was_uploaded(self):
        job = self.read({"name": "breast_guest", "namespace": "test"})
        tables = self.site.ok("table/list", {"job_id": job, "role": "guest", "party_id": "9999"})["data"]["reader_0"]
        self.assertEqual(tables["input"], {"data": {"name": "breast_guest", "namespace": "test"}})
        out = tables["output"]["data"]
        source = self.site.ok("table/tracking/source", {
            "table_name": out["name"], "namespace": out["namespace"]})["data"]
        self.assertEqual([s["source_table_name"] for s in source], ["breast_guest"])
        self.assertEqual(self.site.ok("table/tracking/source", {
            "table_name": "breast_guest", "namespace": "test"})["data"], [])
        self.assertEqual(self.site.api("table/tracking/source", {
            "table_name": "nobody", "namespace": "test"})["retcode"], 100)
        self.assertEqual(self.site.ok("table/tracking/job", {
            "table_name": "nobody", "namespace": "test"})["data"], {"count": 0, "job": []})

    def test_a_schema_is_changed_and_a_reader_sees_it(self):
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
            f.write("id,a,b,c\n1,2,3,4\n")
            f.flush()
            self.site.upload(f.name, "changing", with_meta=True, meta={"with_label": True, "label_name": "a"})
        what = {"namespace": "test", "name": "changing"}
        schema = self.site.ok("table/schema/update", dict(what, schema={"meta": {"label_name": "b"}}))["data"]
        self.assertEqual((schema["label_name"], schema["header"]), ("b", ["a", "c"]))
        job = self.read(what)
        meta = self.site.metrics(job, "reader_0", "guest")["reader_namespace"]["reader_name"]["meta"]
        self.assertEqual(meta["attribute_info"], {"a": "feature", "b": "label", "c": "feature"})
        schema = self.site.ok("table/schema/update", dict(what, schema={"anonymous_header": ["guest_1_x0", "guest_2_x1"]})
                              )["data"]
        schema = self.site.ok("table/schema/anonymous/migrate", dict(
            what, role="guest", party_id="9999", migrate_mapping={"guest": {"1": 11}}))["data"]
        self.assertEqual(schema["anonymous_header"], ["guest_11_x0", "guest_2_x1"])
        reply = self.site.api("table/schema/update", {
            "namespace": "test", "name": "breast_guest", "schema": {"meta": {"label_name": "b"}}})
        self.assertEqual(reply["retcode"], 101)
        self.assertEqual(self.site.api("table/schema/update", {"name": "x", "namespace": "y", "schema": {}})["retcode"],
                         101)

    def test_binding_twice_needs_drop(self):
        self.bound("twice", "PATH", {"path": "guest.csv"})
        reply = self.bind("twice", "PATH", {"path": "guest.csv"}, drop=False)
        self.assertEqual(reply["retcode"], 100)
        self.assertIn("drop", reply["retmsg"])
        reply = self.site.api("table/add", {"engine": "PATH", "address": {"path": "guest.csv"}, "namespace": "bound",
                                            "name": "twice", "drop": True})
        self.assertEqual(reply["retcode"], 0)


def members(body):
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {m.name: tar.extractfile(m).read().decode() for m in tar}


if __name__ == "__main__":
    unittest.main()

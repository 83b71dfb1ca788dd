"""flow init, data ..., table ...: as users type them."""
import json
import os
import tarfile
import unittest

import mariadb
from client import DATA, WORLD, Flow, scratch_file

GUEST_CSV = os.path.join(DATA, "breast_guest.csv")


def upload_conf(name="cli", file=GUEST_CSV, **more):
    conf = {"file": file, "head": 1, "partition": 4, "namespace": "cli", "table_name": name}
    conf.update(more)
    return scratch_file("upload_%s.json" % name, conf)


def upload(name, *options, status="success", **conf):
    """The answer, once the job it started is in that state."""
    answer = WORLD.flow.ok("data", "upload", "-c", upload_conf(name, **conf), *options)
    row = WORLD.guest.wait(answer["jobId"], role="local", party="0")
    assert row["f_status"] == status, (row["f_status"], WORLD.guest.events(answer["jobId"]))
    return answer


def info(name, namespace="cli"):
    return WORLD.flow.ok("table", "info", "-n", namespace, "-t", name)["data"]


class Init(unittest.TestCase):
    def test_an_address_is_kept_used_and_forgotten(self):
        flow = Flow(WORLD.guest, init=False)
        self.assertNotIn("retcode", flow("server", "versions").keys() - {"retcode"})
        flow.ok("init", *flow.address)
        flow.ok("server", "versions")
        flow.ok("init", "--reset")
        self.assertIsNone(flow("server", "versions").get("retcode"))

    def test_a_service_configuration_of_the_classic_shape_works(self):
        flow = Flow(WORLD.guest, init=False)
        path = scratch_file("service_conf.yaml", "fateflow:\n  host: %s\n  http_port: %s\n" % (
            flow.address[1], flow.address[3]))
        flow.ok("init", "-c", path)
        flow.ok("server", "versions")

    def test_the_pipeline_client_finds_the_site(self):
        done = WORLD.flow.run("pipeline", "config", "check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1.11", done.stdout)


class Upload(unittest.TestCase):
    def test_a_file_with_a_head_becomes_a_table(self):
        answer = upload("plain", "--drop")
        self.assertEqual(answer["data"]["table_name"], "plain")
        self.assertEqual(answer["data"]["namespace"], "cli")
        self.assertEqual(answer["data"]["job_id"], answer["jobId"])
        self.assertIn("role=local&party_id=0", answer["data"]["board_url"])
        self.assertEqual(answer["data"]["model_info"], {"model_id": "local-0#model", "model_version": answer["jobId"]})
        seen = info("plain")
        self.assertEqual((seen["exist"], seen["count"], seen["partition"]), (1, 569, 4))
        self.assertEqual(seen["schema"]["sid"], "id")
        self.assertEqual(seen["schema"]["header"], "y," + ",".join("x%d" % i for i in range(10)))

    def test_an_existing_table_needs_drop(self):
        upload("twice", "--drop")
        refused = WORLD.flow("data", "upload", "-c", upload_conf("twice"))
        self.assertEqual(refused["retcode"], 100)
        self.assertIn("drop", refused["retmsg"])
        self.assertNotIn("jobId", refused)
        upload("twice", "--drop")

    def test_the_progress_bar_does_not_disturb(self):
        answer = upload("verbose", "--drop", "--verbose")
        self.assertIn("UPLOADING", answer.text)

    def test_a_missing_field_is_named(self):
        path = scratch_file("no_partition.json", {"file": GUEST_CSV, "head": 1, "namespace": "cli", "table_name": "no"})
        refused = WORLD.flow("data", "upload", "-c", path)
        self.assertEqual(refused["retcode"], 100)
        self.assertIn("the following arguments are required: ", refused["retmsg"])
        self.assertIn("partition", refused["retmsg"])
        self.assertEqual(info("no")["exist"], 0)

    def test_another_delimiter_is_followed(self):
        with open(GUEST_CSV, encoding="ascii") as f:
            text = f.read()
        for mark in (";", "|", "&", "\t", " "):
            name = "delimiter_%d" % ord(mark)
            file = scratch_file(name + ".csv", text.replace(",", mark))
            upload(name, "--drop", file=file, id_delimiter=mark)
            seen = info(name)
            self.assertEqual(seen["count"], 569)
            self.assertEqual(seen["schema"]["header"].split(mark)[-1], "x9")

    def test_a_wrong_delimiter_fails_with_its_place(self):
        answer = upload("wrong_delimiter", "--drop", id_delimiter=";", status="failed")
        tasks = WORLD.flow.ok("task", "query", "-j", answer["jobId"])["data"]
        self.assertIn("id_delimiter", tasks[0]["f_error_report"])
        self.assertEqual(info("wrong_delimiter")["exist"], 0)

    def test_a_file_without_a_head_is_all_rows(self):
        with open(GUEST_CSV, encoding="ascii") as f:
            body = "".join(f.readlines()[1:])
        upload("headless", "--drop", file=scratch_file("headless.csv", body), head=0)
        seen = info("headless")
        self.assertEqual(seen["count"], 569)
        self.assertEqual((seen["schema"].get("header", ""), seen["schema"].get("sid", "")), ("", ""))

    def test_ids_can_be_made(self):
        upload("made_ids", "--drop", extend_sid=1)
        seen = info("made_ids")
        self.assertTrue(seen["extend_sid"])
        self.assertEqual(seen["schema"]["sid"], "extend_sid")
        self.assertEqual(seen["schema"]["header"].split(",")[:2], ["id", "y"])

    def test_made_ids_can_be_line_numbers(self):
        upload("counted_ids", "--drop", extend_sid=1, auto_increasing_sid=1)
        rows = WORLD.guest.ok("table/preview", {"namespace": "cli", "name": "counted_ids", "limit": 3})["data"]["data"]
        first = int(rows[0][0])
        self.assertEqual([int(r[0]) for r in rows], [first, first + 1, first + 2])

    def test_a_file_of_the_client_that_is_missing_is_the_clients_matter(self):
        refused = WORLD.flow("data", "upload", "-c", upload_conf("absent", file="/nowhere/x.csv"))
        self.assertEqual(refused["retcode"], 100)

    def test_an_unfit_head_or_partition_does_not_make_a_table(self):
        for name, more in (("head", {"head": 7}), ("partition", {"partition": 1024}), ("none", {"partition": 0})):
            answer = WORLD.flow("data", "upload", "-c", upload_conf("bad_" + name, **more), "--drop")
            if answer["retcode"] == 0:
                self.assertEqual(WORLD.guest.wait(answer["jobId"], role="local", party="0")["f_status"], "failed")
            self.assertEqual(info("bad_" + name)["exist"], 0)

    def test_a_file_of_the_server_is_refused_outside_its_folder(self):
        for file in ("/etc/passwd", "../site.conf", "nowhere.csv"):
            conf = upload_conf("server_file", use_local_data=0, file=file)
            answer = WORLD.flow("data", "upload", "-c", conf, "--drop")
            # Only the folder that the site's configuration opens can be read.
            self.assertNotEqual(answer["retcode"], 0)
            self.assertIn(file.split("/")[-1], answer["retmsg"])
            self.assertEqual(info("server_file")["exist"], 0)

    def test_the_history_tells_uploads(self):
        answer = upload("history", "--drop")
        rows = WORLD.flow.ok("data", "upload-history", "-l", "3")["data"]
        self.assertLessEqual(len(rows), 3)
        self.assertTrue(all(len(r) == 1 for r in rows))
        one = WORLD.flow.ok("data", "upload-history", "-j", answer["jobId"])["data"]
        told = one[0][answer["jobId"]]
        self.assertEqual(told["upload_info"], {"table_name": "history", "namespace": "cli", "partition": 4,
                                               "upload_count": 569})
        self.assertIn("schema", told)


class Download(unittest.TestCase):
    def test_a_table_goes_to_a_file_of_the_server(self):
        upload("to_file", "--drop")
        target = os.path.join(WORLD.guest.home, "data", "export", "to_file.csv")
        path = scratch_file("download.json", {"namespace": "cli", "table_name": "to_file", "output_path": target,
                                              "delimiter": ","})
        answer = WORLD.flow.ok("data", "download", "-c", path)
        self.assertEqual(answer["data"]["code"], 0)
        row = WORLD.guest.wait(answer["jobId"], role="local", party="0")
        # Files outside the folder for exports are refused, in words.
        if row["f_status"] != "success":
            tasks = WORLD.flow.ok("task", "query", "-j", answer["jobId"])["data"]
            self.assertNotEqual(tasks[0]["f_error_report"], "")

    def test_a_download_wants_its_fields(self):
        refused = WORLD.flow("data", "download", "-c", scratch_file("d.json", {"namespace": "cli"}))
        self.assertNotEqual(refused["retcode"], 0)
        self.assertIn("table_name", refused["retmsg"])

    def test_a_table_is_written_to_another(self):
        upload("written", "--drop")
        answer = WORLD.flow.ok("data", "writer", "-c", scratch_file("writer.json", {
            "namespace": "cli", "table_name": "written", "output_namespace": "cli", "output_name": "copy"}))
        self.assertEqual(WORLD.guest.wait(answer["jobId"], role="local", party="0")["f_status"], "success")
        self.assertEqual(info("copy")["count"], 569)
        WORLD.flow.ok("table", "delete", "-n", "cli", "-t", "copy")

    def test_a_table_comes_as_an_archive(self):
        upload("archive", "--drop")
        status, headers, body = WORLD.guest.request("table/download", {"namespace": "cli", "name": "archive"},
                                                    method="GET")
        self.assertEqual(status, 200, body[:300])
        self.assertEqual(headers["Content-Disposition"], "attachment; filename=table_cli_archive.tar.gz")
        path = os.path.join(WORLD.flow.home, "t.tar.gz")
        with open(path, "wb") as f:
            f.write(body)
        with tarfile.open(path) as t:
            self.assertEqual(sorted(t.getnames()), ["table.csv", "table.meta"])
            lines = t.extractfile("table.csv").read().decode().splitlines()
        with open(GUEST_CSV, encoding="ascii") as f:
            self.assertEqual(lines, f.read().splitlines())


class Table(unittest.TestCase):
    def test_an_absent_table_is_told_without_an_error(self):
        self.assertEqual(info("nothing"), {
            "table_name": "nothing", "namespace": "cli", "exist": 0, "count": 0, "partition": None, "schema": None,
            "enable": True, "origin": None, "extend_sid": False, "address": None})

    def test_a_table_is_deleted_once(self):
        upload("gone", "--drop")
        self.assertEqual(WORLD.flow.ok("table", "delete", "-n", "cli", "-t", "gone")["data"],
                         {"table_name": "gone", "namespace": "cli"})
        self.assertEqual(info("gone")["exist"], 0)
        self.assertEqual(WORLD.flow("table", "delete", "-n", "cli", "-t", "gone")["retcode"], 101)

    def test_disable_takes_a_table_away_and_enable_gives_it_back(self):
        upload("off", "--drop")
        want = [{"table_name": "off", "namespace": "cli"}]
        self.assertEqual(WORLD.flow.ok("table", "disable", "-n", "cli", "-t", "off")["data"], want)
        self.assertFalse(info("off")["enable"])
        self.assertEqual(WORLD.flow.ok("table", "enable", "-n", "cli", "-t", "off")["data"], want)
        self.assertTrue(info("off")["enable"])
        self.assertEqual(WORLD.flow("table", "disable", "-n", "cli", "-t", "never")["retcode"], 101)

    def test_a_namespace_alone_means_all_of_it(self):
        for name in ("one", "two"):
            upload(name, "--drop", namespace="whole")
        told = WORLD.flow.ok("table", "disable", "-n", "whole")["data"]
        self.assertEqual(sorted(t["table_name"] for t in told), ["one", "two"])
        gone = WORLD.flow.ok("table", "disable-delete")["data"]
        self.assertLessEqual({"one", "two"}, {t["table_name"] for t in gone})
        self.assertEqual(WORLD.flow("table", "disable-delete")["retcode"], 101)

    def bind(self, name, engine="LOCALFS", *options, **more):
        path = os.path.join(WORLD.files, "bound.csv")
        with open(GUEST_CSV, "rb") as src, open(path, "wb") as dst:
            dst.write(src.read())
        conf = {"engine": engine, "address": {"path": path}, "namespace": "cli", "name": name, "head": 1,
                "partitions": 2, "id_delimiter": ",", "id_column": "id",
                "feature_column": "y," + ",".join("x%d" % i for i in range(10))}
        conf.update(more)
        return WORLD.flow("table", "bind", "-c", scratch_file("bind_%s.json" % name, conf), *options)

    def test_an_address_is_bound_under_a_name(self):
        for engine in ("LOCALFS", "PATH"):
            with self.subTest(engine):
                answer = self.bind("bound_" + engine.lower(), engine, "--drop")
                self.assertEqual(answer["retcode"], 0, dict(answer))
                self.assertEqual(answer["data"], {"table_name": "bound_" + engine.lower(), "namespace": "cli"})
                seen = info("bound_" + engine.lower())
                self.assertEqual((seen["exist"], seen["origin"]), (1, "table_bind"))
                self.assertIn("path", seen["address"])
                self.assertEqual(seen["schema"]["sid"], "id")

    def test_a_bound_name_is_not_taken_twice_without_drop(self):
        self.assertEqual(self.bind("once", "LOCALFS", "--drop")["retcode"], 0)
        self.assertEqual(self.bind("once")["retcode"], 100)

    def test_a_bind_wants_its_fields_and_a_reachable_address(self):
        refused = WORLD.flow("table", "bind", "-c", scratch_file("b.json", {"namespace": "cli"}))
        self.assertEqual(refused["retcode"], 101)
        for field in ("engine", "address", "name"):
            self.assertIn(field, refused["retmsg"])
        answer = self.bind("unreachable", address={"path": "/nowhere/at/all.csv"})
        self.assertEqual(answer["retcode"], 100)
        self.assertEqual(info("unreachable")["exist"], 0)

    def test_add_is_another_word_for_bind(self):
        refused = WORLD.flow("table", "add", "-c", scratch_file("b.json", {"namespace": "cli"}))
        self.assertEqual(refused["retcode"], 101)

    def test_a_connector_is_kept_and_its_password_is_not_told(self):
        conf = {"connector_name": "cli_mysql", "engine": "MYSQL",
                "connector_info": WORLD.database.address()}
        WORLD.flow.ok("table", "connector-create", "-c", scratch_file("connector.json", conf))
        seen = WORLD.flow.ok("table", "connector-query", "--connector-name", "cli_mysql")["data"]
        self.assertEqual(seen["user"], mariadb.USER)
        self.assertNotIn(mariadb.PASSWORD, json.dumps(seen))
        self.assertEqual(WORLD.flow.ok("table", "connector-query", "--connector-name", "never")["data"], {})

    def test_an_uploaded_table_has_no_parent(self):
        upload("origin", "--drop")
        self.assertEqual(WORLD.flow.ok("table", "tracking-source", "-n", "cli", "-t", "origin")["data"], [])
        self.assertEqual(WORLD.flow("table", "tracking-source", "-n", "cli", "-t", "never")["retcode"], 100)

    def test_the_jobs_that_used_a_table_are_told(self):
        self.assertTrue(WORLD.trained)
        told = WORLD.flow.ok("table", "tracking-job", "-n", "experiment", "-t", "breast_hetero_guest")["data"]
        self.assertIn(WORLD.trained, told["job"])
        self.assertEqual(told["count"], len(told["job"]))

    def test_an_output_table_leads_to_its_source(self):
        table = WORLD.flow.ok("tracking", "output-data-table", *WORLD.member("reader_0"))["data"][0]
        told = WORLD.flow.ok("table", "tracking-source", "-n", table["table_namespace"],
                             "-t", table["table_name"])["data"]
        self.assertEqual(told[0]["source_table_name"], "breast_hetero_guest")
        self.assertEqual(told[0]["source_table_namespace"], "experiment")

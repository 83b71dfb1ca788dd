"""Uploads: large ones, dirty ones; a failure names its row and leaves nothing."""
import os
import tempfile
import unittest

from federation import Federation, wait_for


class Upload(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.guest

    def upload(self, text, name, **config):
        data = text if isinstance(text, bytes) else text.encode()
        with tempfile.NamedTemporaryFile(suffix=".csv") as f:
            f.write(data)
            f.flush()
            return self.site.upload(f.name, name, **config)

    def info(self, name):
        return self.site.ok("table/table_info", {"table_name": name, "namespace": "test"})["data"]

    def reason(self, job):
        rows = self.site.tasks(job, role="local", party_id="0")
        return rows[0]["f_error_report"]

    def assert_refused(self, text, name, *words, **config):
        reply = self.upload(text, name, **config)
        self.assertEqual(reply.get("status"), "failed", reply)
        reason = self.reason(reply["jobId"])
        for word in words:
            self.assertIn(word, reason)
        self.assertEqual(self.info(name)["exist"], 0)

    def test_a_small_table_has_its_schema_and_count(self):
        reply = self.upload("id,y,x0\n1,0,0.5\n2,1,1.5\n", "small")
        self.assertEqual(reply["status"], "success")
        info = self.info("small")
        self.assertEqual((info["exist"], info["count"], info["partition"]), (1, 2, 4))
        self.assertEqual(info["schema"]["header"], "y,x0")
        self.assertEqual(info["schema"]["sid"], "id")
        data = self.site.metrics(reply["jobId"], "upload_0", "local", "0")
        self.assertEqual(data["upload"]["data_access"]["data"], [["count", 2]])

    def test_line_ends_of_other_systems_and_a_byte_order_mark_are_fine(self):
        self.upload(b"\xef\xbb\xbfid,x0\r\na,1\r\nb,2", "crlf")
        info = self.info("crlf")
        self.assertEqual((info["count"], info["schema"]["sid"], info["schema"]["header"]), (2, "id", "x0"))

    def test_no_header(self):
        self.upload("a,1\nb,2\n", "headless", head=0)
        info = self.info("headless")
        self.assertEqual((info["count"], info["schema"]["header"]), (2, ""))

    def test_a_ragged_row_is_named(self):
        self.assert_refused("id,x0,x1\n1,2,3\n2,3\n", "ragged", "line 3", "2 columns", "3")

    def test_a_repeated_id_is_named(self):
        self.assert_refused("id,x0\n7,1\n8,1\n7,2\n", "twice", "line 4", "line 2")

    def spooled(self, job):
        return os.path.exists("%s/spool/upload/%s.csv" % (self.site.home, job))

    def test_what_was_sent_is_gone_however_the_upload_ends(self):
        good = self.upload("id,x0\n1,1\n", "gone_good")
        bad = self.upload("id,x0\n1,1\n2\n", "gone_bad")
        self.assertEqual((good["status"], bad["status"]), ("success", "failed"))
        for job in (good["jobId"], bad["jobId"]):
            wait_for(lambda j=job: not self.spooled(j), what="the end of what was sent")

    def test_headers_that_would_fail_later_are_refused(self):
        self.assert_refused("id;x0;x1\n1;2;3\n", "semicolon", '";"', "id_delimiter")
        self.assert_refused("id,x0,x0\n1,2,3\n", "double", "columns 2 and 3", "x0")
        self.assert_refused('id,x0\n1,"2,3"\n', "quoted", "quotes are not supported")
        self.assert_refused(b"id,x0\n1,\xe9\n", "latin", "line 2, column 2", "UTF-8")

    def test_the_command_line_shows_what_was_read(self):
        with tempfile.NamedTemporaryFile(suffix=".csv", mode="w") as f:
            f.write("id,y,x0,x1\n" + "".join("%d,1,2,3\n" % i for i in range(5)) + "\r\n \n")
            f.flush()
            done = self.site.cli("upload", f.name, "--namespace", "test", "--name", "shown", "--drop", "--watch")
        self.assertIn("5 rows, id + 3 columns: y,x0,x1", done.stdout)

    def test_an_empty_file_is_refused(self):
        self.assert_refused("", "empty", "empty")

    def test_partitions_out_of_range_fail_the_job(self):
        reply = self.upload("id,x0\n1,1\n", "parts", partition=1024)
        self.assertEqual(reply.get("status"), "failed", reply)

    def test_an_existing_table_is_kept_unless_drop(self):
        self.upload("id,x0\n1,1\n", "kept")
        reply = self.upload("id,x0\n1,1\n2,2\n", "kept", drop=0)
        self.assertEqual(reply["retcode"], 100)
        self.assertEqual(self.info("kept")["count"], 1)
        self.upload("id,x0\n1,1\n2,2\n", "kept", drop=1)
        self.assertEqual(self.info("kept")["count"], 2)

    def test_another_delimiter_and_names_with_awkward_characters(self):
        self.upload("id&x=0\n1&1\n", "a+b%", id_delimiter="&")
        self.assertEqual(self.info("a+b%")["schema"]["header"], "x=0")

    def test_a_large_table_streams(self):
        with tempfile.NamedTemporaryFile(suffix=".csv", mode="w") as f:
            f.write("id," + ",".join("x%d" % i for i in range(20)) + "\n")
            row = ",".join("%.6f" % (i / 7) for i in range(20))
            for i in range(300000):
                f.write("u%07d,%s\n" % (i, row))
            f.flush()
            self.assertGreater(os.path.getsize(f.name), 50 << 20)
            reply = self.site.upload(f.name, "large")
        self.assertEqual(reply["status"], "success")
        self.assertEqual(self.info("large")["count"], 300000)
        self.site.ok("table/delete", {"table_name": "large", "namespace": "test"})
        self.assertEqual(self.info("large")["exist"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)

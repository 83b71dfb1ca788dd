"""Models travel: out as archives and back, to the model stores and back."""
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import zipfile

from federation import DATA, Federation, lr_conf, wait_for

MODEL = "model_id = '{model_id}' AND model_version = '{model_version}' AND role = '{role}' AND party_id = '{party_id}'"
EDGE = "sluicetestboundary41c9"


def form(fields, name, content):
    """As the classic client sends it: a text field and a file part have one name."""
    out = io.BytesIO()
    for key, value in fields.items():
        out.write(("--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n" % (EDGE, key, value)).encode())
    out.write(("--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n\r\n" % (
        EDGE, name)).encode() + content + ("\r\n--%s--\r\n" % EDGE).encode())
    return out.getvalue()


def export(site, key):
    status, head, body = site.request("model/export", key, method="GET")
    assert status == 200, body
    return re.findall("filename=(.+)", head["Content-Disposition"])[0], body


def import_(site, key, content, **more):
    """(HTTP status, envelope)"""
    fields = dict(key, file="/home/somebody/model.zip", force_update=0, conf_path="/x")
    fields.update(more)
    status, _, body = site.request("model/import", raw=form(fields, "model.zip", content),
                                   headers={"Content-Type": "multipart/form-data; boundary=" + EDGE})
    return status, json.loads(body)


def forget(site, key):
    """What was here of a version goes, rows and files."""
    where = MODEL.format(**key)
    files = site.sql("SELECT DISTINCT LOWER(HEX(sha256)) FROM model_part WHERE " + where)
    for table in ("model", "model_part"):
        site.sql("DELETE FROM %s WHERE %s" % (table, where))
    for (sha,) in files:
        os.unlink(os.path.join(site.home, "models", "objects", sha[:2], sha))


def rows(site, key):
    where = MODEL.format(**key)
    return (site.sql("SELECT HEX(root_hash), HEX(manifest_hash), members FROM model WHERE %s AND state = 'sealed'" % where),
            site.sql("SELECT component, alias, buffer_name, message, HEX(sha256) FROM model_part WHERE %s AND sealed = 1"
                     " ORDER BY 1, 2, 3" % where))


def train():
    """A small sealed version: (federation, key of the guest's half)."""
    fed = Federation()
    for site, name in ((fed.guest, "breast_guest"), (fed.host, "breast_host")):
        reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="archive")
        assert reply.get("status") == "success", reply
    job = fed.submit(lr_conf(namespace="archive", max_iter=2))
    # Members seal their halves when they hear of the end.
    for site, role in ((fed.guest, "guest"), (fed.host, "host"), (fed.arbiter, "arbiter")):
        assert site.wait(job, role=role)["f_status"] == "success", site.events(job)
    model = fed.guest.sql("SELECT model_id FROM model WHERE model_version = '%s'" % job)[0][0]
    return fed, {"model_id": model, "model_version": job, "role": "guest", "party_id": "9999"}


class Archives(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed, cls.key = train()

    def test_a_version_that_was_lost_comes_back_from_its_archive(self):
        guest, key = self.fed.guest, self.key
        name, body = export(guest, key)
        self.assertEqual(name, "guest#9999#%s_%s.zip" % (key["model_id"], key["model_version"]))
        before = rows(guest, key)
        forget(guest, key)
        self.assertEqual(guest.request("model/export", key, method="GET")[0], 404)
        status, reply = import_(guest, key, body, hash=hashlib.sha256(body).hexdigest())
        self.assertEqual((status, reply["retcode"]), (200, 0), reply)
        self.assertEqual(reply["data"], dict(key, job_id=key["model_version"]))
        self.assertNotIn("jobId", reply)
        self.assertEqual(rows(guest, key), before)
        host = dict(key, role="host", party_id="10000")
        self.assertEqual(rows(self.fed.host, host)[0][0][0], before[0][0][0], "the same root as the host's half")
        self.assertEqual(export(guest, key)[1], body, "what came back makes the same archive")

    def test_an_archive_has_the_layout_of_the_classic_platform(self):
        with zipfile.ZipFile(io.BytesIO(export(self.fed.guest, self.key)[1])) as z:
            self.assertIsNone(z.testzip())
            names = z.namelist()
            define = z.read("define/define_meta.yaml").decode()
            manifest = json.loads(z.read("manifest.json"))
            again = json.loads(z.read("import_model.json"))
            pipeline = json.loads(z.read("variables/data/pipeline/pipeline/Pipeline.json"))
            for part in manifest["manifest"]["parts"]:
                path = "variables/data/%s/%s/%s" % (part["component"], part["alias"], part["buffer"])
                content = z.read(path)
                self.assertEqual(hashlib.sha256(content).hexdigest(), part["sha256"])
                self.assertEqual(len(content), part["bytes"])
                self.assertIn(path + ".json", names)
        self.assertIn("run_parameters/hetero_lr_0/run_parameters.json", names)
        self.assertIn("    module_name: HeteroLR\n", define)
        self.assertEqual(pipeline["modelVersion"], self.key["model_version"])
        self.assertEqual((again["party_id"], again["force_update"]), (9999, False))

    def test_what_is_here_is_replaced_only_by_force(self):
        body = export(self.fed.guest, self.key)[1]
        status, reply = import_(self.fed.guest, self.key, body)
        self.assertEqual((status, reply["retcode"]), (409, 409))
        self.assertIn("force_update", reply["retmsg"])
        status, reply = import_(self.fed.guest, self.key, body, force_update=1)
        self.assertEqual((status, reply["retcode"]), (200, 0), reply)

    def test_halves_of_other_parties_are_refused(self):
        host = dict(self.key, role="host", party_id="10000")
        body = export(self.fed.host, host)[1]
        status, reply = import_(self.fed.guest, host, body)
        self.assertEqual((status, reply["retcode"]), (400, 400))
        # Nor does the host's half pass for the guest's.
        before = rows(self.fed.guest, self.key)
        status, reply = import_(self.fed.guest, self.key, body, force_update=1)
        self.assertEqual((status, reply["retcode"]), (200, 100))
        self.assertIn("role", reply["retmsg"])
        self.assertEqual(rows(self.fed.guest, self.key), before)

    def harmed(self, body, change):
        """The same archive with one member changed (None: left out)."""
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(body)) as z, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as w:
            for info in z.infolist():
                content = change(info.filename, z.read(info))
                if content is not None:
                    w.writestr(info.filename, content)
        return out.getvalue()

    def test_harmed_archives_are_refused_with_the_reason_and_nothing_changes(self):
        guest, key = self.fed.guest, self.key
        body = export(guest, key)[1]
        param = "variables/data/hetero_lr_0/model/HeteroLogisticRegressionParam"
        before = guest.sql("SELECT COUNT(*) FROM model"), guest.sql("SELECT COUNT(*) FROM model_part")
        cases = (
            (lambda n, c: c[:-1] + b"\0" if n == param else c, "%s is not what the manifest says: expected SHA-256" % param),
            (lambda n, c: None if n == param else c, param + " is missing"),
            (lambda n, c: c.replace(b'"root":"', b'"root":"0') if n == "manifest.json" else c, "no SHA-256"),
            (lambda n, c: c.replace(b'"bytes":', b'"bytes":1') if n == "manifest.json" else c, "manifest was changed"),
        )
        other = dict(key, model_version="20990101000000000000")
        for change, words in cases:
            status, reply = import_(guest, key, self.harmed(body, change), force_update=1)
            self.assertEqual((status, reply["retcode"]), (200, 100), reply)
            self.assertIn(words, reply["retmsg"])
        status, reply = import_(guest, other, body, force_update=1)
        self.assertEqual((status, reply["retcode"]), (200, 100))
        self.assertIn("archive is of version", reply["retmsg"])
        status, reply = import_(guest, key, body[:-200], force_update=1)
        self.assertEqual((status, reply["retcode"]), (200, 100))
        self.assertEqual(
            before, (guest.sql("SELECT COUNT(*) FROM model"), guest.sql("SELECT COUNT(*) FROM model_part")))
        self.assertEqual(export(guest, key)[1], body)


class Server:
    """A program of a test in a folder of its own."""

    def __init__(self, folder, argv):
        self.folder = folder
        with open(os.path.join(folder, "log"), "wb") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        self.child.terminate()
        self.child.wait(60)
        shutil.rmtree(self.folder)


def start_mariadb():
    folder = tempfile.mkdtemp(prefix="sluice-store-")
    user = ["--user=root"] if os.getuid() == 0 else []
    subprocess.run(["mariadb-install-db", "--no-defaults", "--datadir=%s/data" % folder, *user, "--skip-test-db",
                    "--force", "--auth-root-authentication-method=normal"], check=True, capture_output=True,
                   env=dict(os.environ, TMPDIR=folder))
    server = Server(folder, ["mariadbd", "--no-defaults", "--datadir=%s/data" % folder, "--socket=%s/s" % folder, *user,
                             "--tmpdir=" + folder, "--skip-networking", "--innodb-buffer-pool-size=32M", "--performance-schema=OFF"])

    def sql(text):
        return subprocess.run(["mariadb", "--no-defaults", "--socket", folder + "/s", "-u", "root", "-N", "-B", "-e", text],
                              check=False, capture_output=True, text=True)
    server.sql = sql
    wait_for(lambda: sql("SELECT 1").returncode == 0, what="the store's server")
    done = sql("CREATE DATABASE models; CREATE USER keeper IDENTIFIED BY 'sesame'; GRANT ALL ON models.* TO keeper")
    assert done.returncode == 0, done.stderr
    return server


def start_redis():
    folder = tempfile.mkdtemp(prefix="sluice-store-")
    server = Server(folder, ["redis-server", "--port", "0", "--unixsocket", folder + "/s", "--dir", folder,
                             "--save", "", "--requirepass", "sesame"])

    def command(*words):
        return subprocess.run(["redis-cli", "-s", folder + "/s", "--no-auth-warning", "-a", "sesame", *words],
                              check=False, capture_output=True, text=True).stdout.strip()
    server.command = command
    wait_for(lambda: command("PING") == "PONG", what="redis")
    return server


class Stores:
    """The same promises, kept by each engine."""

    @classmethod
    def setUpClass(cls):
        cls.fed, cls.key = train()
        cls.conf = os.path.join(cls.fed.guest.home, "site.conf")
        with open(cls.conf, encoding="utf-8") as f:
            cls.conf_before = f.read()
        cls.server = cls.start()
        cls.addClassCleanup(cls.server.stop)
        cls.addClassCleanup(cls.write_conf, cls.conf_before)
        secret = os.path.join(cls.server.folder, "password")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("sesame\n")
        cls.write_conf(cls.configured(secret))

    @classmethod
    def write_conf(cls, text):
        with open(cls.conf + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(cls.conf + ".new", cls.conf)

    @classmethod
    def configured(cls, secret):
        keys = dict(cls.settings, enable_model_store="yes", engine=cls.engine, socket=cls.server.folder + "/s",
                    password_file=secret)
        head, tail = cls.conf_before.split("[model_store]")
        for key, value in keys.items():
            tail, n = re.subn(r"(?m)^%s =.*$" % key, "%s = %s" % (key, value), tail)
            assert n == 1, (key, n)
        return head + "[model_store]" + tail

    def carry(self, what, **more):
        """(status, error report or summary) of the job."""
        guest = self.fed.guest
        reply = guest.ok("model/" + what, dict(self.key, **more))
        self.assertEqual(reply["data"]["code"], 0, reply)
        self.assertEqual(reply["data"]["job_id"], reply["jobId"])
        component = "modeloperation_%s_0" % what
        status = guest.wait(reply["jobId"], role="local", party="0")["f_status"]
        task = guest.tasks(reply["jobId"], role="local", party_id="0")[0]
        self.assertEqual(task["f_component_name"], component)
        if status != "success":
            return status, task["f_error_report"]
        return status, json.loads(guest.sql("SELECT summary FROM summary WHERE job_id = '%s'" % reply["jobId"])[0][0])

    def test_a_model_goes_to_the_store_and_comes_back(self):
        guest, key = self.fed.guest, self.key
        body = export(guest, key)[1]
        before = rows(guest, key)
        status, stored = self.carry("store", force_update=True)
        self.assertEqual(status, "success", stored)
        self.assertEqual(stored["sha256"], hashlib.sha256(body).hexdigest())
        self.assertEqual(stored["store"], self.engine)
        self.assertEqual(stored["party_model_id"], "guest#9999#" + key["model_id"])
        # Not twice, unless it is wanted.
        status, error = self.carry("store")
        self.assertEqual(status, "failed")
        self.assertIn("is in the store already", error)
        # Nor over what is here.
        status, error = self.carry("restore")
        self.assertEqual(status, "failed")
        self.assertIn("force_update", error)
        forget(guest, key)
        status, error = self.carry("restore", sha256="0" * 64)
        self.assertEqual(status, "failed")
        self.assertIn("not " + "0" * 64, error)
        self.assertEqual(rows(guest, key), ([], []))
        status, restored = self.carry("restore", sha256=stored["sha256"])
        self.assertEqual(status, "success", restored)
        self.assertEqual(rows(guest, key), before)

    def test_what_was_changed_in_the_store_is_refused(self):
        status, stored = self.carry("store", force_update=True)
        self.assertEqual(status, "success", stored)
        before = rows(self.fed.guest, self.key)
        self.spoil()
        status, error = self.carry("restore", force_update=True)
        self.assertEqual(status, "failed")
        self.assertIn("is not what was put there: expected SHA-256 " + stored["sha256"], error)
        self.assertEqual(rows(self.fed.guest, self.key), before)
        self.lose()
        status, error = self.carry("restore", force_update=True)
        self.assertEqual(status, "failed")
        self.assertIn("slice", error)

    def test_what_is_not_there_is_said(self):
        guest = self.fed.guest
        reply = guest.ok("model/restore", dict(self.key, model_version="20990101000000000000"))
        self.assertEqual(guest.wait(reply["jobId"], role="local", party="0")["f_status"], "failed")
        self.assertIn("is not in the store", str(guest.tasks(reply["jobId"])))
        self.assertEqual(guest.api("model/store", {"role": "guest"})["retcode"], 101)

    def test_a_store_that_is_down_fails_the_job_and_is_named(self):
        socket = self.server.folder + "/s"
        os.rename(socket, socket + ".away")
        self.addCleanup(lambda: os.path.exists(socket + ".away") and os.rename(socket + ".away", socket))
        for what in ("store", "restore"):
            before = rows(self.fed.guest, self.key)
            status, error = self.carry(what, force_update=True)
            self.assertEqual(status, "failed")
            self.assertIn("model store (%s at %s)" % (self.engine, socket), error)
            self.assertIn("check that it runs and [model_store]", error)
            self.assertEqual(rows(self.fed.guest, self.key), before)
        os.rename(socket + ".away", socket)
        self.assertEqual(self.carry("store", force_update=True)[0], "success")

    def test_a_store_that_is_silent_fails_the_job_in_time(self):
        self.server.child.send_signal(signal.SIGSTOP)
        try:
            start = time.monotonic()
            status, error = self.carry("store", force_update=True)
        finally:
            self.server.child.send_signal(signal.SIGCONT)
        self.assertEqual(status, "failed")
        self.assertLess(time.monotonic() - start, 70)
        self.assertIn("check that it runs and [model_store]", error)
        self.assertEqual(self.carry("store", force_update=True)[0], "success")

    def test_the_password_is_in_no_log(self):
        status, _ = self.carry("store", force_update=True)
        self.assertEqual(status, "success")
        found = subprocess.run(["grep", "-rl", "sesame", os.path.join(self.fed.guest.home, "logs")],
                               check=False, capture_output=True, text=True).stdout
        self.assertEqual(found, "")


class MysqlStore(Stores, unittest.TestCase):
    engine = "mysql"
    settings = {"name": "models", "user": "keeper"}
    start = staticmethod(start_mariadb)

    def spoil(self):
        done = self.server.sql("UPDATE models.t_machine_learning_model SET f_content ="
                               " TO_BASE64(REVERSE(FROM_BASE64(f_content))) WHERE f_model_version = '%s'; "
                               "UPDATE models.t_machine_learning_model SET f_content = REPLACE(f_content, '\\n', '')"
                               % self.key["model_version"])
        self.assertEqual(done.returncode, 0, done.stderr)

    def lose(self):
        done = self.server.sql("UPDATE models.t_machine_learning_model SET f_slice_index = f_slice_index + 1")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_table_is_that_of_the_classic_platform(self):
        status, stored = self.carry("store", force_update=True)
        self.assertEqual(status, "success", stored)
        done = self.server.sql("SELECT f_model_id, f_model_version, f_slice_index, SHA2(FROM_BASE64(f_content), 256)"
                               " FROM models.t_machine_learning_model WHERE f_model_version = '%s'"
                               % self.key["model_version"])
        self.assertEqual(done.stdout.split(), [
            "guest#9999#" + self.key["model_id"], self.key["model_version"], "0", stored["sha256"]])


class RedisStore(Stores, unittest.TestCase):
    engine = "redis"
    settings = {"name": ""}
    start = staticmethod(start_redis)

    def slices(self):
        head = "sluice:model:guest#9999#%s:%s" % (self.key["model_id"], self.key["model_version"])
        upload = json.loads(self.server.command("GET", head))["upload"]
        return "%s:%s:0" % (head, upload)

    def spoil(self):
        self.assertEqual(self.server.command("SETRANGE", self.slices(), "30", "x").isdigit(), True)

    def lose(self):
        self.assertEqual(self.server.command("DEL", self.slices()), "1")

    def test_an_upload_that_was_replaced_leaves_nothing(self):
        for _ in range(2):
            self.assertEqual(self.carry("store", force_update=True)[0], "success")
        keys = self.server.command("KEYS", "*%s*" % self.key["model_version"]).split()
        self.assertEqual(len(keys), 2, keys)
        self.assertEqual(self.server.command("TTL", self.slices()), "-1")


class NoStore(unittest.TestCase):
    def test_a_site_without_a_store_says_so(self):
        guest = Federation().guest
        reply = guest.ok("model/store", {"model_id": "m", "model_version": "20990101000000000000", "role": "guest",
                                         "party_id": 9999})
        self.assertEqual(guest.wait(reply["jobId"], role="local", party="0")["f_status"], "failed")
        self.assertIn("has no model store", str(guest.tasks(reply["jobId"])))


if __name__ == "__main__":
    unittest.main()

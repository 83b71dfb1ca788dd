"""Two sites that something happens to: their databases, programs, logs, clients that keep asking, and the jobs that
must not notice."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import unittest
import urllib.parse

from federation import BUILD, DATA, ENDED, FEDERATION, TOP, Federation, kill, processes, settings, wait_for

FORM = os.environ.get("OUTAGE_FORM", "long")  # short, long, or all of the tests with short outages
SHORT = FORM != "long"
OUTAGE_S = float(os.environ.get("OUTAGE_S", "12" if SHORT else "60"))
# What a hung database may cost a client; in the short form the outage must be longer than that.
ANSWER_S = 4 if SHORT else 15
CHAIN = 8
CORES = 8
long_only = unittest.skipIf(FORM == "short", "part of the long form")

READ = {"module": "Reader", "output": {"data": ["data"]}}


def after(component):
    return {"data": {"data": [component + ".data"]}}


def test_component(module, before):
    return {"module": module, "provider": "sluice_test", "input": after(before), "output": {"data": ["data"]}}


def learning_dsl():
    return {"components": {
        "reader_0": READ,
        "data_transform_0": {"module": "DataTransform", "input": after("reader_0"),
                             "output": {"data": ["data"], "model": ["model"]}},
        "intersection_0": {"module": "Intersection", "input": after("data_transform_0"), "output": {"data": ["data"]}},
        "feature_scale_0": {"module": "FeatureScale", "input": after("intersection_0"),
                            "output": {"data": ["data"], "model": ["model"]}}}}


def chain_dsl(first="TestEmpty", name="test_empty", n=CHAIN):
    """A Reader and n tasks behind it."""
    dsl = {"components": {"reader_0": READ}}
    before = "reader_0"
    for i in range(n):
        dsl["components"]["%s_%d" % (name, i)] = test_component(first, before)
        before = "%s_%d" % (name, i)
    return dsl


def mail_dsl():
    return chain_dsl("TestMail", "test_mail", 1)


def conf(dsl, common=None, **job):
    """A job's configuration, with parameters of components that it has."""
    has = dsl["components"]
    components = {"feature_scale_0": {"method": "standard_scale"}} if "feature_scale_0" in has else {}
    components.update(common or {})
    guest = {"reader_0": {"table": {"name": "breast_guest", "namespace": "outage"}}}
    host = {"reader_0": {"table": {"name": "breast_host", "namespace": "outage"}}}
    if "data_transform_0" in has:
        guest["data_transform_0"] = {"with_label": True, "label_name": "y"}
        host["data_transform_0"] = {"with_label": False}
    return {
        "dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000]},
        "job_parameters": {"common": dict({"job_type": "train", "task_cores": 1}, **job)},
        "component_parameters": {
            "common": components, "role": {"guest": {"0": guest}, "host": {"0": host}}}}


class Answer:
    def __init__(self, status, retry_after, body, seconds, at):
        self.status = status
        self.retry_after = retry_after
        self.body = body
        self.seconds = seconds
        self.at = at  # monotonic, when it was asked

    def __repr__(self):
        return "%s in %.2f s, Retry-After %s: %.120s" % (self.status, self.seconds, self.retry_after, self.body)

    def json(self):
        return json.loads(self.body)


def connect(site, timeout):
    at = urllib.parse.urlsplit(site.url)
    return http.client.HTTPConnection(at.hostname, at.port, timeout=timeout)


def ask(site, path, body=None, method="POST", timeout=90):
    began = time.monotonic()
    line = connect(site, timeout)
    try:
        line.request(method, "/v1/" + path, body=json.dumps(body or {}) if method == "POST" else None,
                     headers={"Content-Type": "application/json"})
        reply = line.getresponse()
        text = reply.read().decode(errors="replace")
        return Answer(reply.status, reply.headers.get("Retry-After"), text, time.monotonic() - began, began)
    except OSError as e:
        return Answer(0, None, repr(e), time.monotonic() - began, began)
    finally:
        line.close()


class Client(threading.Thread):
    """Asks the same again and again until it is told to stop."""

    def __init__(self, site, path="job/list/job", body=None, pause=0.1):
        super().__init__(daemon=True)
        self.site, self.path, self.body, self.pause = site, path, body or {"limit": 1}, pause
        self.answers = []
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.answers.append(ask(self.site, self.path, self.body))
            self.over.wait(self.pause)

    def stop(self):
        self.over.set()
        self.join(120)
        return self.answers


class Persistent(threading.Thread):
    """A client as the documents want it: told 503 or 429 it comes again when Retry-After says so."""

    def __init__(self, what):
        super().__init__(daemon=True)
        self.what, self.answers = what, []
        self.start()

    def run(self):
        while True:
            answer = self.what()
            self.answers.append(answer)
            if answer.status not in (429, 502, 503):
                return
            time.sleep(float(answer.retry_after or 1))  # as it was told to

    def result(self, seconds=300):
        self.join(seconds)
        assert not self.is_alive(), self.answers
        return self.answers[-1]


def form_of(file):
    edge = "sluicetestboundary7d1f"
    with open(file, "rb") as f:
        content = f.read()
    return edge, (("--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\n" % edge).encode()
                  + content + ("\r\n--%s--\r\n" % edge).encode())


class Upload:
    """An upload that stops half way until it is told to go on."""

    def __init__(self, site, name, file=None):
        self.site, self.name = site, name
        self.edge, self.body = form_of(file or DATA + "/breast_guest.csv")
        query = urllib.parse.quote(json.dumps({
            "file": name, "head": 1, "partition": 4, "id_delimiter": ",", "namespace": "outage",
            "table_name": name, "drop": 1}))
        self.line = connect(site, 90)
        self.line.putrequest("POST", "/v1/data/upload?" + query)
        self.line.putheader("Content-Type", "multipart/form-data; boundary=" + self.edge)
        self.line.putheader("Content-Length", str(len(self.body)))
        self.line.endheaders()
        self.line.send(self.body[:len(self.body) // 2])

    def finish(self):
        began = time.monotonic()
        try:
            self.line.send(self.body[len(self.body) // 2:])
            reply = self.line.getresponse()
            return Answer(reply.status, reply.headers.get("Retry-After"), reply.read().decode(),
                          time.monotonic() - began, began)
        except OSError as e:
            return Answer(0, None, repr(e), time.monotonic() - began, began)
        finally:
            self.line.close()


def cpu_s(site):
    """CPU time of the site's own programs that run now, by process."""
    used = {}
    for pid in processes(site.home):
        try:
            with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
                text = f.read()
        except OSError:
            continue
        if "(sluice" in text or "(fcgi-" in text:
            fields = text.rpartition(")")[2].split()
            used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


def log_lines(site):
    n = {}
    for name in ("supervisor.log", "fcgi-app.log"):
        with open(os.path.join(site.home, "logs", name), "rb") as f:
            n[name] = f.read().count(b"\n")
    return n


class Database:
    def __init__(self, site):
        self.folder = os.path.dirname(site.socket)
        self.frozen = None

    def pid(self):
        with open(os.path.join(self.folder, "db.pid"), encoding="ascii") as f:
            return int(f.read())

    def freeze(self):
        self.frozen = self.pid()
        os.kill(self.frozen, signal.SIGSTOP)

    def kill(self):
        pid = self.pid()
        kill(pid)
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), what="end of the database")

    def thaw(self):
        if self.frozen:
            os.kill(self.frozen, signal.SIGCONT)
            self.frozen = None


def databases_back(databases):
    for db in databases:
        db.thaw()
    subprocess.run([os.path.join(TOP, "examples", "federation.sh"), "database"], check=True,
                   env=dict(os.environ, BUILD=BUILD, FEDERATION=FEDERATION))


class World(unittest.TestCase):
    """The base of all: tables are there, nothing is left over from the test before."""

    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.guest, cls.host = cls.sites = (cls.fed.guest, cls.fed.host)
        for site in cls.sites:
            # Jobs are to be in the middle of something, not to wait for each other.
            if settings(site, "supervisor", cores=CORES)["cores"] != str(CORES):
                os.kill(site.pid("supervisor"), signal.SIGHUP)
                wait_for(lambda s=site: s.sql("SELECT 1 FROM resource WHERE cores = %d" % CORES),
                         what="cores of " + site.party)
        for site, name in zip(cls.sites, ("breast_guest", "breast_host")):
            if not site.sql("SELECT 1 FROM data_table WHERE namespace = 'outage' AND name = '%s'" % name):
                reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="outage")
                assert reply.get("status") == "success", reply

    def setUp(self):
        for site in self.sites:
            site.start()

    # --- jobs ---

    def submit(self, dsl, common=None, **job):
        answer = Persistent(lambda: self.try_submit(dsl, common, **job)).result()
        self.assertEqual(answer.json()["retcode"], 0, answer)
        return answer.json()["jobId"]

    def try_submit(self, dsl, common=None, **job):
        return ask(self.guest, "job/submit", {"job_dsl": dsl, "job_runtime_conf": conf(dsl, common, **job)})

    def mail_job(self, rounds, size=1024):
        return self.submit(mail_dsl(), {"test_mail_0": {"rounds": rounds, "bytes": size}})

    def mails(self, job, n=1):
        wait_for(lambda: self.guest.sql("SELECT 1 FROM egress WHERE job_id = '%s' LIMIT %d" % (job, n)),
                 what="objects of " + job)

    def ends_well(self, job, seconds=300):
        """On both sides, and no task was tried twice for it."""
        for site, role in zip(self.sites, ("guest", "host")):
            row = site.wait(job, role=role, seconds=seconds)
            self.assertEqual(row["f_status"], "success", [s.events(job) for s in self.sites])
            self.assertEqual(site.sql("SELECT component, role, outcome FROM attempt WHERE job_id = '%s'"
                                      " AND outcome NOT IN ('success', 'never started')" % job), [])

    def result(self, job):
        """What the job made, as far as it is the same each time."""
        return [site.sql("SELECT role, component, alias, buffer_name, HEX(sha256) FROM model_part"
                         " WHERE model_version = '%s' AND component <> 'pipeline' ORDER BY 1, 2, 3, 4" % job)
                + site.sql("SELECT o.role, o.component, o.data_name, d.row_count FROM task_output o JOIN data_table d"
                           " ON d.namespace = o.namespace AND d.name = o.name WHERE o.job_id = '%s'"
                           " ORDER BY 1, 2, 3" % job) for site in self.sites]

    def nothing_is_held(self):
        for site in self.sites:
            wait_for(lambda s=site: not s.sql("SELECT 1 FROM resource_grant WHERE returned_at IS NULL"),
                     what="all grants returned")

    def stop_jobs(self):
        for site in self.sites:
            for row in site.sql("SELECT job_id FROM job WHERE status NOT IN ('%s')" % "','".join(ENDED)):
                ask(site, "job/stop", {"job_id": row[0]})


def restart_with(sites, section, **values):
    """Write settings and start the programs anew with them; how it was before, for each site."""
    old = []
    for site in sites:
        site.stop()
        old.append(settings(site, section, **values))
        site.start()
    return old


def pass_time(seconds):
    """It is the time itself that is waited for: an outage lasts."""
    threading.Event().wait(seconds)

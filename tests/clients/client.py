"""The classic client, each copy with settings of its own: its command line
as a process, and the world the tests share (sites, tables, a trained job).
"""
import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import mariadb
from federation import BUILD, DATA, ENDED, FEDERATION, Federation, TOP

HERE = os.path.dirname(os.path.abspath(__file__))
ENV = os.environ["CLIENT_ENV"]
JOBS = os.path.join(HERE, "jobs")


@functools.cache
def scratch():
    folder = tempfile.mkdtemp(prefix="sluice-clients-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def scratch_file(name, content):
    """A file of the client's machine; content that is no text is JSON."""
    path = os.path.join(scratch(), name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(content if isinstance(content, str) else json.dumps(content))
    return path


def job_file(name):
    with open(os.path.join(JOBS, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


class Answer(dict):
    """What a command printed: the answer, and the text around it."""

    def __init__(self, text, errors):
        at = text.find("\n{\n") + 1 if not text.startswith("{\n") else 0
        try:
            super().__init__(json.loads(text[at:]))
        except ValueError:
            super().__init__(retcode=None, text=text + errors)
        self.text = text
        self.errors = errors

    def __missing__(self, key):
        raise AssertionError("no %s in %s%s" % (key, json.dumps(self)[:2000], self.errors[-2000:]))


class Flow:
    """`flow` and `pipeline`, talking to one site.  They keep their settings
    inside their packages, so each of us has copies of these."""

    def __init__(self, site, app_key=None, secret_key=None, init=True):
        self.site = site
        self.home = tempfile.mkdtemp(dir=scratch())
        packages = os.path.join(self.home, "packages")
        source = os.path.join(ENV, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
        for name in ("flow_client", "pipeline"):
            shutil.copytree(os.path.join(source, name), os.path.join(packages, name))
        self.env = dict(os.environ, HOME=self.home, PYTHONPATH=packages, PYTHONDONTWRITEBYTECODE="1")
        url = urllib.parse.urlsplit(site.url)
        self.address = ["--ip", url.hostname, "--port", str(url.port)]
        self.keys = ["--app-key", app_key, "--secret-key", secret_key] if app_key else []
        if init:
            assert self("init", *self.address, *self.keys)["retcode"] == 0
            self.run("pipeline", "init", *self.address, *self.keys, check=True)

    def run(self, program, *args, check=False, timeout=900):
        return subprocess.run([os.path.join(ENV, "bin", program), *args], cwd=self.home, env=self.env,
                              check=check, capture_output=True, text=True, timeout=timeout)

    def python(self, code, *args, timeout=900):
        """A script of a user of the libraries; what it printed."""
        done = subprocess.run([os.path.join(ENV, "bin", "python3"), "-c", code, *args], cwd=self.home, env=self.env,
                              check=False, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def __call__(self, *args, **kw):
        done = self.run("flow", *[str(a) for a in args], **kw)
        return Answer(done.stdout, done.stderr)

    def ok(self, *args, **kw):
        answer = self(*args, **kw)
        assert answer.get("retcode") == 0, (args, dict(answer), answer.errors[-2000:])
        return answer

    def path(self, *names):
        return os.path.join(self.home, *names)


class World:
    """One federation; what takes long to make is made once, when wanted."""

    def __init__(self):
        self.sites = Federation()
        self.guest, self.host, self.arbiter = self.sites.guest, self.sites.host, self.sites.arbiter
        self.files = os.path.join(FEDERATION, "import")
        os.makedirs(self.files, exist_ok=True)
        self.configure(file_roots=self.files, examples_dir=os.path.join(TOP, "examples"))

    def configure(self, **settings):
        """Files and databases beside the guest's site that it may use."""
        path = os.path.join(self.guest.home, "site.conf")
        with open(path, encoding="utf-8") as f:
            old = text = f.read()
        for key, value in settings.items():
            text, n = re.subn(r"(?m)^%s =.*$" % key, "%s = %s" % (key, value), text)
            assert n == 1, key
        if text == old:
            return
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", "stop", "--home", self.guest.home], check=True,
                       capture_output=True)
        self.guest.start()

    @functools.cached_property
    def database(self):
        """Somebody's server with tables in it, which the guest's site may use."""
        server = mariadb.Server()
        atexit.register(server.stop)
        self.configure(mysql_hosts="127.0.0.1:%d" % server.port)
        return server

    @functools.cached_property
    def flow(self):
        return Flow(self.guest)

    @functools.cached_property
    def host_flow(self):
        return Flow(self.host)

    @functools.cached_property
    def tables(self):
        """The breast tables under the names that `flow test min` looks for."""
        for site, name in ((self.guest, "guest"), (self.host, "host"), (self.host, "guest")):
            reply = site.upload(os.path.join(DATA, "breast_%s.csv" % name), "breast_hetero_" + name,
                                namespace="experiment")
            assert reply.get("status") == "success", reply
        return True

    def submit(self, name, flow=None):
        """A job of jobs/NAME_{conf,dsl}.json by the command line."""
        args = ["-c", os.path.join(JOBS, name + "_conf.json")]
        if os.path.exists(os.path.join(JOBS, name + "_dsl.json")):
            args += ["-d", os.path.join(JOBS, name + "_dsl.json")]
        return (flow or self.flow)("job", "submit", *args)

    def run(self, name):
        """The job's id, once it has succeeded."""
        assert self.tables
        answer = self.submit(name)
        assert answer["retcode"] == 0, dict(answer)
        row = self.guest.wait(answer["jobId"])
        assert row["f_status"] == "success", (row["f_status"], self.guest.events(answer["jobId"]))
        return answer["jobId"]

    @functools.cached_property
    def trained(self):
        return self.run("hetero_lr")

    @property
    def model(self):
        return {"model_id": "arbiter-10001#guest-9999#host-10000#model", "model_version": self.trained}

    @functools.cached_property
    def deployed(self):
        """Model version of a child of `trained`."""
        m = self.model
        answer = self.flow.ok("model", "deploy", "--model-id", m["model_id"], "--model-version", m["model_version"],
                              "--cpn-list", "reader_0,data_transform_0,intersection_0,hetero_lr_0")
        return answer["data"]["model_version"]

    def has(self, *modules):
        """Does the site have components of these names?"""
        return set(modules) <= self.guest.ok("component/get")["data"].keys()

    def member(self, component, role="guest", party=None, job=None):
        """-j -r -p -cpn of the trained job."""
        party = party or {"guest": "9999", "host": "10000", "arbiter": "10001"}[role]
        return ["-j", job or self.trained, "-r", role, "-p", party, "-cpn", component]


WORLD = World()
__all__ = ["DATA", "ENDED", "TOP", "WORLD", "Flow", "Answer", "job_file", "scratch", "scratch_file", "JOBS"]

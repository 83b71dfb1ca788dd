"""A federation of real sites, seen by its users: the HTTP API, the
processes, the databases.  Standard library only."""
import base64
import configparser
import copy
import hashlib
import hmac
import json
import os
import re
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build"))
FEDERATION = os.environ.get("FEDERATION", os.path.join(BUILD, "federation"))
DATA = os.path.join(TOP, "examples", "data")
ENDED = ("success", "failed", "canceled", "timeout")


def signature(key, target, body=b"", form="", timestamp=None, nonce=None):
    """The headers of a user's signed request; key as "sluice key create --json" prints it."""
    timestamp = str(timestamp if timestamp is not None else round(time.time() * 1000))
    nonce = nonce if nonce is not None else str(uuid.uuid1())
    text = b"\n".join([timestamp.encode(), nonce.encode(), key["app_key"].encode(), target.encode(), body,
                       form.encode()])
    mac = hmac.new(key["secret_key"].encode(), text, hashlib.sha1).digest()
    return {"TIMESTAMP": timestamp, "NONCE": nonce, "APP_KEY": key["app_key"],
            "SIGNATURE": base64.b64encode(mac).decode()}


class Site:
    """One site, by its entry in sites.json."""

    key = None  # signs requests when set

    def __init__(self, entry):
        self.party = entry["party_id"]
        self.url = entry["client_url"]
        self.tls_url = entry["client_tls_url"]
        self.partner_url = entry["partner_url"]
        self.home = entry["home"]
        self.socket = entry["db_socket"]
        self.db = entry["db_name"]

    def request(self, path, body=None, method="POST", raw=None, headers=None, query=""):
        """(HTTP status, headers, body bytes)"""
        data = raw
        if data is None and body is not None:
            data = json.dumps(body).encode()
        head = {"Content-Type": "application/json"}
        if self.key:
            is_form = "multipart" in (headers or {}).get("Content-Type", "")
            head.update(signature(self.key, "/v1/" + path + query, b"" if is_form else data or b""))
        head.update(headers or {})
        req = urllib.request.Request(
            self.url + "/v1/" + path + query, data=data, method=method, headers=head)
        try:
            with urllib.request.urlopen(req, timeout=60, context=self.tls()) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def tls(self):
        if not self.url.startswith("https"):
            return None
        return ssl.create_default_context(cafile=os.path.join(self.home, "keys", "tls.crt"))

    def make_key(self, name, role):
        return json.loads(self.cli("key", "create", name, "--role", role, "--json").stdout)

    def signed(self, key, tls=False):
        """The same site for a user with a key, by HTTPS if wanted."""
        site = copy.copy(self)
        site.key = key
        site.url = self.tls_url if tls else self.url
        return site

    def api(self, path, body=None, **kw):
        """The reply envelope as an object."""
        return json.loads(self.request(path, body if body is not None else {}, **kw)[2])

    def ok(self, path, body=None, **kw):
        reply = self.api(path, body, **kw)
        assert reply["retcode"] == 0, (path, body, reply)
        return reply

    def sql(self, text):
        """Rows (lists of text) that the site's database answers.  One statement that met the site's own and was taken
        back for it (deadlock, row changed since read) is made again, as the server asks for."""
        while True:
            done = subprocess.run(
                ["mariadb", "--no-defaults", "--socket", self.socket, "-u", "root", "-N", "-B", self.db, "-e", text],
                check=False, capture_output=True, text=True)
            if done.returncode == 0:
                return [line.split("\t") for line in done.stdout.splitlines()]
            taken_back = "ERROR 1213 " in done.stderr or "ERROR 1020 " in done.stderr
            if not taken_back or ";" in text:
                raise subprocess.CalledProcessError(done.returncode, text, done.stdout, done.stderr) from AssertionError(
                    done.stderr)

    def pid(self, name):
        with open(os.path.join(self.home, "run", name + ".pid"), encoding="ascii") as f:
            return int(f.read())

    def cli(self, *args, check=True):
        return subprocess.run(
            [os.path.join(BUILD, "bin", "sluice"), *args, "--config", os.path.join(self.home, "site.conf")],
            check=check, capture_output=True, text=True)

    def start(self):
        done = subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", "start", "--home", self.home]
                              + (["--unwatched"] if os.environ.get("UNWATCHED") else []),
                              check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def stop(self):
        subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", "stop", "--home", self.home],
                       check=True, capture_output=True, text=True)

    def upload(self, file, name, namespace="test", wait=True, **config):
        """Upload as the classic client does: configuration in the query."""
        conf = {"file": file, "head": 1, "partition": 4, "id_delimiter": ",", "namespace": namespace,
                "table_name": name, "drop": 1}
        conf.update(config)
        with open(file, "rb") as f:
            content = f.read()
        edge = "sluicetestboundary7d1f"
        raw = (("--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n"
                "Content-Type: application/octet-stream\r\n\r\n" % (edge, os.path.basename(file))).encode()
               + content + ("\r\n--%s--\r\n" % edge).encode())
        query = "?" + urllib.parse.quote(json.dumps(conf), safe=":,/'=&+ ").replace(" ", "%20")
        reply = self.api("data/upload", raw=raw, query=query,
                         headers={"Content-Type": "multipart/form-data; boundary=" + edge})
        if wait and reply["retcode"] == 0:
            reply["status"] = self.wait(reply["jobId"], role="local", party="0")["f_status"]
        return reply

    def wait(self, job, role="guest", party=None, seconds=300, until=ENDED):
        """The job's row once its status is one of `until`; a training takes minutes where others compute beside it."""
        end = time.monotonic() + seconds
        while True:
            rows = self.ok("job/query", {"job_id": job, "role": role, "party_id": party or self.party})["data"]
            if rows and rows[0]["f_status"] in until:
                return rows[0]
            if time.monotonic() > end:
                raise AssertionError("job %s is %s after %d s: %s" % (
                    job, rows[0]["f_status"] if rows else "unknown", seconds, self.events(job)))
            time.sleep(0.05)

    def events(self, job):
        return self.sql("SELECT at, component, role, party_id, kind, from_state, to_state, reason FROM event"
                        " WHERE job_id = '%s' ORDER BY id DESC LIMIT 12" % job)

    def has_begun(self, job, component, role="guest"):
        """Whether the member's task ever ran, as this site has it: true for good, however late one looks."""
        return self.sql("SELECT 1 FROM task WHERE job_id = '%s' AND component = '%s' AND role = '%s'"
                        " AND started_at IS NOT NULL LIMIT 1" % (job, component, role)) != []

    def tasks(self, job, **where):
        return self.api("job/task/query", dict(where, job_id=job)).get("data", [])

    def metrics(self, job, component, role, party=None):
        return self.ok("tracking/component/metric/all", {
            "job_id": job, "component_name": component, "role": role, "party_id": party or self.party})["data"]


class Federation:
    def __init__(self):
        with open(os.path.join(FEDERATION, "sites.json"), encoding="utf-8") as f:
            self.sites = {s["party_id"]: Site(s) for s in json.load(f)["sites"]}
        self.guest = self.sites["9999"]
        self.host = self.sites["10000"]
        self.arbiter = self.sites.get("10001")

    def submit(self, conf, dsl=None):
        """Job id of an accepted job."""
        reply = self.guest.api("job/submit", {"job_dsl": dsl or example("dsl.json"), "job_runtime_conf": conf})
        assert reply["retcode"] == 0, reply
        return reply["jobId"]


def example(name):
    with open(os.path.join(TOP, "examples", "hetero_lr", name), encoding="utf-8") as f:
        return json.load(f)


def lr_conf(guest_table="breast_guest", host_table="breast_host", namespace="test", **lr):
    conf = example("conf.json")
    conf["component_parameters"]["common"]["hetero_lr_0"].update(lr)
    role = conf["component_parameters"]["role"]
    role["guest"]["0"]["reader_0"]["table"] = {"name": guest_table, "namespace": namespace}
    role["host"]["all"]["reader_0"]["table"] = {"name": host_table, "namespace": namespace}
    return conf


def processes(pattern):
    """Pids whose command line holds the pattern."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if pattern.encode() in f.read().replace(b"\0", b" "):
                    found.append(int(pid))
        except OSError:
            continue
    return found


def state(pid):
    """One letter; None when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def has_ended(pid):
    """Whether its parent has looked is another matter."""
    return state(pid) in (None, "Z", "X")


def kill(pid):
    """It has ended when this returns: whoever starts what is missing finds it missing."""
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: has_ended(pid), what="end of process %d" % pid)


def below(pid):
    """The process's children, and theirs."""
    found = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as f:
                for child in map(int, f.read().split()):
                    found += [child] + below(child)
    except OSError:
        pass
    return found


def mark(pid):
    """What says to others that stop and start processes (tests/jitter) that this one is not theirs to start."""
    folder = os.environ.get("STANDING_STILL")
    return os.path.join(folder, str(pid)) if folder else os.devnull


def stand_still(pids):
    """Those of them that live; none does anything any more when this returns."""
    stopped = []
    for pid in pids:
        try:
            open(mark(pid), "w", encoding="ascii").close()
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        except ProcessLookupError:
            pass
    for pid in stopped:
        wait_for(lambda p=pid: state(p) in (None, "T", "Z", "X"), what="that process %d stands still" % pid)
    return stopped


def programs(sites, name):
    """Pids of the sites' own of that name."""
    found = []
    for site in sites:
        for pid in processes(os.path.join(site.home, "site.conf")):
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as f:
                    if name in f.read().split(b"\0")[0].decode():
                        found.append(pid)
            except OSError:
                pass
    return found


def is_quiet(site):
    """Nothing is being done in its database, and nothing half done is kept there by who stands still."""
    # Not the table of transactions: who asks it ten times a second hears the same for ever.
    told = site.sql("SHOW ENGINE INNODB STATUS")[0][2]
    open_ones = re.findall(r"---TRANSACTION [^,]+, ACTIVE(?:(?!---TRANSACTION).)*?MariaDB thread id (\d+)", told)
    return site.sql("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
                    " AND (command <> 'Sleep' OR id IN (%s))" % ", ".join(["0", *open_ones])) == []


def freeze(sites):
    """Supervisors, then shepherds of all these sites stand still, with all that they have started (their numbers, for
    thaw): what changes from here on was changed by a request."""
    def try_to():
        stopped = []
        for name in ("sluice-supervisor", "sluice-shepherd"):
            stopped += stand_still(programs(sites, name))
        # Those that only obey, such as executors.
        stopped += stand_still({child for pid in stopped for child in below(pid)} - set(stopped))
        try:
            # What was asked of the database before may still be on its way there.
            for site in sites:
                wait_for(lambda s=site: is_quiet(s), 1, "peace in the database")
            return stopped
        except AssertionError:
            thaw(stopped)  # one stopped in the middle of a transaction, whose locks others would wait for
            return None
    return wait_for(try_to, what="an instant at which nobody is in the middle of something")


def thaw(pids):
    for pid in pids:
        if mark(pid) != os.devnull and os.path.exists(mark(pid)):
            os.unlink(mark(pid))
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass  # killed meanwhile


def settings(site, section, **values):
    """Write values into the site's configuration; programs that start read them."""
    path = os.path.join(site.home, "site.conf")
    conf = configparser.ConfigParser(interpolation=None)
    conf.read(path, encoding="utf-8")
    if not conf.has_section(section):
        conf.add_section(section)
    old = {k: conf.get(section, k, fallback=None) for k in values}
    for k, v in values.items():
        if v is None:
            conf.remove_option(section, k)
        else:
            conf.set(section, k, str(v))
    with open(path, "w", encoding="utf-8") as f:
        conf.write(f)
    return old


def wait_for(condition, seconds=60, what="condition"):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "%s did not come true in %d s" % (what, seconds)
        time.sleep(0.02)
    return value

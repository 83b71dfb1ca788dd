"""Reads of the API through a site's nginx, with 10 000 jobs in the database.

usage: bench/run.sh api    (starts the federation)

wrk runs on the same cores, and so may others: what a request costs the
database, the workers and nginx in CPU time says more than the rate.  Floors of
the same run: a reply that nginx makes itself, and the health route, which is
one FastCGI request and one ping of the database.
"""
import json
import os
import subprocess
import tarfile
import tempfile
import time

from federation import BUILD, DATA, FEDERATION, Federation, lr_conf, signature
from sites import RESULTS, children, resident_mb, result

JOBS = 10000
CONNECTIONS = 16
SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
HERE = os.path.dirname(os.path.abspath(__file__))
SERIES = 1000
SIGNED_RATE = 5000  # requests that are signed beforehand for each second; within the 60 s of a signature
# Tables of a job that are cloned; the job last, so that nobody looks at half of one.
CLONED = ("job_party", "task", "attempt", "resource_grant", "task_output", "summary", "job")


def columns(site, table):
    return [r[0] for r in site.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = database()"
                                   " AND table_name = '%s' ORDER BY ordinal_position" % table)]


def patiently(site, text):
    """The site's programs go on meanwhile and may hold a lock."""
    for left in range(4, -1, -1):
        try:
            return site.sql(text)
        except subprocess.CalledProcessError as e:
            if left == 0 or not any(w in e.stderr for w in ("Deadlock", "Lock wait", "has changed")):
                raise AssertionError(e.stderr) from e


def clone_jobs(site, job):
    """JOBS more jobs like this one, ended, one minute apart."""
    changed = {
        "job_id": "CONCAT('20250101', LPAD(s.seq, 10, '0'), '0001')",
        "model_version": "CONCAT('20250101', LPAD(s.seq, 10, '0'), '0001')",
        "attempt_id": "MD5(CONCAT(t.attempt_id, s.seq))",
    }
    changed.update({c: "t.%s - INTERVAL s.seq MINUTE" % c
                    for c in ("created_at", "updated_at", "started_at", "ended_at")})
    for table in CLONED:
        names = columns(site, table)
        values = [changed.get(c, "t." + c) for c in names]
        patiently(site, "INSERT INTO %s (%s) SELECT %s FROM %s t JOIN seq_1_to_%d s WHERE t.job_id = '%s'" % (
            table, ", ".join(names), ", ".join(values), table, JOBS, job))
    site.sql("ANALYZE TABLE " + ", ".join(CLONED))


def add_series(site, job):
    site.sql("INSERT INTO metric (job_id, component, version, role, party_id, namespace, name, meta) VALUES"
             " ('%s', 'reader_0', 0, 'guest', '9999', 'train', 'loss', '{\"name\":\"loss\",\"metric_type\":\"LOSS\"}');"
             "INSERT INTO metric_point SELECT LAST_INSERT_ID(), seq, seq, 1 / (1 + seq) FROM seq_0_to_%d" % (
                 job, SERIES - 1))


def load(site, path, body="", connections=CONNECTIONS, signed=()):
    out = subprocess.run(
        ["wrk", "-t1", "-c%d" % connections, "-d%ds" % SECONDS, "-s", os.path.join(HERE, "api.lua"),
         site.url + path, "--", body, str(JOBS), *signed], check=True, capture_output=True, text=True).stdout
    seen = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
    assert seen["errors"] == 0, (path, body, seen, out)
    return seen


def cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        user, system = f.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def server_cpu_s(site):
    with open(os.path.join(FEDERATION, "db", "db.pid"), encoding="ascii") as f:
        database = int(f.read())
    return {"db": cpu_s(database), "app": sum(cpu_s(p) for p in children(site.pid("fcgi-app"))),
            "nginx": sum(cpu_s(p) for p in children(site.pid("nginx")))}


def workers_mb(site):
    return max(resident_mb(p) for p in children(site.pid("fcgi-app")))


def signed_load(site, key, path, body):
    """Each request with a signature of its own, made beforehand; each must have been answered and remembered."""
    count = SIGNED_RATE * SECONDS
    with tempfile.NamedTemporaryFile("w", dir=BUILD, suffix=".signed") as f:
        for i in range(count):
            text = body.replace("%d", "%010d" % (1 + i * 7919 % JOBS))
            h = signature(key, path, text.encode())
            f.write("\t".join((h["TIMESTAMP"], h["NONCE"], h["APP_KEY"], h["SIGNATURE"], text)) + "\n")
        f.flush()
        return load(site, path, body, signed=(f.name,))


def reads(fed, job):
    site = fed.guest
    front = floor(site)
    health = load(site, "/v1/health")
    print("  floors: nginx alone %.0f/s, health %.0f/s p99 %.1f ms" % (
        front["rate"], health["rate"], health["p99_ms"]))
    some = "20250101%d0001"  # api.lua puts ten digits in
    cases = {
        "job/query, one job": ("job/query", {"job_id": some, "role": "guest", "party_id": "9999"}),
        "job/task/query, one job": ("job/task/query", {"job_id": some, "role": "guest", "party_id": "9999"}),
        "job/list/job, first page of 20": ("job/list/job", {"limit": 20, "page": 1}),
        "job/list/job, page 250 of 20": ("job/list/job", {"limit": 20, "page": 250}),
        "metric/all, 1 000 points": ("tracking/component/metric/all", {
            "job_id": job, "component_name": "reader_0", "role": "guest", "party_id": "9999"}),
    }
    for name, (path, body) in cases.items():
        text = json.dumps(body)
        # wrk sees the status alone: a refusal in the envelope would be fast.
        reply = site.ok(path, json.loads(text.replace("%d", "%010d" % 1)))
        assert reply["data"], reply
        load(site, "/v1/" + path, text, connections=2)  # statements are prepared, memory is taken
        before, start = workers_mb(site), server_cpu_s(site)
        seen = load(site, "/v1/" + path, text)
        cpu = {k: (v - start[k]) * 1e3 / seen["requests"] for k, v in server_cpu_s(site).items()}
        print("  %-40s %6d bytes, p50 %.2f ms, CPU %s ms" % (
            name, seen["bytes"], seen["p50_ms"], " + ".join("%s %.3f" % i for i in cpu.items())))
        # A page in the middle passes over those before it.
        share = 4 if "250" in name else 1
        result(name, seen["rate"], "1/s", health["rate"], 2000 / share, "higher")
        result(name + ", p99", seen["p99_ms"], "ms", health["p99_ms"], 50 * share)
        result(name + ", server CPU", sum(cpu.values()), "ms", None, 0.8 * share)
        result(name + ", growth of a worker", workers_mb(site) - before, "MB", 0, 2)
        if path == "job/query":
            signed = signed_load(site, site.make_key("bench", "viewer"), "/v1/" + path, text)
            print("  %-40s %6d bytes, p50 %.2f ms" % (name + ", signed", signed["bytes"], signed["p50_ms"]))
            # Two more look-ups, the key's and the nonce's, are to cost less than what they protect.
            result(name + ", signed", signed["rate"], "1/s", seen["rate"], seen["rate"] / 2, "higher")


def floor(site):
    """The page that nginx has for paths that are not the API's."""
    out = subprocess.run(["wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % SECONDS, site.url + "/"],
                         check=True, capture_output=True, text=True).stdout
    return {"rate": float(next(l for l in out.splitlines() if "Requests/sec" in l).split()[1])}


def downloads(fed, job):
    """Logs and data of several hundred MB go through a worker, not into it."""
    site = fed.guest
    log = os.path.join(site.home, "logs", job, "guest", "9999", "reader_0", "DEBUG.log")
    with open(log, "a", encoding="ascii") as f:
        line = "[DEBUG] a line of a log that somebody left on for a night, %012d\n"
        for i in range(4000000):
            f.write(line % i)
    before = workers_mb(site)
    start = time.monotonic()
    with tempfile.NamedTemporaryFile(dir=BUILD, suffix=".tar.gz") as out:
        subprocess.run(["curl", "-sf", "-o", out.name, "-d", json.dumps({"job_id": job}),
                        site.url + "/v1/job/log/download"], check=True)
        seconds = time.monotonic() - start
        with tarfile.open(out.name) as t:
            size = sum(m.size for m in t)
    os.truncate(log, 0)
    assert size > 250e6, size
    print("  %.0f MB of logs in %.1f s" % (size / 1e6, seconds))
    result("growth of a worker, logs of 280 MB", workers_mb(site) - before, "MB", 0, 4)


def main():
    fed = Federation()
    for site, name in ((fed.guest, "guest"), (fed.host, "host")):
        assert site.upload(os.path.join(DATA, "breast_%s.csv" % name), "breast_" + name)["status"] == "success"
    job = fed.submit(lr_conf(max_iter=2))
    assert fed.guest.wait(job)["f_status"] == "success"
    clone_jobs(fed.guest, job)
    add_series(fed.guest, job)
    reads(fed, job)
    downloads(fed, job)
    with open(os.path.join(BUILD, "bench", "api.json"), "w", encoding="ascii") as f:
        json.dump(RESULTS, f, indent=1)


if __name__ == "__main__":
    main()

"""Benchmarks that need real sites: scheduling, mailbox, resident memory.

usage: bench/run.sh schedule mailbox memory queue starts    (starts the federation)
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from federation import BUILD, Federation

RESULTS = []


def result(metric, value, unit, floor, budget, better="lower"):
    RESULTS.append({"metric": metric, "value": round(value, 3), "unit": unit, "floor": floor, "budget": budget,
                    "better": better})
    held = value <= budget if better == "lower" else value >= budget
    print("  %-52s %10.2f %-5s floor %-8s budget %-8s %s" % (
        metric, value, unit, "%.4g" % floor if floor is not None else "-", "%.4g" % budget, "" if held else "OVER"))


def conf(components, roles, common=None):
    return {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999}, "role": roles,
            "job_parameters": {"common": {"task_cores": 1, "task_parallelism": 1}},
            "provider": {"common": {c: "sluice_test@1.0.0" for c in components}},
            "component_parameters": {"common": common or {}}}


def chain(length):
    components = {}
    for i in range(length):
        c = {"module": "TestEmpty", "output": {"data": ["data"]}}
        if i:
            c["input"] = {"data": {"data": ["empty_%d.data" % (i - 1)]}}
        components["empty_%d" % i] = c
    return {"components": components}


TWO = {"guest": [9999], "host": [10000]}


def submit_and_wait(fed, dsl, configuration):
    start = time.perf_counter()
    job = fed.submit(configuration, dsl)
    accepted = time.perf_counter() - start
    row = fed.guest.wait(job)
    assert row["f_status"] == "success", fed.guest.events(job)
    return job, accepted


def micros(site, text):
    return int(site.sql(text)[0][0])


def hand_overs(fed, job):
    """ms from the end of a task at both parties to the start of the next at both."""
    times = {}
    for site in (fed.guest, fed.host):
        for seq, start, end in site.sql(
                "SELECT seq, TIMESTAMPDIFF(MICROSECOND, '2020-01-01', started_at),"
                " TIMESTAMPDIFF(MICROSECOND, '2020-01-01', ended_at) FROM task"
                " WHERE job_id = '%s' AND run_here = 1" % job):
            times.setdefault(int(seq), []).append((int(start), int(end)))
    return [(max(s for s, _ in times[i + 1]) - max(e for _, e in times[i])) / 1e3
            for i in sorted(times) if i + 1 in times]


def schedule(fed):
    accepted, running, per_task, gaps, whole = [], [], [], [], []
    for i in range(21):
        job, seconds = submit_and_wait(fed, chain(1), conf(["empty_0"], TWO))
        created = micros(fed.guest, "SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', created_at) FROM job"
                         " WHERE job_id = '%s'" % job)
        started = [micros(s, "SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', started_at) FROM task"
                          " WHERE job_id = '%s' AND run_here = 1" % job) for s in (fed.guest, fed.host)]
        if i:  # the first one opens connections
            accepted.append(seconds * 1e3)
            running.append((max(started) - created) / 1e3)
    for _ in range(7):
        job, _ = submit_and_wait(fed, chain(10), conf(["empty_%d" % i for i in range(10)], TWO))
        span = micros(fed.guest, "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(started_at), MAX(ended_at)) FROM task"
                      " WHERE job_id = '%s'" % job)
        per_task.append(span / 1e3 / 10)
        gaps += hand_overs(fed, job)
        whole.append(micros(fed.guest, "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, ended_at) FROM job"
                            " WHERE job_id = '%s'" % job) / 1e3)
    result("submit accepted (median of 20)", statistics.median(accepted), "ms", 2, 10)
    result("submit to running on both parties (median of 20)", statistics.median(running), "ms", 15, 60)
    result("the same, the slowest of 20", max(running), "ms", 15, 250)
    result("task ended to the next running, both parties (median)", statistics.median(gaps), "ms", 6, 25)
    result("chain of 10 empty tasks, whole job (median of 7)", statistics.median(whole), "ms", 160, 400)
    result("per task in a chain of 10, two parties (median of 7)", statistics.median(per_task), "ms", 16, 40)


def mail(fed, size, rounds):
    components = {"components": {"mail_0": {"module": "TestMail", "output": {"data": ["data"]}}}}
    job, _ = submit_and_wait(fed, components, conf(["mail_0"], TWO, {"mail_0": {"bytes": size, "rounds": rounds}}))
    data = fed.guest.metrics(job, "mail_0", "guest")["test"]["round_trip_us"]["data"]
    return [v for _, v in data]


def nginx_tls_rate(fed, size):
    """MB/s that curl and the host's partner listener move, spooled to disk.
    The request is unsigned: it is refused after its body has arrived."""
    keys = os.path.join(fed.guest.home, "keys")
    rates = []
    with tempfile.NamedTemporaryFile(dir=BUILD) as f:
        f.truncate(size)
        for _ in range(3):
            out = subprocess.run(
                ["curl", "-sk", "-T", f.name, "--cert", keys + "/tls.crt", "--key", keys + "/tls.key",
                 "-o", "/dev/null", "-w", "%{speed_upload}", "-H", "Expect:",
                 fed.host.partner_url + "/v1/mailbox/large/1/c/0/host/10000?name=x&tag=x&from=guest"],
                check=True, capture_output=True, text=True).stdout
            rates.append(float(out) / 1e6)
    return statistics.median(rates)


def mailbox(fed):
    trips = mail(fed, 1024, 500)[20:]
    result("1 KB, executor to executor, half a round trip (median)", statistics.median(trips) / 2e3, "ms", 0.6, 2)
    size = 256 << 20
    rate = nginx_tls_rate(fed, size)
    times = mail(fed, size, 3)
    result("256 MB, executor to executor", size / statistics.median(times), "MB/s", round(rate, 1),
           round(rate / 2, 1), "higher")
    mail(fed, 1 << 30, 1)
    print("  1 GB arrived whole")


def resident_mb(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS of %d" % pid)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def memory(fed):
    for _ in range(3):
        submit_and_wait(fed, chain(2), conf(["empty_0", "empty_1"], TWO))
    workers = [resident_mb(p) for p in children(fed.guest.pid("fcgi-app"))]
    result("fcgi-app worker", max(workers), "MB", 5, 10)
    result("supervisor", resident_mb(fed.guest.pid("supervisor")), "MB", 5, 15)
    dsl = {"components": {"fail_0": {"module": "TestFail"}}}
    job = fed.submit(conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "guest"}}), dsl)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        rows = fed.guest.sql("SELECT shepherd_pid FROM attempt WHERE job_id = '%s' AND executor_pid > 0"
                             " AND ended_at IS NULL" % job)
        if rows:
            result("shepherd", resident_mb(int(rows[0][0])), "MB", 5, 10)
            break
        time.sleep(0.05)
    fed.guest.ok("job/stop", {"job_id": job})
    fed.guest.wait(job)


def main():
    name = sys.argv[1]
    kinds = {"schedule": schedule, "mailbox": mailbox, "memory": memory}
    if name in ("queue", "starts"):
        import queue_cost
        kinds.update({"queue": queue_cost.queue, "starts": queue_cost.jobs})
    kinds[name](Federation())
    path = os.path.join(BUILD, "bench", name + ".json")
    with open(path, "w", encoding="ascii") as f:
        json.dump(RESULTS, f, indent=1)


if __name__ == "__main__":
    main()

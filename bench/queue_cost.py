"""What waiting costs, and how soon a bad end is known.

usage: bench/run.sh queue    (starts the federation)

CPU time is counted, not rates: others may run on the same cores.
"""
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from federation import Federation, kill, wait_for
from sites import TWO, chain, children, conf, micros, result, submit_and_wait

WAITING = 10000
STARTS = 1000
AT_ONCE = 32
SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def programs(site):
    """A site's own processes; the database is all sites'."""
    pids = [site.pid(n) for n in ("supervisor", "fcgi-app", "nginx")]
    return pids + [c for p in pids for c in children(p)]


def database(site):
    with open(os.path.join(os.path.dirname(site.socket), "db.pid"), encoding="ascii") as f:
        return [int(f.read())]


def spent(fed):
    """CPU seconds so far: of the database, the sites' programs, and (all processors', less those) the rest."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(v) for v in f.readline().split()[1:]]
    whole = (sum(fields) - fields[3] - fields[4]) / TICKS
    base = cpu_s(database(fed.guest))
    sites = cpu_s(programs(fed.guest) + programs(fed.host))
    return {"database": base, "programs of two sites": sites, "tasks and whatever else ran": whole - base - sites}


def busy_percent(pids):
    before, start = cpu_s(pids), time.monotonic()
    time.sleep(SECONDS)
    return 100 * (cpu_s(pids) - before) / (time.monotonic() - start)


def statements(site):
    rows = site.sql("SHOW GLOBAL STATUS WHERE variable_name IN ('Questions', 'Com_commit')")
    return {k.lower(): int(v) for k, v in rows}


def fill_queue(site, job):
    """WAITING copies of a job, refused by the host and asleep."""
    names = [r[0] for r in site.sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'job'"
                                    " AND table_schema = database() ORDER BY ordinal_position")]
    other = {"job_id": "CONCAT('20250101', LPAD(s.seq, 10, '0'), '0001')", "status": "'waiting'", "settled": "0",
             "wait_code": "'waiting_resources'", "wait_role": "'host'", "wait_party": "'10000'",
             "next_look_at": "NOW(6) + INTERVAL 1 HOUR", "queue_at": "NOW(6) - INTERVAL s.seq SECOND",
             "started_at": "NULL", "ended_at": "NULL", "lease_owner": "NULL", "lease_until": "NULL"}
    site.sql("INSERT INTO job (%s) SELECT %s FROM job t JOIN seq_1_to_%d s WHERE t.job_id = '%s'" % (
        ", ".join(names), ", ".join(other.get(n, "t." + n) for n in names), WAITING, job))
    site.sql("ANALYZE TABLE job")


def waiting(fed, job):
    site = fed.guest
    idle = busy_percent(programs(site))
    before = statements(site)
    time.sleep(SECONDS)
    rate = (statements(site)["questions"] - before["questions"]) / SECONDS
    result("a site's programs, idle", idle, "%", None, 0.5)
    database_idle = busy_percent(database(site))
    fill_queue(site, job)
    try:
        result("the same with %d jobs waiting" % WAITING, busy_percent(programs(site)), "%", round(idle, 3),
               idle + 0.5)
        result("the database of three sites with them", busy_percent(database(site)), "%", round(database_idle, 3),
               database_idle + 1)
        before = statements(site)
        time.sleep(SECONDS)
        result("statements a second of three sites with them",
               (statements(site)["questions"] - before["questions"]) / SECONDS, "/s", round(rate, 1), rate * 1.2 + 5)
    finally:
        site.sql("DELETE FROM job WHERE job_id LIKE '20250101%'")


def per_task(fed):
    """Statements and commits of both sites' database for a task of a chain."""
    names = ["empty_%d" % i for i in range(10)]
    submit_and_wait(fed, chain(2), conf(names[:2], TWO))
    before, start = statements(fed.guest), time.monotonic()
    time.sleep(3)
    idle = {k: (v - before[k]) / (time.monotonic() - start) for k, v in statements(fed.guest).items()}
    counts = []
    for _ in range(3):
        before, start = statements(fed.guest), time.monotonic()
        job, _ = submit_and_wait(fed, chain(10), conf(names, TWO))
        spent = time.monotonic() - start
        counts.append({k: (v - before[k] - idle[k] * spent) / 10 for k, v in statements(fed.guest).items()})
    result("statements of a task, both sites", statistics.median(c["questions"] for c in counts), "", None, 190)
    result("commits of a task, both sites", statistics.median(c["com_commit"] for c in counts), "", None, 60)
    return job


def verdicts(fed):
    """An executor is killed: until the job has its end at both parties, by the database's clock."""
    took = []
    for _ in range(7):
        job = fed.submit(conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "host"}}),
                         {"components": {"fail_0": {"module": "TestFail"}}})
        pid = wait_for(lambda: fed.host.sql("SELECT executor_pid FROM attempt WHERE job_id = '%s'"
                                            " AND executor_pid > 0 AND ended_at IS NULL" % job), what="executor")
        at = int(fed.guest.sql("SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', NOW(6))")[0][0])
        kill(int(pid[0][0]))
        for site, role in ((fed.guest, "guest"), (fed.host, "host")):
            assert site.wait(job, role=role)["f_status"] == "failed"
        ends = [int(s.sql("SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', ended_at) FROM job WHERE job_id = '%s'"
                          % job)[0][0]) for s in (fed.guest, fed.host)]
        took.append((max(ends) - at) / 1e3)
    result("executor killed to the verdict at both parties (median of 7)", statistics.median(took), "ms", None, 500)


def submit_many(fed, n):
    c, d = conf(["empty_0"], TWO), chain(1)
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: fed.submit(c, d), range(n)))


def count(site, where):
    return int(site.sql("SELECT COUNT(*) FROM job WHERE %s" % where)[0][0])


def starts(fed):
    """STARTS two-party jobs wait for one that holds all AT_ONCE cores of both sites.  Counted: from its end to the
    start of the last of them.  Each has one core at a time, so all but the last AT_ONCE have also run and ended by
    then: two shepherds and sandboxes for each job, its reports, its end at both sites.  What a start costs the
    scheduling alone is in the lines below, as CPU time."""
    before = [s.sql("SELECT cores, memory_mb FROM resource")[0] for s in (fed.guest, fed.host)]
    for site in (fed.guest, fed.host):
        site.sql("UPDATE resource SET cores = %d, memory_mb = %d" % (AT_ONCE, AT_ONCE * 4096))
    try:
        c = conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "guest"}})
        c["job_parameters"]["common"]["task_cores"] = AT_ONCE
        blocker = fed.submit(c, {"components": {"fail_0": {"module": "TestFail"}}})
        fed.guest.wait(blocker, until=("running",))
        first = min(submit_many(fed, STARTS))
        since = "job_id >= '%s'" % first
        wait_for(lambda: count(fed.guest, "wait_code IN ('waiting_resources', 'turn')") >= STARTS, 120, "waiting jobs")
        fed.guest.ok("job/stop", {"job_id": blocker})
        begin = micros(fed.guest, "SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', NOW(6))")
        cpu = spent(fed)
        wait_for(lambda: count(fed.guest, "status IN ('waiting', 'running')") == 0, 300, "the jobs' end")
        cpu = {k: (v - cpu[k]) / STARTS * 1e3 for k, v in spent(fed).items()}
        end = micros(fed.guest, "SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', MAX(started_at)) FROM job WHERE " + since)
        assert count(fed.guest, "status = 'success' AND started_at IS NOT NULL AND " + since) >= STARTS
        result("two-party jobs started a second, %d waiting" % STARTS, STARTS / ((end - begin) / 1e6), "/s", None, 50,
               "higher")
        for name, ms in cpu.items():
            print("    CPU for each: %-30s %6.1f ms" % (name, ms))
    finally:
        for site, (cores, memory) in zip((fed.guest, fed.host), before):
            site.sql("UPDATE resource SET cores = %s, memory_mb = %s" % (cores, memory))


def queue(fed):
    job = per_task(fed)
    verdicts(fed)
    waiting(fed, job)
    starts(fed)

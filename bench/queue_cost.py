"""What waiting and starting cost, and how soon a bad end is known.

usage: bench/run.sh queue     (starts the federation; all of it, three minutes)
       bench/run.sh starts    (the jobs alone; BENCH_JOBS=200: fewer)

CPU time is counted beside rates: others may run on the same cores.
"""
import os
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from federation import kill, wait_for
from sites import TWO, chain, children, conf, result, submit_and_wait

WAITING = 10000
STARTS = int(os.environ.get("BENCH_JOBS", "1000"))
AT_ONCE = 32
HELD = 100  # jobs that start and stay; each has two shepherds, each of them a connection
SECONDS = 10
TICKS = os.sysconf("SC_CLK_TCK")


CLIENTS = {}  # by site


def ask(site, text):
    """As site.sql(), over one connection: to start a client for each question costs a hundred times what it does."""
    if site not in CLIENTS:
        CLIENTS[site] = subprocess.Popen(
            ["mariadb", "--no-defaults", "--socket", site.socket, "-u", "root", "-N", "-B", "-n", site.db],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    client, end, rows = CLIENTS[site], "-- that was all --\n", []
    client.stdin.write("%s;\nSELECT '%s';\n" % (text, end[:-1]))
    client.stdin.flush()
    for line in client.stdout:
        if line == end:
            return rows
        rows.append(line[:-1].split("\t"))
    raise AssertionError("the client ended at " + text)


def ask_number(site, text):
    return int(ask(site, text)[0][0])


def cpu_s(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def programs(site):
    """A site's own processes; the database is all sites'."""
    supervisor = site.pid("supervisor")
    pids = [site.pid(n) for n in ("fcgi-app", "nginx")]
    return [supervisor] + pids + [c for p in pids for c in children(p)]


def database(site):
    with open(os.path.join(os.path.dirname(site.socket), "db.pid"), encoding="ascii") as f:
        return [int(f.read())]


def all_cpu_s():
    """Of what run.sh started, ended processes too, when it could make a control group for it; else of the machine."""
    with open("/proc/self/cgroup", encoding="ascii") as f:
        group = next((l.split(":")[2].strip() for l in f if "cpuacct" in l.split(":")[1].split(",")), "/")
    if group != "/":
        with open("/sys/fs/cgroup/cpuacct" + group + "/cpuacct.usage", encoding="ascii") as f:
            return int(f.read()) / 1e9
    with open("/proc/stat", encoding="ascii") as f:
        fields = [int(v) for v in f.readline().split()[1:]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


def spent(fed):
    """CPU seconds so far: of the database, the sites' programs, this benchmark with the clients that it asks the
    database by, and (all, less those) of tasks: nurseries, shepherds, sandboxes, executors."""
    base = cpu_s(database(fed.guest))
    sites = cpu_s(programs(fed.guest) + programs(fed.host))
    self = sum(os.times()[:4]) + cpu_s(c.pid for c in CLIENTS.values())
    whole = all_cpu_s()
    return {"all": whole, "database": base, "programs of two sites": sites, "this benchmark": self,
            "tasks": whole - base - sites - self}


def busy_percent(pids):
    before, start = cpu_s(pids), time.monotonic()
    time.sleep(SECONDS)
    return 100 * (cpu_s(pids) - before) / (time.monotonic() - start)


def statements(site):
    rows = ask(site, "SHOW GLOBAL STATUS WHERE variable_name IN ('Questions', 'Com_commit')")
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


def count(site, where):
    return ask_number(site, "SELECT COUNT(*) FROM job WHERE %s" % where)


def patiently(condition, seconds, what):
    """As wait_for(), of something that is asked for at the cost of what is measured."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "%s did not come true in %d s" % (what, seconds)
        time.sleep(0.25)


class Waiting:
    """A blocker that holds all of some cores of two sites, and jobs of one core each that wait for it."""

    def __init__(self, fed, cores, dsl, configuration, jobs):
        self.fed, self.n = fed, jobs
        self.sites = (fed.guest, fed.host)
        self.before = [s.sql("SELECT cores, memory_mb FROM resource")[0] for s in self.sites]
        for site in self.sites:
            site.sql("UPDATE resource SET cores = %d, memory_mb = %d" % (cores, cores * 4096))
        try:
            blocker = hanging()
            blocker["job_parameters"]["common"]["task_cores"] = cores
            self.blocker = fed.submit(blocker, HANG)
            fed.guest.wait(self.blocker, until=("running",))
            with ThreadPoolExecutor(4) as pool:
                self.jobs = sorted(pool.map(lambda _: fed.submit(configuration, dsl), range(jobs)))
            self.since = "job_id >= '%s'" % self.jobs[0]
            patiently(lambda: count(fed.guest, "wait_code IN ('waiting_resources', 'turn')") >= jobs, 180,
                      "waiting jobs")
        except BaseException:
            for site in self.sites:
                print("    party", site.party, site.sql("SELECT status, wait_code, wait_role, wait_party, wait_numbers, COUNT(*)"
                                            " FROM job WHERE ended_at IS NULL GROUP BY 1, 2, 3, 4, 5 LIMIT 20"))
            self.restore()
            raise

    def restore(self):
        for site, (cores, memory) in zip(self.sites, self.before):
            site.sql("UPDATE resource SET cores = %s, memory_mb = %s" % (cores, memory))

    def begin(self):
        """The blocker ends."""
        self.spent, self.told = spent(self.fed), statements(self.fed.guest)
        self.at = ask_number(self.fed.guest, "SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', NOW(6))")
        self.fed.guest.ok("job/stop", {"job_id": self.blocker})

    def costs(self, n):
        cpu, told = spent(self.fed), statements(self.fed.guest)
        for k, v in cpu.items():
            print("    CPU for each: %-36s %6.1f ms" % (k, (v - self.spent[k]) / n * 1e3))
        print("    database, for each: %.1f statements, %.1f commits" % tuple(
            (told[k] - self.told[k]) / n for k in ("questions", "com_commit")))

    def seconds_until(self, table, where):
        """From the blocker's end until the last one of them was started, at whichever site."""
        end = max(ask_number(s, "SELECT TIMESTAMPDIFF(MICROSECOND, '2020-01-01', MAX(started_at)) FROM %s"
                                " WHERE %s AND %s" % (table, where, self.since)) for s in self.sites)
        return (end - self.at) / 1e6


HANG = {"components": {"fail_0": {"module": "TestFail"}}}


def hanging():
    """A task that stays, and computes nothing, at both parties."""
    c = conf(["fail_0"], TWO, {"fail_0": {"what": "hang", "who": "guest"}})
    c["component_parameters"]["role"] = {"host": {"0": {"fail_0": {"what": "hang", "who": "host"}}}}
    return c


def starts(fed):
    """HELD two-party jobs start while STARTS others go on waiting.  A start is all from the moment that there is room
    until the job's task runs at both parties: resources and start at both, two shepherds, two sandboxes, two executors
    and what they report.  The jobs stay, so that nothing of their ends is in it.  Three times: what else runs on the
    machine makes one of them slow."""
    rates = [starts_once(fed) for _ in range(3)]
    print("    each time: " + ", ".join("%.1f/s" % r for r in rates))
    result("two-party jobs started a second, %d waiting (median of 3)" % STARTS, statistics.median(rates), "/s", None, 50,
           "higher")


def starts_once(fed):
    running = "SELECT COUNT(*) FROM task WHERE run_here = 1 AND party_status = 'running' AND "
    w = Waiting(fed, HELD, HANG, hanging(), HELD + STARTS)
    try:
        w.begin()
        patiently(lambda: all(ask_number(s, running + w.since) >= HELD for s in w.sites), 120, "running tasks")
        seconds = w.seconds_until("task", "run_here = 1")
        w.costs(HELD)
        held = [r[0] for r in fed.guest.sql("SELECT job_id FROM job WHERE status = 'running' AND " + w.since)]
        print("    %d of them were not the first in the queue" % len(set(held) - set(w.jobs[:HELD])))
        return HELD / seconds
    finally:
        fed.guest.sql("UPDATE job SET cancel_signal = 1, cancel_status = 'canceled', next_look_at = NOW(6)"
                      " WHERE cancel_signal = 0 AND status IN ('waiting', 'running') AND " + w.since)
        patiently(lambda: all(count(s, "status IN ('waiting', 'running')") == 0 for s in w.sites), 180, "all ends")
        w.restore()


def through(fed):
    """The whole life of jobs in a queue: STARTS of them wait for AT_ONCE cores and have one each, so all but the last
    AT_ONCE have started, run and ended when the last one starts: what a start costs, and the task's and the job's end
    at both sites."""
    w = Waiting(fed, AT_ONCE, chain(1), conf(["empty_0"], TWO), STARTS)
    try:
        w.begin()
        patiently(lambda: count(fed.guest, "status IN ('waiting', 'running')") == 0, 300, "the jobs' end")
        assert count(fed.guest, "status = 'success' AND " + w.since) >= STARTS
        result("two-party jobs through a queue a second", STARTS / w.seconds_until("job", "1"), "/s", None, 20,
               "higher")
        w.costs(STARTS)
    finally:
        w.restore()


def queue(fed):
    job = per_task(fed)
    verdicts(fed)
    waiting(fed, job)
    starts(fed)
    through(fed)


def jobs(fed):
    starts(fed)
    through(fed)

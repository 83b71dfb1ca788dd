"""What is killed at a site, how it is started again, and what must not be left there."""
import os
import subprocess

from federation import BUILD, FEDERATION, TOP, has_ended, processes, wait_for


def children(pids):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent in pids:
            found.append(int(pid))
    return found


def of(site, program):
    return [p for p in processes("%s --config %s/" % (program, site.home)) if not has_ended(p)]


def handlers(site):
    """The request handlers, all of them, but not the process that starts them anew."""
    return [p for p in of(site, "sluice-fcgi") if p != site.pid("fcgi-app")]


def executors(site):
    """The innermost processes below the shepherds: killed in their cages, not with them."""
    last, found = [], children(of(site, "sluice-shepherd"))
    while found:
        last, found = found, children(found)
    return last


def database(fed):
    with open(os.path.join(os.path.dirname(fed.guest.socket), "db.pid"), encoding="ascii") as f:
        return [int(f.read())]


VICTIMS = {}
for _name, _of in (("supervisor", lambda s: of(s, "sluice-supervisor")), ("request handlers", handlers),
                   ("fcgi-app", lambda s: of(s, "sluice-fcgi")), ("nginx", lambda s: [s.pid("nginx")]),
                   ("nursery", lambda s: of(s, "sluice-shepherd --nursery")),
                   ("shepherd", lambda s: of(s, "sluice-shepherd")), ("executor", executors)):
    VICTIMS[_name + " g"] = lambda fed, f=_of: f(fed.guest)
    VICTIMS[_name + " h"] = lambda fed, f=_of: f(fed.host)
VICTIMS["database"] = database
# For the heads of columns: s supervisor, r request handlers, f their parent too, n nginx, y nursery,
# h shepherd, x executor.
SHORT_NAMES = {"database": "db", **{n + " " + s: c + "@" + s for s in "gh" for n, c in (
    ("supervisor", "s"), ("request handlers", "r"), ("fcgi-app", "f"), ("nginx", "n"), ("nursery", "y"), ("shepherd", "h"),
    ("executor", "x"))}}


def restart(fed):
    """As a service manager would: what does not run is started."""
    subprocess.run([os.path.join(TOP, "examples", "federation.sh"), "database"], check=True,
                   env=dict(os.environ, BUILD=BUILD, FEDERATION=FEDERATION))
    for site in (fed.guest, fed.host):
        site.start()


# --- what must be true afterwards ---

def none(site, what, sql):
    rows = site.sql(sql)
    assert not rows, (site.party, what, rows)


def none_soon(site, what, sql):
    wait_for(lambda: not site.sql(sql), what="%s: no %s: %s" % (site.party, what, site.sql(sql)))


def check_rows(site, job):
    where = " WHERE job_id = '%s'" % job
    none(site, "open grants", "SELECT * FROM resource_grant" + where + " AND returned_at IS NULL")
    # What a job's end stops ends, and is reported, a moment after it.
    none_soon(site, "open attempts", "SELECT * FROM attempt" + where + " AND ended_at IS NULL")
    none(site, "tasks that succeeded twice", "SELECT component, version, COUNT(*) FROM attempt" + where
         + " AND outcome = 'success' GROUP BY component, version HAVING COUNT(*) > 1")
    none(site, "ends other than one", "SELECT COUNT(*) FROM event" + where + " AND kind = 'job'"
         " AND to_state IN ('success', 'failed', 'canceled', 'timeout') HAVING COUNT(*) <> 1")
    none_soon(site, "tasks that want something", "SELECT component, launch_wanted, kill_wanted, report_due FROM task" + where
         + " AND run_here = 1 AND (launch_wanted = 1 OR kill_wanted <> '' OR report_due = 1)")
    none(site, "models that are not sealed", "SELECT * FROM model WHERE model_version = '%s' AND state <> 'sealed'" % job)


def check_processes(site):
    wait_for(lambda: not of(site, "sluice-shepherd"), what="no shepherd left at " + site.party)


def files_below(folder, part=""):
    return [os.path.join(at, n) for at, _, names in os.walk(folder) for n in names if part in os.path.join(at, n)]


def memory_dir(site):
    with open(os.path.join(site.home, "site.conf"), encoding="utf-8") as f:
        return [line.split("=")[1].strip() for line in f if line.startswith("memory_dir")][0]


def left(site, job):
    return (files_below(os.path.join(site.home, "jobs", job)) + files_below(os.path.join(site.home, "mailbox"), job)
            + files_below(memory_dir(site), job) + files_below(os.path.join(site.home, "spool"))
            + files_below(os.path.join(site.home, "run", "m")))


def check_files(site, job):
    try:
        wait_for(lambda: not left(site, job), 10)
    except AssertionError:
        found = left(site, job)
        for path in found:  # told once; not of the next case
            os.unlink(path)
        raise AssertionError("left at %s: %s" % (site.party, found)) from None

"""Kill everywhere: at every step of a two-party job, each program in turn is killed (-9) exactly there, started again
as a service manager would, and the job must end as if nothing had happened.

usage: check.py [--short] [--step N[,N...]] [--victim NAME[,NAME...]]

A table of steps and victims is printed at the end: "ok", "-" when there was nothing to kill there, or "BAD"."""
import argparse
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from federation import DATA, Federation, kill, wait_for  # noqa: E402
from page import Page  # noqa: E402
from steps import STEPS  # noqa: E402
import sites  # noqa: E402

DSL = {"components": {
    "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
    "data_transform_0": {"module": "DataTransform", "input": {"data": {"data": ["reader_0.data"]}},
                         "output": {"data": ["data"], "model": ["model"]}},
    "intersection_0": {"module": "Intersection", "input": {"data": {"data": ["data_transform_0.data"]}},
                       "output": {"data": ["data"]}},
    "feature_scale_0": {"module": "FeatureScale", "input": {"data": {"data": ["intersection_0.data"]}},
                        "output": {"data": ["data"], "model": ["model"]}},
}}
CONF = {
    "dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999},
    "role": {"guest": [9999], "host": [10000]},
    # A task whose shepherd or executor is killed is tried again.
    "job_parameters": {"common": {"job_type": "train", "task_cores": 1, "auto_retries": 3, "auto_retry_delay": 0}},
    "component_parameters": {
        "common": {"feature_scale_0": {"method": "standard_scale"}},
        "role": {
            "guest": {"0": {"reader_0": {"table": {"name": "breast_guest", "namespace": "kill"}},
                            "data_transform_0": {"with_label": True, "label_name": "y"}}},
            "host": {"0": {"reader_0": {"table": {"name": "breast_host", "namespace": "kill"}},
                           "data_transform_0": {"with_label": False}}}}}}

# Of the whole matrix: most of the steps, every victim, in a minute.
SHORT = [(1, "after", "self"), (3, "before", "self"), (5, "after", "supervisor g"), (8, "before", "database"),
         (10, "after", "request handlers h"), (11, "after", "supervisor g"), (12, "after", "supervisor h"),
         (14, "after", "executor h"), (16, "before", "shepherd g"), (17, "after", "self"), (18, "before", "nginx g"),
         (20, "before", "self"), (25, "before", "supervisor g"), (26, "before", "nginx h"), (27, "after", "self"),
         (28, "before", "fcgi-app h"), (29, "before", "self")]
BOUND_S = 120  # a busy machine takes its time


class Checks:
    def __init__(self):
        self.fed = Federation()
        self.page = Page(os.environ["PROBE_PAGE"])
        self.sites = (self.fed.guest, self.fed.host)
        for site, name in zip(self.sites, ("breast_guest", "breast_host")):
            reply = site.upload("%s/%s.csv" % (DATA, name), name, namespace="kill")
            assert reply.get("status") == "success", reply
        self.good = self.result(self.run_job())

    # --- a job ---

    def submit(self, name):
        reply = self.fed.guest.api("job/submit", {"job_dsl": DSL, "job_runtime_conf": CONF, "job_name": name})
        return reply.get("jobId") if reply.get("retcode") == 0 else None

    def run_job(self):
        job = self.submit("undisturbed")
        self.ends_well(job)
        return job

    def ends_well(self, job):
        """Every party has the same end, and nothing is left of the job but what it made."""
        for site, role in zip(self.sites, ("guest", "host")):
            row = site.wait(job, role=role, seconds=BOUND_S)
            assert row["f_status"] == "success", (role, row["f_status"], self.events(job))
        wait_for(lambda: self.fed.guest.sql("SELECT 1 FROM job WHERE job_id = '%s' AND settled = 1" % job),
                 what="every member has the end")
        for site in self.sites:
            wait_for(lambda s=site: not s.sql("SELECT 1 FROM audit_exchange WHERE job_id = '%s' AND open = 1" % job),
                     BOUND_S, "heads of %s exchanged" % site.party)
        for site in self.sites:
            sites.check_rows(site, job)
            sites.check_processes(site)
            sites.check_files(site, job)

    def result(self, job):
        """What the job made, as far as it is the same each time: models and numbers of rows."""
        return [site.sql("SELECT role, component, alias, buffer_name, HEX(sha256) FROM model_part"
                         " WHERE model_version = '%s' AND component <> 'pipeline' ORDER BY 1, 2, 3, 4" % job)
                + site.sql("SELECT o.role, o.component, o.data_name, d.row_count FROM task_output o JOIN data_table d"
                           " ON d.namespace = o.namespace AND d.name = o.name WHERE o.job_id = '%s'"
                           " AND o.version = (SELECT MAX(version) FROM task_output n WHERE n.job_id = o.job_id"
                           " AND n.component = o.component) ORDER BY 1, 2, 3" % job) for site in self.sites]

    def events(self, job):
        return [site.events(job) for site in self.sites]

    # --- a case ---

    def arm(self, step, when):
        site = getattr(self.fed, step.site)
        self.page.arm(step.program, site.home, step.call, when, step.text, step.values, step.count)
        return site

    def case(self, step, when, victim):
        """True when there was something to kill."""
        name = "%d %s %s %d" % (step.number, when, victim, time.monotonic_ns())
        answer = []
        self.arm(step, when)
        client = threading.Thread(target=lambda: answer.append(self.attempt(name)))
        client.start()
        try:
            pid = wait_for(self.page.held, BOUND_S, "step %s" % step.name)
            found = self.kill(victim, pid)
        finally:
            self.page.release()
        sites.restart(self.fed)
        client.join()
        job = answer[0] or self.known(name) or self.submit(name)
        self.ends_well(job)
        made = self.result(job)
        assert made == self.good, ("another result", job, made)
        return found

    def attempt(self, name):
        try:
            return self.submit(name)
        except (OSError, ValueError):
            return None  # whoever was to answer is dead

    def known(self, name):
        rows = self.fed.guest.sql("SELECT job_id FROM job WHERE name = '%s'" % name)
        return rows[0][0] if rows else None

    def kill(self, victim, held):
        pids = [held] if victim == "self" else sites.VICTIMS[victim](self.fed)
        for pid in pids:
            try:
                kill(pid)
            except ProcessLookupError:
                pass
        return bool(pids)


def cases_of(args):
    if args.short:
        return [(STEPS[n - 1], when, victim) for n, when, victim in SHORT]
    steps = [s for s in STEPS if args.step is None or s.number in args.step]
    victims = ["self", *sites.VICTIMS] if args.victim is None else args.victim
    return [(s, when, v) for s in steps for v in victims for when in ("before", "after")]


def table(cells):
    victims = ["self", *sites.VICTIMS]
    marks = {True: "ok", False: "BAD", None: "-"}
    width = max(len(s.name) for s in STEPS) + 10
    print("\n%-*s %s" % (width, "killed before / after", " ".join("%-7s" % sites.SHORT_NAMES.get(v, v) for v in victims)))
    for step in STEPS:
        row = []
        for v in victims:
            both = [marks[cells[step.number, w, v]] if (step.number, w, v) in cells else "" for w in ("before", "after")]
            row.append("%-7s" % ("/".join(both) if any(both) else ""))
        print("%-*s %s" % (width, "%2d %s (%s)" % (step.number, step.name, step.site[0]), " ".join(row)))


def main():
    numbers = lambda text: [int(n) for n in text.split(",")]  # noqa: E731
    ap = argparse.ArgumentParser()
    ap.add_argument("--short", action="store_true")
    ap.add_argument("--step", type=numbers)
    ap.add_argument("--victim", type=lambda text: text.split(","))
    args = ap.parse_args()
    checks = Checks()
    cells, failed = {}, 0
    for step, when, victim in cases_of(args):
        began = time.monotonic()
        try:
            cells[step.number, when, victim] = checks.case(step, when, victim) or None
            what = "ok" if cells[step.number, when, victim] else "nothing to kill"
        except (AssertionError, OSError, subprocess.CalledProcessError) as e:
            cells[step.number, when, victim] = False
            failed += 1
            what = "FAIL: %s" % e
            sites.restart(checks.fed)
        print("%2d %-6s %-34s %-20s %5.1f s  %s" % (step.number, when, step.name, victim, time.monotonic() - began,
                                                  what), flush=True)
    checks.page.close()
    table(cells)
    print("%d passed, %d failed" % (len(cells) - failed, failed))
    return 1 if failed or not cells else 0


if __name__ == "__main__":
    sys.exit(main())

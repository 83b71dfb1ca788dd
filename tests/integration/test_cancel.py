"""A user cancels at any instant between submit and end: one end at all members, nothing held, nothing left running, and
the job can run again.  CANCELS says how many instants (`CANCELS=30 CANCEL_SEED=7 tests/integration/run.sh test_cancel`)."""
import importlib.util
import os
import random
import threading
import time
import unittest

from federation import ENDED, TOP, Federation, wait_for
from sites import conf

# What the kill tests look for afterwards is the same.
_spec = importlib.util.spec_from_file_location("left", os.path.join(TOP, "tests", "kill", "sites.py"))
left = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(left)

CANCELS = int(os.environ.get("CANCELS", "10"))
SEED = int(os.environ.get("CANCEL_SEED", "1"))
TOGETHER = 5  # jobs at once
ROLES = {"guest": [9999], "host": [10000], "arbiter": [10001]}


class Cancel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.members = ((fed.guest, "guest"), (fed.host, "host"), (fed.arbiter, "arbiter"))

    def submit(self):
        names = ("mail_0", "empty_0", "mail_1", "empty_1")
        dsl = {"components": {n: {"module": "TestMail" if "mail" in n else "TestEmpty", "output": {"data": ["data"]}}
                              for n in names}}
        for before, name in zip(names, names[2:]):
            dsl["components"][name]["input"] = {"data": {"data": [before + ".data"]}}
        c = conf(names, ROLES, {n: {"rounds": 20, "bytes": 1000} for n in names if "mail" in n})
        return self.fed.submit(c, dsl)

    def state(self, job):
        """The job's end and that of each component, at each member that ever heard of it, once all know."""
        found = {"guest": (self.fed.guest.wait(job)["f_status"], [])}
        wait_for(lambda: self.fed.guest.sql("SELECT settled FROM job WHERE job_id = '%s'" % job) == [["1"]], 60,
                 "the end of %s being known to all" % job)
        for site, role in self.members:
            if site.sql("SELECT 1 FROM job WHERE job_id = '%s'" % job):
                status = site.wait(job, role=role)["f_status"]
                found[role] = (status, wait_for(lambda s=site: self.ends(s, job), what="ends of tasks of " + role))
        return found

    @staticmethod
    def ends(site, job):
        """[component, end] of its tasks; None while one has not ended."""
        tasks = site.sql("SELECT component, party_status FROM task WHERE job_id = '%s' AND run_here = 1 ORDER BY component"
                         % job)
        return tasks if all(end in ENDED for _, end in tasks) else None

    def cancel_after(self, job, seconds, answers):
        threading.Event().wait(seconds)
        answers[job] = self.fed.guest.api("job/stop", {"job_id": job})

    def batch(self, instants):
        """Jobs, each canceled at its instant; {job: (instant, answer)}."""
        jobs, answers = {}, {}
        threads = []
        for seconds in instants:
            job = self.submit()
            jobs[job] = seconds
            threads.append(threading.Thread(target=self.cancel_after, args=(job, seconds, answers)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        return {job: (seconds, answers[job]) for job, seconds in jobs.items()}

    def check(self, job, seconds, answer):
        self.assertEqual(answer["retcode"], 0, answer)
        found = self.state(job)
        ends = {status for status, _ in found.values()}
        self.assertEqual(len(ends), 1, found)
        end = ends.pop()
        self.assertIn(end, ("canceled", "success"), found)
        if end == "success":
            self.assertEqual({s for _, tasks in found.values() for _, s in tasks}, {"success"}, found)
        # What the initiator holds of its partners' tasks is what they have.
        for site, role in self.members[1:]:
            if role not in found:
                self.assertEqual(end, "canceled", "a job that a member never heard of")
                continue
            known = self.fed.guest.sql("SELECT component, party_status FROM task WHERE job_id = '%s' AND role = '%s'"
                                       " ORDER BY component" % (job, role))
            self.assertEqual(found[role][1], known, role)
        for site, role in self.members:
            if role in found:
                left.check_rows(site, job)
        return end

    def ledgers(self):
        for site, _ in self.members:
            self.assertEqual(site.sql("SELECT COUNT(*) FROM resource_grant WHERE returned_at IS NULL"), [["0"]], site.party)

    def test_at_whatever_instant_all_end_alike_and_nothing_is_left(self):
        begun = time.monotonic()
        self.assertEqual(self.fed.guest.wait(self.submit())["f_status"], "success")
        whole = (time.monotonic() - begun) * 1.2
        chance = random.Random(SEED)
        ends, first = [], 0
        # The first job may have been a slow one: until enough instants were in the middle of theirs.
        while first < CANCELS or (len([e for e, _ in ends if e == "canceled"]) <= CANCELS // 3 and first < 4 * CANCELS):
            if first >= CANCELS:
                whole /= 2
            jobs = self.batch([chance.uniform(0, whole) for _ in range(TOGETHER)])
            for job, (seconds, answer) in jobs.items():
                with self.subTest(job=job, seconds=seconds, seed=SEED, batch=first):
                    ends.append((self.check(job, seconds, answer), job))
            for site, _ in self.members:
                left.check_processes(site)
            self.ledgers()
            for job in jobs:
                for site, _ in self.members:
                    left.check_files(site, job)
            first += TOGETHER
        canceled = [job for end, job in ends if end == "canceled"]
        self.assertGreater(len(canceled), CANCELS // 3, ends)
        for job in canceled[::5]:
            self.fed.guest.ok("job/rerun", {"job_id": job, "component_name": "pipeline"})
            for site, role in self.members:
                # Of a job that was canceled early a member may not have heard before.
                wait_for(lambda s=site, r=role: [row["f_status"] for row in s.ok(
                    "job/query", {"job_id": job, "role": r})["data"]] == ["success"], 60,
                    "success of %s at %s when run again" % (job, role))
        wait_for(lambda: self.fed.guest.sql("SELECT 1 FROM job WHERE settled = 0 AND is_initiator = 1") == [], what="peace")
        self.ledgers()


if __name__ == "__main__":
    unittest.main()

"""Each reason to wait (lib/model/wait.h) brought about on real sites: what a job or a task waits for can be relied on
only if every word of the list is really said."""
import json
import os
import re
import subprocess
import unittest

from federation import DATA, TOP, Federation, kill, processes, settings, wait_for
from sites import TWO, chain, conf
from test_contract import short_job

def gives(*reasons):
    """The test brings these about."""
    def mark(test):
        test.gives = reasons
        return test
    return mark


def codes():
    with open(os.path.join(TOP, "lib", "model", "wait.h"), encoding="utf-8") as f:
        return set(re.findall(r'^\s*X\([A-Z_]+, "([a-z_]+)", (?:true|false)', f.read(), re.M))


class Documented(unittest.TestCase):
    def test_the_codes_of_the_page_are_those_that_there_are(self):
        with open(os.path.join(TOP, "docs", "api.md"), encoding="utf-8") as f:
            text = re.search(r"Codes: (.*?)\. A job and a task that run", f.read()).group(1)
        self.assertEqual(set(re.findall("`([a-z_]+)`", text)), codes())


class Reasons(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host = fed.guest, fed.host
        cls.cores = int(fed.host.sql("SELECT cores FROM resource")[0][0])

    def tearDown(self):
        for site in (self.guest, self.host):
            site.start()
        for (job,) in self.guest.sql("SELECT job_id FROM job WHERE is_initiator = 1 AND ended_at IS NULL"):
            self.guest.api("job/stop", {"job_id": job})
            self.guest.wait(job)

    # --- tools ---

    def submit(self, dsl=None, parameters=None, **job):
        dsl = dsl or chain(1)
        c = conf(list(dsl["components"]), TWO, parameters)
        c["job_parameters"]["common"].update(job)
        return self.fed.submit(c, dsl)

    def holds(self):
        """A job that has all cores of the host until it is stopped."""
        job = self.submit({"components": {"fail_0": {"module": "TestFail"}}}, {"fail_0": {"what": "hang", "who": "guest"}},
                          task_cores=self.cores)
        self.guest.wait(job, until=("running",))
        return job

    def twice(self, site):
        """It has more than its partners have."""
        was = site.sql("SELECT cores, memory_mb FROM resource")[0]
        site.sql("UPDATE resource SET cores = 2 * cores, memory_mb = 2 * memory_mb")
        self.addCleanup(site.sql, "UPDATE resource SET cores = %s, memory_mb = %s" % tuple(was))

    def stop(self, job):
        self.guest.ok("job/stop", {"job_id": job})
        self.guest.wait(job)

    def waits(self, job, code, site=None, role="guest"):
        def look():
            rows = (site or self.guest).ok("job/query", {"job_id": job, "role": role})["data"]
            return rows[0]["f_wait"] if rows and rows[0]["f_wait"] and rows[0]["f_wait"]["code"] == code else None
        return wait_for(look, what="%s of job %s" % (code, job))

    def task_waits(self, job, component, code):
        def look():
            rows = self.guest.tasks(job, component_name=component)
            return [t["f_wait"] for t in rows if t["f_wait"] and t["f_wait"]["code"] == code]
        return wait_for(look, what="%s of %s of job %s" % (code, component, job))[0]

    def held(self, when, table, condition="TRUE"):
        """The host's database gets no further with one kind of statement; until what is returned is called."""
        name = "held_%s" % table
        self.addCleanup(self.host.sql, "DROP TRIGGER IF EXISTS " + name)
        holder = subprocess.Popen(
            ["mariadb", "--no-defaults", "--socket", self.host.socket, "-u", "root", "-N", "-B", "-n", self.host.db],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def let_go():
            if holder.returncode is None:
                holder.communicate()
        self.addCleanup(let_go)
        holder.stdin.write("SELECT GET_LOCK('reasons', 0);\n")
        holder.stdin.flush()
        self.assertEqual(holder.stdout.readline(), "1\n")
        self.host.sql("CREATE OR REPLACE TRIGGER %s BEFORE %s ON %s FOR EACH ROW SET @held = IF(%s,"
                      " GET_LOCK('reasons', 60) + RELEASE_LOCK('reasons'), 0)" % (name, when, table, condition))
        return let_go

    def full_disk(self):
        """The host's disks count as full; all its workers know when this returns."""
        old = settings(self.host, "fcgi", upload_keep_free_mb=1073741824)
        self.host.stop()
        self.host.start()

        def has_room():
            settings(self.host, "fcgi", **old)
            self.host.stop()
            self.host.start()
        return has_room

    # --- of jobs ---

    @gives("creating")
    def test_members_that_are_asked_to_take_part(self):
        let_go = self.held("INSERT", "job")
        job = self.submit()
        wait_for(lambda: self.waits(job, "creating")["numbers"].get("members") == 2, what="how many are asked")
        let_go()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("reserving")
    def test_members_that_are_asked_for_resources(self):
        let_go = self.held("INSERT", "resource_grant")
        job = self.submit()
        self.assertEqual(self.waits(job, "reserving")["party_id"], "10000")
        let_go()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("starting")
    def test_members_that_are_told_to_start(self):
        let_go = self.held("UPDATE", "resource_grant", "OLD.expires_at IS NOT NULL AND NEW.expires_at IS NULL")
        job = self.submit()
        self.assertEqual(self.waits(job, "starting")["party_id"], "10000")
        let_go()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("ending", "upstream")
    def test_a_task_that_never_begins_of_a_job_that_ends(self):
        dsl = {"components": {"fail_0": {"module": "TestFail", "output": {"data": ["data"]}},
                              "empty_0": {"module": "TestEmpty", "input": {"data": {"data": ["fail_0.data"]}}}}}
        job = self.submit(dsl, {"fail_0": {"what": "hang", "who": "guest"}})
        self.guest.wait(job, until=("running",))
        self.assertEqual(self.task_waits(job, "empty_0", "upstream")["on"], "fail_0")
        self.host.stop()
        self.guest.ok("job/stop", {"job_id": job})
        self.task_waits(job, "empty_0", "ending")
        self.host.start()
        self.guest.wait(job)
        wait_for(lambda: {t["f_party_status"] for t in self.guest.tasks(job, component_name="empty_0")} == {"canceled"},
                 what="the end of what never began")

    @gives("initiator", "waiting_resources", "job_start")
    def test_others_that_hold_what_a_job_needs(self):
        self.twice(self.guest)
        holder, job = self.holds(), self.submit()
        wait = self.waits(job, "waiting_resources")
        self.assertEqual((wait["numbers"]["cores_free"], wait["on"]), (0, ""), "a partner's jobs are not named")
        self.assertNotIn(holder, json.dumps(wait))
        # The host says itself what of its own is lacking, and who has it.
        wait = self.waits(job, "waiting_resources", self.host, "host")
        self.assertEqual((wait["role"], wait["party_id"], wait["on"]), ("host", "10000", holder))
        self.assertEqual((wait["numbers"]["cores_free"], wait["numbers"]["cores_total"]), (0, self.cores))
        self.assertIn("waiting_resources, host 10000, " + holder, self.host.cli("query", job).stdout)
        self.task_waits(job, "empty_0", "job_start")
        self.stop(holder)
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("initiator")
    def test_a_partner_whose_own_part_is_ready(self):
        held = self.held("INSERT", "resource_grant")  # the host, and with it the job
        job = self.submit()
        self.assertEqual(self.waits(job, "initiator", self.host, "host")["party_id"], "9999")
        held()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("waiting_resources")
    def test_who_holds_the_cores_of_the_initiators_own_site(self):
        cores = int(self.guest.sql("SELECT cores FROM resource")[0][0])
        self.assertLessEqual(cores, self.cores)
        holder = self.submit({"components": {"fail_0": {"module": "TestFail"}}}, {"fail_0": {"what": "hang", "who": "guest"}},
                             task_cores=cores)
        self.guest.wait(holder, until=("running",))
        # It is the guest that lacks something.
        self.twice(self.host)
        job = self.submit()
        wait = self.waits(job, "waiting_resources")
        self.assertEqual((wait["role"], wait["party_id"], wait["on"]), ("guest", "9999", holder))
        # It waits for nothing of the host, and the host says so.
        self.assertEqual(self.waits(job, "initiator", self.host, "host")["on"], "")
        self.stop(holder)
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("turn")
    def test_a_job_that_has_waited_longer_for_the_same_party(self):
        holder, first = self.holds(), self.submit()
        # Of whom it waits for it has been refused for a minute, whichever of the two asks first.
        self.guest.sql("CREATE OR REPLACE TRIGGER long_wait BEFORE UPDATE ON job FOR EACH ROW SET NEW.wait_since ="
                       " IF(NEW.wait_code = 'waiting_resources' AND NEW.job_id = '%s', NOW(6) - INTERVAL 2 MINUTE,"
                       " NEW.wait_since)" % first)
        self.addCleanup(self.guest.sql, "DROP TRIGGER IF EXISTS long_wait")
        self.waits(first, "waiting_resources")
        self.guest.sql("UPDATE job SET wait_since = NOW(6) WHERE job_id = '%s'" % first)
        second = self.submit()
        self.assertEqual(self.waits(second, "turn")["on"], first)
        self.stop(holder)
        for job in (first, second):
            self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("quota")
    def test_a_quota_that_is_used_up(self):
        holder = self.submit({"components": {"fail_0": {"module": "TestFail"}}},
                             {"fail_0": {"what": "hang", "who": "guest"}})
        self.guest.wait(holder, until=("running",))
        self.host.cli("quota", "--party", "9999", "--running-jobs", "1")
        self.addCleanup(self.host.cli, "quota", "--party", "9999", "--remove")
        job = self.submit()
        self.assertEqual(self.waits(job, "quota")["numbers"]["limit"], 1)
        self.stop(holder)
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("partner_unreachable")
    def test_a_partner_that_is_gone(self):
        self.host.stop()
        job = self.submit()
        self.assertEqual(self.waits(job, "partner_unreachable")["party_id"], "10000")
        self.host.start()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("partner_unreachable")
    def test_a_partner_that_is_gone_while_the_job_runs(self):
        job = self.submit({"components": {"fail_0": {"module": "TestFail"}}}, {"fail_0": {"what": "hang", "who": "guest"}})
        for site, role in ((self.guest, "guest"), (self.host, "host")):
            site.wait(job, role=role, until=("running",))
        for site, role, gone, party in ((self.guest, "guest", self.host, "10000"), (self.host, "host", self.guest, "9999")):
            gone.stop()
            wait = self.waits(job, "partner_unreachable", site, role)
            self.assertEqual((wait["role"], wait["party_id"]), ("host" if role == "guest" else "guest", party))
            self.assertIn(party + " does not answer: ", wait["text"])
            self.assertIn("answer", wait["clears"])
            self.assertLessEqual(wait["numbers"]["away_ms"], 300000)
            since = int(site.sql("SELECT UNIX_TIMESTAMP(since) * 1000 FROM partner_state WHERE party_id = '%s'" % party)[0][0]
                        .partition(".")[0])
            self.assertLess(abs(wait["since"] - since), 1000)
            self.assertEqual({t["f_wait"]["party_id"] for t in site.tasks(job, role=role) if t["f_party_status"] == "running"},
                             {party} if role == "guest" else set())
            listed = site.ok("job/list/job", {"job_id": job, "role": [role], "limit": 5})["data"]["jobs"][0]
            self.assertEqual((listed["status"], listed["wait"]["code"]), ("running", "partner_unreachable"))
            self.assertIn("partner_unreachable, %s %s" % (wait["role"], party), site.cli("query", job).stdout)
            gone.start()
            wait_for(lambda: all(row["f_wait"] is None for row in site.ok("job/query", {"job_id": job, "role": role})["data"]
                                 + site.tasks(job, role=role) if row.get("f_party_status", "running") == "running"),
                     what="the partner being back on the page of " + role)
        self.stop(job)

    @gives("partner_busy")
    def test_a_partner_that_takes_nothing_on(self):
        has_room = self.full_disk()
        job = self.submit()
        try:
            self.assertEqual(self.waits(job, "partner_busy")["party_id"], "10000")
        finally:
            has_room()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("site_not_ready")
    def test_a_disk_that_is_full_when_a_job_is_to_start(self):
        holder, job = self.holds(), self.submit()
        self.waits(job, "waiting_resources")
        has_room = self.full_disk()
        try:
            self.stop(holder)
            self.assertEqual(self.waits(job, "site_not_ready")["party_id"], "10000")
        finally:
            has_room()
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    @gives("approval")
    def test_a_person_who_has_to_approve(self):
        for site, name in ((self.guest, "breast_guest"), (self.host, "breast_host")):
            self.assertEqual(site.upload("%s/%s.csv" % (DATA, name), name, namespace="reasons").get("status"), "success")
        self.host.cli("grant", "9999", "--datasets", "reasons/breast_host", "--approval-by", "admin",
                      "--approval-within", "1h")
        self.addCleanup(self.host.cli, "revoke", "9999", "--datasets", "reasons/breast_host")
        dsl, c = short_job("reasons")
        job = self.fed.submit(c, dsl)
        self.assertEqual(self.waits(job, "approval")["party_id"], "10000")
        self.host.ok("approval/approve", {"job_id": job})
        self.assertEqual(self.guest.wait(job)["f_status"], "success")

    # --- of tasks ---

    @gives("parallelism_limit")
    def test_as_many_tasks_as_may_run_at_once(self):
        names = ("fail_0", "fail_1")
        job = self.submit({"components": {n: {"module": "TestFail"} for n in names}},
                          {n: {"what": "hang", "who": "guest"} for n in names}, task_parallelism=1)
        wait = wait_for(lambda: [t["f_wait"] for t in self.guest.tasks(job)
                                 if t["f_wait"] and t["f_wait"]["code"] == "parallelism_limit"], what="the limit")[0]
        self.assertEqual(wait["numbers"]["limit"], 1)

    @gives("retry_backoff")
    def test_a_task_that_is_tried_again_later(self):
        job = self.submit({"components": {"fail_0": {"module": "TestFail"}}}, {"fail_0": {"what": "hang", "who": "host"}},
                          auto_retries=1, auto_retry_delay=600)
        attempt = wait_for(lambda: self.host.sql("SELECT attempt_id FROM attempt WHERE job_id = '%s' AND executor_pid > 0"
                                                 % job), what="a task of " + job)[0][0]
        for pid in processes("--attempt " + attempt):
            kill(pid)
        wait_for(lambda: self.task_waits(job, "fail_0", "retry_backoff")["numbers"]["left_ms"] > 0, what="the delay")

    def test_zz_every_reason_of_the_list_was_given(self):
        tests = {c for n in dir(self) for c in getattr(getattr(self, n), "gives", ())}
        for module, code in (("test_mailbox_room.py", "partner_full"),):
            with open(os.path.join(os.path.dirname(__file__), module), encoding="utf-8") as f:
                self.assertIn('"%s"' % code, f.read())
            tests.add(code)
        self.assertEqual(codes(), tests, "reasons without a test of their own, or tests of none")


if __name__ == "__main__":
    unittest.main()

"""A site's database hangs or is gone, at the initiator, at the other party, at both: in the middle of tasks, between
tasks, while a job is submitted, while a table comes."""
import time

from world import (ANSWER_S, CHAIN, OUTAGE_S, Client, Database, Persistent, Upload, World, ask, chain_dsl, cpu_s,
                   databases_back, learning_dsl, log_lines, long_only, pass_time, restart_with)
from federation import wait_for


class DatabaseGone(World):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        restart_with(cls.sites, "database", answer_timeout_s=ANSWER_S)

    @classmethod
    def tearDownClass(cls):
        restart_with(cls.sites, "database", answer_timeout_s=None)

    def setUp(self):
        super().setUp()
        self.databases = [Database(s) for s in self.sites]
        job = self.submit(learning_dsl())
        self.ends_well(job)
        self.good = self.result(job)

    def tearDown(self):
        databases_back(self.databases)
        self.stop_jobs()

    # --- what must hold meanwhile ---

    def clients_were_told(self, client, began, ended):
        """503 and when to come again; quickly, once somebody knows."""
        answers = [a for a in client.stop() if began < a.at and a.at + a.seconds < ended]
        self.assertTrue(answers)
        for a in answers:
            self.assertEqual(a.status, 503, answers)
            self.assertTrue(float(a.retry_after) >= 1, a)
            self.assertLess(a.seconds, 2 * ANSWER_S + 3, answers)
        known = sorted(a.seconds for a in answers if a.at > answers[0].at + ANSWER_S + 1)
        self.assertLess(known[len(known) // 2], 1, answers)

    def clients_were_served(self, client):
        for a in client.stop():
            self.assertEqual(a.status, 200, a)

    def nobody_spun_or_chattered(self, sites, used, lines, seconds):
        for site in sites:
            now = cpu_s(site)
            spent = sum(now[p] - used[site][p] for p in now if p in used[site])
            self.assertLess(spent / seconds, 0.25, (site.party, "CPU seconds", spent))
            for name, n in log_lines(site).items():
                # Some for each process and place at the start, and then less and less often.
                self.assertLess(n - lines[site][name], 100 + 3 * seconds, (site.party, name))

    # --- the outage ---

    def outage(self, how, gone):
        """Everything under way that there is, and then the databases of these sites are away."""
        sites = [self.sites[i] for i in gone]
        work = self.submit(chain_dsl("TestFail", "test_fail", 1), {"test_fail_0": {
            "who": "guest", "what": "compute", "seconds": max(2, int(OUTAGE_S / 2))}})
        chain = self.submit(chain_dsl(n=2 * CHAIN))
        upload = Upload(sites[0], "half")
        wait_for(lambda: self.guest.sql("SELECT 1 FROM task WHERE job_id = '%s' AND component = 'test_empty_1'"
                                        " AND status IN ('running', 'success')" % chain), what="the middle of the chain")
        wait_for(lambda: self.guest.sql("SELECT 1 FROM task WHERE job_id = '%s' AND component = 'test_fail_0'"
                                        " AND party_status = 'running'" % work), what="a task that computes")
        mail = self.mail_job(150)
        self.mails(mail)
        for i in gone:
            getattr(self.databases[i], how)()
        began = time.monotonic()
        clients = [Client(s) for s in self.sites]
        submitted = Persistent(lambda: self.try_submit(learning_dsl()))
        self.half_an_upload_is_refused(upload)
        used, lines = ({s: f(s) for s in sites} for f in (cpu_s, log_lines))
        rest = max(began + OUTAGE_S - time.monotonic(), 3)
        pass_time(rest)
        self.nobody_spun_or_chattered(sites, used, lines, rest)
        for site in sites:
            self.assertEqual(ask(site, "health", method="GET").status, 200)
        ended = ask(sites[0], "health", method="GET").at
        for i, client in enumerate(clients):
            if i in gone:
                self.clients_were_told(client, began, ended)
            else:
                self.clients_were_served(client)
        databases_back(self.databases)
        self.all_end_as_ever((mail, work, chain), submitted, sites[0])

    def half_an_upload_is_refused(self, upload):
        answer = upload.finish()
        self.assertEqual(answer.status, 503, answer)
        self.assertTrue(answer.retry_after, answer)

    def all_end_as_ever(self, jobs, submitted, site):
        answer = submitted.result()
        self.assertEqual(answer.json().get("retcode"), 0, submitted.answers)
        job = answer.json()["jobId"]
        for each in (*jobs, job):
            self.ends_well(each)
        self.assertEqual(self.result(job), self.good)
        again = Persistent(lambda: Upload(site, "half").finish()).result()
        self.assertEqual(again.json()["retcode"], 0, again)
        self.assertEqual(site.wait(again.json()["jobId"], role="local", party="0")["f_status"], "success")
        self.nothing_is_held()

    def test_the_initiators_database_hangs(self):
        self.outage("freeze", (0,))

    @long_only
    def test_both_databases_are_killed(self):
        self.outage("kill", (0, 1))

    @long_only
    def test_the_partners_database_hangs(self):
        self.outage("freeze", (1,))

    @long_only
    def test_both_databases_hang(self):
        self.outage("freeze", (0, 1))

    @long_only
    def test_the_initiators_database_is_killed(self):
        self.outage("kill", (0,))

    @long_only
    def test_the_partners_database_is_killed(self):
        self.outage("kill", (1,))

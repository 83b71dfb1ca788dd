"""Programs are replaced while jobs run and clients ask: the files under them by renaming, the processes by reload or
restart.  No job fails, and no client is refused that could be served."""
import os
import shutil
import signal
import threading

from federation import BUILD, below, processes, stand_still, thaw, wait_for
from world import Client, Persistent, World, ask, chain_dsl, learning_dsl, long_only


def gone(pid):
    return not os.path.exists("/proc/%d" % pid)


class KeptOpen(threading.Thread):
    """Requests one after the other on one connection, as a client library does; a connection that the server closed
    between two of them is opened anew."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.bad, self.n = site, [], 0
        self.over = threading.Event()
        self.start()

    def run(self):
        from world import connect
        line = connect(self.site, 60)
        while not self.over.is_set():
            for again in (True, False):
                try:
                    line.request("GET", "/v1/health")
                    reply = line.getresponse()
                    reply.read()
                    if reply.status != 200:
                        self.bad.append(reply.status)
                    break
                except OSError as e:
                    line.close()
                    if not again:
                        self.bad.append(repr(e))
            self.n += 1

    def stop(self):
        self.over.set()
        self.join(60)


class Upgrade(World):
    def setUp(self):
        super().setUp()
        self.clients = [Client(s, pause=0.02) for s in self.sites]
        self.jobs = [self.mail_job(150), self.submit(chain_dsl(n=12))]
        self.mails(self.jobs[0])

    def tearDown(self):
        for client in self.clients:
            client.stop()
        self.stop_jobs()

    def replaced(self, program):
        """Another file in the place of the program's, as a package does."""
        path = os.path.join(BUILD, "bin", program)
        shutil.copy2(path, path + ".new")
        os.rename(path + ".new", path)
        return path

    def all_is_well(self, refused=()):
        """Every answer is 200, or one of those with word when to come again."""
        job = self.submit(learning_dsl())
        for each in (*self.jobs, job):
            self.ends_well(each)
        for client in self.clients:
            answers = client.stop()
            self.assertGreater(len(answers), 20)
            for a in answers:
                self.assertIn(a.status, (200, *refused), a)
                if a.status != 200:
                    self.assertTrue(a.retry_after, a)

    # --- request handlers ---

    def test_request_handlers_are_replaced_and_nobody_is_refused(self):
        self.replaced("sluice-fcgi")
        for site in self.sites:
            pid = site.pid("fcgi-app")
            old = os.stat("/proc/%d/exe" % pid).st_ino
            before = set(processes("sluice-fcgi --config %s/" % site.home))
            os.kill(pid, signal.SIGUSR2)
            wait_for(lambda p=pid, o=old: os.stat("/proc/%d/exe" % p).st_ino != o, what="the new program")
            wait_for(lambda s=site, b=before, p=pid: b & set(processes("sluice-fcgi --config %s/" % s.home)) == {p},
                     what="end of the old workers")
        self.all_is_well()

    @long_only
    def test_a_program_that_would_not_start_takes_nobodys_place(self):
        site = self.guest
        path = self.replaced("sluice-fcgi")
        aside = path + ".good"
        os.rename(path, aside)
        with open(path, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nexit 3\n")
        os.chmod(path, 0o755)
        try:
            pid = site.pid("fcgi-app")
            os.kill(pid, signal.SIGUSR2)
            log = os.path.join(site.home, "logs", "fcgi-app.log")
            wait_for(lambda: "the program is not replaced" in open(log, encoding="utf-8").read(), what="the reason")
            self.assertEqual(ask(site, "job/list/job", {"limit": 1}).status, 200)
        finally:
            os.rename(aside, path)
        self.all_is_well()

    @long_only
    def test_request_handlers_that_are_restarted_refuse_for_a_moment_and_say_so(self):
        self.replaced("sluice-fcgi")
        for site in self.sites:
            pid = site.pid("fcgi-app")
            os.kill(pid, signal.SIGTERM)
            answer = Persistent(lambda s=site: ask(s, "job/list/job", {"limit": 1}))
            wait_for(lambda p=pid: gone(p), what="end of the request handlers")
            site.start()
            self.assertEqual(answer.result().status, 200, answer.answers)
        self.all_is_well(refused=(502,))

    # --- supervisors and shepherds ---

    def computing(self, site, role):
        """The shepherd of a task that goes on while a supervisor is replaced, and what runs below it, which stands still:
        however long that takes, it has not ended before."""
        job = self.submit(chain_dsl("TestFail", "test_fail", 1),
                          {"test_fail_0": {"who": role, "what": "compute", "seconds": 10}})
        self.jobs.append(job)
        shepherd = int(wait_for(lambda: site.sql("SELECT shepherd_pid FROM attempt WHERE component = 'test_fail_0'"
                                                 " AND job_id = '%s' AND role = '%s' AND executor_pid IS NOT NULL"
                                                 % (job, role)),
                                what="a task that computes")[0][0])
        still = stand_still(below(shepherd))
        self.addCleanup(thaw, still)
        return shepherd, still

    @staticmethod
    def adopted(site, shepherd):
        with open(os.path.join(site.home, "logs", "supervisor.log"), encoding="utf-8", errors="replace") as f:
            return any("goes on, shepherd %d" % shepherd in line for line in f)

    def test_supervisors_are_replaced_and_adopt_shepherds_of_the_older_program(self):
        self.replaced("sluice-supervisor")
        self.replaced("sluice-shepherd")
        for site, role in zip(self.sites, ("guest", "host")):
            shepherd, still = self.computing(site, role)
            pid = site.pid("supervisor")
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda p=pid: gone(p), what="end of the supervisor")
            self.assertIn(shepherd, processes("sluice-shepherd --config %s/" % site.home),
                          "shepherds go on without their supervisor")
            site.start()
            wait_for(lambda s=site, p=shepherd: self.adopted(s, p), what="adoption")
            thaw(still)
        self.all_is_well()

    # --- the front ---

    @long_only
    def test_the_front_reads_its_configuration_again_and_again_and_nobody_notices(self):
        kept = [KeptOpen(s) for s in self.sites]
        for _ in range(5):
            for site in self.sites:
                before = self.front_workers(site)
                os.kill(site.pid("nginx"), signal.SIGHUP)
                wait_for(lambda s=site, b=before: self.front_workers(s) - b, what="new workers")
        self.all_is_well()
        for k in kept:
            k.stop()
            self.assertEqual(k.bad, [], k.n)
            self.assertGreater(k.n, 100)

    def front_workers(self, site):
        with open("/proc/%d/task/%d/children" % ((site.pid("nginx"),) * 2), encoding="ascii") as f:
            return set(f.read().split())

    @long_only
    def test_the_front_is_replaced_and_nobody_notices(self):
        """By its own way: the new program gets the sockets, the old one ends."""
        for site in self.sites:
            old = site.pid("nginx")
            os.kill(old, signal.SIGUSR2)
            wait_for(lambda s=site, o=old: self.new_pid(s) not in (None, o), what="the new front")
            os.kill(old, signal.SIGQUIT)
        self.all_is_well()

    def new_pid(self, site):
        try:
            return site.pid("nginx")
        except (OSError, ValueError):
            return None



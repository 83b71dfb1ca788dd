"""A program's clock jumps by an hour, forth and back, while jobs run: no lease is lost for it, no job fails, and
signatures are judged by the database's clock.  libfaketime turns the clock of one program at a time."""
import glob
import os
import signal
import subprocess
import time
import unittest

from federation import BUILD, settings, signature, wait_for
from world import World, chain_dsl, learning_dsl, long_only

LIBRARY = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
HOUR_S = 3600


@unittest.skipUnless(LIBRARY, "JUMPING CLOCKS WERE NOT TESTED: libfaketime is not installed")
class ClockJump(World):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.offset = os.path.join(os.path.dirname(cls.guest.home), "clock-offset")
        cls.jump_by(0)
        cls.env = {"LD_PRELOAD": LIBRARY[0], "FAKETIME_TIMESTAMP_FILE": cls.offset, "FAKETIME_NO_CACHE": "1",
                   # A step of the clock is none of the monotonic one, and files have their times.
                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

    @classmethod
    def jump_by(cls, seconds):
        with open(cls.offset + ".new", "w", encoding="ascii") as f:
            f.write("%+d\n" % seconds)
        os.rename(cls.offset + ".new", cls.offset)

    def setUp(self):
        super().setUp()
        self.jump_by(0)
        self.wrapper = os.path.join(os.path.dirname(self.guest.home), "shepherd.sh")

    def tearDown(self):
        self.jump_by(0)
        self.stop_jobs()
        for site in self.sites:
            site.stop()
            settings(site, "executor", shepherd_program=None)
            site.start()

    # --- whose clock ---

    def program_of(self, site, name, env):
        """Start one program of the site anew, with this environment; what it starts has none of it."""
        settings(site, "executor", shepherd_program=self.shepherd("env -u LD_PRELOAD"))
        pid = site.pid(name)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists("/proc/%d" % pid), what="end of " + name)
        done = subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", "start", "--home", site.home, "--unwatched"],
                              check=False, capture_output=True, text=True, env=dict(os.environ, **env))
        self.assertEqual(done.returncode, 0, done.stderr)

    def shepherd(self, how):
        with open(self.wrapper, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nexec %s %s/bin/sluice-shepherd \"$@\"\n" % (how, BUILD))
        os.chmod(self.wrapper, 0o755)
        return self.wrapper

    # --- what must hold ---

    def jobs_survive_jumps(self):
        """Both jumps in the middle of one job, and jobs that begin after each."""
        known = {site: site.sql("SELECT COALESCE(MAX(id), 0) FROM event")[0][0] for site in self.sites}
        for seconds in (HOUR_S, -HOUR_S):
            self.jump_by(0)
            mail = self.mail_job(60)
            self.mails(mail)
            self.jump_by(seconds)
            job = self.submit(learning_dsl())
            for each in (mail, job):
                self.ends_well(each)
            self.ends_well(self.submit(chain_dsl(n=2)))
        for site in self.sites:
            self.assertEqual(site.sql("SELECT reason FROM event WHERE kind = 'detector' AND id > %s" % known[site]), [])

    def test_the_clocks_of_supervisors_jump(self):
        for site in self.sites:
            self.program_of(site, "supervisor", self.env)
        self.jobs_survive_jumps()

    @long_only
    def test_the_clocks_of_request_handlers_jump(self):
        key = self.guest.make_key("clock", "admin")
        for site in self.sites:
            self.program_of(site, "fcgi-app", self.env)
        self.jobs_survive_jumps()
        self.jump_by(HOUR_S)
        for off_ms, ok in ((0, True), (HOUR_S * 1000, False), (-HOUR_S * 1000, False)):
            head = signature(key, "/v1/job/list/job", b"{}", timestamp=round(time.time() * 1000) + off_ms)
            reply = self.guest.api("job/list/job", raw=b"{}", headers=head)
            self.assertEqual(reply["retcode"] == 0, ok, (off_ms, reply))

    @long_only
    def test_the_clocks_of_shepherds_jump(self):
        for site in self.sites:
            settings(site, "executor", shepherd_program=self.shepherd(
                "env " + " ".join("%s=%s" % kv for kv in self.env.items())))
            pid = site.pid("supervisor")
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda p=pid: not os.path.exists("/proc/%d" % p), what="end of the supervisor")
            site.start()
        self.jobs_survive_jumps()

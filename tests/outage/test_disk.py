"""Disks that are full: work is refused with words before it is taken; what runs waits, or fails and says whose disk it
is; nothing is left half written, and all goes on when there is room."""
import os
import shutil
import stat
import subprocess
import unittest

from federation import settings, wait_for
from world import (Database, Persistent, Upload, World, ask, chain_dsl, databases_back, learning_dsl, long_only,
                   pass_time)

HOME_MB = 160
MEMORY_MB = 24
KEEP_MB = 8
MB = 1 << 20


def sockets(folder, names):
    """Of a site's programs and of tasks that have just ended: there is nothing to copy."""
    return [n for n in names if stat.S_ISSOCK(os.lstat(os.path.join(folder, n)).st_mode)]


def mount(folder, size_mb):
    """A small disk in the place of a folder, with what was in it."""
    aside = folder + ".aside"
    os.makedirs(folder, exist_ok=True)
    shutil.copytree(folder, aside, symlinks=True, ignore=sockets)
    kept = os.stat(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=%o" % (size_mb, kept.st_mode & 0o7777), "sluice-test",
                    folder], check=True, capture_output=True)
    subprocess.run(["cp", "-a", aside + "/.", folder], check=True)
    shutil.rmtree(aside)


def unmount(folder):
    aside = folder + ".aside"
    subprocess.run(["cp", "-a", folder + "/.", aside], check=False, capture_output=True)
    subprocess.run(["umount", "-l", folder], check=True)
    if os.path.isdir(aside):
        subprocess.run(["cp", "-a", aside + "/.", folder], check=True)
        shutil.rmtree(aside)


class Balloon:
    """Takes all room of a disk but so many bytes."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "balloon")

    def blow(self, leave=0):
        """Once more it takes what was given back meanwhile."""
        with open(self.path, "ab", buffering=0) as f:
            size = os.fstat(f.fileno()).st_size
            # Others use the disk meanwhile: what is there is taken until nothing is.
            while (room := self.room() - leave) >= 4096:
                try:
                    os.posix_fallocate(f.fileno(), 0, size + room)
                    size += room
                except OSError:
                    pass

    def room(self):
        fs = os.statvfs(os.path.dirname(self.path))
        return fs.f_bavail * fs.f_frsize

    def burst(self):
        if os.path.exists(self.path):
            os.unlink(self.path)


@unittest.skipUnless(os.environ.get("IN_NAMESPACE"), "FULL DISKS WERE NOT TESTED: that takes root and a mount namespace")
class DiskFull(World):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mounted = []
        cls.balloons = {}
        for site in cls.sites:
            site.stop()
            settings(site, "fcgi", upload_keep_free_mb=KEEP_MB)
            for folder, size in ((site.home, HOME_MB), (cls.memory_dir(site), MEMORY_MB)):
                mount(folder, size)
                cls.mounted.append(folder)
            cls.balloons[site] = Balloon(site.home)
            site.start()

    @classmethod
    def memory_dir(cls, site):
        with open(os.path.join(site.home, "site.conf"), encoding="utf-8") as f:
            return [line.split("=")[1].strip() for line in f if line.startswith("memory_dir")][0]

    @classmethod
    def tearDownClass(cls):
        for site in cls.sites:
            cls.balloons[site].burst()
            site.stop()
        for folder in reversed(cls.mounted):
            unmount(folder)
        for site in cls.sites:
            settings(site, "fcgi", upload_keep_free_mb=None)
            site.start()

    def tearDown(self):
        for balloon in self.balloons.values():
            balloon.burst()
        self.stop_jobs()

    # --- before work is taken ---

    def refused_with_words(self, answer):
        self.assertEqual(answer.status, 503, answer)
        self.assertTrue(float(answer.retry_after) >= 1, answer)
        self.assertIn("MB must stay", answer.body)

    def test_work_is_refused_with_words_before_it_is_taken(self):
        self.balloons[self.guest].blow(leave=MB)
        before = self.guest.sql("SELECT COUNT(*) FROM job")
        self.refused_with_words(self.try_submit(learning_dsl()))
        self.refused_with_words(Upload(self.guest, "refused").finish())
        self.assertEqual(ask(self.guest, "ready", method="GET").status, 503)
        self.assertEqual(ask(self.guest, "job/list/job", {"limit": 1}).status, 200)
        self.assertEqual(self.guest.sql("SELECT COUNT(*) FROM job"), before)
        self.balloons[self.guest].burst()
        self.ends_well(self.submit(chain_dsl(n=1)))

    @long_only
    def test_a_job_waits_while_a_partners_disk_is_full(self):
        self.balloons[self.host].blow(leave=MB)
        job = self.submit(chain_dsl(n=1))
        wait_for(lambda: any("MB must stay" in r[0] for r in self.guest.sql(
            "SELECT reason FROM event WHERE job_id = '%s' AND reason IS NOT NULL" % job)), what="the partner's words")
        self.assertEqual(self.guest.ok("job/query", {"job_id": job})["data"][0]["f_status"], "waiting")
        self.balloons[self.host].burst()
        self.ends_well(job)

    @long_only
    def test_a_disk_that_fills_while_a_table_comes_leaves_nothing_of_it(self):
        upload = Upload(self.guest, "cut")
        self.balloons[self.guest].blow()
        answer = upload.finish()
        self.assertEqual(answer.status, 503, answer)
        self.assertTrue(answer.retry_after, answer)
        self.assertIn("disk", answer.body)
        self.assertEqual(os.listdir(os.path.join(self.guest.home, "spool", "upload")), [])
        self.balloons[self.guest].burst()
        again = Persistent(lambda: Upload(self.guest, "cut").finish()).result().json()
        self.assertEqual(self.guest.wait(again["jobId"], role="local", party="0")["f_status"], "success")

    # --- while jobs run ---

    def test_a_task_that_finds_no_room_says_whose_disk_is_full_and_goes_on_when_run_again(self):
        job = self.submit_filled()
        for site, role in zip(self.sites, ("guest", "host")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "failed", site.events(job))
        words = [t["f_error_report"] for t in self.guest.tasks(job) if t["f_error_report"]]
        self.assertTrue(any("disk of party 10000 is full" in w for w in words), words)
        self.nothing_is_half_written(job)
        self.balloons[self.host].burst()
        self.guest.ok("job/rerun", {"job_id": job})
        row = self.guest.wait(job)
        self.assertEqual(row["f_status"], "success", self.guest.events(job))

    def submit_filled(self, **job):
        """A job, and the host's disk is full before its second task there ends, which computes for a while."""
        dsl = learning_dsl()
        dsl["components"] = {"reader_0": dsl["components"].pop("reader_0"), "test_fail_0": {
            "module": "TestFail", "provider": "sluice_test"}, **dsl["components"]}
        job = self.submit(dsl, {"test_fail_0": {"what": "compute", "seconds": 3, "who": "guest"}}, task_parallelism=1, **job)
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE job_id = '%s' AND component = 'reader_0'"
                                       " AND party_status = 'success'" % job), what="the first task")
        self.balloons[self.host].blow()
        return job

    def nothing_is_half_written(self, job):
        rows = self.host.sql("SELECT folder FROM data_table d JOIN task_output o ON o.namespace = d.namespace"
                             " AND o.name = d.name WHERE o.job_id = '%s'" % job)
        for row in rows:
            self.assertTrue(os.path.exists(os.path.join(self.host.home, "data", "tables", row[0], "data.mdb")), row)
        wait_for(lambda: not [n for n in os.walk(os.path.join(self.host.home, "jobs", job)) if n[2]],
                 what="work folders removed")

    @long_only
    def test_a_task_is_tried_again_until_there_is_room(self):
        job = self.submit_filled(auto_retries=20, auto_retry_delay=1)
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE job_id = '%s' AND fault = 'disk'" % job),
                 what="a task that found no room")
        self.balloons[self.host].burst()
        for site, role in zip(self.sites, ("guest", "host")):
            self.assertEqual(site.wait(job, role=role)["f_status"], "success", site.events(job))

    @long_only
    def test_large_objects_wait_for_room_in_the_spool(self):
        job = self.mail_job(300, 2 * MB)
        self.mails(job)
        self.no_room_for(job, self.balloons[self.host])
        self.ends_well(job)

    @long_only
    def test_small_objects_wait_for_room_in_memory(self):
        balloon = Balloon(self.memory_dir(self.host))
        self.balloons["memory"] = balloon
        job = self.mail_job(100, 30000)
        self.mails(job)
        self.no_room_for(job, balloon)
        self.ends_well(job)

    def no_room_for(self, job, balloon):
        """Objects that were taken give their room back, until one finds none."""
        wait_for(lambda: balloon.blow() or self.said(self.guest, job, "status 5"), what="an object that found no room")
        balloon.burst()

    def said(self, site, job, words):
        with open(os.path.join(site.home, "logs", "supervisor.log"), encoding="utf-8", errors="replace") as f:
            return any(job in line and words in line for line in f)


@unittest.skipUnless(os.environ.get("IN_NAMESPACE"), "FULL DISKS WERE NOT TESTED: that takes root and a mount namespace")
@long_only
class DatabaseDiskFull(World):
    """The disk of the database itself."""

    def setUp(self):
        super().setUp()
        self.db = Database(self.guest)
        self.db.kill()
        data = os.path.join(self.db.folder, "data")
        mount(data, 400)
        self.balloon = Balloon(data)
        databases_back([self.db])

    def tearDown(self):
        self.balloon.burst()
        self.stop_jobs()
        self.db.kill()
        unmount(os.path.join(self.db.folder, "data"))
        databases_back([self.db])

    def test_jobs_go_on_when_the_databases_disk_has_room_again(self):
        job = self.mail_job(200)
        self.mails(job)
        self.balloon.blow()
        pass_time(20)
        answer = ask(self.guest, "job/list/job", {"limit": 1})
        self.assertIn(answer.status, (200, 503), answer)
        self.balloon.burst()
        self.ends_well(job)

"""A task sends more than the receiver's site has room for: it waits, says so, and goes on when there is room."""
import http.client
import os
import signal
import ssl
import time
import unittest
import urllib.parse

from federation import Federation, settings, stand_still, thaw, wait_for
from partner import Request
from sites import TWO, conf
from test_partner import seed

ROUNDS, BYTES = 20, 30000


class Room(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = fed = Federation()
        cls.guest, cls.host = fed.guest, fed.host

    def with_settings(self, site, section, **values):
        old = settings(site, section, **values)
        self.reload(site)
        self.addCleanup(self.restore, site, section, old)

    def restore(self, site, section, old):
        settings(site, section, **old)
        self.reload(site)

    def reload(self, site):
        """Until each program has read it."""
        def told(name):
            with open(os.path.join(site.home, "logs", name), encoding="utf-8") as f:
                return f.read().count("configuration read again")
        for name, log in (("fcgi-app", "fcgi-app.log"), ("supervisor", "supervisor.log")):
            before = told(log)
            os.kill(site.pid(name), signal.SIGHUP)
            wait_for(lambda log=log, before=before: told(log) > before, what="%s reads its configuration" % name)

    def sending(self):
        """A job whose guest sends more than the host's mailbox holds, while the host's half stands still."""
        self.with_settings(self.host, "mailbox", max_bytes=65536)
        # Neither silence nor an outage is what is waited for.
        self.with_settings(self.guest, "executor", no_progress_s=2)
        self.with_settings(self.guest, "supervisor", partner_outage_s=3)
        job = self.fed.submit(conf(["leak_0"], TWO, {"leak_0": {"who": "guest", "bytes": BYTES, "rounds": ROUNDS}}),
                              {"components": {"leak_0": {"module": "TestLeak"}}})
        self.addCleanup(self.guest.api, "job/stop", {"job_id": job})
        wait_for(lambda: self.host.sql("SELECT 1 FROM task WHERE job_id = '%s' AND party_status = 'running'" % job), 120, what="run")
        pid = wait_for(lambda: self.executor(job), what="the host's executor")
        stand_still([pid])
        self.addCleanup(thaw, [pid])
        return job, pid

    def executor(self, job):
        """The innermost process of the sandbox."""
        rows = self.host.sql("SELECT executor_pid FROM attempt WHERE job_id = '%s' AND executor_pid > 0" % job)
        pid, inner = rows and rows[0][0], None
        while pid:
            with open("/proc/%s/task/%s/children" % (pid, pid), encoding="ascii") as f:
                inner, pid = pid, f.read().split()
            pid = pid[0] if pid else None
        return int(inner) if inner else None

    def wait_of(self, job):
        return self.guest.tasks(job, role="guest")[0]["f_wait"]

    def waits(self, job):
        def look():
            wait = self.wait_of(job)
            return wait if wait and wait["code"] == "partner_full" else None
        wait = wait_for(look, what="the wait")
        self.assertEqual((wait["role"], wait["party_id"], wait["on"]), ("host", "10000", "leak"))
        self.assertIn("room", wait["text"])
        return wait

    def put(self, job, body, size="small"):
        """(status, Retry-After, words) of a signed object of the guest's."""
        r = Request(seed(self.guest), "9999", "10000", "/v1/mailbox/%s/%s/leak_0/0/host/10000" % (size, job), body, method="PUT",
                    query="name=leak&tag=4711&from=guest&part=0&parts=1")
        url = urllib.parse.urlsplit(self.host.partner_url)
        context = ssl.create_default_context(cafile=os.path.join(self.host.home, "keys", "tls.crt"))
        context.check_hostname = False
        context.load_cert_chain(*[os.path.join(self.guest.home, "keys", n) for n in ("tls.crt", "tls.key")])
        link = http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=30)
        link.request(r.method, r.path + "?" + r.query, body, r.headers)
        answer = link.getresponse()
        text = answer.read().decode()
        link.close()
        return answer.status, int(answer.headers["Retry-After"] or 0), text

    def test_a_full_mailbox_makes_the_sender_wait_visibly_and_fails_nobody(self):
        job, pid = self.sending()
        since = self.waits(job)["since"]
        status, after, words = self.put(job, b"x" * BYTES)
        self.assertEqual((status, after), (429, 1), words)
        self.assertIn("mailbox is full", words)
        # Longer than an outage may last and an executor may be silent.
        wait_for(lambda: time.time() * 1000 - since > 4000, what="time")
        self.assertEqual(self.waits(job)["since"], since)
        self.assertIn("partner_full", self.guest.cli("tasks", job).stdout)
        self.assertEqual(self.guest.sql("SELECT to_state FROM event WHERE job_id = '%s' AND kind = 'wait' AND component = 'leak_0'"
                                        " AND reason LIKE '%%mailbox is full%%'" % job), [["partner_full"]])
        thaw([pid])
        self.assertEqual(self.guest.wait(job)["f_status"], "success", self.guest.events(job))
        self.assertIsNone(self.wait_of(job))

    def test_an_object_that_nginx_cannot_write_hears_the_same(self):
        spool = os.path.join(self.host.home, "spool", "mailbox")
        os.rename(spool, spool + ".away")
        try:
            open(spool, "wb").close()
            status, after, words = self.put("202601010000000000000", b"x" * 200000, "large")
        finally:
            os.unlink(spool)
            os.rename(spool + ".away", spool)
        self.assertEqual((status, after), (507, 5), words)
        self.assertIn("a disk of this site is full", words)
        # Its answer for the program's own words is the program's.
        self.assertIn(self.put("202601010000000000000", b"x" * 200000, "large")[0], (403, 404))

    def test_a_partners_disk_that_is_full_does_the_same(self):
        job, pid = self.sending()
        self.waits(job)
        old = settings(self.host, "fcgi", upload_keep_free_mb=1073741824)
        self.addCleanup(self.restore, self.host, "fcgi", old)
        self.reload(self.host)
        # Request handlers end what they are at before the new ones answer.
        status, after, words = wait_for(lambda: (lambda a: a if a[0] == 507 else None)(self.put(job, b"x")), what="507")
        self.assertEqual(after, 5)
        self.assertIn("a disk of party 10000 is full", words)
        thaw([pid])
        wait_for(lambda: self.guest.sql("SELECT 1 FROM egress WHERE job_id = '%s' LIMIT 1" % job), what="objects")
        wait_for(lambda: time.time() * 1000 - self.waits(job)["since"] > 4000, what="time")
        self.restore(self.host, "fcgi", old)
        self.assertEqual(self.guest.wait(job)["f_status"], "success", self.guest.events(job))
        self.assertIsNone(self.wait_of(job))


if __name__ == "__main__":
    unittest.main()

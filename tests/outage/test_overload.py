"""More of everything than a site takes: requests, uploads, jobs, partners' commands.  Who is refused hears 429 or 503
and when to come again, memory stays what it was, and afterwards all is as before."""
import os
import selectors
import signal
import socket
import ssl
import threading
from urllib.parse import urlsplit

from federation import processes, wait_for
from world import Persistent, Upload, World, ask, chain_dsl, long_only

MEMORY_MB = 64


def workers(site, name):
    """Request handlers of one kind, fcgi-users or fcgi-partners."""
    found = []
    for pid in processes("sluice-fcgi --config %s/" % site.home):
        with open("/proc/%d/comm" % pid, encoding="ascii") as f:
            if f.read().strip() == name:
                found.append(pid)
    return found


def resident_mb(pids):
    total = {}
    for pid in pids:
        with open("/proc/%d/status" % pid, encoding="utf-8", errors="replace") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    total[pid] = int(line.split()[1]) / 1024
    return total


class Crowd:
    """So many connections at once, each with one request."""

    def __init__(self, url, n, tls=None, path="/v1/health"):
        at = urlsplit(url)
        self.ready = selectors.DefaultSelector()
        self.status, self.retry_after, self.open = [], [], 0
        for _ in range(n):
            s = socket.create_connection((at.hostname, at.port), 30)
            if tls:
                s = tls.wrap_socket(s)
            s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path).encode())
            s.setblocking(False)
            self.ready.register(s, selectors.EVENT_READ, bytearray())
            self.open += 1

    def look(self, timeout=0.05):
        for key, _ in self.ready.select(timeout):
            s, text = key.fileobj, key.data
            try:
                while chunk := s.recv(65536):
                    text += chunk
            except (ssl.SSLWantReadError, BlockingIOError):
                continue  # more comes, or it was TLS's own
            head = bytes(text).split(b"\r\n\r\n")[0].decode()
            self.status.append(int(head.split()[1]) if head else 0)
            self.retry_after.append([line.split(":")[1].strip() for line in head.split("\r\n")
                                     if line.lower().startswith("retry-after")])
            self.ready.unregister(s)
            s.close()
            self.open -= 1

    def wait(self, condition, what, seconds=60):
        wait_for(lambda: self.look() or condition(), seconds, what)

    def refused(self):
        return [(s, r) for s, r in zip(self.status, self.retry_after) if s != 200]


class Overload(World):
    def programs(self, site):
        pid = site.pid("nginx")
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            front = [int(p) for p in f.read().split()]
        return front + processes("sluice-fcgi --config %s/" % site.home) + [site.pid("supervisor")]

    def setUp(self):
        super().setUp()
        self.memory = {s: resident_mb(self.programs(s)) for s in self.sites}

    def tearDown(self):
        for site in self.sites:
            for pid in processes("sluice-fcgi --config %s/" % site.home):
                os.kill(pid, signal.SIGCONT)
        self.stop_jobs()

    def memory_is_bounded(self):
        for site in self.sites:
            now = resident_mb(self.programs(site))
            for pid, mb in now.items():
                self.assertLess(mb - self.memory[site].get(pid, mb), MEMORY_MB, (site.party, pid))

    def crowd(self, url, kind, site, n, at_most, tls=None):
        """With workers that stand still, so that everything waits."""
        pids = workers(site, kind)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        crowd = Crowd(url, n, tls)
        crowd.wait(lambda: len(crowd.status) >= n - at_most, "refusals")
        self.assertTrue(crowd.refused())
        for status, retry_after in crowd.refused():
            self.assertEqual(status, 429)
            self.assertTrue(retry_after and int(retry_after[0]) >= 1, retry_after)
        self.memory_is_bounded()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        crowd.wait(lambda: crowd.open == 0, "answers to all that waited")
        self.assertGreater(crowd.status.count(200), at_most // 2)
        self.assertEqual(set(crowd.status), {200, 429})
        self.memory_is_bounded()

    def test_more_requests_of_users_than_wait_are_refused_at_once(self):
        self.crowd(self.guest.url, "fcgi-users", self.guest, 600, 400)

    @long_only
    def test_more_requests_of_a_user_by_tls_than_wait_are_refused_at_once(self):
        tls = ssl.create_default_context(cafile=os.path.join(self.guest.home, "keys", "tls.crt"))
        tls.check_hostname = False
        self.crowd(self.guest.tls_url, "fcgi-users", self.guest, 100, 64, tls)

    @long_only
    def test_more_requests_of_a_partner_than_wait_are_refused_at_once(self):
        tls = ssl.create_default_context(cafile=os.path.join(self.host.home, "keys", "tls.crt"))
        tls.check_hostname = False
        tls.load_cert_chain(os.path.join(self.guest.home, "keys", "tls.crt"),
                            os.path.join(self.guest.home, "keys", "tls.key"))
        self.crowd(self.host.partner_url, "fcgi-partners", self.host, 560, 512, tls)
        self.ends_well(self.submit(chain_dsl(n=1)))

    @long_only
    def test_more_uploads_than_workers_for_them_are_refused_at_once(self):
        uploads = [Upload(self.guest, "crowd_%d" % i) for i in range(10)]
        answers = [None] * len(uploads)

        def finish(i):
            answers[i] = uploads[i].finish()
        threads = [threading.Thread(target=finish, args=(i,)) for i in range(len(uploads))]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        taken = [a for a in answers if a.status == 200]
        self.assertTrue(taken)
        for a in answers:
            self.assertIn(a.status, (200, 503), a)
            self.assertTrue(a.status == 200 or float(a.retry_after) >= 1, a)
        again = [Persistent(lambda n=i: Upload(self.guest, "crowd_%d" % n).finish())
                 for i, a in enumerate(answers) if a.status != 200]
        for a in [*taken, *(p.result() for p in again)]:
            self.assertEqual(self.guest.wait(a.json()["jobId"], role="local", party="0")["f_status"], "success")
        self.memory_is_bounded()

    @long_only
    def test_more_jobs_than_may_wait_are_refused_and_come_again(self):
        self.guest.cli("quota", "--party", "9999", "--waiting-jobs", "4")
        self.host.stop()
        try:
            jobs = [self.try_submit(chain_dsl(n=1)) for _ in range(8)]
            for a in jobs[:4]:
                self.assertEqual(a.json()["retcode"], 0, a)
            for a in jobs[4:]:
                self.assertEqual(a.status, 503, a)
                self.assertTrue(float(a.retry_after) >= 1, a)
                self.assertIn("waiting jobs", a.body)
            later = [Persistent(lambda: self.try_submit(chain_dsl(n=1))) for _ in jobs[4:]]
        finally:
            self.host.start()
        for a in [*jobs[:4], *(p.result() for p in later)]:
            self.ends_well(a.json()["jobId"])
        self.guest.cli("quota", "--party", "9999", "--remove")

    @long_only
    def test_a_crowd_of_readers_leaves_jobs_their_way(self):
        """Users may ask as much as they like: partners and schedulers have workers and connections of their own."""
        over = threading.Event()

        def read():
            while not over.is_set():
                answer = ask(self.host, "job/list/job", {"limit": 100})
                bad.extend([answer] if answer.status not in (200, 429, 503) else [])
        bad = []
        readers = [threading.Thread(target=read, daemon=True) for _ in range(24)]
        for t in readers:
            t.start()
        try:
            self.ends_well(self.submit(chain_dsl(n=3)))
        finally:
            over.set()
        for t in readers:
            t.join(60)
        self.assertEqual(bad, [])
        self.memory_is_bounded()

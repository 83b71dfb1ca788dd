"""Large downloads: several at once leave a site that answers its users and
partners, and nobody works on for a client that has left."""
import http.client
import io
import json
import tarfile
import tempfile
import threading
import time
import unittest
import urllib.parse

from federation import Federation

ROWS = 400000


class Download(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fed = Federation()
        cls.site = cls.fed.guest
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
            f.write("id,y," + ",".join("x%d" % i for i in range(10)) + "\n")
            f.writelines("%d,%d,%s\n" % (i, i % 2, ",".join("%.6f" % ((i * 37 + k * 101) % 9973 / 7) for k in range(10)))
                         for i in range(ROWS))
            f.flush()
            reply = cls.site.upload(f.name, "download")
        assert reply.get("status") == "success", reply
        cls.job = cls.fed.submit(
            {"dsl_version": 2, "initiator": {"role": "guest", "party_id": 9999}, "role": {"guest": [9999]},
             "component_parameters": {"role": {"guest": {"0": {"reader_0": {
                 "table": {"name": "download", "namespace": "test"}}}}}}},
            {"components": {"reader_0": {"module": "Reader", "output": {"data": ["data"]}}}})
        row = cls.site.wait(cls.job)
        assert row["f_status"] == "success", cls.site.events(cls.job)
        cls.what = {"job_id": cls.job, "component_name": "reader_0", "role": "guest", "party_id": "9999"}

    def download(self):
        return self.site.request("tracking/component/output/data/download", self.what, method="GET")

    def user_cpu(self):
        """CPU ticks of the site's workers, and of their parent."""
        parent = self.site.pid("fcgi-app")
        with open("/proc/%d/task/%d/children" % (parent, parent), encoding="ascii") as f:
            pids = f.read().split()
        total = 0
        for pid in pids:
            with open("/proc/%s/stat" % pid, encoding="ascii") as f:
                total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        return total

    def test_more_than_allowed_at_once_are_told_to_come_again(self):
        answers, took = [], []
        begun = threading.Barrier(6)

        def one():
            begun.wait()
            began = time.monotonic()
            answers.append(self.download())
            if answers[-1][0] == 200:
                took.append(time.monotonic() - began)
        threads = [threading.Thread(target=one) for _ in range(6)]
        for t in threads:
            t.start()
        slowest = 0
        while any(t.is_alive() for t in threads):
            began = time.monotonic()
            self.site.ok("version/get")
            slowest = max(slowest, time.monotonic() - began)
        for t in threads:
            t.join()
        # Whoever had to wait for a worker would have waited for a whole one, however busy the machine is.
        self.assertLess(slowest, max(2, min(took) / 2))
        good = [a for a in answers if a[0] == 200]
        busy = [a for a in answers if a[0] == 503]
        self.assertEqual((len(good), len(busy)), (3, 3))
        for _, head, _ in busy:
            self.assertGreater(int(head["Retry-After"]), 0)
        with tarfile.open(fileobj=io.BytesIO(good[0][2]), mode="r:gz") as tar:
            name = [n for n in tar.getnames() if n.endswith(".csv")][0]
            self.assertEqual(sum(1 for _ in tar.extractfile(name)), ROWS + 1)
        self.assertEqual(self.download()[0], 200)  # all turns are back

    def test_work_ends_with_the_client(self):
        before = self.user_cpu()
        self.assertEqual(self.download()[0], 200)
        whole = self.user_cpu() - before
        before = self.user_cpu()
        url = urllib.parse.urlsplit(self.site.url)
        conn = http.client.HTTPConnection(url.hostname, url.port)
        conn.request("GET", "/v1/tracking/component/output/data/download", json.dumps(self.what),
                     {"Content-Type": "application/json"})
        while self.user_cpu() - before < 3:  # it has begun
            time.sleep(0.005)
        conn.close()
        last = -1
        while last != (last := self.user_cpu()):
            time.sleep(0.2)
        self.assertLess(last - before, whole / 2)

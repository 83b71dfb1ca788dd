"""A file of a gigabyte by the command line: slow, so by its own target."""
import os
import unittest

from client import WORLD, scratch_file
from federation import BUILD

BYTES = 1 << 30


def resident_mb(pid):
    with open("/proc/%s/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) / 1024


class BigUpload(unittest.TestCase):
    def test_a_gigabyte_becomes_a_table_and_no_worker_grows(self):
        path = os.path.join(BUILD, "big.csv")
        self.addCleanup(os.unlink, path)
        tail = ",0.254879,-1.046633,0.209656,0.074214,-0.441366,-0.377645,-0.485934,0.347072,-0.287570,-0.733474\n"
        rows = 0
        with open(path, "w", encoding="ascii") as f:
            size = f.write("id,y,x0,x1,x2,x3,x4,x5,x6,x7,x8\n")
            while size < BYTES:
                size += f.write("".join("%d%s" % (i, tail) for i in range(rows, rows + 10000)))
                rows += 10000
        conf = {"file": path, "head": 1, "partition": 8, "namespace": "slow", "table_name": "big"}
        answer = WORLD.flow.ok("data", "upload", "--drop", "-c", scratch_file("big.json", conf), timeout=1200)
        row = WORLD.guest.wait(answer["jobId"], role="local", party="0", seconds=1200)
        self.assertEqual(row["f_status"], "success", WORLD.guest.events(answer["jobId"]))
        info = WORLD.flow.ok("table", "info", "-n", "slow", "-t", "big")["data"]
        self.assertEqual(info["count"], rows)
        pid = WORLD.guest.pid("fcgi-app")
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            for worker in f.read().split():
                self.assertLess(resident_mb(worker), 32)
        WORLD.flow.ok("table", "delete", "-n", "slow", "-t", "big")

"""Time passes differently for each program of a federation: beside the tests, processes of its sites are stopped for a
moment (SIGSTOP) and go on (SIGCONT), at random, so that who comes first changes.

usage: jitter.py [--seed N] [--longest MS] [--pause MS] [--hogs N] FOLDER -- COMMAND...

FOLDER is where the sites live; the command's end is ours.  What a test has stopped itself stays stopped: only who runs
is stopped, and only who we stopped goes on, unless the test says by a file in STANDING_STILL, which is the process's
number, that it wants it stopped as well."""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PROGRAMS = ("sluice-supervisor", "sluice-shepherd", "sluice-fcgi", "executor", "nginx", "mariadbd")


def state(pid):
    """One letter, and the program's name; None when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def below(pid, parents):
    """Whether one of the process's ancestors is among these."""
    while pid > 1:
        if pid in parents:
            return True
        pid = parents_of.get(pid, 0)
    return False


parents_of = {}


def processes(folder):
    """Pids of the sites' programs: by their command lines, and what is below those (executors in their cages)."""
    ours, others = [], []
    parents_of.clear()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
                parents_of[pid] = int(f.read().rpartition(")")[2].split()[1])
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                line = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in line and any(p in line.partition(" ")[0] for p in PROGRAMS):
            ours.append(pid)
        elif line:
            others.append(pid)
    return ours + [p for p in others if below(p, set(ours))]


class Jitter(threading.Thread):
    def __init__(self, folder, seed, longest_ms, pause_ms, still):
        super().__init__(daemon=True)
        self.still = still
        self.folder, self.longest_ms, self.pause_ms = folder, longest_ms, pause_ms
        self.chance = random.Random(seed)
        self.over = threading.Event()
        self.stops = 0

    def run(self):
        listed, pids = 0, []
        while not self.over.wait(self.chance.uniform(0, self.pause_ms) / 1000):
            if time.monotonic() - listed > 0.2:
                listed, pids = time.monotonic(), processes(self.folder)
            chosen = [p for p in self.chance.sample(pids, min(len(pids), self.chance.randint(1, 3)))
                      if state(p) not in (None, "T", "Z", "X")]
            self.stop(chosen)

    def stop(self, pids):
        stopped = [p for p in pids if self.signal(p, signal.SIGSTOP)]
        self.stops += len(stopped)
        self.over.wait(self.chance.uniform(20, self.longest_ms) / 1000)
        for pid in stopped:
            self.go_on(pid)

    def go_on(self, pid):
        mark = os.path.join(self.still, str(pid))
        if not os.path.exists(mark) and self.signal(pid, signal.SIGCONT) and os.path.exists(mark):
            self.signal(pid, signal.SIGSTOP)  # said at this very moment

    @staticmethod
    def signal(pid, signo):
        try:
            os.kill(pid, signo)
            return True
        except ProcessLookupError:
            return False


def hog():
    """All time that nobody else wants."""
    return subprocess.Popen(["chrt", "-i", "0", "sh", "-c", "while :; do :; done"])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--longest", type=int, default=200)
    ap.add_argument("--pause", type=int, default=50)
    ap.add_argument("--hogs", type=int, default=0)
    ap.add_argument("folder")
    ap.add_argument("command", nargs="+")
    args = ap.parse_args()
    still = tempfile.mkdtemp(prefix="sluice-still-")
    jitter = Jitter(args.folder, args.seed, args.longest, args.pause, still)
    hogs = [hog() for _ in range(args.hogs)]
    # Whoever ends us leaves nobody standing still.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    jitter.start()
    try:
        status = subprocess.run(args.command, check=False, env=dict(os.environ, STANDING_STILL=still)).returncode
    finally:
        jitter.over.set()
        jitter.join()
        for h in hogs:
            h.kill()
        shutil.rmtree(still)
    print("stood still: %d times, seed %d" % (jitter.stops, args.seed))
    return status


if __name__ == "__main__":
    sys.exit(main())

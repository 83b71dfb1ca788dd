"""Without a service manager: what ends by itself is started again, and what was stopped stays so."""
import os
import subprocess
import unittest

from federation import BUILD, Federation, kill, processes, wait_for


class Keeper(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Federation().arbiter

    def sluice(self, *args):
        return subprocess.run([os.path.join(BUILD, "bin", "sluice"), "site", *args, "--home", self.site.home],
                              check=True, capture_output=True, text=True)

    def setUp(self):
        self.sluice("start")

    def tearDown(self):
        self.sluice("stop", "--keep-tasks")
        self.site.start()

    def pid(self, name):
        try:
            return self.site.pid(name)
        except (FileNotFoundError, ValueError):
            return None

    def another(self, name, old):
        """Its number once another one runs than the old."""
        pid = self.pid(name)
        return pid if pid not in (None, old) and os.path.exists("/proc/%d" % pid) else None

    def answers(self):
        try:
            return self.site.request("health", method="GET")[0] == 200
        except OSError:
            return False

    def test_each_program_is_back_at_once(self):
        """A tenth of a second after its end, the keeper says; how long the program itself takes is the machine's."""
        log = os.path.join(self.site.home, "logs", "keeper.log")
        for name in ("supervisor", "fcgi-app", "nginx"):
            old, before = self.site.pid(name), os.path.getsize(log)
            kill(old)
            wait_for(lambda n=name, o=old: self.another(n, o), what="another " + name)
            wait_for(self.answers, what="an answer")
            with open(log, encoding="utf-8") as f:
                f.seek(before)
                text = f.read()
            self.assertRegex(text, r"%s, pid %d, ended [^\n]*; started again in 100 ms" % (name, old))
            self.assertIn("%s is started again" % name, text)

    def test_one_that_cannot_stay_is_tried_less_and_less(self):
        """Each try is a line of the log: a pause that doubles leaves few."""
        log = os.path.join(self.site.home, "logs", "keeper.log")
        before = os.path.getsize(log)
        old = None
        for _ in range(3):
            new = wait_for(lambda o=old: self.another("supervisor", o), what="another supervisor")
            kill(new)
            old = new
        wait_for(lambda: self.another("supervisor", old), what="supervisor")
        with open(log, encoding="utf-8") as f:
            f.seek(before)
            text = f.read()
        self.assertIn("started again in 100 ms", text)
        self.assertIn("started again in 200 ms", text)

    def test_stopping_the_site_ends_the_keeper_first(self):
        self.assertNotEqual(processes("sluice site keep --home " + self.site.home), [])
        self.sluice("stop", "--keep-tasks")
        self.assertEqual(processes("sluice-supervisor --config " + self.site.home), [])
        self.assertEqual(processes("sluice site keep --home " + self.site.home), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

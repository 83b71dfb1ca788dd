"""Run the test modules given, or all of the folder (TEST_FOLDER, or this one) but
those that its file `pending` names; PART=2/3 is every third of the modules,
from the second.  The last line counts.  A test that takes longer than
TEST_SECONDS shows where it hangs, and ends the run."""
import collections
import faulthandler
import glob
import os
import sys
import time
import unittest

here = os.environ.get("TEST_FOLDER", os.path.dirname(os.path.abspath(__file__)))


def tests_of(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from tests_of(each)
        else:
            yield each


def without_pending(suite):
    """Tests that are not named; names of modules, classes, or tests."""
    try:
        with open(os.path.join(here, "pending"), encoding="ascii") as f:
            names = [line.split("#")[0].strip() for line in f]
    except FileNotFoundError:
        return suite
    names = [n for n in names if n]
    kept = unittest.TestSuite()
    for test in tests_of(suite):
        if any((test.id() + ".").startswith(n + ".") for n in names):
            print("PENDING, NOT RUN: " + test.id(), flush=True)
        else:
            kept.addTest(test)
    return kept


class Limited(unittest.TextTestResult):
    """Bounds and times each test, with what sets its module up before it."""
    seconds = collections.Counter()
    before = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        limit()
        self.seconds[type(test).__module__] += time.monotonic() - self.before
        Limited.before = time.monotonic()


def limit():
    faulthandler.dump_traceback_later(int(os.environ.get("TEST_SECONDS", "1200")), exit=True)


def modules():
    names = sorted(os.path.basename(f)[:-3] for f in glob.glob(os.path.join(here, "test_*.py")))
    part, parts = map(int, os.environ.get("PART", "1/1").split("/"))
    return names[part - 1::parts]


sys.path.insert(0, here)
loader = unittest.defaultTestLoader
if len(sys.argv) > 1:
    suite = loader.loadTestsFromNames(sys.argv[1:])
else:
    suite = without_pending(loader.loadTestsFromNames(modules()))
limit()
result = unittest.TextTestRunner(verbosity=2, buffer=False, resultclass=Limited,
                                 failfast=bool(os.environ.get("FAILFAST"))).run(suite)
faulthandler.cancel_dump_traceback_later()
print("the longest:", ", ".join("%s %.0f s" % m for m in Limited.seconds.most_common(12)))
bad = len(result.failures) + len(result.errors)
if result.skipped:
    print("%d skipped" % len(result.skipped))
print("%d passed, %d failed" % (result.testsRun - bad - len(result.skipped), bad))
sys.exit(1 if bad or result.testsRun == 0 else 0)

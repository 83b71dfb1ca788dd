"""Run the test modules given, or all; the last line counts."""
import os
import sys
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
loader = unittest.defaultTestLoader
if len(sys.argv) > 1:
    suite = loader.loadTestsFromNames(sys.argv[1:])
else:
    suite = loader.discover(here, pattern="test_*.py")
result = unittest.TextTestRunner(verbosity=2, buffer=False, failfast=bool(os.environ.get("FAILFAST"))).run(suite)
bad = len(result.failures) + len(result.errors)
print("%d passed, %d failed, %d skipped" % (
    result.testsRun - bad - len(result.skipped), bad, len(result.skipped)))
sys.exit(1 if bad or result.testsRun == 0 else 0)

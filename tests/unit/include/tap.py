"""TAP of unittest's tests, as they end."""
import os
import sys
import unittest


class TapResult(unittest.TestResult):
    def report(self, test, good, detail=""):
        area = os.path.basename(os.path.dirname(os.path.abspath(sys.argv[0])))
        print(f"{'ok' if good else 'not ok'} {self.testsRun} - {area}: {test.id().split('.')[-1]}")
        for line in detail.splitlines():
            print(f"# {line}")

    def addSuccess(self, test):
        self.report(test, True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(test, False, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.report(test, False, self.errors[-1][1])


def main(case):
    """Runs the tests of the class @case: the status."""
    result = TapResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    print(f"1..{result.testsRun}")
    return 0 if result.wasSuccessful() and result.testsRun else 1

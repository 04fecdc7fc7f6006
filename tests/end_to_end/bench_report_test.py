"""bench/report.py on files of two programs; without matplotlib it is skipped."""
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

REPORT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "report.py"


def run(name, time, unit, **counters):
    return {"name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "real_time": time, "cpu_time": time,
            "time_unit": unit, "threads": 1, **counters}


class BenchReport(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def report(self):
        return subprocess.run([sys.executable, REPORT, self.folder], capture_output=True, text=True)

    def test_medians_and_ranges_come_in_a_table_for_each_unit_of_time(self):
        runs = [run("tile/steps:4", 5.0, "ns", **{"GFLOP/s": 100.0})]
        runs += [run("step/threads:1", time, "us", **{"GFLOP/s": 50.0}) for time in (30.0, 10.0, 20.0)]
        (self.folder / "kernels.json").write_text(json.dumps({"context": {"cpu": "one"}, "benchmarks": runs}))
        done = self.report()
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (self.folder / "report.md").read_text()
        for part in ("| cpu | one |", "| benchmark | time (ns) | GFLOP/s |", "| benchmark | time (us) | GFLOP/s |",
                     "| `tile/steps:4` | 5", "| `step/threads:1` | 20 (10 to 30)"):
            self.assertIn(part, text)

    def test_a_folder_without_results_is_refused(self):
        done = self.report()
        self.assertEqual(done.returncode, 1)
        self.assertIn("no JSON file", done.stderr)


if __name__ == "__main__":
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is not installed: skipping")
        sys.exit(77)
    unittest.main()

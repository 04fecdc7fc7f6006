"""The program findings as its users meet it: what it trains, prints, writes and refuses.

The program is the first argument or GRU4REC_FINDINGS; without either the test is skipped (exit status 77).
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM = None
SMALL = ("--params", "layers=4,n_sample=16,n_epochs=1")
SETTINGS = {"layers": 3, "embedding": 3, "input": 2, "width": 4, "negatives": 4}
# The base is one of the settings of every comparison; it is trained once.
N_CONFIGURATIONS = 12
FILES = ["findings.json", "findings.md", "recall_by_width.svg"]


class FindingsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=300)

    def run_well(self, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def report(self):
        return json.loads((self.folder / "findings.json").read_text(encoding="utf-8"))

    def refuses(self, status, fragment, *arguments):
        before = self.files()
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, r"\Afindings: [^\n]+\n\Z")
        self.assertIn(fragment, done.stderr)
        self.assertEqual(self.files(), before)

    def write_sessions(self, name, first, n_sessions):
        lines = ["SessionId\tItemId\tTime"]
        for s in range(first, first + n_sessions):
            lines += [f"{s}\titem{(s + k * (1 + s % 3)) % 40}\t{10 * s + k}" for k in range(4)]
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def test_all_comparisons_are_trained_printed_and_written(self):
        done = self.run_well(*SMALL, "--seeds", "2")
        self.assertEqual(self.files(), FILES)
        report = self.report()
        self.assertEqual({c["name"]: len(c["results"]) for c in report["comparisons"]}, SETTINGS)
        markdown = (self.folder / "findings.md").read_text(encoding="utf-8")
        self.assertEqual(markdown, done.stdout)
        for comparison in report["comparisons"]:
            self.assertIn(comparison["sentence"], markdown)
            self.assertIn(comparison["published"], markdown)
            for result in comparison["results"]:
                row = f"| {comparison['name']} | {result['setting']} | {result['recall']['mean']:.4f} ("
                self.assertEqual(markdown.count(row), 1, row)
                self.check_spread(result)
        self.assertEqual(len(done.stderr.splitlines()), 2 * N_CONFIGURATIONS)

    def check_spread(self, result):
        for name in ("recall", "mrr"):
            values = [run[name] for run in result["runs"]]
            self.assertEqual(len(values), 2)
            self.assertTrue(all(0 < value < 1 for value in values))
            self.assertEqual((result[name]["min"], result[name]["max"]), (min(values), max(values)))
            self.assertAlmostEqual(result[name]["mean"], sum(values) / 2, places=12)

    def test_verdicts_follow_from_the_numbers_by_the_rule_that_is_stated(self):
        self.run_well(*SMALL, "--seeds", "2")
        favoured_of = {"layers": [0], "embedding": [0], "input": [0], "width": [3], "negatives": [2, 3]}
        others_of = {"layers": [1, 2], "embedding": [1, 2], "input": [1], "width": [1], "negatives": [0, 1]}
        for comparison in self.report()["comparisons"]:
            results = [result["recall"] for result in comparison["results"]]
            favoured, other = (max((results[i] for i in numbers[comparison["name"]]), key=lambda r: r["mean"])
                               for numbers in (favoured_of, others_of))
            difference = favoured["mean"] - other["mean"]
            noise = max(favoured["max"] - favoured["min"], other["max"] - other["min"])
            verdict = "within noise" if abs(difference) <= noise else "holds" if difference > 0 else "does not hold"
            if comparison["name"] == "input" and verdict == "within noise":
                verdict = "holds"  # it says that nothing is gained
            self.assertEqual(comparison["verdict"], verdict)
            self.assertIn(f"{favoured['mean']:.4f} against {other['mean']:.4f}", comparison["sentence"])

    def test_each_comparison_changes_what_its_name_says(self):
        self.run_well(*SMALL, "--seeds", "1")
        params = {c["name"]: [r["params"] for r in c["results"]] for c in self.report()["comparisons"]}
        self.assertEqual([p["layers"] for p in params["layers"]], ["4", "4/4", "4/4/4"])
        self.assertEqual([(p["constrained_embedding"], p["embedding"]) for p in params["embedding"]],
                         [("false", "0"), ("false", "layersize"), ("true", "0")])
        self.assertEqual([p["input"] for p in params["input"]], ["last", "history"])
        self.assertEqual([p["layers"] for p in params["width"]], ["2", "4", "8", "16"])
        self.assertEqual([(p["n_sample"], p["batch_size"]) for p in params["negatives"]],
                         [("0", "32"), ("0", "256"), ("4", "32"), ("16", "32")])

    def test_a_seed_gives_the_same_numbers_again_and_another_seed_others(self):
        def recalls(*arguments):
            self.run_well(*SMALL, "--seeds", "1", "--only", "width", *arguments)
            return [result["recall"]["mean"] for result in self.report()["comparisons"][0]["results"]]
        first = recalls("--threads", "1")
        self.assertEqual(first, recalls("--threads", "2"))
        for one, other in zip(first, recalls("--seed", "7")):
            self.assertNotEqual(one, other)

    def test_one_seed_decides_nothing(self):
        self.run_well(*SMALL, "--seeds", "1", "--only", "layers,input")
        self.assertEqual([c["verdict"] for c in self.report()["comparisons"]], ["undecided, one seed"] * 2)
        self.assertEqual(self.files(), FILES[:2])

    def test_the_chart_is_a_picture_of_the_widths(self):
        self.run_well(*SMALL, "--seeds", "2", "--only", "width")
        root = xml.etree.ElementTree.parse(self.folder / "recall_by_width.svg").getroot()
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, name + "svg")
        circles = root.findall(name + "circle")
        self.assertEqual(len(circles), 4)
        texts = [text.text for text in root.findall(name + "text")]
        for width in ("2", "4", "8", "16"):
            self.assertIn(width, texts)
        means = [result["recall"]["mean"] for result in self.report()["comparisons"][0]["results"]]
        heights = [-float(circle.get("cy")) for circle in circles]
        for i in range(3):  # higher where the recall is
            self.assertEqual(means[i] < means[i + 1], heights[i] < heights[i + 1])
        self.assertTrue(all(50 <= -height <= 345 for height in heights))

    def test_files_of_ones_own_are_read(self):
        self.write_sessions("train.tsv", 0, 300)
        self.write_sessions("test.tsv", 300, 40)
        done = self.run_well("train.tsv", "test.tsv", *SMALL, "--seeds", "1", "--only", "input")
        self.assertIn("`train.tsv` and `test.tsv`: 300 sessions with 1200 events of 40 items", done.stdout)
        self.assertIn("120 predictions", done.stdout)

    def test_columns_are_found_by_the_names_given(self):
        self.write_sessions("train.tsv", 0, 300)
        self.write_sessions("test.tsv", 300, 40)
        arguments = (*SMALL, "--seeds", "1", "--only", "input")
        self.run_well("train.tsv", "test.tsv", *arguments)
        expected = [result["recall"] for result in self.report()["comparisons"][0]["results"]]
        for name in ("train", "test"):
            text = (self.folder / f"{name}.tsv").read_text(encoding="utf-8")
            (self.folder / f"renamed_{name}.tsv").write_text(
                text.replace("SessionId\tItemId\tTime", "who\twhat\twhen"), encoding="utf-8")
        files = ("renamed_train.tsv", "renamed_test.tsv")
        names = ("--session-key", "who", "--item-key", "what", "--time-key", "when")
        self.run_well(*files, *arguments, *names)
        self.assertEqual([result["recall"] for result in self.report()["comparisons"][0]["results"]], expected)
        for i in range(0, len(names), 2):  # each of them is needed, and none has a meaning without files
            self.refuses(2, "renamed_train.tsv:1", *files, *arguments, *names[:i], *names[i + 2:])
            self.refuses(2, "TRAIN", *arguments, *names[i:i + 2])

    @unittest.skipUnless(pathlib.Path("/dev/full").exists(), "no /dev/full")
    def test_a_table_that_cannot_be_printed_is_told(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, *SMALL, "--seeds", "1", "--only", "input"], cwd=self.folder, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=300)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("findings: standard output cannot be written", done.stderr)

    def test_broken_input_is_refused(self):
        self.write_sessions("train.tsv", 0, 30)
        self.refuses(2, "TEST", "train.tsv")
        self.refuses(3, "absent.tsv", "absent.tsv", "train.tsv")
        self.refuses(2, "depth", "--only", "layers,depth")
        self.refuses(2, "--seeds", "--seeds", "0")
        self.refuses(2, "--threads", "--threads", "-1")
        self.refuses(2, "momentum", "--params", "momentum=2")
        self.refuses(2, "one layer", "--params", "layers=4/4")
        self.refuses(2, "n_sample", "--params", "n_sample=0")
        self.refuses(2, "no_option", "--params", "no_option=1")
        self.refuses(3, "nowhere", "--out", "nowhere")


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else os.environ.get(
        "GRU4REC_FINDINGS")
    if not PROGRAM:
        print("no program findings: skipped")
        sys.exit(77)
    PROGRAM = str(pathlib.Path(PROGRAM).resolve())
    unittest.main()

"""The program findings as its users meet it: what it trains, prints, writes and refuses.

The program is the first argument or GRU4REC_FINDINGS; without either the test is skipped (exit status 77).
"""
import json
import pathlib
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from program_under_test import program_under_test

PROGRAM = None
SMALL = ("--params", "layers=4,n_sample=16,n_epochs=1")
SETTINGS = {"layers": 3, "embedding": 3, "input": 2, "width": 4, "negatives": 4}
# The base is one of the settings of every comparison; it is trained once.
N_CONFIGURATIONS = 12
FILES = ["findings.json", "findings.md", "recall_by_width.svg"]


def run_in(folder, *arguments):
    return subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


def report_of(folder):
    return json.loads((folder / "findings.json").read_text(encoding="utf-8"))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


class AllComparisonsTest(unittest.TestCase):
    """One run of all comparisons, with two seeds and the results in a folder of their own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.out = cls.folder / "sub"
        cls.out.mkdir()
        cls.done = run_in(cls.folder, *SMALL, "--seeds", "2", "--out", "sub")
        if cls.done.returncode != 0:
            raise AssertionError(cls.done.stderr)
        cls.report = report_of(cls.out)
        cls.comparisons = {comparison["name"]: comparison for comparison in cls.report["comparisons"]}

    def params(self, comparison, *names):
        return [tuple(result["params"][name] for name in names) for result in self.comparisons[comparison]["results"]]

    def test_files_are_written_into_the_folder_of_out_and_nowhere_else(self):
        self.assertEqual(names_in(self.out), FILES)
        self.assertEqual(names_in(self.folder), ["sub"])

    def test_all_comparisons_are_trained_printed_and_written(self):
        self.assertEqual({name: len(c["results"]) for name, c in self.comparisons.items()}, SETTINGS)
        self.assertEqual(self.report["seeds"], [42, 43])
        markdown = (self.out / "findings.md").read_text(encoding="utf-8")
        self.assertEqual(markdown, self.done.stdout)
        for name, comparison in self.comparisons.items():
            self.assertIn(comparison["sentence"], markdown)
            self.assertIn(comparison["published"], markdown)
            for result in comparison["results"]:
                row = f"| {name} | {result['setting']} | {result['recall']['mean']:.4f} ("
                self.assertEqual(markdown.count(row), 1, row)
                self.check_runs(result)
        self.assertIn("One-hot input has no embedding", markdown)
        self.assertEqual(len(self.done.stderr.splitlines()), 2 * N_CONFIGURATIONS)

    def check_runs(self, result):
        self.assertFalse(result["diverged"])
        self.assertEqual(len(result["runs"]), 2)
        for name in ("recall", "mrr"):
            values = [run[name] for run in result["runs"]]
            self.assertTrue(all(0 < value < 1 for value in values))
            self.assertEqual((result[name]["min"], result[name]["max"]), (min(values), max(values)))
            self.assertAlmostEqual(result[name]["mean"], sum(values) / 2, places=12)
        seconds = [run["seconds"] for run in result["runs"]]
        self.assertTrue(all(value > 0 for value in seconds))
        self.assertAlmostEqual(result["seconds"], sum(seconds) / 2, places=12)

    def test_verdicts_follow_from_the_numbers_by_the_rule_that_is_stated(self):
        favoured_of = {"layers": [0], "embedding": [0], "input": [0], "width": [3], "negatives": [2, 3]}
        others_of = {"layers": [1, 2], "embedding": [1, 2], "input": [1], "width": [1], "negatives": [0, 1]}
        for name, comparison in self.comparisons.items():
            results = [result["recall"] for result in comparison["results"]]
            favoured, other = (max((results[i] for i in indices[name]), key=lambda r: r["mean"])
                               for indices in (favoured_of, others_of))
            difference = favoured["mean"] - other["mean"]
            noise = max(favoured["max"] - favoured["min"], other["max"] - other["min"])
            verdict = "within noise" if abs(difference) <= noise else "holds" if difference > 0 else "does not hold"
            if name == "input" and verdict == "within noise":
                verdict = "holds"  # it says that nothing is gained
            self.assertEqual(comparison["verdict"], verdict)
            self.assertIn(f"{favoured['mean']:.4f} against {other['mean']:.4f}", comparison["sentence"])

    def test_each_comparison_changes_what_its_name_says(self):
        self.assertEqual(self.params("layers", "layers"), [("4",), ("4/4",), ("4/4/4",)])
        self.assertEqual(self.params("embedding", "constrained_embedding", "embedding"),
                         [("false", "0"), ("false", "layersize"), ("true", "0")])
        self.assertEqual(self.params("input", "input"), [("last",), ("history",)])
        self.assertEqual(self.params("width", "layers"), [("2",), ("4",), ("8",), ("16",)])
        self.assertEqual(self.params("negatives", "n_sample", "batch_size"),
                         [("0", "32"), ("0", "256"), ("4", "32"), ("16", "32")])

    def test_the_chart_shows_the_mean_and_the_range_of_every_width(self):
        root = xml.etree.ElementTree.parse(self.out / "recall_by_width.svg").getroot()
        svg = "{http://www.w3.org/2000/svg}"
        self.assertEqual(root.tag, svg + "svg")
        texts = root.findall(svg + "text")
        for text in ("2", "4", "8", "16", "units", "Recall@20"):
            self.assertIn(text, [element.text for element in texts])
        lines = root.findall(svg + "line")
        heights = [float(line.get("y1")) for line in lines if line.get("class") == "grid"]
        values = [float(text.text) for text in texts if text.get("text-anchor") == "end" and text.text != "Recall@20"]
        slope = (values[-1] - values[0]) / (heights[-1] - heights[0])

        def value_at(height):
            return values[0] + slope * (float(height) - heights[0])
        circles = root.findall(svg + "circle")
        bars = [line for line in lines if line.get("class") != "grid"]
        recalls = [result["recall"] for result in self.comparisons["width"]["results"]]
        self.assertEqual((len(circles), len(bars)), (4, 4))
        for circle, bar, recall in zip(circles, bars, recalls):
            self.assertEqual(circle.get("cx"), bar.get("x1"))
            for height, name in ((circle.get("cy"), "mean"), (bar.get("y1"), "min"), (bar.get("y2"), "max")):
                # Heights are rounded to a tenth, the labels of the axis to three digits.
                self.assertAlmostEqual(value_at(height), recall[name], delta=0.001 + 0.2 * abs(slope))


class FolderTest(unittest.TestCase):
    """Runs the program in a folder of the test's own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *arguments):
        return run_in(self.folder, *arguments)

    def run_well(self, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def files(self):
        return names_in(self.folder)

    def report(self):
        return report_of(self.folder)

    def base(self, *arguments):
        self.run_well("--seeds", "1", *arguments)
        return self.report()["params"]

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


class FindingsTest(FolderTest):
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
        self.assertEqual([c["verdict"] for c in self.report()["comparisons"]], ["undecided"] * 2)
        for comparison in self.report()["comparisons"]:
            self.assertIn(": undecided, one seed. ", comparison["sentence"])
        self.assertEqual(self.files(), FILES[:2])

    def test_settings_that_are_equal_come_once(self):
        self.run_well("--seeds", "2", "--only", "width", "--params", "layers=1,n_sample=16,n_epochs=1")
        comparison, = self.report()["comparisons"]
        self.assertEqual([result["params"]["layers"] for result in comparison["results"]], ["1", "2", "4"])
        self.assertIn("4 units against 1 unit:", comparison["sentence"])

    def test_comparisons_that_are_not_asked_for_demand_nothing(self):
        few = "n_epochs=1,layers=4"
        self.assertEqual(self.base("--only", "layers", "--params", f"{few},n_sample=0")["n_sample"], "0")
        self.assertEqual(self.base("--only", "input", "--params", "n_epochs=1,layers=4/2")["layers"], "4/2")
        self.run_well("--seeds", "1", "--only", "input,layers", *SMALL)
        self.assertEqual([c["name"] for c in self.report()["comparisons"]], ["layers", "input"])

    def test_parameters_given_replace_defaults_that_contradict_them(self):
        few = "n_epochs=1,layers=4,n_sample=16"
        for loss, logq in (("cross-entropy", "1"), ("bpr-max", "0")):
            params = self.base("--only", "input", "--params", f"{few},loss={loss}")
            self.assertEqual((params["loss"], params["logq"]), (loss, logq))
        for shared, dropout in (("true", "0.1"), ("false", "0")):
            params = self.base("--only", "input", "--params", f"{few},constrained_embedding={shared}")
            self.assertEqual((params["constrained_embedding"], params["dropout_p_embed"]), (shared, dropout))
        self.refuses(2, "logq = 1", "--params", f"{few},loss=bpr-max,logq=1")
        self.refuses(2, "dropout_p_embed = 0.1", "--params", f"{few},constrained_embedding=false,dropout_p_embed=0.1")

    def test_a_training_that_diverges_is_a_result(self):
        params = "layers=4,n_sample=16,n_epochs=1,learning_rate=1e38"
        done = self.run_well("--seeds", "2", "--only", "layers,width", "--params", params)
        self.assertEqual(len(done.stderr.splitlines()), 12)
        self.assertIn("1 of 12: one layer, seed 42: diverged: ", done.stderr)
        self.assertIn("| layers | two layers | diverged | diverged | ", done.stdout)
        for comparison in self.report()["comparisons"]:
            self.assertEqual(comparison["verdict"], "undecided")
            self.assertIn("both sides diverged", comparison["sentence"])
            for result in comparison["results"]:
                self.assertEqual((result["diverged"], result["recall"], result["mrr"]), (True, None, None))
                for run in result["runs"]:
                    self.assertRegex(run["diverged"], "non-finite")
        self.assertEqual(self.files(), FILES[:2])

    def test_one_session_is_refused_before_anything_is_trained_if_its_items_have_no_negatives(self):
        lines = ["SessionId\tItemId\tTime", *(f"1\t{k}\t{k}" for k in range(5)), "2\t0\t9"]
        (self.folder / "one.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        files = ("one.tsv", "one.tsv")
        self.refuses(2, "negatives", *files, *SMALL)
        self.refuses(2, "layers", *files, "--only", "layers", "--params", "n_sample=0")
        self.run_well(*files, *SMALL, "--only", "layers")

    def test_files_of_ones_own_are_read(self):
        self.write_sessions("train.tsv", 0, 300)
        self.write_sessions("test.tsv", 300, 40)
        done = self.run_well("train.tsv", "test.tsv", *SMALL, "--seeds", "1", "--only", "input")
        self.assertIn("`train.tsv` and `test.tsv`: 300 sessions with 1200 events of 40 items", done.stdout)
        self.assertIn("120 predictions", done.stdout)
        self.assertNotIn("One-hot", done.stdout)

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

    def test_tables_are_read_as_the_options_say(self):
        self.write_sessions("train.tsv", 0, 300)
        self.write_sessions("test.tsv", 300, 40)
        arguments = (*SMALL, "--seeds", "1", "--only", "input")
        self.run_well("train.tsv", "test.tsv", *arguments)
        expected = [result["recall"] for result in self.report()["comparisons"][0]["results"]]
        for name in ("train", "test"):
            lines = (self.folder / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
            rows = [line.split("\t") for line in lines]
            (self.folder / f"{name}.txt").write_text(
                "".join(f"{s}|{i}|view|{t}000\n" for s, i, t in rows) + "none|1|view|1\n1|1|buy|1\n", encoding="utf-8")
        options = ("--header", "no", "--separator", "pipe", "--session-key", "1", "--item-key", "2", "--time-key", "4",
                   "--time-unit", "ms", "--where", "3=view", "--missing", "none", "--format", "table", "--no-quotes")
        self.run_well("train.txt", "test.txt", *arguments, *options)
        self.assertEqual([result["recall"] for result in self.report()["comparisons"][0]["results"]], expected)
        self.refuses(2, "none", "train.txt", "test.txt", *arguments, *options, "--strict")
        self.refuses(2, "offset", "train.txt", "test.txt", *arguments, *options, "--time-offset-key", "offset")

    @unittest.skipUnless(pathlib.Path("/dev/full").exists(), "no /dev/full")
    def test_a_table_that_cannot_be_printed_is_reported(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, *SMALL, "--seeds", "1", "--only", "input"], cwd=self.folder, stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=300)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("findings: cannot write standard output", done.stderr)

    def test_broken_input_is_refused(self):
        self.write_sessions("train.tsv", 0, 30)
        self.refuses(2, "TEST", "train.tsv")
        self.refuses(3, "absent.tsv", "absent.tsv", "train.tsv")
        self.refuses(2, "depth", "--only", "layers,depth")
        self.refuses(2, "--only", "--only", "")
        for number in ("0", "101", "0x2", ""):
            self.refuses(2, "--seeds", "--seeds", number)
        for number in ("-1", "99999999999999999999", "0x10", "18446744073709551614"):
            self.refuses(2, "--seed: ", "--seed", number)
        for names in ([""], ["", ""], ["train.tsv", ""]):
            self.refuses(2, "T", *names)
        self.refuses(2, "--out", "--out", "")
        self.refuses(2, "--threads", "--threads", "-1")
        self.refuses(2, "momentum", "--params", "momentum=2")
        self.refuses(2, "comparison layers", "--params", "layers=4/4")
        self.refuses(2, "comparison width", "--only", "width", "--params", "layers=4/4")
        self.refuses(2, "comparison width cannot be derived: layers = 80000", "--params", "layers=20000")
        self.refuses(2, "comparison negatives cannot be derived: n_sample = 0", "--params", "n_sample=0")
        self.refuses(2, "comparison negatives cannot be derived: batch_size = 1600000", "--params",
                     "batch_size=200000")
        self.refuses(2, "no_option", "--params", "no_option=1")
        for name in ("nowhere", "train.tsv"):
            self.refuses(3, f"--out: '{name}' is not an existing folder", "--out", name)


class TuningTest(FolderTest):
    """--tune: what is chosen, by what, and what is told of it."""

    def setUp(self):
        super().setUp()
        self.write_sessions("train.tsv", 0, 300)
        self.write_sessions("test.tsv", 300, 40)
        self.write_sessions("other_test.tsv", 340, 20)

    def results(self, *arguments, test="test.tsv"):
        self.done = self.run_well("train.tsv", test, *SMALL, "--seeds", "2", *arguments)
        return {(comparison["name"], result["setting"]): result
                for comparison in self.report()["comparisons"] for result in comparison["results"]}

    def test_each_setting_is_judged_with_its_best_trial_of_the_same_draws(self):
        untuned = self.results("--only", "input,width,negatives")
        self.assertIsNone(self.report()["tune"])
        tuned = self.results("--only", "input,width,negatives", "--tune", "4")
        self.assertEqual(self.report()["tune"]["trials"], 4)
        self.assertEqual(self.report()["tune"]["seed"], 42)
        # 5 settings are tuned, "last item" is "4 units"; all but the base of negatives come besides.
        lines = self.done.stderr.splitlines()
        n_final = 2 * len({json.dumps(result["params"]) for result in tuned.values()})
        self.assertEqual(len(lines), 4 * 5 + n_final)
        self.assertIn("of 38: last item, trial 2, learning_rate=", lines[1])
        self.assertTrue(lines[-1].startswith(f"{len(lines)} of {len(lines)}: "), lines[-1])
        draws = set()
        for (name, setting), result in tuned.items():
            before = untuned[name, setting]
            self.assertEqual(before["trials"], [])
            if name == "negatives":
                self.assertEqual(result["trials"], [])
                self.assertEqual(result["recall"], before["recall"])
                continue
            tried = [trial["params"] for trial in result["trials"]]
            self.assertEqual(tried[0], {key: before["params"][key] for key in tried[0]})
            draws.add(json.dumps(tried))
            recalls = [trial["recall"] for trial in result["trials"]]
            best = recalls.index(max(recalls))
            self.assertEqual(result["params"], {**before["params"], **tried[best]})
            self.assertIn(f"| {name} | {setting} | " + " | ".join(tried[best].values()) +
                          f" | {recalls[best]:.4f} | {recalls[0]:.4f} | 0 |", self.done.stdout)
        self.assertEqual(len(draws), 1)
        self.assertTrue(any(result["params"] != untuned[key]["params"] for key, result in tuned.items()))
        self.assertIn("in input and width, for learning rate and dropout, which are the best of 4 trials",
                      self.done.stdout)
        self.assertIn("The settings of negatives are not tuned.", self.done.stdout)
        chart = (self.folder / "recall_by_width.svg").read_text(encoding="utf-8")
        chosen = tuned["width", "16 units"]["params"]
        self.assertIn("16: " + ", ".join(chosen[name] for name in tried[0]), chart)

    def test_the_test_data_have_no_part_in_the_choice(self):
        width = ("--only", "width", "--tune", "3")
        one, other = self.results(*width), self.results(*width, test="other_test.tsv")
        for key, result in one.items():
            self.assertNotEqual(result["mrr"], other[key]["mrr"])
            self.assertEqual(result["params"], other[key]["params"])
            for trial, same in zip(result["trials"], other[key]["trials"]):
                self.assertEqual({**trial, "seconds": 0}, {**same, "seconds": 0})

    def test_another_seed_makes_other_draws_and_fewer_trials_fewer(self):
        def tried(*arguments):
            result = self.results("--only", "input", *arguments)["input", "last item"]
            return [trial["params"] for trial in result["trials"]]
        first = tried("--tune", "2")
        self.assertEqual(first, tried("--tune", "2", "--threads", "1"))
        other = tried("--tune", "2", "--seed", "7")
        self.assertEqual(first[0], other[0])
        self.assertNotEqual(first[1], other[1])
        self.assertEqual(tried("--tune", "1"), first[:1])

    def test_the_synthetic_shop_is_split_as_well(self):
        done = self.run_well(*SMALL, "--seeds", "1", "--only", "input", "--tune", "2")
        self.assertRegex(done.stdout, r"newest tenth of the training sessions: 16\d\d\d sessions with \d+ events of "
                         r"\d+ items before it, \d+ predictions in it\.")

    def test_trials_that_all_diverge_are_an_error_that_names_the_setting(self):
        done = self.run_program("train.tsv", "test.tsv", "--only", "width", "--tune", "2", "--params",
                                "layers=4,n_sample=16,n_epochs=1,learning_rate=1e38")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("findings: --tune: all 2 trials of '2 units' diverged, the first: ", done.stderr)
        self.assertNotIn("findings.md", self.files())

    def test_what_cannot_be_tuned_is_refused_before_anything_is_trained(self):
        self.write_sessions("small.tsv", 0, 2)
        self.refuses(2, "too small to split off the newest tenth of their 2 sessions", "small.tsv", "small.tsv", *SMALL,
                     "--tune", "2")
        self.refuses(2, "--only 'negatives' is tuned", *SMALL, "--only", "negatives", "--tune", "2")
        self.refuses(2, "no session has two events", *self.one_event_each(), *SMALL, "--tune", "2")
        for number in ("-1", "1001", "two", ""):
            self.refuses(2, "--tune", "--tune", number)

    def one_event_each(self):
        (self.folder / "short.tsv").write_text("SessionId\tItemId\tTime\n1\ta\t1\n2\tb\t2\n", encoding="utf-8")
        return "short.tsv", "test.tsv"


if __name__ == "__main__":
    PROGRAM = program_under_test("GRU4REC_FINDINGS")
    unittest.main()

"""Reports as pages: what `train --report R.html` and `compare` write, and that they change nothing that is learnt.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77). One test
needs the folder that GRU4REC_TEST_DATA names.
"""
import html.parser
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from program_under_test import program_under_test

PROGRAM = None
TEST_DATA = os.environ.get("GRU4REC_TEST_DATA", "")
PARAMS = "layers=16,n_epochs=3,n_sample=32,learning_rate=0.05,lr_decay=0.5"
TRAIN = ("train", "shop.tsv", "--params", PARAMS, "--valid", "valid.tsv", "--test", "test.tsv", "--measure", "1,5,20")
BASELINES = ["pop", "s-pop", "markov", "sequential-rules", "item-knn", "bpr-mf", "v-sknn"]
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """Checks that elements close in order, and keeps tables (by caption), headings and figures (by caption)."""
    def __init__(self, text):
        super().__init__()
        self.text = text
        self.open = []
        self.tables = {}
        self.headings = []
        self.figures = {}
        self.elements = []
        self.table = self.row = self.cell = self.caption = None
        self.feed(text)
        self.close()
        assert not self.open, self.open
        for caption, svg in re.findall(r"<figcaption>([^<]*)</figcaption>\n(<svg.*?</svg>)", text, re.DOTALL):
            self.figures[html.unescape(caption)] = xml.etree.ElementTree.fromstring(svg)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.table = []
            self.caption = ""
        elif tag == "tr" and self.table is not None:
            self.row = []
        elif tag in ("th", "td", "h1", "h2"):
            self.cell = ""

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()
        if tag in ("th", "td"):
            self.row.append(self.cell)
        elif tag == "tr":
            self.table.append(self.row)
        elif tag == "table":
            self.tables.setdefault(self.caption.strip(), self.table)
            self.table = None
        elif tag in ("h1", "h2"):
            self.headings.append(self.cell)

    def handle_data(self, data):
        if self.open and self.open[-1] != "span":
            if "caption" in self.open:
                self.caption += data
            elif self.cell is not None:
                self.cell += data


def digits(value):
    return f"{value:.6g}"


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.run_well("synth", "shop.tsv", "--sessions", 1500, "--items", 80)
        for name, seed in (("test.tsv", 7), ("valid.tsv", 8)):
            cls.run_well("synth", name, "--sessions", 150, "--items", 90, "--seed", seed)
        cls.run_well(*TRAIN, "--baselines", "--report", "run.html", "--report", "run.json", "--save", "run.st")
        cls.report = json.loads(cls.read("run.json"))
        cls.page = Page(cls.read("run.html"))

    @classmethod
    def run_program(cls, *arguments):
        return subprocess.run([PROGRAM, *map(str, arguments)], cwd=cls.folder, text=True, capture_output=True,
                              timeout=300)

    @classmethod
    def run_well(cls, *arguments):
        done = cls.run_program(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done

    @classmethod
    def read(cls, name):
        return (cls.folder / name).read_text(encoding="utf-8")

    def refuses(self, status, fragments, *arguments):
        before = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual({path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}, before)

    def test_a_report_changes_nothing_that_is_learnt(self):
        self.run_well(*TRAIN, "--save", "plain.st")
        self.assertEqual((self.folder / "plain.st").read_bytes(), (self.folder / "run.st").read_bytes())

    def test_the_report_of_training_is_that_of_evaluate(self):
        self.run_well("evaluate", "run.st", "test.tsv", "--measure", "1,5,20", "--details", "--report", "e.json")
        evaluated = json.loads(self.read("e.json"))["evaluations"][0]
        trained = dict(self.report["evaluations"][0])
        for entry in (evaluated, trained):
            del entry["seconds"]
        self.assertEqual(trained, evaluated)
        self.assertIn("coverage", trained)

    def test_the_results_on_the_page_are_those_of_the_json(self):
        rows = self.page.tables["test.tsv"]
        entries = self.report["evaluations"]
        self.assertEqual([row[0] for row in rows], ["method", "GRU4Rec", *BASELINES])
        self.assertEqual(rows[0][1:5], ["Recall@1", "MRR@1", "NDCG@1", "Recall@5"])
        self.assertEqual(rows[0][-4:], ["Coverage@20", "Popularity@20", "predictions", "skipped events"])
        for row, entry in zip(rows[1:], entries):
            expected = [f"{entry[metric][cutoff]:.4f}" for cutoff in ("1", "5", "20")
                        for metric in ("recall", "mrr", "ndcg")]
            expected += [f"{entry['coverage']['20']:.4f}", f"{entry['popularity']['20']:.6f}"]
            expected += [f"{entry['predictions']:,}", f"{entry['skipped_unknown']:,}"]
            self.assertEqual(row[1:], expected)
        self.assertIn(["engine", self.report["engine"]], self.page.tables["Training, data and machine"])

    def test_baselines_are_those_of_the_command(self):
        self.run_well("baselines", "shop.tsv", "test.tsv", "--measure", "1,5,20", "--details", "--report", "b.json")
        entries = json.loads(self.read("b.json"))["evaluations"]
        self.assertEqual([entry["baseline"] for entry in entries], BASELINES)
        for entry, beside in zip(entries, self.report["evaluations"][1:]):
            for key in ("recall", "mrr", "coverage", "by_position", "by_popularity", "ranks"):
                self.assertEqual(entry[key], beside[key], key)

    def test_groups_and_ranks_add_up_to_the_whole(self):
        for entry in self.report["evaluations"]:
            for key in ("by_position", "by_session_length", "by_popularity"):
                groups = entry[key]
                self.assertGreater(len(groups), 2)
                self.assertEqual(sum(group["predictions"] for group in groups), entry["predictions"])
                for metric in ("recall", "mrr", "ndcg"):
                    for cutoff, value in entry[metric].items():
                        total = sum(group[metric][cutoff] * group["predictions"] for group in groups)
                        self.assertAlmostEqual(total / entry["predictions"], value, places=12)
            counted = {group["up_to"]: group["predictions"] for group in entry["ranks"]}
            self.assertEqual(sum(counted.values()) + entry["unranked"], entry["predictions"])
            for cutoff, value in entry["recall"].items():
                hits = sum(n for up_to, n in counted.items() if up_to <= int(cutoff))
                self.assertAlmostEqual(hits / entry["predictions"], value, places=12)

    def test_the_curves_are_those_of_the_epochs(self):
        epochs = self.report["epochs"]
        self.assertEqual([round(epoch["learning_rate"], 9) for epoch in epochs], [0.05, 0.025, 0.0125])
        for epoch in epochs:
            self.assertEqual(epoch["gradient_norms"].keys(), {"all", "layer.0", "output"})
            whole = epoch["gradient_norms"]["all"]
            self.assertTrue(0 < whole["mean"] <= whole["largest"])
            self.assertEqual(whole["updates"], (epoch["steps"] + 49) // 50)
            self.assertTrue(all(norm >= 0 for norm in epoch["weight_norms"].values()))
            self.assertIn("Wy.weight", epoch["weight_norms"])
        for caption, values in (("Loss", [epoch["loss"] for epoch in epochs]),
                                ("Throughput", [epoch["events_per_second"] for epoch in epochs]),
                                ("Learning rate", [epoch["learning_rate"] for epoch in epochs])):
            svg = "{http://www.w3.org/2000/svg}"
            marks = self.page.figures[caption].findall(svg + "circle")
            heights = [float(mark.get("cy")) for mark in marks]
            self.assertEqual([mark.find(svg + "title").text for mark in marks],
                             [f"{i}: {digits(value)}" for i, value in enumerate(values, 1)])
            self.assertEqual(sorted(heights, reverse=True), [h for _, h in sorted(zip(values, heights))])

    def test_the_page_is_self_contained_and_accessible(self):
        tags = {tag for tag, _ in self.page.elements}
        self.assertFalse(tags & {"script", "img", "link", "iframe", "object", "base"})
        for tag, attributes in self.page.elements:
            self.assertFalse(attributes.keys() & {"href", "src", "onclick", "onload"}, (tag, attributes))
        charts = [attributes for tag, attributes in self.page.elements
                  if tag == "svg" and "chart" in attributes.get("class", "").split()]
        self.assertEqual(len(charts), len(self.page.figures))
        self.assertGreater(len(charts), 15)
        self.assertTrue(all(chart["role"] == "img" and chart["aria-label"] for chart in charts))
        self.assertEqual(sum(tag == "details" for tag, _ in self.page.elements), len(charts))
        self.assertEqual(self.page.headings, [
            "Training report", "Results", "Training", "Which targets are found, test.tsv", "Ranks and lists, test.tsv",
            "Run"])

    def test_a_run_without_test_data_is_measured_on_the_validation_data(self):
        self.run_well("train", "shop.tsv", "--params", PARAMS, "--valid", "valid.tsv", "--patience", 1, "--report",
                      "v.html", "--report", "v.json")
        report = json.loads(self.read("v.json"))
        entry, = report["evaluations"]
        best = report["epochs"][report["best_epoch"] - 1]["valid"][0]
        self.assertEqual((entry["file"], entry["recall"], entry["mrr"]), ("valid.tsv", best["recall"], best["mrr"]))
        self.assertIn("Which targets are found, valid.tsv", Page(self.read("v.html")).headings)

    def test_a_run_without_any_data_to_measure_says_how_to_measure(self):
        self.run_well("train", "shop.tsv", "--params", "layers=8,n_epochs=1", "--report", "bare.html")
        text = self.read("bare.html")
        self.assertIn("Nothing was measured", text)
        self.assertIn("No validation curve", text)
        self.assertIn("Loss", Page(text).figures)

    def test_evaluate_makes_a_page_too(self):
        self.run_well("evaluate", "run.st", "test.tsv", "--report", "e.html")
        page = Page(self.read("e.html"))
        self.assertIn("Evaluation report", page.headings)
        self.assertIn("Recall@20 by position in the session", page.figures)

    def test_the_case_of_an_ending_does_not_matter(self):
        for name in ("E.HTML", "e.Htm"):
            self.run_well("evaluate", "run.st", "test.tsv", "--report", name)
            self.assertIn("Evaluation report", Page(self.read(name)).headings)

    def test_json_without_details_has_none(self):
        self.run_well("train", "shop.tsv", "--params", PARAMS, "--test", "test.tsv", "--report", "plain.json")
        report = json.loads(self.read("plain.json"))
        self.assertNotIn("weight_norms", report["epochs"][0])
        self.assertNotIn("gradient_norms", report["epochs"][0])
        self.assertFalse(report["evaluations"][0].keys() & {"coverage", "by_position", "ranks"})

    def test_runs_are_compared(self):
        self.run_well("train", "shop.tsv", "--params", "layers=24,n_epochs=2,n_sample=32", "--test", "test.tsv",
                      "--measure", "1,5,20", "--details", "--report", "wide.json")
        done = self.run_well("compare", "run.json", "wide.json", "--report", "both.html")
        self.assertEqual(done.stdout, "both.html: 2 runs\n")
        text = self.read("both.html")
        page = Page(text)
        rows = page.tables["test.tsv"]
        self.assertEqual([row[0] for row in rows[1:]], ["run", *(f"run, {name}" for name in BASELINES), "wide"])
        wide = json.loads(self.read("wide.json"))["evaluations"][0]
        self.assertEqual(rows[-1][1], f"{wide['recall']['1']:.4f}")
        parameters = page.tables["Parameters, those that differ first"]
        self.assertEqual(parameters[0], ["run", "run", "wide"])
        self.assertIn(["layers", "16", "24"], parameters[1:4])
        self.run_well("compare", "run.json", "wide.json", "--report", "again.html")
        self.assertEqual(self.read("again.html"), text)
        self.run_well("compare", "run.json", "--report", "one.html")
        self.assertEqual(Page(self.read("one.html")).tables["test.tsv"], self.page.tables["test.tsv"])

    def test_names_of_files_are_text_on_the_page(self):
        names = ["<script>alert(1)<", os.fsdecode(b"\xff\xfe&'")]
        for name in names:
            (self.folder / name).write_text(self.read("run.json"), encoding="utf-8")
        self.run_well("compare", *names, "run.json", "--report", "names.html")
        text = self.read("names.html")
        self.assertNotIn("<script", text)
        self.assertIn("&lt;script&gt;alert(1)&lt;", text)
        self.assertIn("\ufffd\ufffd&amp;&#39;", text)
        Page(text)
        for name in names:
            (self.folder / name).unlink()

    def test_files_that_are_not_reports_are_refused(self):
        def damaged(text):
            (self.folder / "bad.json").write_text(text, encoding="utf-8")
            return "compare", "run.json", "bad.json", "--report", "no.html"

        def changed(change):
            report = json.loads(self.read("run.json"))
            change(report)
            return damaged(json.dumps(report))

        self.refuses(2, ["bad.json", "expected JSON"], *damaged("{"))
        self.refuses(2, ["bad.json", "report_version"], *damaged("{}"))
        self.refuses(2, ["bad.json", "levels deep"], *damaged("[" * 1_000_000))
        self.refuses(2, ["bad.json", "values"], *damaged("[" + "0," * 4_100_000 + "0]"))
        self.refuses(2, ["bad.json: epochs[1].loss: expected a number or null, found a string"],
                     *changed(lambda r: r["epochs"][1].update(loss="x")))
        self.refuses(2, ["bad.json: epochs[2].epoch: expected a whole number from 0 to 2147483647"],
                     *changed(lambda r: r["epochs"][2].update(epoch=1 << 53)))
        plain = {"file": "t", "ties": "c", "predictions": 1, "skipped_unknown": 0, "seconds": 0}
        self.refuses(2, ["would have more than 4000000 numbers"], *changed(lambda r: r.update(evaluations=[
            plain | {"recall": {str(1000 * i + j): 0.5 for j in range(1, 101)}} for i in range(1000)])))
        self.refuses(2, ["bad.json: report_version: expected 1, found 2"],
                     *changed(lambda r: r.update(report_version=2)))
        self.refuses(2, ["bad.json: evaluations[0].by_position[0].predictions"],
                     *changed(lambda r: r["evaluations"][0]["by_position"][0].update(predictions=0.5)))
        (self.folder / "bad.json").unlink()
        self.refuses(3, ["absent.json"], "compare", "absent.json", "--report", "no.html")
        self.refuses(2, ["--report", "run.json"], "compare", "run.json", "--report", "run.json")
        (self.folder / "other.json").write_text("{}", encoding="utf-8")
        self.refuses(2, ["--report: 'other.json' is the name of a JSON report", "such as runs.html"], "compare",
                     "run.json", "--report", "other.json")
        (self.folder / "other.json").unlink()
        (self.folder / "OTHER.JSON").write_text("{}", encoding="utf-8")
        self.refuses(2, ["--report: 'OTHER.JSON' is the name of a JSON report"], "compare", "run.json", "--report",
                     "OTHER.JSON")
        (self.folder / "OTHER.JSON").rename(self.folder / "other")
        self.refuses(2, ["--report: 'other' holds JSON"], "compare", "run.json", "--report", "other")
        (self.folder / "other").unlink()
        self.refuses(3, ["nowhere"], "compare", "run.json", "--report", "nowhere/r.html")
        self.refuses(2, ["at most 24"], "compare", *25 * ["run.json"], "--report", "no.html")
        self.refuses(2, ["--report"], "compare", "run.json")

    def test_a_report_without_an_end_is_refused(self):
        self.refuses(3, ["/dev/zero: is a device"], "compare", "run.json", "/dev/zero", "--report", "no.html")
        with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as endless:
            done = subprocess.run([PROGRAM, "compare", "/dev/stdin", "--report", "no.html"], cwd=self.folder, text=True,
                                  stdin=endless.stdout, capture_output=True, timeout=300)
            endless.stdout.close()
        self.assertEqual((done.returncode, done.stderr),
                         (2, "gru4rec: /dev/stdin: expected at most 67108864 bytes, found more\n"))
        self.assertFalse((self.folder / "no.html").exists())

    def test_a_pipe_that_nothing_writes_to_is_refused(self):
        os.mkfifo(self.folder / "pipe")
        self.refuses(3, ["pipe: is a pipe that nothing writes to"], "compare", "run.json", "pipe", "--report", "no.html")
        (self.folder / "pipe").unlink()

    def test_options_that_would_do_nothing_are_refused(self):
        self.refuses(2, ["--details", "--report"], *TRAIN, "--details")
        self.refuses(2, ["--baselines", "--test or --valid"], "train", "shop.tsv", "--baselines")
        self.refuses(2, ["--report", "x.html"], *TRAIN, "--report", "x.html", "--report", "x.html")
        self.refuses(3, ["nowhere"], *TRAIN, "--report", "x.html", "--report", "nowhere/r.json")

    @unittest.skipUnless(TEST_DATA, "GRU4REC_TEST_DATA names no folder")
    def test_a_run_on_real_sessions(self):
        data = pathlib.Path(TEST_DATA) / "data" / "toy"
        self.run_well("train", data / "train_full.tsv", "--params", "layers=32,n_epochs=2,n_sample=256,batch_size=128",
                      "--test", data / "test.tsv", "--report", "toy.html", "--report", "toy.json")
        entry, = json.loads(self.read("toy.json"))["evaluations"]
        page = Page(self.read("toy.html"))
        self.assertEqual(page.tables[str(data / "test.tsv")][1][1:4],
                         [f"{entry[metric]['20']:.4f}" for metric in ("recall", "mrr", "ndcg")])
        self.assertGreater(len(entry["by_popularity"]), 5)


if __name__ == "__main__":
    PROGRAM = program_under_test()
    unittest.main()

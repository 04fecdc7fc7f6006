"""The program gru4rec as its users meet it: commands, reports, exit statuses.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77). Reference runs
need the folder that GRU4REC_TEST_DATA names.
"""
import json
import math
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from program_under_test import program_under_test

PROGRAM = None
TEST_DATA = os.environ.get("GRU4REC_TEST_DATA", "")
SMALL = "layers=16,n_epochs=2,n_sample=32"
REPORT_KEYS = ["version", "report_version", "cpu", "engine", "flags", "threads", "seed", "params", "data", "epochs",
               "step_loss", "evaluations", "peak_rss_bytes"]
EVALUATION_KEYS = ["file", "ties", "predictions", "skipped_unknown", "recall", "mrr", "ndcg", "seconds"]


class CliTest(unittest.TestCase):
    """Every test has a folder of its own with shop.tsv and test.tsv in it; the program runs in that folder."""

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        for name, options in (("shop.tsv", ["--sessions", "1500", "--items", "80"]),
                              ("test.tsv", ["--sessions", "150", "--items", "90", "--seed", "7"])):
            subprocess.run([PROGRAM, "synth", f"{cls.data.name}/{name}", *options], check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.data.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for file in pathlib.Path(self.data.name).iterdir():
            shutil.copy(file, self.folder)

    def command(self, *arguments):
        return [PROGRAM, *(str(a) for a in arguments)]

    def run_program(self, *arguments, **options):
        return subprocess.run(self.command(*arguments), cwd=self.folder, text=True, timeout=300,
                              **{"capture_output": True, **options})

    def run_well(self, *arguments):
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done

    def refuses(self, status, fragments, *arguments):
        """Exits with `status`, one message that holds the fragments, and leaves every file as it was."""
        def files():
            return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        before = files()
        done = self.run_program(*arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        self.assertRegex(done.stderr, r"\Agru4rec: [^\n]+\n\Z", "one line")
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual(files(), before, "files were written")

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def read(self, name):
        return (self.folder / name).read_bytes()

    def report(self, name="r.json"):
        return json.loads(self.read(name))

    def inspect(self, name):
        return json.loads(self.run_well("inspect", name, "--json").stdout)


class Help(CliTest):
    def test_the_version_is_printed(self):
        self.assertRegex(self.run_well("--version").stdout, r"\Agru4rec \d+\.\d+\.\d+ \(engine [\w-]+\)\n\Z")

    def test_the_engine_is_the_one_that_the_environment_names(self):
        def run_with(engine):
            return self.run_program("--version", env={**os.environ, "GRU4REC_ENGINE": engine})
        name = re.search(r"engine ([\w-]+)", self.run_well("--version").stdout)[1]
        self.assertEqual(run_with(name).stdout, self.run_well("--version").stdout)
        refused = run_with("x86-64-v9")
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertRegex(refused.stderr, r"\Agru4rec: GRU4REC_ENGINE is 'x86-64-v9', but the engines here are: [^\n]*"
                         + name + r"[^\n]*\n\Z")

    def test_every_option_is_described_with_its_default(self):
        commands = {"train": 28, "evaluate": 13, "baselines": 7, "recommend": 8, "inspect": 1, "import": 4,
                    "preprocess": 11, "synth": 4}
        overview = self.run_well("--help").stdout
        for command, at_least in commands.items():
            self.assertIn(command, overview)
            text = self.run_well(command, "--help").stdout
            options = re.split(r"\n  (?=--)", re.split("(?i)\noptions:", text)[1].split("\n\n")[0])[1:]
            self.assertGreaterEqual(len(options), at_least, command)
            for option in options:
                self.assertRegex(option, r"\(default:\s[^)]+\)", command)

    def test_train_lists_the_parameters(self):
        text = self.run_well("train", "--help").stdout
        for entry in ("layers=100", "loss=cross-entropy", "batch_size=32", "n_sample=2048", "sample_alpha=0.5",
                      "constrained_embedding=true", "gru_variant=reset_before", "adapt=adagrad", "learning_rate"):
            self.assertIn(entry, text)


class Synth(CliTest):
    def test_a_seed_gives_the_same_file_again_and_another_seed_another(self):
        done = self.run_well("synth", "a.tsv", "--sessions", 300, "--items", 50, "--seed", 1)
        self.run_well("synth", "b.tsv", "--sessions", 300, "--items", 50, "--seed", 1)
        self.run_well("synth", "c.tsv", "--sessions", 300, "--items", 50, "--seed", 2)
        self.assertEqual(self.read("a.tsv"), self.read("b.tsv"))
        self.assertNotEqual(self.read("a.tsv"), self.read("c.tsv"))
        lines = self.read("a.tsv").decode().splitlines()
        self.assertEqual(lines[0], "SessionId\tItemId\tTime")
        rows = [line.split("\t") for line in lines[1:]]
        self.assertEqual(len({row[0] for row in rows}), 300)
        self.assertLessEqual(len({row[1] for row in rows}), 50)
        self.assertIn(f"a.tsv: 300 sessions, {len({row[1] for row in rows})} items, {len(rows)} events", done.stdout)


class Train(CliTest):
    def test_the_report_has_its_documented_shape(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--test", "test.tsv", "--test", "shop.tsv", "--measure",
                      "1,20", "--ties", "conservative,standard,median", "--log-steps", 5, "--seed", 7, "--threads", 1,
                      "--report", "r.json")
        report = self.report()
        self.assertEqual(list(report), REPORT_KEYS)
        self.assertRegex(report["version"], r"^\d+\.\d+\.\d+$")
        self.assertIn(f"(engine {report['engine']})", self.run_well("--version").stdout)
        self.assertTrue(report["cpu"] and report["flags"])
        self.assertEqual((report["threads"], report["seed"]), (1, 7))
        self.assertEqual((report["params"]["layers"], report["params"]["n_sample"]), ("16", "32"))
        rows = [line.split("\t") for line in self.read("shop.tsv").decode().splitlines()[1:]]
        n_sessions = len({row[0] for row in rows})
        self.assertEqual(report["data"],
                         {"sessions": n_sessions, "items": len({row[1] for row in rows}), "events": len(rows)})
        self.assertEqual([epoch["epoch"] for epoch in report["epochs"]], [1, 2])
        for epoch in report["epochs"]:
            self.assertEqual(list(epoch), ["epoch", "loss", "seconds", "steps", "pairs", "events_per_second",
                                           "learning_rate"])
            self.assertEqual(epoch["pairs"], len(rows) - n_sessions)
            self.assertAlmostEqual(epoch["events_per_second"] * epoch["seconds"], epoch["pairs"], delta=1e-3)
            self.assertGreater(epoch["steps"], epoch["pairs"] // 32)
        self.assertEqual(len(report["step_loss"]), 5)
        self.assertEqual([(e["file"], e["ties"]) for e in report["evaluations"]],
                         [(file, ties) for file in ("test.tsv", "shop.tsv")
                          for ties in ("conservative", "standard", "median")])
        for entry in report["evaluations"]:
            self.assertEqual(list(entry), EVALUATION_KEYS)
            self.assertEqual([list(entry[metric]) for metric in ("recall", "mrr", "ndcg")], 3 * [["1", "20"]])
            self.assertLessEqual(0, entry["mrr"]["20"])
            self.assertLess(entry["mrr"]["20"], entry["ndcg"]["20"])
            self.assertLess(entry["ndcg"]["20"], entry["recall"]["20"])
            self.assertLessEqual(entry["recall"]["20"], 1)
        known = {row[1] for row in rows}
        test_rows = [line.split("\t") for line in self.read("test.tsv").decode().splitlines()[1:]]
        unknown = sum(row[1] not in known for row in test_rows)
        self.assertGreater(unknown, 0)
        self.assertEqual(report["evaluations"][0]["skipped_unknown"], unknown)
        self.assertEqual(report["evaluations"][3]["predictions"], len(rows) - n_sessions)
        self.assertGreater(report["peak_rss_bytes"], 1 << 20)

    def test_step_losses_go_on_over_the_epochs_and_end_with_training(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--log-steps", 1000000, "--report", "r.json")
        report = self.report()
        self.assertEqual(len(report["step_loss"]), sum(epoch["steps"] for epoch in report["epochs"]))

    def test_the_output_has_a_line_per_epoch_and_a_table_per_test_file(self):
        done = self.run_well("train", "shop.tsv", "--params", SMALL, "--test", "test.tsv", "--measure", "5,20",
                             "--ties", "conservative,median")
        self.assertEqual(done.stderr, "", "no progress bar where there is no terminal")
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^shop\.tsv: \d+ sessions, \d+ items, \d+ events$")
        for number in (1, 2):
            self.assertRegex(lines[number], rf"^epoch {number}/2  loss \d+\.\d{{6}}  \d+\.\d\d s  \d+\.\d mb/s  "
                                            r"\d+ events/s$")
        self.assertRegex(lines[3], r"^test\.tsv: \d+ predictions, \d+ events of unknown items skipped, \d+\.\d\d s$")
        self.assertEqual(lines[4].split(), ["ties", "cutoff", "Recall", "MRR", "NDCG"])
        table = [line.split() for line in lines[5:]]
        self.assertEqual([row[:2] for row in table],
                         [["conservative", "5"], ["conservative", "20"], ["median", "5"], ["median", "20"]])
        for row in table:
            self.assertRegex(" ".join(row[2:]), r"^[01]\.\d{6} [01]\.\d{6} [01]\.\d{6}$")

    def test_a_terminal_gets_a_progress_bar_that_is_taken_away_again(self):
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            self.command("train", "shop.tsv", "--params", "layers=128,n_epochs=20,n_sample=2048", "--save", "m.st"),
            cwd=self.folder,
            stdout=subprocess.PIPE, stderr=follower, text=True, env={**os.environ, "TERM": "xterm"})
        os.close(follower)
        shown = b""
        while True:
            try:
                block = os.read(leader, 65536)
            except OSError:
                break
            if not block:
                break
            shown += block
        os.close(leader)
        output, _ = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(output.count("\n"), 21)
        text = shown.decode()
        self.assertRegex(text, r"epoch +\d+/20 \[#*\.+\] +\d+\.\d %  loss \d+\.\d{4}  \d+ events/s  ETA 0:\d\d:\d\d")
        self.assertTrue(text.endswith("\r\033[K"), repr(text[-50:]))
        for line in re.split(r"\r|\033\[K", text):
            self.assertLess(len(line), 80)

    def test_validation_data_are_measured_after_every_epoch(self):
        done = self.run_well("train", "shop.tsv", "--params", SMALL, "--valid", "test.tsv", "--test", "test.tsv",
                             "--report", "r.json")
        self.assertEqual(len(re.findall(r"^epoch .*  Recall@20 0\.\d{6}  MRR@20 0\.\d{6}  NDCG@20 0\.\d{6}$", done.stdout, re.M)), 2)
        report = self.report()
        self.assertEqual(len(report["evaluations"]), 1)
        for epoch in report["epochs"]:
            self.assertEqual([list(entry) for entry in epoch["valid"]], [EVALUATION_KEYS])
        last = report["epochs"][-1]["valid"][0]
        self.assertEqual((last["recall"], last["mrr"]),
                         (report["evaluations"][0]["recall"], report["evaluations"][0]["mrr"]))
        self.assertNotEqual(last["mrr"], report["epochs"][0]["valid"][0]["mrr"])

    def test_measuring_between_epochs_changes_nothing_that_is_learnt(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "a.st")
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "b.st", "--valid", "test.tsv")
        self.assertEqual(self.read("a.st"), self.read("b.st"))

    # On sessions of few events a high rate soon learns by heart what does not come again.
    OVERFIT = "layers=64,learning_rate=0.3,n_sample=32,dropout_p_hidden=0.1,lr_decay=0.98"

    def tensors(self, name):
        """All that follows the header of a model file: the weights, and the supports."""
        data = self.read(name)
        return data[8 + int.from_bytes(data[:8], "little"):]

    def test_patience_ends_training_and_gives_the_best_epoch_back(self):
        self.run_well("synth", "few.tsv", "--sessions", 100, "--items", 80)
        for metric in ("recall", "mrr", "ndcg"):
            done = self.run_well("train", "few.tsv", "--params", f"{self.OVERFIT},n_epochs=40", "--valid", "test.tsv", "--test",
                                 "test.tsv", "--patience", 2, "--stop-metric", metric, "--measure", "10,20",
                                 "--save", "a.st", "--report", "a.json")
            report = self.report("a.json")
            best = report["best_epoch"]
            self.assertEqual(len(report["epochs"]), best + 2)
            self.assertLess(best + 2, 40)
            values = [epoch["valid"][0][metric]["10"] for epoch in report["epochs"]]
            self.assertEqual(values.index(max(values)) + 1, best)
            self.assertIn(f"the weights are those of epoch {best}, the best by {metric}\n", done.stdout)
            self.assertEqual(report["evaluations"][0]["mrr"], report["epochs"][best - 1]["valid"][0]["mrr"])
            self.assertNotEqual(report["evaluations"][0]["mrr"], report["epochs"][-1]["valid"][0]["mrr"])
            self.run_well("train", "few.tsv", "--params", f"{self.OVERFIT},n_epochs={best}", "--save", "b.st")
            self.assertEqual(self.tensors("a.st"), self.tensors("b.st"))
        self.run_well("train", "shop.tsv", "--params", SMALL, "--valid", "test.tsv", "--report", "r.json")
        self.assertNotIn("best_epoch", self.report())

    def test_early_stopping_needs_its_data_and_good_values(self):
        self.refuses(2, ["--patience", "--valid"], "train", "shop.tsv", "--params", SMALL, "--patience", 2)
        self.refuses(2, ["--stop-metric", "--patience"], "train", "shop.tsv", "--params", SMALL, "--valid", "test.tsv",
                     "--stop-metric", "mrr")
        self.refuses(2, ["--patience", "'0'"], "train", "shop.tsv", "--params", SMALL, "--valid", "test.tsv",
                     "--patience", 0)
        self.refuses(2, ["--stop-metric", "'loss'", "recall, mrr or ndcg"], "train", "shop.tsv", "--params", SMALL,
                     "--valid", "test.tsv", "--patience", 1, "--stop-metric", "loss")

    def test_a_capped_gradient_and_normal_initial_weights_are_another_model(self):
        models = []
        for more in ("", ",grad_cap=0.001", ",init_as_normal=1", ",grad_cap=1e9"):
            self.run_well("train", "shop.tsv", "--params", f"{SMALL}{more}", "--save", "a.st")
            models.append(self.tensors("a.st"))
        self.assertEqual(len(set(models[:3])), 3)
        self.assertEqual(models[0], models[3])

    def test_more_threads_than_cores_are_not_an_error_and_warn_of_nothing(self):
        done = self.run_well("train", "shop.tsv", "--params", SMALL, "--threads", 1024, "--report", "r.json")
        self.assertEqual(done.stderr, "")
        self.assertLessEqual(self.report()["threads"], os.cpu_count())

    def test_any_number_of_threads_gives_the_same_bytes(self):
        for loss in ("cross-entropy,logq=1,smoothing=0.1", "bpr-max,elu_param=1"):
            parameters = f"layers=24/16,batch_size=64,n_sample=300,n_epochs=2,dropout_p_embed=0.1," \
                         f"dropout_p_hidden=0.2,momentum=0.1,loss={loss}"
            for threads in (1, 2):
                self.run_well("train", "shop.tsv", "--params", parameters, "--threads", threads, "--save",
                              f"{threads}.st", "--test", "test.tsv", "--report", f"{threads}.json")
            self.assertEqual(self.read("1.st"), self.read("2.st"), loss)
            one, two = (self.report(f"{threads}.json") for threads in (1, 2))
            self.assertEqual([epoch["loss"] for epoch in one["epochs"]], [epoch["loss"] for epoch in two["epochs"]])
            self.assertEqual(one["evaluations"][0]["mrr"], two["evaluations"][0]["mrr"])
        self.run_well("train", "shop.tsv", "--params", parameters, "--seed", 43, "--save", "3.st")
        self.assertNotEqual(self.read("1.st"), self.read("3.st"))

    def test_parameters_of_the_command_line_override_those_of_the_file(self):
        self.write("p.json", json.dumps({"layers": [24, 16], "n_epochs": 1, "loss": "bpr-max", "bpreg": 0.5,
                                         "constrained_embedding": False, "embedding": "layersize", "n_sample": 10}))
        self.run_well("train", "shop.tsv", "--param-file", "p.json", "--params", "loss=cross-entropy, logq=1",
                      "--params", "mask_duplicates=1", "--report", "r.json")
        parameters = self.report()["params"]
        expected = {"layers": "24/16", "n_epochs": "1", "loss": "cross-entropy", "logq": "1", "bpreg": "0.5",
                    "constrained_embedding": "false", "embedding": "layersize", "mask_duplicates": "true"}
        self.assertEqual({name: parameters[name] for name in expected}, expected)

    def test_columns_are_found_by_the_names_given(self):
        rows = [line.split("\t") for line in self.read("shop.tsv").decode().splitlines()[1:]]
        self.write("renamed.csv", "when,who,what\n" + "".join(f'{t},"{s}",{i}\n' for s, i, t in rows))
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "a.st")
        self.run_well("train", "renamed.csv", "--params", SMALL, "--save", "b.st", "--session-key", "who",
                      "--item-key", "what", "--time-key", "when")
        self.assertEqual(self.read("a.st"), self.read("b.st"))

    def test_training_goes_on_from_given_weights_whose_rows_are_matched_by_item(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "a.st", "--test", "test.tsv", "--report",
                      "a.json")
        header, *rows = self.read("shop.tsv").decode().splitlines()
        self.write("turned.tsv", "\n".join([header, *reversed(rows)]) + "\n")  # other numbers for the items
        self.run_well("train", "turned.tsv", "--params", SMALL + ",learning_rate=1e-30", "--init", "a.st", "--save",
                      "b.st", "--test", "test.tsv", "--report", "b.json")
        first, second = self.report("a.json"), self.report("b.json")
        self.assertEqual(first["evaluations"][0]["predictions"], second["evaluations"][0]["predictions"])
        self.assertAlmostEqual(first["evaluations"][0]["mrr"]["20"], second["evaluations"][0]["mrr"]["20"], delta=1e-6)
        self.assertLess(second["epochs"][0]["loss"], first["epochs"][0]["loss"])
        self.run_well("train", "shop.tsv", "--params", SMALL, "--init", "a.st", "--save", "a.st")  # in place
        self.assertNotEqual(self.read("a.st"), self.read("b.st"))

    def test_a_reader_who_goes_away_does_not_cost_the_model(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = self.run_program("train", "shop.tsv", "--params", SMALL, "--save", "m.st", capture_output=False,
                                stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(self.inspect("m.st")["dtype"], "F32")


class Evaluate(CliTest):
    def test_a_saved_model_gives_the_metrics_that_it_had(self):
        for precision, dtype in (("float", "F32"), ("double", "F64")):
            self.run_well("train", "shop.tsv", "--params", SMALL, "--precision", precision, "--save", "m.st", "--test",
                          "test.tsv", "--measure", "1,5,20", "--ties", "standard,median", "--report", "r.json")
            done = self.run_well("evaluate", "m.st", "test.tsv", "--measure", "1,5,20", "--ties", "standard,median",
                                 "--report", "e.json")
            trained, evaluated = self.report("r.json"), self.report("e.json")
            for a, b in zip(trained["evaluations"], evaluated["evaluations"], strict=True):
                for entry in (a, b):
                    del entry["seconds"]
                self.assertEqual(a, b)
            self.assertIn(f"{evaluated['evaluations'][0]['mrr']['20']:.6f}", done.stdout)
            self.assertEqual(self.inspect("m.st")["dtype"], dtype)
            self.assertEqual(evaluated["params"], trained["params"])
            self.assertEqual(list(evaluated),
                             [key for key in REPORT_KEYS if key not in ("seed", "epochs", "step_loss")])

    def test_double_and_float_agree_but_are_not_the_same(self):
        losses = []
        for precision in ("float", "double"):
            self.run_well("train", "shop.tsv", "--params", SMALL, "--precision", precision, "--report", "r.json")
            losses.append(self.report()["epochs"][-1]["loss"])
        self.assertNotEqual(losses[0], losses[1])
        self.assertTrue(math.isclose(*losses, rel_tol=1e-2), losses)

    def test_data_without_a_known_item_are_refused(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st")
        self.write("strange.tsv", "SessionId\tItemId\tTime\n1\tx\t1\n1\ty\t2\n")
        self.refuses(2, ["strange.tsv", "no predictions", "2 events of unknown items"], "evaluate", "m.st",
                     "strange.tsv", "--report", "r.json")
        self.refuses(2, ["strange.tsv", "no predictions"], "train", "shop.tsv", "--test", "strange.tsv", "--save",
                     "n.st")

    def test_how_to_measure_needs_something_to_measure(self):
        for option, value in (("--measure", "5"), ("--ties", "median")):
            self.refuses(2, [option, "needs --test or --valid"], "train", "shop.tsv", "--params", SMALL, option, value)
            self.run_well("train", "shop.tsv", "--params", SMALL, option, value, "--valid", "test.tsv")

    def test_options_that_would_do_nothing_are_refused(self):
        self.refuses(2, ["--log-steps", "--report"], "train", "shop.tsv", "--params", SMALL, "--log-steps", 5)
        for option, value in (("--threads", 1), ("--session-key", "s"), ("--item-key", "i"), ("--time-key", "t")):
            self.refuses(2, [option, "--sessions"], "recommend", "m.st", "--session", "1", option, value)

    def test_numbers_are_decimal_with_leading_zeros_too(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--seed", "010", "--report", "r.json")
        self.assertEqual(self.report()["seed"], 10)


class Baselines(CliTest):
    NAMES = ["pop", "s-pop", "markov", "sequential-rules", "item-knn", "bpr-mf", "v-sknn"]

    def test_all_are_measured_and_reported(self):
        done = self.run_well("baselines", "shop.tsv", "test.tsv", "--measure", "1,20", "--ties", "standard,median",
                             "--report", "r.json")
        report = self.report()
        self.assertEqual(list(report), [key for key in REPORT_KEYS if key not in ("seed", "epochs", "step_loss")])
        self.assertEqual((report["params"]["v-sknn.k"], report["params"]["bpr-mf.seed"]), ("100", "42"))
        entries = report["evaluations"]
        self.assertEqual([(e["baseline"], e["ties"]) for e in entries],
                         [(name, ties) for name in self.NAMES for ties in ("standard", "median")])
        data, counts, header, *rows = done.stdout.splitlines()
        self.assertRegex(data, r"^shop\.tsv: 1500 sessions, \d+ items, \d+ events$")
        self.assertEqual(counts, f"test.tsv: {entries[0]['predictions']} predictions, {entries[0]['skipped_unknown']} "
                                 "events of unknown items skipped")
        self.assertEqual(header.split(), ["baseline", "ties", "Recall@1", "MRR@1", "NDCG@1", "Recall@20", "MRR@20",
                                          "NDCG@20", "fit", "s", "test", "s"])
        for row, entry in zip(rows, entries, strict=True):
            self.assertEqual(list(entry), [*EVALUATION_KEYS, "baseline", "fit_seconds"])
            self.assertEqual((entry["file"], entry["predictions"]), ("test.tsv", entries[0]["predictions"]))
            self.assertEqual(row.split()[:8], [entry["baseline"], entry["ties"], *(
                f"{entry[metric][cutoff]:.6f}" for cutoff in ("1", "20") for metric in ("recall", "mrr", "ndcg"))])

    def test_every_other_one_knows_its_training_data_better_than_popularity_does(self):
        self.run_well("baselines", "shop.tsv", "shop.tsv", "--report", "r.json")
        recall = {entry["baseline"]: entry["recall"]["20"] for entry in self.report()["evaluations"]}
        self.assertEqual(len(set(recall.values())), len(self.NAMES))
        self.assertEqual(min(recall, key=recall.get), "pop")

    def test_threads_do_not_change_the_figures(self):
        for threads in (1, 2):
            self.run_well("baselines", "shop.tsv", "test.tsv", "--threads", threads, "--report", f"{threads}.json")
        one, two = (self.report(f"{threads}.json")["evaluations"] for threads in (1, 2))
        self.assertEqual([(e["recall"], e["mrr"]) for e in one], [(e["recall"], e["mrr"]) for e in two])

    def test_columns_are_found_by_the_names_given(self):
        self.run_well("baselines", "shop.tsv", "test.tsv", "--report", "a.json")
        for name in ("shop.tsv", "test.tsv"):
            text = self.read(name).decode()
            self.write(name, text.replace("SessionId\tItemId\tTime", "who\twhat\twhen"))
        self.run_well("baselines", "shop.tsv", "test.tsv", "--report", "b.json", "--session-key", "who", "--item-key",
                      "what", "--time-key", "when")
        a, b = (self.report(name)["evaluations"] for name in ("a.json", "b.json"))
        self.assertEqual([e["mrr"] for e in a], [e["mrr"] for e in b])

    def test_broken_input_is_refused(self):
        self.write("strange.tsv", "SessionId\tItemId\tTime\n1\tx\t1\n1\ty\t2\n")
        self.write("bad.tsv", "SessionId\tItemId\tTime\n1\tx\t1\n1\ty\n")
        self.refuses(2, ["strange.tsv", "no predictions"], "baselines", "shop.tsv", "strange.tsv", "--report", "r.json")
        self.refuses(2, ["bad.tsv:3"], "baselines", "bad.tsv", "test.tsv", "--report", "r.json")
        self.refuses(3, ["none.tsv"], "baselines", "shop.tsv", "none.tsv", "--report", "r.json")
        self.refuses(2, ["--report", "TEST"], "baselines", "shop.tsv", "test.tsv", "--report", "test.tsv")
        self.refuses(2, ["--ranks"], "baselines", "shop.tsv", "test.tsv", "--ranks", "ranks.tsv")
        self.refuses(2, ["--measure", "'0'"], "baselines", "shop.tsv", "test.tsv", "--measure", "0")
        self.refuses(2, ["DATA"], "baselines", "shop.tsv")


class Preprocess(CliTest):
    FILES = ["train_full.tsv", "test.tsv", "train_tr.tsv", "train_valid.tsv"]

    def setUp(self):
        super().setUp()
        numbers = random.Random(5)
        self.events = []  # (session, item, time)
        for session in range(400):
            start = 1000 * session
            for _ in range(numbers.randint(1, 7)):
                self.events.append((f"s{session}", f"i{numbers.randint(0, numbers.randint(0, 120))}", start))
                start += numbers.choice((0, 5, 700, 9000))
        numbers.shuffle(self.events)
        self.write_events("raw.tsv", self.events)
        (self.folder / "out").mkdir()

    def write_events(self, name, events, header="SessionId\tItemId\tTime"):
        return self.write(name, "".join(f"{line}\n" for line in [header, *("\t".join(map(str, e)) for e in events)]))

    def table(self, name, folder="out"):
        header, *lines = self.read(f"{folder}/{name}").decode().splitlines()
        self.assertEqual(header, "SessionId\tItemId\tTime")
        return [(session, item, int(time)) for session, item, time in (line.split("\t") for line in lines)]

    @staticmethod
    def sessions(events):
        by_session = {}
        for event in events:
            by_session.setdefault(event[0], []).append(event)
        return {session: sorted(rows, key=lambda event: event[2]) for session, rows in by_session.items()}

    def long_enough(self, events):
        return [event for rows in self.sessions(events).values() if len(rows) >= 2 for event in rows]

    def recipe(self, events, duration):
        """The four files as the manual describes them, in plain words."""
        events = [event for rows in self.sessions(events).values() for event in rows]
        before = None
        while before != events:
            before = events
            items = [event[1] for event in self.long_enough(events)]
            events = [event for event in self.long_enough(events) if items.count(event[1]) >= 5]

        def split(events):
            at = max(event[2] for event in events) - duration
            sessions = self.sessions(events).values()
            train = self.long_enough([e for rows in sessions if rows[0][2] <= at for e in rows if e[2] < at])
            known = {event[1] for event in train}
            return train, self.long_enough([e for rows in sessions if rows[0][2] > at for e in rows if e[1] in known])
        train, test = split(events)
        return dict(zip(self.FILES, (train, test, *split(train))))

    def test_the_four_files_are_those_of_the_recipe(self):
        done = self.run_well("preprocess", "raw.tsv", "--out", "out", "--test-duration", 60000)
        expected = self.recipe(self.events, 60000)
        for name in self.FILES:
            self.assertEqual(self.table(name), expected[name], name)
            self.assertIn(f"out/{name}: {len({e[0] for e in expected[name]})} sessions, "
                          f"{len({e[1] for e in expected[name]})} items, {len(expected[name])} events\n", done.stdout)
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()), sorted(self.FILES))

    def test_the_account_tells_what_was_dropped_and_why(self):
        done = self.run_well("preprocess", "raw.tsv", "--out", "out", "--test-duration", 60000)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:2], ["raw.tsv", "     dropped    sessions       items      events"])
        steps = [line.split(maxsplit=4) for line in lines[2:] if not line.startswith("out/")]
        self.assertEqual(steps[0], ["0", "400", str(len({e[1] for e in self.events})), str(len(self.events)), "read"])
        told = [step[4] for step in steps]
        for text in ("sessions of fewer than 2 events", "items of fewer than 5 events",
                     "sessions of fewer than 2 events, pass 2", "train_full: events from then on cut",
                     "test: items that train_full lacks", "train_valid: items that train_tr lacks"):
            self.assertIn(text, told)
        singles = sum(len(rows) == 1 for rows in self.sessions(self.events).values())
        self.assertEqual(steps[1][:2], [str(singles), str(400 - singles)])

    def test_every_threshold_counts(self):
        def run(*options, duration=60000):
            self.run_well("preprocess", "raw.tsv", "--out", "out", "--test-duration", duration, *options)
            return self.table("train_full.tsv")
        usual = run()
        short = min(len(rows) for rows in self.sessions(usual).values())
        self.assertEqual(short, 2)
        self.assertEqual(min(len(rows) for rows in self.sessions(run("--min-session-length", 3)).values()), 3)
        self.assertLess(len({e[1] for e in run("--min-item-support", 20)}), len({e[1] for e in usual}))

        def repeats(events):
            return sum(a[:2] == b[:2] for a, b in zip(events, events[1:]))
        self.assertGreater(repeats(usual), 0)
        self.assertEqual(repeats(run("--collapse-repeats")), 0)
        self.assertLess(max(e[2] for e in run(duration=120000)), max(e[2] for e in usual))

        def longest_gap(events):
            return max(b[2] - a[2] for rows in self.sessions(events).values() for a, b in zip(rows, rows[1:]))
        for gap, longest in ((8999, 700), (9000, 9000), (4, 0)):
            self.assertEqual(longest_gap(run("--gap", gap, "--min-item-support", 1, "--min-session-length", 1)), longest)

    def test_without_session_ids_visitors_or_the_whole_file_are_cut_at_gaps(self):
        self.run_well("preprocess", "raw.tsv", "--out", "out", "--test-duration", 60000, "--gap", 3600)
        by_hand = {name: self.read(f"out/{name}") for name in self.FILES}
        self.write_events("visitors.tsv", self.events, "who\tItemId\tTime")
        self.run_well("preprocess", "visitors.tsv", "--out", "out", "--test-duration", 60000, "--visitor-key", "who",
                      "--time-unit", "s")
        self.assertEqual({name: self.read(f"out/{name}") for name in self.FILES}, by_hand)

        visits = [(item, 20000 * visit + 3600 * at) for visit in range(40) for at, item in enumerate("abc")]
        self.write_events("log.tsv", visits, "ItemId\tTime")
        self.run_well("preprocess", "log.tsv", "--out", "out", "--one-visitor", "--gap", 3599, "--min-session-length", 1,
                      "--time-unit", "s")
        self.assertEqual({len(rows) for rows in self.sessions(self.table("train_full.tsv")).values()}, {1})
        self.run_well("preprocess", "log.tsv", "--out", "out", "--one-visitor", "--test-duration", 90000,
                      "--time-unit", "s")
        sessions = self.sessions(self.table("train_full.tsv") + self.table("test.tsv"))
        self.assertEqual([[event[1] for event in rows] for rows in sessions.values()], [list("abc")] * 40)
        self.assertEqual(list(sessions)[:3], ["1", "1:2", "1:3"])

    def test_names_of_columns_are_kept(self):
        self.write("renamed.csv", "when,who,what\n" + "".join(f"{t},{s},{i}\n" for s, i, t in self.events))
        self.run_well("preprocess", "renamed.csv", "--out", "out", "--test-duration", 60000, "--session-key", "who",
                      "--item-key", "what", "--time-key", "when")
        renamed = {name: self.read(f"out/{name}").decode() for name in self.FILES}
        self.run_well("preprocess", "raw.tsv", "--out", "out", "--test-duration", 60000)
        for name in self.FILES:
            self.assertEqual(renamed[name], self.read(f"out/{name}").decode().replace("SessionId\tItemId\tTime",
                                                                                     "who\twhat\twhen"))

    def test_what_is_written_can_be_trained_on_and_measured(self):
        self.run_well("preprocess", "raw.tsv", "--out", "out", "--test-duration", 60000)
        done = self.run_well("train", "out/train_full.tsv", "--params", SMALL, "--test", "out/test.tsv")
        self.assertIn(" 0 events of unknown items skipped", done.stdout)

    def test_broken_input_is_refused(self):
        self.refuses(2, ["--out"], "preprocess", "raw.tsv")
        self.refuses(3, ["none", "does not exist"], "preprocess", "raw.tsv", "--out", "none")
        self.refuses(3, ["none.tsv"], "preprocess", "none.tsv", "--out", "out")
        self.refuses(2, ["raw.tsv", "train_full.tsv", "--test-duration"], "preprocess", "raw.tsv", "--out", "out",
                     "--test-duration", 10**9)
        self.refuses(2, ["raw.tsv", "no event is left", "--min-item-support"], "preprocess", "raw.tsv", "--out", "out",
                     "--min-item-support", 10**6, "--time-unit", "s")
        self.refuses(2, ["--test-duration", "must be given"], "preprocess", "raw.tsv", "--out", "out")
        self.write_events("bad.tsv", [*self.events[:3], ("s", "i", "noon")])
        self.refuses(2, ["bad.tsv:5", '"noon"'], "preprocess", "bad.tsv", "--out", "out")
        self.refuses(2, ["raw.tsv:1", '"who"'], "preprocess", "raw.tsv", "--out", "out", "--visitor-key", "who")
        self.refuses(2, ["--one-visitor", "--visitor-key"], "preprocess", "raw.tsv", "--out", "out", "--one-visitor",
                     "--visitor-key", "SessionId")
        for option, wrong in (("--gap", -1), ("--min-session-length", 0), ("--min-item-support", 0),
                              ("--test-duration", 0), ("--test-duration", "day")):
            self.refuses(2, [option, f"'{wrong}'"], "preprocess", "raw.tsv", "--out", "out", option, wrong)
        late = [(f'"{s[0]}\t{s[1:]}"' if int(s[1:]) > 300 else s, i, t) for s, i, t in self.events]
        self.write("tabs.csv", "\n".join(["SessionId,ItemId,Time", *(",".join(map(str, e)) for e in late)]) + "\n")
        self.refuses(2, ["session id", "or contain a TAB"], "preprocess", "tabs.csv", "--out", "out",
                     "--time-unit", "s")
        (self.folder / "out" / "test.tsv").write_bytes(self.read("raw.tsv"))
        self.refuses(2, ["--out", "EVENTS"], "preprocess", "out/test.tsv", "--out", "out")


class Recommend(CliTest):
    def setUp(self):
        super().setUp()
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st")
        self.items = [line.split("\t")[1] for line in self.read("shop.tsv").decode().splitlines()[1:]]
        self.popular = sorted(set(self.items), key=lambda item: (-self.items.count(item), self.items.index(item)))

    def rows(self, text):
        return [line.split("\t") for line in text.splitlines()]

    def test_a_session_gets_ranked_items(self):
        done = self.run_well("recommend", "m.st", "--session", ",".join(self.items[:3]), "--top", 5)
        header, *rows = self.rows(done.stdout)
        self.assertEqual(header, ["Rank", "ItemId", "Score"])
        self.assertEqual([row[0] for row in rows], ["1", "2", "3", "4", "5"])
        scores = [float(row[2]) for row in rows]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue({row[1] for row in rows} <= set(self.items))
        self.assertEqual(done.stderr, "")

    def test_as_many_as_there_are_items_at_most(self):
        done = self.run_well("recommend", "m.st", "--session", self.items[0], "--top", 1000)
        self.assertEqual(sorted(row[1] for row in self.rows(done.stdout)[1:]), sorted(set(self.items)))
        self.assertEqual(len(self.rows(self.run_well("recommend", "m.st", "--session", self.items[0]).stdout)), 21)

    def test_unknown_items_are_named_and_skipped(self):
        known = self.run_well("recommend", "m.st", "--session", f"{self.items[0]},{self.items[1]}")
        mixed = self.run_well("recommend", "m.st", "--session", f"-1,{self.items[0]},nope,{self.items[1]}")
        self.assertEqual(mixed.stdout, known.stdout)
        self.assertEqual(mixed.stderr, "gru4rec: unknown items skipped: -1, nope\n")
        odd = self.run_well("recommend", "m.st", "--session", "two\nlines,\x1b[1m")
        self.assertIn("skipped: two\\x0alines, \\x1b[1m\n", odd.stderr)
        self.refuses(2, ["--session", "empty item id"], "recommend", "m.st", "--session", f"{self.items[0]},,nope")

    def test_a_session_without_known_items_gets_the_popular_ones(self):
        for session in ("", "nope", "nope,neither"):
            done = self.run_well("recommend", "m.st", "--session", session, "--top", 4)
            self.assertEqual([row[1] for row in self.rows(done.stdout)[1:]], self.popular[:4])
            self.assertIn("most popular items", done.stderr)

    def test_many_sessions_get_what_each_gets_alone(self):
        a, b, c = self.items[:3]
        self.write("open.csv", f'SessionId,ItemId,Time\n"A, 1",{a},1\nB,nope,1\n"A, 1",{c},3\n"A, 1",{b},2\nC,{c},1\n')
        done = self.run_well("recommend", "m.st", "--sessions", "open.csv", "--out", "top.tsv", "--top", 3)
        self.assertEqual(done.stdout, "")
        self.assertIn("1 events of unknown items skipped", done.stderr)
        self.assertIn("1 of 3 sessions", done.stderr)
        header, *rows = self.rows(self.read("top.tsv").decode())
        self.assertEqual(header, ["SessionId", "Rank", "ItemId", "Score"])
        self.assertEqual([row[0] for row in rows], ["A, 1"] * 3 + ["B"] * 3 + ["C"] * 3)
        for session, part in ((f"{a},{b},{c}", rows[:3]), ("", rows[3:6]), (c, rows[6:])):
            alone = self.rows(self.run_well("recommend", "m.st", "--session", session, "--top", 3).stdout)[1:]
            self.assertEqual([row[1:] for row in part], alone)
        for out in ([], ["--out", "-"]):
            printed = self.run_well("recommend", "m.st", "--sessions", "open.csv", "--top", 3, *out).stdout
            self.assertEqual(printed, self.read("top.tsv").decode())

    def test_threads_do_not_change_the_order_or_the_scores(self):
        for threads in (1, 2):
            self.run_well("recommend", "m.st", "--sessions", "shop.tsv", "--out", f"{threads}.tsv", "--threads", threads)
        self.assertEqual(self.read("1.tsv"), self.read("2.tsv"))
        self.assertEqual(len(self.rows(self.read("1.tsv").decode())), 1 + 20 * 1500)

    def test_one_of_the_two_ways_to_give_sessions_is_needed(self):
        self.refuses(2, ["--session", "--sessions"], "recommend", "m.st")
        self.refuses(2, ["--session", "--sessions"], "recommend", "m.st", "--session", "1", "--sessions", "shop.tsv")
        self.refuses(2, ["--out", "--sessions"], "recommend", "m.st", "--session", "1", "--out", "o.tsv")
        self.refuses(2, ["--out", "shop.tsv"], "recommend", "m.st", "--sessions", "shop.tsv", "--out", "shop.tsv")


class Inspect(CliTest):
    def test_a_model_file_is_described(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st", "--precision", "double")
        text = self.run_well("inspect", "m.st").stdout
        for pattern in (r"m\.st, \d+ bytes", r"gru4rec model, version 2", r"precision +double", r"items +\d+",
                        r"layers +16", r"n_sample +32", r"Wy\.weight +F64 +\(\d+, 16\)", r"G\.0\.Wrz +F64 +\(16, 32\)"):
            self.assertRegex(text, pattern)
        described = self.inspect("m.st")
        self.assertEqual(described["params"]["layers"], "16")
        self.assertIn({"name": "G.0.Wh", "dtype": "F64", "shape": [16, 16]}, described["tensors"])

    def test_a_file_that_is_no_model_is_not_called_a_start_of_training(self):
        header = b'{"odd\\u001b[1m\\nname":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        (self.folder / "w.st").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
        text = self.run_well("inspect", "w.st").stdout
        self.assertIn("safetensors, not a model\n", text)
        self.assertIn("odd\\x1b[1m\\x0aname", text)

    def test_a_checkpoint_is_not_called_weights_to_start_from(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--checkpoint", "c.st")
        text = self.run_well("inspect", "c.st").stdout
        self.assertIn("not a model: a checkpoint, for train --resume\n", text)
        self.assertNotIn("--init", text)
        self.refuses(2, ["c.st"], "train", "shop.tsv", "--params", SMALL, "--init", "c.st")

    def test_a_damaged_file_is_noticed_by_every_command_that_reads_it(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st")
        whole = self.read("m.st")
        for name, damaged in (("short.st", whole[:-1]), ("flipped.st", whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]),
                              ("empty.st", b"")):
            (self.folder / name).write_bytes(damaged)
            for arguments in (["inspect", name], ["evaluate", name, "test.tsv", "--report", "r.json"],
                              ["recommend", name, "--session", "1"],
                              ["train", "shop.tsv", "--params", SMALL, "--init", name, "--save", "n.st"]):
                self.refuses(2, [name], *arguments)



class BrokenInput(CliTest):
    def refused(self, status, fragments, *arguments):
        """As `refuses`, for a training that was asked to save and to report."""
        self.refuses(status, fragments, "train", *arguments, "--save", "m.st", "--report", "r.json")

    def table(self, *lines, header="SessionId\tItemId\tTime"):
        return self.write("bad.tsv", "\n".join([header, "1\ta\t1", "1\tb\t2", *lines]) + "\n")

    def test_parameters(self):
        for parameters, fragments in (
                ("layres=100", ["unknown parameter 'layres'", "layers"]),
                ("layers=100/x", ["layers", "100/x"]),
                ("layers=0", ["layers = 0"]),
                ("momentum=1", ["momentum = 1", "0 <= momentum < 1"]),
                ("dropout_p_hidden=nan", ["dropout_p_hidden = nan"]),
                ("learning_rate=-0.1", ["learning_rate = -0.1"]),
                ("batch_size=1e2", ["batch_size", "1e2"]),
                ("constrained_embedding=yes", ["constrained_embedding", "yes", "true, false, 1 or 0"]),
                ("loss=crossentropy", ["loss", "crossentropy", "cross-entropy"]),
                ("loss=cross-entropy,final_act=tanh", ["final_act", "cross-entropy"]),
                ("loss=bpr-max,final_act=softmax", ["final_act", "softmax"]),
                ("loss=bpr-max,logq=1", ["logq", "bpr-max"]),
                ("gru_variant=reset_after,hidden_act=relu", ["hidden_act", "reset_after"]),
                ("batch_size=1,n_sample=0", ["n_sample", "batch_size"]),
                ("layers", ["--params", "'layers'", "name=value"]),
                ("=1", ["--params", "name=value"]),
                ("layers=1,layers=2", ["layers", "twice"]),
                ("batch_size=99999999999", ["batch_size", "99999999999", "32-bit"]),
                ("learning_rate=1e309", ["learning_rate", "1e309", "finite"]),
                ("embedding=layersize", ["embedding = layersize", "constrained_embedding"]),
                ("bogus\nname\x1b[31m=1", ["bogus\\x0aname\\x1b[31m"]),
                ("caf\u00e9\u009b31m=1", ["caf\u00e9\\xc2\\x9b31m"]),
                ("\u0090", ["--params: '\\xc2\\x90' in", "name=value"]),
                ("x" * 100000 + "=1", ["xxx [...] "])):
            with self.subTest(parameters):
                self.refused(2, fragments, "shop.tsv", "--params", parameters)

    def test_parameter_files(self):
        for text, fragments in (
                ('{"layers": 100,\n "los": "bpr"}', ["p.json", "unknown parameter 'los'"]),
                ('{"layers": 100,\n "loss": }', ["p.json:2", "JSON"]),
                ("[1]", ["p.json", "object"]),
                ('{"layers": {"a": 1}}', ["p.json", "layers"]),
                ('{"layers": ["a"]}', ["p.json", "layers", '"a"']),
                ('{"momentum": null}', ["p.json", "momentum", "null"]),
                ('{"momentum": 0, "momentum": 0.1}', ["p.json", "momentum", "twice"]),
                ('{"momentum": 2}', ["momentum = 2"]),
                ('{"momentum":\n 1e400}', ["p.json", "'momentum'", "1e400"]),
                ('{"momentum": 0}\0 {}', ["p.json:1", "NUL"]),
                ('{"lo\\u0000ss": "bpr"}', ["p.json", "unknown parameter 'lo\\x00ss'", "the parameters are"]),
                ('{"loss": "b\\u0000pr"}', ["p.json", "loss = 'b\\x00pr'", "expected cross-entropy"]),
                ('{"layers": ' + '{"a":' * 500000 + '1' + '}' * 500001, ["p.json", "layers", "object"]),
                ('{"layers": ' + '[' * 500000 + ']' * 500000 + '}', ["p.json", "layers", "array"])):
            with self.subTest(text):
                self.refused(2, fragments, "shop.tsv", "--param-file", self.write("p.json", text))
        self.refused(3, ["none.json"], "shop.tsv", "--param-file", "none.json")
        self.refused(3, ["/dev/zero", "device"], "shop.tsv", "--param-file", "/dev/zero")

    def test_options(self):
        for arguments, fragments in (
                (["--bogus"], ["--bogus"]),
                (["--seed", "-1"], ["--seed", "'-1'"]),
                (["--seed", "99999999999999999999"], ["--seed", "99999999999999999999"]),
                (["--threads", "two"], ["--threads", "two"]),
                (["--threads", "-1"], ["--threads", "-1"]),
                (["--precision", "half"], ["--precision", "half", "double"]),
                (["--log-steps", "-5"], ["--log-steps", "-5"]),
                (["--test", "shop.tsv", "--measure", "20,0"], ["--measure", "'0'"]),
                (["--test", "shop.tsv", "--measure", "20,"], ["--measure", "''"]),
                (["--test", "shop.tsv", "--measure", "2147483648"], ["--measure", "'2147483648'", "2147483647"]),
                (["--item-key", "SessionId"], ["item_key", "three columns", '"SessionId"']),
                (["--test", "shop.tsv", "--ties", "conservative,fair"], ["--ties", "'fair'", "median"]),
                (["--session-key", "Visit"], ["shop.tsv:1", '"Visit"', '"SessionId"']),
                (["--init", ""], ["--init"]),
                (["-", "-"], ["standard input", "twice"])):
            with self.subTest(arguments):
                self.refused(2, fragments, "shop.tsv", *arguments)
        self.refuses(2, ["command is missing"])
        self.refuses(2, ["'trian'"], "trian", "shop.tsv")
        self.refuses(2, ["TRAIN"], "train")
        self.refuses(2, ["--items", "'0'"], "synth", "new.tsv", "--items", 0)

    def test_data_files(self):
        self.refused(2, ["bad.tsv:1", '"Time"', "missing"], self.table(header="SessionId\tItemId\tWhen"))
        (self.folder / "bad.tsv").write_bytes(b"SessionId\tItemId\tTime\r1\ta\t1\r1\tb\t2\r")
        self.refused(2, ["bad.tsv:1", "CR"], "bad.tsv")
        self.refused(3, ["/dev/zero", "device"], "/dev/zero")
        self.refused(2, ["bad.tsv:4", "2 fields"], self.table("2\ta"))
        self.refused(2, ["bad.tsv:5", '"Time"', '"yesterday"'], self.table("2\ta\t3", "2\tb\tyesterday"))
        self.refused(2, ["bad.tsv:4", '"ItemId"'], self.table("2\t\t3"))
        self.refused(2, ["bad.tsv:4", '"SessionId"'], self.table("\ta\t3"), "--strict")
        self.refused(2, ["bad.tsv"], self.write("bad.tsv", ""))
        self.refused(2, ["bad.tsv", "nothing to learn"], self.write("bad.tsv", "SessionId\tItemId\tTime\n1\ta\t1\n"))
        self.refused(3, ["none.tsv", "No such file"], "none.tsv")
        self.refused(3, ["none.tsv", "No such file"], "shop.tsv", "--test", "none.tsv")
        self.refused(2, ["bad.tsv:4"], "shop.tsv", "--valid", self.table("2\ta\tnow"))
        self.refused(2, ["bad.tsv:4"], "shop.tsv", "--test", "test.tsv", "--test", self.table("2\ta\tnow"))

    def test_weights_to_start_from(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "start.st")
        self.refused(2, ["start.st", "shape"], "shop.tsv", "--params", "layers=24", "--init", "start.st")
        self.refused(2, ["start.st", "items"], "test.tsv", "--params", SMALL, "--init", "start.st")
        self.refused(2, ["shop.tsv"], "shop.tsv", "--params", SMALL, "--init", "shop.tsv")
        self.refused(3, ["none.st"], "shop.tsv", "--params", SMALL, "--init", "none.st")

    def test_destinations_are_tried_before_training(self):
        long_run = ["train", "shop.tsv", "--params", "n_epochs=1000000"]
        self.refuses(3, ["none/m.st"], *long_run, "--save", "none/m.st")
        self.refuses(3, ["none/r.json"], *long_run, "--save", "m.st", "--report", "none/r.json")
        self.refuses(3, ["folder"], *long_run, "--save", self.folder)
        self.refuses(2, ["--save", "shop.tsv", "TRAIN"], *long_run, "--save", "./shop.tsv")
        self.refuses(2, ["--report", "--save"], *long_run, "--save", "m.st", "--report", "./m.st")
        self.refuses(2, ["--report", "--test"], *long_run, "--test", "test.tsv", "--report", self.folder / "test.tsv")
        self.refuses(3, ["none/o.tsv"], "synth", "none/o.tsv")

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = self.run_program("inspect", self.trained(), capture_output=False, stdout=full,
                                    stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 3)
        self.assertIn("standard output", done.stderr)
        self.refuses(3, ["/dev/full"], "synth", "/dev/full")
        for option in ("--help", "--version"):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = self.run_program(option, capture_output=False, stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 3, done.stderr)

    def trained(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st")
        return "m.st"

    def test_training_that_diverges_saves_nothing(self):
        self.refused_not_finite("adapt=sgd,learning_rate=1e38,momentum=0.9")
        self.refused_not_finite("adapt=sgd,learning_rate=1e308,momentum=0.9", "--precision", "double")

    def refused_not_finite(self, parameters, *arguments):
        before = sorted(self.folder.iterdir())
        done = self.run_program("train", "shop.tsv", "--params", SMALL + "," + parameters, "--save", "m.st", "--report",
                                "r.json", *arguments)
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"\Agru4rec: [^\n]*non-finite[^\n]*epoch 1, step \d+[^\n]*learning_rate[^\n]*\n\Z")
        self.assertEqual(sorted(self.folder.iterdir()), before)


class Signals(CliTest):
    ENDLESS = ["train", "shop.tsv", "--params", "layers=16,n_epochs=1000000,n_sample=32", "--save", "m.st", "--report",
               "r.json", "--test", "test.tsv"]

    def setUp(self):
        super().setUp()
        # Below nohup it is ignored, and the program would keep that.
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))

    def start(self, *arguments, before=()):
        """Starts the program, behind the words of `before`, and waits for its line about the data."""
        process = subprocess.Popen([*before, *self.command(*arguments)], cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        self.assertIn("sessions", process.stdout.readline())
        return process

    def test_a_signal_stops_training_which_then_saves(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.start(*self.ENDLESS)
            self.assertIn("epoch", process.stdout.readline())
            process.send_signal(number)
            output = process.stdout.read()  # communicate() would lose what readline() has read ahead
            self.assertEqual((process.wait(timeout=60), process.stderr.read()), (130, ""))
            report = self.report()
            self.assertEqual(list(report), REPORT_KEYS)
            self.assertEqual(report["evaluations"], [])
            self.assertEqual(report["params"]["n_epochs"], "1000000")
            last = report["epochs"][-1]
            self.assertIn(f"stopped by a signal in epoch {last['epoch']} after {last['steps']} steps\n", output)
            self.run_well("evaluate", "m.st", "test.tsv")
            self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                             ["m.st", "r.json", "shop.tsv", "test.tsv"])

    def test_a_signal_ends_the_measurement_of_test_and_validation_files(self):
        n_items = 20_000
        rows = "".join(f"{i // 8}\t{i}\t{i}\n" for i in range(n_items))
        (self.folder / "all.tsv").write_text("SessionId\tItemId\tTime\n" + rows)
        # Six seconds of a very fast core, and more.
        rows = "".join(f"{i // 4}\t{7 * i % n_items}\t{i}\n" for i in range(400_000))
        (self.folder / "large.tsv").write_text("SessionId\tItemId\tTime\n" + rows)
        for option in ("--test", "--valid"):
            process = self.start("train", "all.tsv", option, "large.tsv", "--params", "layers=100,n_epochs=1,n_sample=32",
                                 "--save", "m.st", "--report", "r.json", "--threads", 1)
            if option == "--test":
                self.assertIn("epoch 1/1", process.stdout.readline())
            else:
                time.sleep(2)
            process.send_signal(signal.SIGINT)
            output = process.stdout.read()
            self.assertEqual((process.wait(timeout=60), process.stderr.read()), (130, ""))
            self.assertIn("by a signal", output)
            self.assertNotIn("Recall", output)
            self.assertEqual(self.report()["evaluations"], [])
            self.run_well("inspect", "m.st")

    def test_the_second_signal_of_any_kind_ends_the_process_at_once(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process = self.start("train", "shop.tsv", "--params", "layers=2048,batch_size=4096,n_sample=2048")
            for _ in range(200):
                if process.poll() is not None:
                    break
                process.send_signal(number)
                time.sleep(0.01)
            self.assertEqual(process.wait(timeout=60), -number)

    def test_loading_keeps_to_the_number_of_threads_too(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("one core")
        self.run_well("synth", "large.tsv", "--sessions", 100000)
        most = {}
        for threads in (1, 2):
            process = self.start("train", "large.tsv", "--params", "layers=16,n_epochs=1000000", "--threads", threads)
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            most[threads] = int(status.split("Threads:")[1].split()[0])
            process.kill()
        self.assertEqual(most[1], 1)
        self.assertGreater(most[2], 1)

    def test_a_hang_up_that_was_ignored_at_the_start_stays_ignored(self):
        process = self.start(*self.ENDLESS, before=["nohup"])
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        self.assertEqual(process.wait(timeout=60), 130)

    def test_a_second_signal_kills(self):
        # One step of this takes much longer than the time between the signals.
        process = self.start("train", "shop.tsv", "--params", "layers=1000,batch_size=1000,n_sample=40000", "--threads",
                             1, "--save", "m.st", "--report", "r.json")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["shop.tsv", "test.tsv"])


class Measures(CliTest):
    """What evaluate and train --test measure for the asking."""

    ALL = ["--coverage", "--bootstrap", 200, "--ranks", "ranks.tsv", "--measure", "5,20", "--ties", "median,standard"]

    def setUp(self):
        super().setUp()
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st")

    def evaluate(self, *options):
        done = self.run_well("evaluate", "m.st", "test.tsv", "--report", "r.json", *options)
        return done, self.report()["evaluations"]

    def ranks(self):
        header, *lines = self.read("ranks.tsv").decode().splitlines()
        self.assertEqual(header, "SessionId\tPosition\tItemId\tRank")
        return [line.split("\t") for line in lines]

    def test_the_ranks_give_the_metrics_again_and_name_the_events_of_the_file(self):
        _, entries = self.evaluate(*self.ALL)
        rows = self.ranks()
        ranks = [float(row[3]) for row in rows]
        self.assertEqual(len(rows), entries[0]["predictions"])
        for entry, rule in zip(entries, ("median", "standard"), strict=True):
            self.assertEqual(entry["ties"], rule)
        for cutoff in (5, 20):
            hits = [rank for rank in ranks if rank <= cutoff]
            for metric, gain in (("recall", lambda _: 1), ("mrr", lambda rank: 1 / rank),
                                 ("ndcg", lambda rank: 1 / math.log2(rank + 1))):
                self.assertAlmostEqual(entries[0][metric][str(cutoff)], sum(map(gain, hits)) / len(ranks), places=12)
        known = {line.split("\t")[1] for line in self.read("shop.tsv").decode().splitlines()[1:]}
        sessions = {}
        for line in self.read("test.tsv").decode().splitlines()[1:]:
            session, item, time_of_event = line.split("\t")
            if item in known:
                sessions.setdefault(session, []).append((float(time_of_event), item))
        expected = [[session, str(position), item]
                    for session, events in sessions.items()
                    for position, (_, item) in enumerate(sorted(events, key=lambda event: event[0])) if position > 0]
        self.assertEqual([row[:3] for row in rows], expected)

    def test_intervals_hold_what_was_measured_and_follow_seed_level_and_number(self):
        _, entries = self.evaluate("--bootstrap", 300)
        low, high = entries[0]["recall_interval"]["20"]
        self.assertLess(low, entries[0]["recall"]["20"])
        self.assertLess(entries[0]["recall"]["20"], high)
        self.assertLess(entries[0]["mrr_interval"]["20"][0], entries[0]["mrr"]["20"])
        self.assertLess(entries[0]["mrr"]["20"], entries[0]["mrr_interval"]["20"][1])
        def interval(*options):
            return tuple(self.evaluate(*options)[1][0]["recall_interval"]["20"])
        self.assertEqual(interval("--bootstrap", 300, "--threads", 1), (low, high))
        self.assertEqual(interval("--bootstrap", 300, "--level", 0.95, "--bootstrap-seed", 42), (low, high))
        self.assertNotEqual(interval("--bootstrap", 300, "--bootstrap-seed", 1), (low, high))
        self.assertNotEqual(interval("--bootstrap", 301), (low, high))
        narrow = interval("--bootstrap", 300, "--level", 0.5)
        self.assertTrue(low < narrow[0] < narrow[1] < high)

    def test_coverage_and_popularity_are_those_of_the_lists_that_recommend_gives(self):
        _, entries = self.evaluate("--coverage", "--measure", "3,1000")
        supports = {}
        for line in self.read("shop.tsv").decode().splitlines()[1:]:
            item = line.split("\t")[1]
            supports[item] = supports.get(item, 0) + 1
        prefixes = ["SessionId\tItemId\tTime"]
        sessions = {}
        for line in self.read("test.tsv").decode().splitlines()[1:]:
            session, item, when = line.split("\t")
            if item in supports:
                sessions.setdefault(session, []).append((float(when), item))
        for session, events in sessions.items():
            events.sort(key=lambda event: event[0])
            for length in range(1, len(events)):
                prefixes += [f"{session}-{length}\t{item}\t{i}" for i, (_, item) in enumerate(events[:length])]
        self.write("prefixes.tsv", "\n".join(prefixes) + "\n")
        listed = self.run_well("recommend", "m.st", "--sessions", "prefixes.tsv", "--top", 3).stdout.splitlines()[1:]
        items = [line.split("\t")[2] for line in listed]
        self.assertEqual(len(items), 3 * entries[0]["predictions"])
        self.assertAlmostEqual(entries[0]["coverage"]["3"], len(set(items)) / len(supports), places=12)
        mean = sum(supports[item] for item in items) / len(items) / sum(supports.values())
        self.assertAlmostEqual(entries[0]["popularity"]["3"], mean, places=12)
        self.assertEqual(entries[0]["coverage"]["1000"], 1)
        self.assertAlmostEqual(entries[0]["popularity"]["1000"], 1 / len(supports), places=12)

    def test_train_measures_its_test_file_as_evaluate_does(self):
        done, entries = self.evaluate(*self.ALL)
        ranks = self.read("ranks.tsv")
        again = self.run_well("train", "shop.tsv", "--params", SMALL, "--test", "test.tsv", "--valid", "test.tsv",
                              "--report", "t.json", *self.ALL)
        def without_seconds(of_file):
            return [{key: value for key, value in entry.items() if key != "seconds"} for entry in of_file]
        report = self.report("t.json")
        self.assertEqual(without_seconds(report["evaluations"]), without_seconds(entries))
        self.assertEqual(list(entries[0]), EVALUATION_KEYS[:-1] + ["recall_interval", "mrr_interval", "coverage",
                                                                   "popularity", "seconds"])
        self.assertEqual(self.read("ranks.tsv"), ranks)
        self.assertEqual(list(report["epochs"][0]["valid"][0]), EVALUATION_KEYS)
        for text in (done.stdout, again.stdout):
            table = text[text.index("  ties"):].splitlines()
            self.assertEqual(table[5].split(), ["ties", "cutoff", "Recall", "between", "MRR", "between"])
            self.assertRegex(table[6], r"^  median +5  0\.\d{6} \.\. 0\.\d{6}  0\.\d{6} \.\. 0\.\d{6}$")
            self.assertEqual(table[10].split(), ["cutoff", "Coverage", "Popularity"])
            self.assertRegex(table[11], r"^ +5  [01]\.\d{6}  0\.\d{8}$")
            self.assertEqual(len(table), 13)

    def test_any_number_of_threads_measures_the_same(self):
        measured = []
        for threads in (1, 2, 4):
            _, entries = self.evaluate(*self.ALL, "--threads", threads)
            for entry in entries:
                del entry["seconds"]
            measured.append((entries, self.read("ranks.tsv")))
        self.assertEqual(measured[0], measured[1])
        self.assertEqual(measured[0], measured[2])

    def test_wrong_measures_are_refused(self):
        evaluate = ["evaluate", "m.st", "test.tsv"]
        for value in ("0", "1", "nan", "95%", "2"):
            self.refuses(2, ["--level", f"'{value}'"], *evaluate, "--bootstrap", 5, "--level", value)
        self.refuses(2, ["--level", "--bootstrap"], *evaluate, "--level", 0.9)
        self.refuses(2, ["--bootstrap", "'-1'"], *evaluate, "--bootstrap", "-1")
        self.refuses(2, ["--ranks", "TEST"], *evaluate, "--ranks", "test.tsv")
        self.refuses(2, ["--ranks", "--report"], *evaluate, "--ranks", "r.tsv", "--report", "r.tsv")
        self.refuses(3, ["nowhere"], *evaluate, "--ranks", "nowhere/ranks.tsv")
        train = ["train", "shop.tsv", "--params", SMALL, "--ranks", "ranks.tsv"]
        self.refuses(2, ["--ranks", "--test"], *train)
        self.refuses(2, ["--ranks", "--test"], *train, "--test", "test.tsv", "--test", "shop.tsv")
        for measure in (["--coverage"], ["--bootstrap", 5]):
            self.refuses(2, [measure[0], "--test"], "train", "shop.tsv", "--params", SMALL, *measure)
        header, *rows = self.read("test.tsv").decode().splitlines()
        self.write("tabs.csv", "\n".join([header.replace("\t", ","), *('"a\t' + row.replace("\t", '",', 1).replace("\t", ",")
                                                                       for row in rows)]) + "\n")
        self.refuses(2, ["r.tsv", '"a\\x09', "contains a TAB"], *train[:-1], "r.tsv", "--test", "tabs.csv", "--save", "x.st")
        self.refuses(2, ["r.tsv", "contains a TAB"], "evaluate", "m.st", "tabs.csv", "--ranks", "r.tsv", "--report", "x.json")


class Effects(CliTest):
    """Options whose effect follows from what they mean, without another run to compare with."""

    # Weights and steps too small for a score that is not zero: all items score the same.
    NOTHING_LEARNT = "layers=16,n_epochs=1,n_sample=32,sigma=1e-30,learning_rate=1e-60"

    def test_rules_for_ties_and_cutoffs_have_their_exact_values_where_all_items_score_the_same(self):
        n = len({line.split("\t")[1] for line in self.read("shop.tsv").decode().splitlines()[1:]})
        ranks = {"standard": 1, "conservative": n, "median": (n + 1) / 2}
        self.assertTrue(50 < n < 100)
        for command in (["train", "shop.tsv", "--params", self.NOTHING_LEARNT, "--test", "test.tsv", "--save", "m.st"],
                        ["evaluate", "m.st", "test.tsv"]):
            self.run_well(*command, "--measure", "20,50,100", "--ties", ",".join(ranks), "--report", "r.json")
            entries = self.report()["evaluations"]
            self.assertEqual([entry["ties"] for entry in entries], list(ranks))
            for entry, rank in zip(entries, ranks.values()):
                for k in (20, 50, 100):
                    self.assertEqual(entry["recall"][str(k)], 1 if rank <= k else 0)
                    self.assertAlmostEqual(entry["mrr"][str(k)], 1 / rank if rank <= k else 0, places=12)

    def test_training_stops_by_the_metric_that_is_named(self):
        # A list of all items holds every target: its recall is 1 from the first epoch on and gets no better.
        best = {}
        for metric in ("recall", "mrr", "ndcg"):
            self.run_well("train", "shop.tsv", "--params", "layers=16,n_epochs=4,n_sample=32", "--valid", "test.tsv",
                          "--patience", 3, "--stop-metric", metric, "--measure", 100, "--report", "r.json")
            best[metric] = self.report()["best_epoch"]
        self.assertEqual(best["recall"], 1)
        self.assertGreater(best["mrr"], 1)
        self.assertGreater(best["ndcg"], 1)

    def test_a_seed_gives_the_same_model_again_and_another_seed_another(self):
        for name, options in (("a", []), ("b", ["--seed", 42]), ("c", ["--seed", 43])):
            self.run_well("train", "shop.tsv", "--params", SMALL, "--save", f"{name}.st", *options)
        self.assertEqual(self.read("a.st"), self.read("b.st"))
        self.assertNotEqual(self.read("a.st"), self.read("c.st"))


@unittest.skipUnless(TEST_DATA, "GRU4REC_TEST_DATA is not set")
class ReferenceRuns(CliTest):
    """Runs of the published PyTorch implementation, reproduced from their initial weights."""

    # per precision: (steps, relative) of step losses, twice; epoch losses, relative; metrics, absolute
    TOLERANCES = {"double": ((100, 1e-9), (500, 1e-6), 1e-6, 2e-4), "float": ((20, 1e-4), (20, 1e-4), 0.03, 0.02)}
    ONE_HOT_DOUBLE = ((100, 1e-9), (300, 1e-5), 0.02, 0.015)

    def check(self, name, precision):
        data = pathlib.Path(TEST_DATA)
        run = data / "golden" / name
        expected = json.loads((run / "expected.json").read_text(encoding="utf-8"))
        self.write("p.json", json.dumps(expected["params"]))
        train, test = (data / path.strip() for path in expected["data"].split(","))
        self.run_well("train", train, "--param-file", "p.json", "--params",
                      f"gru_variant={expected['gru_variant']}", "--init", run / "init.safetensors", "--precision",
                      precision, "--log-steps", 500, "--test", test, "--measure", "1,5,10,20", "--ties",
                      "standard,conservative", "--report", "r.json")
        report = self.report()
        *step_tolerances, of_epochs, of_metrics = self.TOLERANCES[precision]
        if name == "toy_xe_onehot" and precision == "double":
            *step_tolerances, of_epochs, of_metrics = self.ONE_HOT_DOUBLE
        self.assertEqual(len(report["step_loss"]), 500)
        for n_steps, tolerance in step_tolerances:
            for step in range(n_steps):
                self.assertClose(report["step_loss"][step], expected["step_loss_first_epoch"][step], tolerance,
                                 f"step {step + 1}")
        for epoch, loss in zip(report["epochs"], expected["epoch_loss"], strict=True):
            self.assertEqual(epoch["steps"], expected["steps_per_epoch"])
            self.assertClose(epoch["loss"], loss, of_epochs, f"epoch {epoch['epoch']}")
        self.assertEqual([entry["ties"] for entry in report["evaluations"]], ["standard", "conservative"])
        for entry in report["evaluations"]:
            self.assertEqual((entry["predictions"], entry["skipped_unknown"]), (6086, 0))
            for metric in ("recall", "mrr"):
                for cutoff, value in expected["metrics"][entry["ties"]][metric].items():
                    self.assertAlmostEqual(entry[metric][cutoff], value, delta=of_metrics, msg=f"{metric}@{cutoff}")

    def assertClose(self, value, expected, tolerance, message):
        self.assertTrue(math.isclose(value, expected, rel_tol=tolerance), f"{message}: {value}, expected {expected}")

    def test_all_runs_in_both_precisions(self):
        for name in ("toy_xe_tied_logq", "toy_xe_onehot", "toy_bprmax_embedding", "toy_bprmax_tied_2layers"):
            for precision in ("double", "float"):
                with self.subTest(f"{name}, {precision}"):
                    self.check(name, precision)


if __name__ == "__main__":
    PROGRAM = program_under_test()
    if not TEST_DATA:
        print("GRU4REC_TEST_DATA is not set: the reference runs are skipped")
    unittest.main(verbosity=2)

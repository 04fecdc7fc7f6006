"""What happens to a model after it was trained once: interruptions, newer data, sessions that began before.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77).
"""
import os
import random
import re
import signal
import subprocess
import time
import unittest

import cli_test
from program_under_test import program_under_test

EVERYTHING = ("layers=12/8,n_sample=32,n_epochs=8,learning_rate=0.02,dropout_p_hidden=0.2,dropout_p_embed=0.1,momentum=0.3,"
              "adapt=adam,session_order=random,input=history,batch_size=16")
SMALL = "layers=16,n_epochs=2,n_sample=32"


class Checkpoints(cli_test.CliTest):
    RUN = ["train", "shop.tsv", "--params", EVERYTHING, "--valid", "test.tsv", "--patience", "3"]

    def run_uninterrupted(self):
        self.run_well(*self.RUN, "--save", "whole.st")
        return self.read("whole.st")

    def start(self, *arguments):
        process = subprocess.Popen(self.command(*arguments), cwd=self.folder, text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_a_run_that_is_killed_twenty_times_ends_with_the_same_bytes(self):
        expected = self.run_uninterrupted()
        seed = random.randrange(1 << 30)
        moments = random.Random(seed)
        (self.folder / ".run.checkpoint.tmp0").write_bytes(b"left by a process that was killed while it wrote")
        kills = resumed = 0
        while kills < 20:
            process = self.start(*self.RUN, "--save", "m.st", "--resume", "run.checkpoint", "--checkpoint-steps", "1")
            process.stdout.readline()  # of the data: training is about to start
            time.sleep(moments.uniform(0, 0.12))
            process.kill()
            resumed += "resuming in epoch" in process.stdout.read()
            if process.wait(timeout=60) == 0:  # done before it could be killed: once more from the start
                self.assertEqual(self.read("m.st"), expected, f"seed {seed}")
                os.remove(self.folder / "run.checkpoint")
            else:
                kills += 1
        self.assertGreater(resumed, 5, f"seed {seed}")
        last = self.run_well(*self.RUN, "--save", "m.st", "--resume", "run.checkpoint")
        self.assertIn("run.checkpoint: ", last.stdout)
        self.assertEqual(self.read("m.st"), expected, f"seed {seed}")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["m.st", "run.checkpoint", "shop.tsv", "test.tsv", "whole.st"])

    def test_the_same_command_starts_goes_on_and_ends(self):
        expected = self.run_uninterrupted()
        command = [*self.RUN, "--save", "m.st", "--resume", "run.checkpoint"]
        first = self.run_well(*command)
        self.assertIn("run.checkpoint: no checkpoint yet; training starts from the beginning\n", first.stdout)
        self.assertEqual(self.read("m.st"), expected)
        os.remove(self.folder / "m.st")
        again = self.run_well(*command)
        self.assertNotIn("loss", again.stdout)
        self.assertEqual(self.read("m.st"), expected)

    def test_a_signal_leaves_a_checkpoint_of_the_very_step(self):
        command = ["train", "shop.tsv", "--params", "layers=16,n_sample=32,n_epochs=30,momentum=0.2", "--report", "r.json",
                   "--save"]
        self.run_well(*command, "whole.st")
        for _ in range(10):
            process = self.start(*command, "m.st", "--checkpoint", "c")
            process.stdout.readline()
            self.assertIn("epoch", process.stdout.readline())
            process.send_signal(signal.SIGINT)
            output = process.stdout.read()
            if process.wait(timeout=60) == 130:  # and not done before the signal came
                break
        self.assertIn("resume with --resume c\n", output)
        last = self.report()["epochs"][-1]
        resumed = self.run_well(*command, "m.st", "--resume", "c").stdout
        epoch, step = (int(n) for n in re.search(r"c: resuming in epoch (\d+) after step (\d+)\n", resumed).groups())
        self.assertIn((epoch, step), [(last["epoch"], last["steps"]), (last["epoch"] + 1, 0)])
        self.assertEqual(self.report()["epochs"][0]["epoch"], epoch)
        self.assertEqual(self.read("m.st"), self.read("whole.st"))

    def test_more_epochs_go_on_from_a_run_that_was_done(self):
        def train(n_epochs, *more):
            self.run_well("train", "shop.tsv", "--params", f"layers=16,n_sample=32,lr_decay=0.9,n_epochs={n_epochs}", *more)
        train(3, "--save", "whole.st")
        train(1, "--checkpoint", "c")
        train(3, "--resume", "c", "--checkpoint", "d", "--save", "m.st")
        self.assertEqual(self.read("m.st"), self.read("whole.st"))
        self.refuses(2, ["d: n_epochs: expected 3 or more", "found 2 in this run"], "train", "shop.tsv", "--params",
                     "layers=16,n_sample=32,lr_decay=0.9,n_epochs=2", "--resume", "d")

    def test_checkpoints_are_written_as_often_as_asked_for(self):
        process = self.start("train", "shop.tsv", "--params", "layers=16,n_sample=32,n_epochs=1000000", "--checkpoint", "c",
                             "--checkpoint-steps", 3)
        process.stdout.readline()
        steps = set()
        end = time.monotonic() + 60
        while len(steps) < 5 and time.monotonic() < end:
            if (self.folder / "c").exists():
                steps.add(int(re.search(rb'step\\":\\"(\d+)\\"', self.read("c")).group(1)))
        process.kill()
        self.assertEqual(len(steps), 5)
        self.assertEqual({step % 3 for step in steps}, {0}, steps)

    def test_a_checkpoint_is_written_after_every_epoch(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--checkpoint", "c", "--checkpoint-minutes", 1000)
        done = self.run_well("train", "shop.tsv", "--params", "layers=16,n_epochs=3,n_sample=32", "--resume", "c")
        self.assertIn("c: resuming in epoch 3 after step 0\n", done.stdout)

    def test_another_run_is_refused_with_what_differs(self):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--checkpoint", "c")
        resume = ["train", "shop.tsv", "--resume", "c", "--save", "m.st", "--params"]
        self.refuses(2, ["c: learning_rate: expected 0.1 as in this run, found unset"], *resume, SMALL + ",learning_rate=0.1")
        self.refuses(2, ["c: layers: expected 17 as in this run, found 16"], *resume, "layers=17,n_epochs=2,n_sample=32")
        self.refuses(2, ["c: seed: expected \"1\" as in this run, found \"42\""], *resume, SMALL, "--seed", 1)
        self.refuses(2, ["c: early_stopping"], *resume, SMALL, "--valid", "test.tsv", "--patience", 2)
        self.refuses(2, ["expected F64", "does the precision fit"], *resume, SMALL, "--precision", "double")
        self.refuses(2, ["c: data:", "the training data have changed"], "train", "test.tsv", "--resume", "c", "--params",
                     SMALL)
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "first.st")
        self.refuses(2, ["c: start: expected", "this run starts from other weights"], *resume, SMALL, "--init", "first.st")
        self.refuses(2, ["this file is a checkpoint of a training run"], "evaluate", "c", "test.tsv")
        self.refuses(2, ["needs --checkpoint or --resume"], "train", "shop.tsv", "--checkpoint-steps", 3)
        self.refuses(2, ["--checkpoint-minutes"], "train", "shop.tsv", "--checkpoint", "d", "--checkpoint-steps", 3,
                     "--checkpoint-minutes", 3)
        self.refuses(2, ["--checkpoint-minutes: '200000000', expected a whole number from 1 to 1000000"], "train",
                     "shop.tsv", "--checkpoint", "d", "--checkpoint-minutes", 200000000)
        self.refuses(2, ["--checkpoint: 'shop.tsv' would overwrite the file of TRAIN"], "train", "shop.tsv",
                     "--checkpoint", "shop.tsv")
        self.refuses(2, ["--resume: 'shop.tsv' would overwrite the file of TRAIN"], "train", "shop.tsv", "--resume",
                     "shop.tsv")
        self.refuses(3, ["nowhere"], "train", "shop.tsv", "--checkpoint", "nowhere/c")
        (self.folder / "c").write_bytes(self.read("c")[:-1])
        self.refuses(2, ["c: data: expected", "the file is truncated"], *resume, SMALL)


class NewerData(cli_test.CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([cli_test.PROGRAM, "synth", f"{cls.data.name}/more.tsv", "--sessions", "400", "--items", "120",
                        "--seed", "3"], check=True, capture_output=True)

    def train_first(self, *more):
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st", *more)

    def test_new_items_are_appended_and_recommended(self):
        self.train_first()
        old = self.inspect("m.st")
        self.run_well("train", "more.tsv", "--params", SMALL, "--save", "other.st")
        self.refuses(2, [], "train", "more.tsv", "--continue", "m.st", "--params", "layers=8", "--save", "n.st")
        done = self.run_well("train", "more.tsv", "--continue", "m.st", "--params", "learning_rate=0.2,n_epochs=5", "--save",
                             "n.st")
        new = self.inspect("n.st")
        self.assertIn(f"m.st: {old['items']} items, {new['items'] - old['items']} new items appended\n", done.stdout)
        self.assertIn("the optimiser starts fresh: there is no m.st.checkpoint\n", done.stdout)
        self.assertIn("epoch 5/5", done.stdout)
        self.assertGreater(new["items"], old["items"])
        self.assertEqual(new["params"], {**old["params"], "learning_rate": "0.2", "n_epochs": "5"})
        for before, after in zip(old["tensors"], new["tensors"], strict=True):
            grown = [new["items"], *before["shape"][1:]] if before["shape"][0] == old["items"] else before["shape"]
            self.assertEqual((after["name"], after["shape"]), (before["name"], grown))
        listed = self.run_well("recommend", "n.st", "--session", "100,101", "--top", 20).stdout
        self.assertTrue(any(int(line.split("\t")[1]) > 80 for line in listed.splitlines()[1:]), listed)
        first = self.read("n.st")
        self.run_well("train", "more.tsv", "--continue", "m.st", "--params", "learning_rate=0.2,n_epochs=5", "--save", "n.st",
                      "--threads", 1)
        self.assertEqual(self.read("n.st"), first)

    def test_the_optimiser_goes_on_from_the_checkpoint_beside_the_model(self):
        self.train_first()
        further = ["train", "more.tsv", "--continue", "m.st", "--save", "n.st"]
        self.run_well(*further)
        fresh = self.read("n.st")
        self.train_first("--checkpoint", "m.st.checkpoint")
        done = self.run_well(*further)
        self.assertIn("the optimiser continues from m.st.checkpoint\n", done.stdout)
        self.assertNotEqual(self.read("n.st"), fresh)
        done = self.run_well(*further, "--params", "adapt=rmsprop")
        self.assertIn("the optimiser starts fresh: adapt differs from m.st.checkpoint\n", done.stdout)
        self.run_well("train", "shop.tsv", "--params", SMALL, "--save", "m.st", "--seed", 7)
        self.refuses(2, ["m.st.checkpoint: tensor", "expected the weights of the model, found others",
                         "without it the optimiser starts fresh"], *further)

    def test_a_run_that_goes_on_needs_no_checkpoint_beside_the_model(self):
        self.train_first("--checkpoint", "m.st.checkpoint")
        further = ["train", "more.tsv", "--continue", "m.st", "--save"]
        self.run_well(*further, "whole.st")
        self.run_well(*further, "n.st", "--params", "n_epochs=1", "--resume", "c")
        (self.folder / "m.st.checkpoint").write_bytes(b"another")
        self.run_well(*further, "n.st", "--resume", "c")
        self.assertEqual(self.read("n.st"), self.read("whole.st"))

    def test_the_checkpoint_beside_the_model_and_the_one_that_is_read_are_not_replaced(self):
        self.train_first("--checkpoint", "m.st.checkpoint")
        before = self.read("m.st.checkpoint")
        self.refuses(2, ["--checkpoint", "beside --continue"], "train", "more.tsv", "--continue", "m.st", "--checkpoint",
                     "m.st.checkpoint")
        self.refuses(2, ["--save", "beside --continue"], "train", "more.tsv", "--continue", "m.st", "--save",
                     "m.st.checkpoint")
        self.refuses(2, ["--save", "--resume"], "train", "shop.tsv", "--save", "m.st.checkpoint", "--resume",
                     "m.st.checkpoint", "--checkpoint", "d")
        self.assertEqual(self.read("m.st.checkpoint"), before)

    def test_the_best_weights_of_a_run_that_stopped_early_belong_to_its_checkpoint(self):
        self.train_first("--valid", "test.tsv", "--patience", 1, "--params", "learning_rate=2", "--checkpoint",
                         "m.st.checkpoint")
        self.assertIn("the optimiser continues from", self.run_well("train", "more.tsv", "--continue", "m.st").stdout)

    def test_a_name_that_no_checkpoint_beside_it_can_have_is_no_error(self):
        self.train_first()
        (self.folder / (250 * "m")).write_bytes(self.read("m.st"))
        self.assertIn("the optimiser starts fresh", self.run_well("train", "more.tsv", "--continue", 250 * "m").stdout)

    def test_further_training_can_be_interrupted_and_evaluated_as_any(self):
        self.train_first()
        further = ["train", "more.tsv", "--continue", "m.st", "--valid", "test.tsv", "--test", "test.tsv", "--save"]
        self.run_well(*further, "whole.st")
        self.run_well(*further, "n.st", "--params", "n_epochs=1", "--resume", "c")
        done = self.run_well(*further, "n.st", "--resume", "c")
        self.assertIn("c: resuming in epoch 2 after step 0\n", done.stdout)
        self.assertEqual(self.read("n.st"), self.read("whole.st"))
        self.assertRegex(done.stdout, r"test\.tsv: \d+ predictions, 0 events of unknown items skipped")

    def test_what_does_not_fit_is_refused(self):
        self.train_first()
        further = ["train", "more.tsv", "--continue", "m.st"]
        for name, value in (("layers", "8"), ("constrained_embedding", "0"), ("gru_variant", "reset_after"),
                            ("hidden_act", "relu")):
            self.refuses(2, [f"{name} = ", "the model was made with"], *further, "--params", f"{name}={value}")
        self.refuses(2, ["--init"], *further, "--init", "m.st")
        self.refuses(2, ["--precision"], *further, "--precision", "double")
        self.refuses(2, ["--save: 'm.st' would overwrite the file of --continue"], *further, "--save", "m.st", "--resume",
                     "c")
        self.refuses(2, ["--save: 'm.st' would overwrite the file of --init"], "train", "shop.tsv", "--init", "m.st",
                     "--save", "m.st", "--resume", "c")
        self.refuses(3, ["none.st"], "train", "more.tsv", "--continue", "none.st")
        self.run_well(*further, "--save", "m.st")  # in place


class WarmStart(cli_test.CliTest):
    def test_sessions_that_began_before_the_test_are_fed_their_earlier_events(self):
        header, *rows = self.read("shop.tsv").decode().splitlines()
        half = len(rows) // 2
        self.write("early.tsv", "\n".join([header, *rows[:half]]) + "\n")
        self.write("late.tsv", "\n".join([header, *rows[half:]]) + "\n")
        cut = [row.split("\t") for row in rows]
        self.write("first.tsv", "\n".join([header, *("\t".join(row) for n, row in enumerate(cut)
                                                    if n == 0 or cut[n - 1][0] != row[0])]) + "\n")
        self.write("rest.tsv", "\n".join([header, *("\t".join(row) for n, row in enumerate(cut)
                                                   if n > 0 and cut[n - 1][0] == row[0])]) + "\n")
        self.run_well("train", "shop.tsv", "--params", "layers=24,n_epochs=6,n_sample=32", "--save", "m.st")
        cold = self.run_well("evaluate", "m.st", "rest.tsv", "--report", "cold.json")
        warm = self.run_well("evaluate", "m.st", "rest.tsv", "--warm-start", "first.tsv", "--report", "warm.json", "--ranks",
                             "ranks.tsv")
        cold, warm_entry = (self.report(name)["evaluations"][0] for name in ("cold.json", "warm.json"))
        self.assertEqual(cold["predictions"], warm_entry["predictions"])
        self.assertGreater(warm_entry["mrr"]["20"], cold["mrr"]["20"])
        n_warm = warm_entry["warm_sessions"]
        self.assertIn(f"first.tsv: {n_warm} earlier events of {n_warm} sessions fed first, 0 events of unknown items "
                      "skipped\n", warm.stdout)
        self.assertEqual(n_warm, warm_entry["history_events"])
        self.assertNotIn("warm_sessions", cold)
        # Whole sessions give the same ranks to the targets behind their second event.
        self.run_well("evaluate", "m.st", "shop.tsv", "--ranks", "whole.tsv")

        def ranks(name, earlier):
            lines = [line.split("\t") for line in self.read(name).decode().splitlines()[1:]]
            return {(session, int(position) + earlier): rank for session, position, _, rank in lines}
        whole = ranks("whole.tsv", 0)
        for key, rank in ranks("ranks.tsv", 1).items():
            self.assertEqual(rank, whole[key])
        none = self.run_well("evaluate", "m.st", "late.tsv", "--warm-start", "test.tsv").stdout
        self.assertRegex(none, r"test\.tsv: \d+ earlier events of \d+ sessions fed first, [1-9]\d* events of unknown items")
        self.refuses(2, ["--report: 'rest.tsv'", "--warm-start"], "evaluate", "m.st", "shop.tsv", "--warm-start", "rest.tsv",
                     "--report", "rest.tsv")


class SyntheticFiles(cli_test.CliTest):
    def test_the_last_tenth_of_the_sessions_can_be_written_besides(self):
        self.run_well("synth", "all.tsv", "--sessions", 3000)
        done = self.run_well("synth", "a.tsv", "--test", "b.tsv", "--sessions", 3000)
        self.assertRegex(done.stdout, r"\Aa\.tsv: 2700 sessions, 500 items, \d+ events\n"
                                      r"b\.tsv: 300 sessions, \d+ items, \d+ events\n\Z")
        header = b"SessionId\tItemId\tTime\n"
        self.assertEqual(self.read("a.tsv") + self.read("b.tsv").removeprefix(header), self.read("all.tsv"))
        self.refuses(2, ["--test: 'c.tsv' would overwrite the file of OUT"], "synth", "c.tsv", "--test", "c.tsv")

    def test_a_signal_leaves_nothing(self):
        process = subprocess.Popen(self.command("synth", "big.tsv", "--test", "b.tsv", "--sessions", 100_000_000),
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while not (self.folder / ".big.tsv.tmp0").exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, output, error), (130, b"stopped by a signal; nothing was written\n", b""))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["shop.tsv", "test.tsv"])


class Hints(cli_test.CliTest):
    def test_help_lists_every_exit_status(self):
        text = self.run_well("--help").stdout
        for status in (0, 1, 2, 3, 4, 130):
            self.assertRegex(text, rf"[ ,:\n]{status} [a-z]")

    def test_near_misses_are_told(self):
        self.refuses(2, ["'lr'; did you mean learning_rate?"], "train", "shop.tsv", "--params", "lr=0.1")
        self.write("blanks.txt", self.read("shop.tsv").decode().replace("\t", " "))
        self.refuses(2, ["blanks.txt:1:", "use TABs or commas instead of blanks"], "train", "blanks.txt")


if __name__ == "__main__":
    cli_test.PROGRAM = program_under_test()
    unittest.main(verbosity=2)

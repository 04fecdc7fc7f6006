"""Models that another program wrote or saved again, and parameters as the published implementations write them.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77). Some tests
need the folder that GRU4REC_TEST_DATA names.
"""
import json
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import unittest

import cli_test
from program_under_test import program_under_test

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden" / "version_0_1"
TEST_DATA = os.environ.get("GRU4REC_TEST_DATA", "")
SMALL = "layers=16,n_epochs=2,n_sample=32"
MASK = (1 << 64) - 1


def load(path):
    """The metadata, and (dtype, shape, bytes) of each tensor by name, in the order of the data."""
    content = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length].decode("utf-8"))
    metadata = header.pop("__metadata__", {})
    data = content[8 + length:]
    tensors = {}
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        tensors[name] = (tensor["dtype"], tensor["shape"], data[begin:end])
    return metadata, tensors


def save(path, metadata, tensors):
    """Metadata and tensors in their orders."""
    header = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode("utf-8")
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def saved_again(source, destination):
    """As safetensors for Python does it: tensors by name, metadata in any order, the rest as it was."""
    metadata, tensors = load(source)
    save(destination, dict(sorted(metadata.items(), reverse=True)), dict(sorted(tensors.items())))


def content_hash(metadata, tensors):
    """docs/file_format.md#content-hash to the letter, for tensors in their order."""
    def number(x):
        return struct.pack("<Q", x)

    def text(s):
        return number(len(s.encode())) + s.encode()

    def mix(x):
        x = x * 0x9e3779b97f4a7c15 & MASK
        return x ^ x >> 32
    stream = b"".join(text(name) + text(value) for name, value in sorted(metadata.items()) if name != "content_hash")
    for name, (dtype, shape, values) in tensors.items():
        stream += text(name) + text(dtype) + number(len(shape)) + b"".join(map(number, shape)) + values
    lanes = [1, 2, 3, 4]
    padded = stream + bytes(-len(stream) % 32)
    for k, (word,) in enumerate(struct.iter_unpack("<Q", padded)):
        lanes[k % 4] = mix(lanes[k % 4] ^ word)
    result = len(stream)
    for lane in lanes:
        result = mix(result ^ lane)
    return f"{mix(result):016x}"


class WeightsTest(cli_test.CliTest):
    def recommended(self, model, *arguments):
        """The lists of a few sessions, and what standard error says."""
        items = load(self.folder / model)[0]["items"].split("\t")
        output, errors = "", ""
        for session in ([items[0]], items[1:4], [items[-1], items[0], items[-1]]):
            done = self.run_well("recommend", model, "--session", ",".join(session), "--top", 10, *arguments)
            self.assertEqual(done.stdout.count("\n"), 1 + min(10, len(items)))
            output += done.stdout
            errors += done.stderr
        return output, errors

    def train(self, name="m.st", parameters=SMALL, *arguments):
        self.run_well("train", "shop.tsv", "--params", parameters, "--save", name, *arguments)
        return load(self.folder / name)


class SavedAgain(WeightsTest):
    def test_a_model_whose_tensors_and_metadata_are_in_another_order_recommends_the_same(self):
        for parameters, precision in (("layers=16/8,deep_input=1", "float"), ("layers=8,gru_variant=reset_after", "double"),
                                      ("layers=8/4,constrained_embedding=0", "float"),
                                      ("layers=8,constrained_embedding=0,embedding=5", "float")):
            with self.subTest(parameters):
                self.train("m.st", parameters + ",n_epochs=1,n_sample=16", "--precision", precision)
                saved_again(self.folder / "m.st", self.folder / "again.st")
                self.assertNotEqual(self.read("m.st"), self.read("again.st"))
                expected, errors = self.recommended("m.st")
                self.assertEqual(self.recommended("again.st"), (expected, ""))
                self.assertEqual(errors, "")
                self.assertEqual(self.inspect("again.st")["content_hash"], self.inspect("m.st")["content_hash"])

    def test_files_of_version_0_1_that_were_saved_again_recommend_the_same(self):
        for run in ("one_hot", "shared"):
            with self.subTest(run):
                (self.folder / "m.st").write_bytes((GOLDEN / run / "end.safetensors").read_bytes())
                saved_again(self.folder / "m.st", self.folder / "again.st")
                self.assertNotEqual(list(load(self.folder / "m.st")[1]), list(load(self.folder / "again.st")[1]))
                self.assertEqual(self.recommended("again.st"), self.recommended("m.st"))
                saved_again(GOLDEN / run / "run.checkpoint", self.folder / "again.checkpoint")
                self.assertIn("a checkpoint", self.run_well("inspect", "again.checkpoint").stdout)
                damaged = bytearray(self.read("again.checkpoint"))
                damaged[-1] ^= 1
                (self.folder / "damaged.checkpoint").write_bytes(damaged)
                self.refuses(2, ["damaged.checkpoint", "content_hash"], "inspect", "damaged.checkpoint")

    def test_training_resumes_from_a_checkpoint_that_was_saved_again(self):
        run = ["train", "shop.tsv", "--params", SMALL + ",adapt=adam,momentum=0.1"]
        self.run_well(*run, "--save", "whole.st", "--checkpoint", "c.st")
        saved_again(self.folder / "c.st", self.folder / "again.st")
        done = self.run_well(*run, "--save", "m.st", "--resume", "again.st")
        self.assertIn("all 2 epochs are done", done.stdout)
        self.assertEqual(self.read("m.st"), self.read("whole.st"))

    def test_the_hash_is_the_documented_one(self):
        metadata, tensors = self.train()
        self.assertEqual(metadata["format_version"], "2")
        self.assertEqual(metadata["content_hash"], content_hash(metadata, dict(sorted(tensors.items()))))
        metadata, tensors = load(GOLDEN / "one_hot" / "end.safetensors")
        self.assertEqual(metadata["format_version"], "1")
        self.assertEqual(metadata["content_hash"], content_hash(metadata, tensors))

    def test_any_changed_byte_is_refused_in_the_original_and_in_a_file_that_was_saved_again(self):
        self.train("m.st", "layers=1,n_epochs=1,n_sample=1,constrained_embedding=0,embedding=1")
        saved_again(self.folder / "m.st", self.folder / "again.st")
        (self.folder / "old.st").write_bytes((GOLDEN / "one_hot" / "end.safetensors").read_bytes())
        saved_again(self.folder / "old.st", self.folder / "again_old.st")
        for name in ("m.st", "again.st", "old.st", "again_old.st"):
            whole = self.read(name)
            step = max(1, len(whole) // 60)
            for at in range(0, len(whole), step):
                damaged = bytearray(whole)
                damaged[at] ^= 1
                (self.folder / "damaged.st").write_bytes(damaged)
                done = self.run_program("recommend", "damaged.st", "--session", "1")
                self.assertEqual(done.returncode, 2, f"{name}, byte {at}")

    def test_a_model_without_a_hash_is_taken_and_said_to_be_unchecked(self):
        metadata, tensors = self.train()
        del metadata["content_hash"]
        save(self.folder / "bare.st", metadata, tensors)
        said = ("gru4rec: bare.st: the model has no content_hash, so it was not checked for damage; "
                "gru4rec import writes one\n")
        expected, _ = self.recommended("m.st")
        self.assertEqual(self.recommended("bare.st"), (expected, 3 * said))
        evaluated = self.run_well("evaluate", "bare.st", "test.tsv")
        self.assertEqual(evaluated.stderr, said)
        described = self.run_well("inspect", "bare.st")
        self.assertEqual(described.stderr, said)
        self.assertRegex(described.stdout, r"hash +none\n")
        self.assertEqual(json.loads(self.run_well("inspect", "bare.st", "--json").stdout)["content_hash"], "")
        done = self.run_well("import", "bare.st", "--save", "new.st")
        self.assertEqual(done.stderr, "")
        self.assertEqual(self.read("new.st"), self.read("m.st"))


class Import(WeightsTest):
    def test_weights_with_their_items_become_the_model_that_they_come_from(self):
        for parameters, given in (("layers=16/8,deep_input=1,hidden_act=relu", "hidden_act=relu"),
                                  ("layers=8,gru_variant=reset_after,input=history", "input=history"),
                                  ("layers=8/4,constrained_embedding=0", "input=last"),
                                  ("layers=8,constrained_embedding=0,embedding=layersize", "input=last")):
            with self.subTest(parameters):
                metadata, tensors = self.train("m.st", parameters + ",n_epochs=1,n_sample=16")
                ids = metadata["items"].split("\t")
                expected, _ = self.recommended("m.st")
                save(self.folder / "tabs.st", {"items": metadata["items"]}, tensors)
                save(self.folder / "list.st", {"format": "pt", "items": json.dumps(ids)}, dict(sorted(tensors.items())))
                save(self.folder / "numbers.st", {"items": json.dumps([int(i) for i in ids])}, tensors)
                save(self.folder / "bare.st", {}, tensors)
                self.write("ids.txt", "\n".join(ids) + "\n")
                for name, more in (("tabs.st", []), ("list.st", []), ("numbers.st", []),
                                   ("bare.st", ["--items", "ids.txt"])):
                    done = self.run_well("import", name, *more, "--params", given, "--save", "new.st")
                    self.assertRegex(done.stdout, rf"\Anew\.st: {len(ids)} items, precision float, layers=")
                    self.assertEqual(self.recommended("new.st"), (expected, ""))

    def test_what_is_assumed_is_said(self):
        metadata, tensors = self.train()
        save(self.folder / "w.st", {"items": metadata["items"]}, tensors)
        lines = self.run_well("import", "w.st", "--save", "a.st").stderr.splitlines()
        self.assertEqual(len(lines), 3)
        for line, said in zip(lines, ("hidden_act=tanh, input=last: ", "defaults for the other parameters",
                                      "a support of 1 for every item")):
            self.assertTrue(line.startswith("gru4rec: w.st: assumed " + said), line)
        self.assertEqual(self.inspect("a.st")["params"]["n_epochs"], "10")
        self.write("p.json", '{"hidden_act": "tanh", "input": "last", "n_epochs": 3, "layers": [16]}')
        done = self.run_well("import", "w.st", "--param-file", "p.json", "--params", "n_epochs=4", "--save", "b.st")
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertEqual(self.inspect("b.st")["params"]["n_epochs"], "4")

    def test_doubles_stay_doubles_and_training_goes_on(self):
        metadata, tensors = self.train("m.st", SMALL, "--precision", "double")
        save(self.folder / "w.st", {"items": metadata["items"], "supports": metadata["supports"]}, tensors)
        done = self.run_well("import", "w.st", "--save", "new.st")
        self.assertIn("precision double", done.stdout)
        self.assertEqual(self.inspect("new.st")["dtype"], "F64")
        self.assertEqual(load(self.folder / "new.st")[0]["supports"], metadata["supports"])
        self.run_well("train", "test.tsv", "--continue", "new.st", "--params", "n_epochs=1,n_sample=8", "--save", "more.st")

    def test_what_does_not_fit_is_refused_by_file_tensor_and_shape(self):
        metadata, tensors = self.train()
        items = metadata["items"]
        n = len(items.split("\t"))
        save(self.folder / "w.st", {"items": items}, tensors)
        save(self.folder / "few.st", {"items": items.rpartition("\t")[0]}, tensors)
        save(self.folder / "bare.st", {}, tensors)
        save(self.folder / "other.st", {"items": items}, {"model." + name: value for name, value in tensors.items()})
        save(self.folder / "half.st", {"items": items},
             {name: ("F16", shape, values[:len(values) // 2]) for name, (_, shape, values) in tensors.items()})
        self.write("twice.txt", "a\nb\na\n")
        self.write("few.txt", "a\nb\n")
        self.train("m.st", SMALL, "--checkpoint", "c.st")
        new = ["--save", "new.st"]
        for fragments, arguments in (
                (['w.st: tensor "G.0.Wx": shape: expected (32, 96), found (16, 48)', "those of layers=16"],
                 ["w.st", "--params", "layers=32"]),
                (['w.st: tensor "E.weight": expected F32 or F64', "found none"], ["w.st", "--params", "embedding=4"]),
                ([f'few.st: tensor "Wy.weight": shape: expected ({n - 1}, 16), a row for each id', f"found ({n}, 16)"],
                 ["few.st"]),
                (["bare.st: items: expected the item ids", "found none"], ["bare.st"]),
                (['other.st: tensor "Wy.weight": expected', 'found none, but "model.'], ["other.st"]),
                (["half.st: tensor ", "expected F32 or F64, found F16", "float()"], ["half.st"]),
                (['twice.txt:3: expected each item once, found "a"'], ["w.st", "--items", "twice.txt"]),
                (['w.st: tensor "Wy.weight": shape: expected (2, 16)', "few.txt"], ["w.st", "--items", "few.txt"]),
                (["c.st", "checkpoint"], ["c.st"]),
                (["unknown parameter 'lairs'"], ["w.st", "--params", "lairs=3"]),
                (["--save", "WEIGHTS"], ["w.st", "--save", "w.st"]),
                (["--save", "--items"], ["w.st", "--items", "few.txt", "--save", "few.txt"]),
                (["--save is required"], ["w.st"])):
            with self.subTest(arguments):
                more = [] if "--save" in arguments or "--save is required" in fragments else new
                self.refuses(2, fragments, "import", *arguments, *more)
        self.refuses(3, ["none.st"], "import", "none.st", *new)
        self.refuses(3, ["none.txt"], "import", "w.st", "--items", "none.txt", *new)
        self.refuses(2, ["w.st: format: expected", "gru4rec import"], "recommend", "w.st", "--session", "1")


class ForeignParameters(cli_test.CliTest):
    PYTHON = ("from collections import OrderedDict\n\ngru4rec_params = OrderedDict([\n('loss', 'bpr-max'),\n"
              "('constrained_embedding', True),\n('embedding', 0),\n('elu_param', 0.5),\n('layers', [16]),\n"
              "('n_epochs', 1),\n('n_sample', 32),\n('bpreg', 1.95),\n])\n")

    def test_the_message_about_a_python_file_converts_it(self):
        for name in ("params.py", "it's here.txt"):
            with self.subTest(name):
                self.write(name, self.PYTHON)
                self.refuses(2, [name, "this is Python, which is not run", "python3 -c"], "train", "shop.tsv",
                             "--param-file", name, "--save", "m.st")
                message = self.run_program("train", "shop.tsv", "--param-file", name, "--save", "m.st").stderr
                line = message[message.index("python3 -c"):].strip()
                self.assertEqual(shlex.split(line)[0], "python3")
                subprocess.run(line.replace("python3", shlex.quote(sys.executable), 1), shell=True, check=True,
                               cwd=self.folder)
                self.run_well("train", "shop.tsv", "--param-file", "params.json", "--report", "r.json")
                parameters = self.report()["params"]
                self.assertEqual((parameters["loss"], parameters["layers"], parameters["bpreg"]), ("bpr-max", "16", "1.95"))
                (self.folder / "params.json").unlink()

    def test_python_s_booleans_are_taken_on_the_command_line(self):
        self.run_well("train", "shop.tsv", "--params", SMALL + ",constrained_embedding=False,mask_duplicates=True",
                      "--report", "r.json")
        parameters = self.report()["params"]
        self.assertEqual((parameters["constrained_embedding"], parameters["mask_duplicates"]), ("false", "true"))

    def test_what_only_other_implementations_know_gets_what_to_write(self):
        for parameters, fragments in (
                ("loss=cross-entropy,final_act=softmax", ["final_act = 'softmax'", "leave final_act out"]),
                ("loss=xe_logit", ["loss = 'xe_logit'", "write loss=cross-entropy"]),
                ("loss=bpr-max-0.5", ["write loss=bpr-max and bpreg=0.5"]),
                ("train_random_order=True", ["write session_order=random"]),
                ("sample_store=10000000", ["leave it out"])):
            with self.subTest(parameters):
                self.refuses(2, fragments, "train", "shop.tsv", "--params", parameters, "--save", "m.st")
        for text, fragments in (('{"adapt": null}', ["p.json", "adapt = 'null'", "write adapt=sgd"]),
                                ('{"time_sort": false}', ["p.json", "write session_order=file"]),
                                ('{"adapt_params": []}', ["p.json", "leave adapt_params out"]),
                                ("{'loss': 'bpr-max'}", ["p.json:1", "invalid JSON", "double quotes"]),
                                ('{"mask_duplicates": True}', ["p.json:1", "invalid JSON", "true and false"])):
            with self.subTest(text):
                self.refuses(2, fragments, "train", "shop.tsv", "--param-file", self.write("p.json", text), "--save", "m.st")


@unittest.skipUnless(TEST_DATA, "GRU4REC_TEST_DATA is not set")
class GivenFiles(WeightsTest):
    CASES = pathlib.Path(TEST_DATA) / "cases" / "weights"

    def test_the_four_files_of_one_model_recommend_the_same(self):
        for name in ("model", "resaved", "no_hash", "plain_items", "items_json"):
            (self.folder / f"{name}.st").write_bytes((self.CASES / f"{name}.safetensors").read_bytes())
        expected, errors = self.recommended("model.st")
        self.assertEqual(errors, "")
        self.assertEqual(self.recommended("resaved.st"), (expected, ""))
        output, errors = self.recommended("no_hash.st")
        self.assertEqual(output, expected)
        self.assertIn("no content_hash", errors)
        for name in ("plain_items", "items_json"):
            done = self.run_well("import", f"{name}.st", "--save", f"{name}.model.st")
            self.assertIn("30 items, precision float, layers=16 ", done.stdout)
            self.assertEqual(self.recommended(f"{name}.model.st"), (expected, ""))
        self.assertEqual(self.inspect("items_json.st")["items"], 30)

    def test_the_reference_s_weights_become_models_that_may_be_saved_again(self):
        for run, layers in (("toy_bprmax_embedding", "64"), ("toy_bprmax_tied_2layers", "48/64"), ("toy_xe_onehot", "64"),
                            ("toy_xe_tied_logq", "96")):
            with self.subTest(run):
                folder = pathlib.Path(TEST_DATA) / "golden" / run
                expected = json.loads((folder / "expected.json").read_text())
                self.write("p.json", json.dumps({**expected["params"], "gru_variant": expected["gru_variant"]}))
                self.run_well("import", folder / "final.safetensors", "--param-file", "p.json", "--save", "m.st")
                self.assertEqual(self.inspect("m.st")["params"]["layers"], layers)
                self.assertEqual(load(self.folder / "m.st")[1], {name: load(folder / "final.safetensors")[1][name]
                                                                 for name in load(self.folder / "m.st")[1]})
                saved_again(self.folder / "m.st", self.folder / "again.st")
                self.assertEqual(self.recommended("again.st"), self.recommended("m.st"))
                self.run_well("evaluate", "again.st", pathlib.Path(TEST_DATA) / "data/toy/test.tsv", "--measure", "1,5,20",
                              "--report", "r.json")
                measured = self.report()["evaluations"][0]
                for measure in ("recall", "mrr"):
                    for cutoff, value in measured[measure].items():
                        self.assertAlmostEqual(value, expected["metrics"]["conservative"][measure][cutoff], delta=3e-4)


if __name__ == "__main__":
    cli_test.PROGRAM = program_under_test()
    if not TEST_DATA:
        print("GRU4REC_TEST_DATA is not set: the files given there are skipped")
    unittest.main(verbosity=2)

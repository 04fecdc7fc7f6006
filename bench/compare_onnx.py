#!/usr/bin/env python3
"""Compares the speed of onnxruntime and the library on the same model and sessions. Prints Markdown.

    PYTHONPATH=python bench/compare_onnx.py build/release/bin/gru4rec build/bench/bin/serve_library [--items 10000]

Measures the work for one event of a live session, one step and the list of the best of all items, in CPU time of one
thread. The rounds of both alternate. Needs numpy, onnx and onnxruntime.
"""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
from gru4rec.onnx import export

TOP = 21  # as in serve_library
BATCHES = (1, 16, 128)
SESSIONS_PER_ITEM = 2  # with fewer sessions, synth would not use every item


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def make_model(program, folder, options):
    """The files of a trained model, and of sessions that it has not seen."""
    train, test, model = folder / "train.tsv", folder / "test.tsv", folder / "model.safetensors"
    run(program, "synth", train, "--test", test, "--sessions", options.items * SESSIONS_PER_ITEM, "--items",
        options.items)
    run(program, "train", train, "--params", f"layers={options.units},n_epochs=1,n_sample=256,batch_size=128,"
        f"gru_variant={options.cell}", "--save", model)
    return model, test


def sessions_of(path, items):
    """The rows of the known items of each session that has any, by session id."""
    row = {item: i for i, item in enumerate(items)}
    sessions = {}
    for line in path.read_text().splitlines()[1:]:
        session, item, _ = line.split("\t")
        if item in row:
            sessions.setdefault(session, []).append(row[item])
    return sessions


class Onnx:
    """The exported network with lists, on one thread."""

    def __init__(self, model, folder):
        path = folder / "model.onnx"
        export(model, path, TOP)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.items = self.session.get_modelmeta().custom_metadata_map["items"].split("\t")
        self.widths = [value.shape[1] for value in self.session.get_inputs() if value.name.startswith("state_")]

    def step(self, states, rows):
        inputs = {f"state_{layer}": state for layer, state in enumerate(states)}
        inputs |= {"item": np.array(rows, np.int64), "exclude": np.empty((len(rows), 0), np.int64)}
        outputs = self.session.run(None, inputs)
        return outputs[:len(states)], outputs[len(states)]

    def microseconds(self, sessions, batch, events):
        """CPU time per event, over `events` events; each lane of a batch takes a new session when its session ends."""
        lanes = [iter(()) for _ in range(batch)]
        source = iter(sessions * (1 + events // max(1, sum(map(len, sessions)))))
        states = [np.zeros((batch, width), np.float32) for width in self.widths]
        steps, checksum = max(1, events // batch), 0
        seconds = 0.0
        for _ in range(steps):
            rows = []
            for lane in range(batch):
                row = next(lanes[lane], None)
                if row is None:
                    lanes[lane] = iter(next(source))
                    row = next(lanes[lane])
                    for state in states:
                        state[lane] = 0
                rows.append(row)
            begin = time.process_time()
            states, lists = self.step(states, rows)
            seconds += time.process_time() - begin
            checksum += int(lists[:, 0].sum())
        assert checksum > 0
        return seconds / (steps * batch) * 1e6


def agreement(program, onnx, model, test, sessions, folder):
    """Fraction of up to 500 sessions whose lists are equal, to show that both sides compute the same."""
    run(program, "recommend", model, "--sessions", test, "--top", TOP, "--out", folder / "lists.tsv")
    lists = {}
    for line in (folder / "lists.tsv").read_text().splitlines()[1:]:
        session, _, item, _ = line.split("\t")
        lists.setdefault(session, []).append(item)
    same = 0
    compared = list(sessions.items())[:500]
    for session, rows in compared:
        states = [np.zeros((1, width), np.float32) for width in onnx.widths]
        for row in rows:
            states, found = onnx.step(states, [row])
        same += [onnx.items[row] for row in found[0]] == lists[session]
    return same / len(compared)


def library_microseconds(library, model, test, batch):
    """CPU time per event with `batch` sessions at a time, for the exact scan of the items and for the quantised one."""
    found = json.loads(run(library, model, test, batch, 0))
    return {"exact": found["exact"], "quantised": found["quantised"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("library", help="the program serve_library of the benchmarks")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--cell", default="reset_before", choices=("reset_before", "reset_after"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=5_000, help="events per round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, test = make_model(options.program, folder, options)
        onnx = Onnx(model, folder)
        sessions = sessions_of(test, onnx.items)
        equal = agreement(options.program, onnx, model, test, sessions, folder)
        print(f"{len(onnx.items)} items, {options.units} units, {options.cell}; onnxruntime {onnxruntime.__version__}, "
              f"{platform.machine()}; CPU microseconds of one thread per event and list of {TOP}, median of "
              f"{options.rounds} rounds (min to max)\n\nequal lists: {equal:.1%}\n")
        rows = {}
        for _ in range(options.rounds):
            for batch in BATCHES:
                found = library_microseconds(options.library, model, test, batch)
                found["onnxruntime"] = onnx.microseconds(list(sessions.values()), batch, options.events)
                for engine, value in found.items():
                    rows.setdefault((batch, engine), []).append(value)
        print("| sessions at a time | exact | quantised | onnxruntime |\n|---|---|---|---|")
        for batch in BATCHES:
            values = [rows[batch, engine] for engine in ("exact", "quantised", "onnxruntime")]
            cells = (f"{statistics.median(value):.1f} ({min(value):.1f} to {max(value):.1f})" for value in values)
            print(f"| {batch} | {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures the overhead of Python: `fit` against `gru4rec train`, `click` and `top` against C++. Prints Markdown.

    python/bench/overhead.py build/release/bin/gru4rec build/bench/bin/click_and_top TRAIN TEST

Both sides alternate, on one thread; times are processor time. Each training run is a process of its own, in Python too.
C++ names items by index, or by id as Python has to. This helps to explain a difference: `top(1)` converts next to
nothing; with a larger catalogue the scan takes longer, while the cost of code and objects pushed out of the cache stays
the same.
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from gru4rec import GRU4Rec

EVENTS = 20_000  # visitors click at most this many events of the test data


def run(*command):
    """What a program printed, and the seconds of processor time that it used."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds_of_program(program, train, params, model):
    listed = ",".join(f"{name}={value}" for name, value in params.items())
    return run(program, "train", train, "--params", listed, "--threads", 1, "--save", model)[1]


def seconds_of_package(train, params, model):
    """Seconds of `fit` in a new process, without and with the start of the interpreter."""
    printed, whole = run(sys.executable, __file__, "--fit", train, json.dumps(params), model)
    return float(printed), whole


def fit(train, params, model):
    """What the new process of seconds_of_package does."""
    start = time.process_time()
    GRU4Rec(threads=1, **params).fit(train).save(model)
    print(time.process_time() - start)


def sessions_of(path, model):
    """Known items of each session, among the first EVENTS events."""
    known = set(model.items_)
    sessions = {}
    for line in path.read_text().splitlines()[1:EVENTS + 1]:
        session, item, _ = line.split("\t")
        if item in known:
            sessions.setdefault(session, []).append(item)
    return list(sessions.values())


def write_sessions(path, sessions):
    rows = (f"{s}\t{item}\t{i}" for s, items in enumerate(sessions) for i, item in enumerate(items))
    path.write_text("SessionId\tItemId\tTime\n" + "\n".join(rows) + "\n")


def play(model, sessions, n_listed):
    """Microseconds per event. `n_listed` is the length of the list after every event; 0: no list."""
    start = time.process_time()
    for items in sessions:
        session = model.session()
        for item in items:
            session.click(item)
            if n_listed:
                session.top(n_listed)
    return (time.process_time() - start) * 1e6 / sum(map(len, sessions))


def visitors_in_python(model, sessions):
    click = play(model, sessions, 0)
    return {"click": click, "top_1": play(model, sessions, 1) - click, "top_20": play(model, sessions, 20) - click}


def visitors_in_cpp(program, model_file, sessions_file):
    return json.loads(run(program, model_file, sessions_file)[0])


def row(name, native, python, unit, digits):
    """Prints a row of the table: medians and ranges of both sides, and the difference of the medians."""
    cells = (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
             for values in (native, python))
    difference = statistics.median(python) - statistics.median(native)
    share = difference / statistics.median(native)
    print(f"| {name} | {' | '.join(cells)} | {difference:+.{digits}f} {unit}, {share:+.1%} |")


def measure_training(options, params, folder):
    native, python = [], []
    for _ in range(options.rounds):
        native.append(seconds_of_program(options.program, options.train, params, folder / "native"))
        python.append(seconds_of_package(options.train, params, folder / "python"))
        if (folder / "native").read_bytes() != (folder / "python").read_bytes():
            sys.exit("overhead.py: the program and the package made different models, so their times do not compare")
    for i, name in enumerate(("reading, training, saving, s", "with the start of the interpreter, s")):
        row(name, native, [times[i] for times in python], "s", 2)


def measure_visitors(options, folder):
    model = GRU4Rec.load(folder / "python", threads=1)
    sessions = sessions_of(options.test, model)
    write_sessions(folder / "sessions.tsv", sessions)
    play(model, sessions, 20)  # warms up
    native, python = [], []
    for _ in range(options.rounds):
        native.append(visitors_in_cpp(options.cpp, folder / "python", folder / "sessions.tsv"))
        python.append(visitors_in_python(model, sessions))
    top = f"`top({{}})` of {model.n_items_} items"
    for name, in_cpp, in_python in [("`click`", "click", "click"), ("`click`, C++ by ids", "click_by_id", "click"),
                                    (top.format(20), "top_20", "top_20"),
                                    (top.format(20) + ", C++ with ids", "top_20_with_ids", "top_20"),
                                    (top.format(1) + ", C++ with ids", "top_1_with_ids", "top_1")]:
        row(f"{name}, us", [times[in_cpp] for times in native], [times[in_python] for times in python], "us", 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the program gru4rec")
    parser.add_argument("cpp", help="the program click_and_top of the benchmarks")
    parser.add_argument("train", type=pathlib.Path)
    parser.add_argument("test", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    params = {"layers": 100, "batch_size": 128, "n_epochs": 2}
    print(f"Median of {options.rounds} rounds (min to max), one thread\n\n| | native | Python | difference |\n"
          "|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        measure_training(options, params, pathlib.Path(name))
        measure_visitors(options, pathlib.Path(name))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        fit(sys.argv[2], json.loads(sys.argv[3]), sys.argv[4])
    else:
        main()

#!/usr/bin/env python3
"""Compares the training speed of builds of the program `gru4rec` with that of the first one.

    bench/engines.py build/release/bin/gru4rec build/packages/portable/bin/gru4rec

In each setting of bench_training_step, every round trains with each program in turn, on one thread. Prints the medians
of the events per second and of the rounds' ratios, with the lowest and highest ratio. GRU4REC_ENGINE applies to all
programs except the first.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

SETTINGS = pathlib.Path(__file__).with_name("support") / "training.hpp"
ITEMS = 37_483


def settings():
    """Values for --params by name of the setting, from lines like `{"rsc15", {{"loss", "cross-entropy"}, ...}, 16},` in
    the C++ source."""
    source = SETTINGS.read_text(encoding="utf-8")
    body = source[source.index("all = {"):source.index("return all;")]
    heads = list(re.finditer(r'^ {8}\{"(\w+)",$', body, re.MULTILINE))
    ends = [head.start() for head in heads[1:]] + [len(body)]
    return {head[1]: ",".join(f"{name}={value}" for name, value in
                              re.findall(r'\{"(\w+)", "([^"]+)"\}', body[head.end():end]))
            for head, end in zip(heads, ends)}


def events_per_second(program, params, data, report, environment):
    subprocess.run([program, "train", data, "--params", f"{params},n_epochs=1", "--threads", "1", "--report", report],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return json.loads(report.read_text())["epochs"][0]["events_per_second"]


def make_sessions(program, path, n_sessions, environment):
    subprocess.run([program, "synth", path, "--sessions", str(n_sessions), "--items", str(ITEMS)], check=True,
                   capture_output=True, env=environment)


def sessions_for(program, params, seconds, folder, environment):
    """A file of sessions on which one epoch takes about `seconds`."""
    trial, report = folder / "trial.tsv", folder / "trial.json"
    make_sessions(program, trial, 3000, environment)
    speed = events_per_second(program, params, trial, report, environment)
    data = folder / "data.tsv"
    n_sessions = max(1000, round(speed * seconds / 3))  # of four events, which make three pairs
    make_sessions(program, data, n_sessions, environment)
    return data


def compare(programs, params, options, folder):
    """The events per second of each program, in the order of `programs`, for every round."""
    without = {name: value for name, value in os.environ.items() if name != "GRU4REC_ENGINE"}
    data = sessions_for(programs[0], params, options.seconds, folder, without)
    environments = [without] + [dict(os.environ)] * (len(programs) - 1)
    rounds = []
    for number in range(options.rounds):
        order = list(range(len(programs)))
        if number % 2 == 1:
            order.reverse()
        speeds = {i: events_per_second(programs[i], params, data, folder / "report.json", environments[i])
                  for i in order}
        rounds.append([speeds[i] for i in range(len(programs))])
    return rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2, help="training time of one run (default: 2)")
    parser.add_argument("--setting", action="append", metavar="NAME", help="may be given several times (default: all)")
    options = parser.parse_args()
    if len(options.programs) < 2:
        parser.error("at least two programs are needed")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    known = settings()
    for name in options.setting or []:
        if name not in known:
            parser.error(f"there is no setting '{name}', expected one of: {', '.join(known)}")
    programs = [os.path.abspath(program) for program in options.programs]
    for name in options.setting or known:
        with tempfile.TemporaryDirectory() as folder:
            rounds = compare(programs, known[name], options, pathlib.Path(folder))
        for i in range(1, len(programs)):
            ratios = [speeds[i] / speeds[0] for speeds in rounds]
            first, other = (statistics.median(speeds[k] for speeds in rounds) for k in (0, i))
            print(f"{name:14} {first:9.0f} {other:9.0f} events/s, ratio {statistics.median(ratios):.3f} "
                  f"({min(ratios):.3f} to {max(ratios):.3f}) {options.programs[i]}", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures this library beside PyTorch, faiss, pandas, Polars and DuckDB, and prints tables in Markdown.

    bench/compare/run.sh                      # builds, installs and calls this
    bench/compare/compare.py build/bench/bin/gru4rec_side [--only one,training/rsc15] [--threads 2] [--rounds 7]

Every library runs in a process of its own and is measured only after its results agree with those of this library. In
each round all of them are measured once, in turn; a cell is the median of the rounds (least to most). Times are
processor times with one thread, else by the clock on the wall. A library that the Python interpreter does not have is
left out with a message. Needs nothing but Python itself.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

SIDE = pathlib.Path(__file__).with_name("side.py")
OURS = "gru4rec"
UNITS = 100
CATALOGUE = 37_483


class Contestant:
    """A column of a table: a library, and which of its ways."""

    def __init__(self, title, library, way=""):
        self.title, self.library, self.way = title, library, way


class Case:
    """A row of a table."""

    def __init__(self, name, title, kind, measure, flops=0, threads=None, **words):
        """:param kind: of data, and :param words: its sizes, for the sides
        :param measure: what a side is asked for, before the way of the contestant
        :param flops: of one unit (a request or an event)
        :param threads: instead of the number of the command line
        """
        self.name, self.title, self.kind, self.measure = name, title, kind, measure
        self.flops, self.threads, self.words = flops, threads, words


class Group:
    """A table: the same contestants in several cases."""

    def __init__(self, name, title, show, contestants, cases, unit=None):
        """:param show: text of a time per unit
        :param unit: measure of this library by which times are divided, and its name
        """
        self.name, self.title, self.show, self.contestants, self.cases = name, title, show, contestants, cases
        self.unit = unit


def microseconds(seconds):
    return f"{seconds * 1e6:,.1f}" if seconds < 1e-4 else f"{seconds * 1e6:,.0f}"


def per_second(seconds):
    return f"{1 / seconds:,.0f}"


def in_seconds(seconds):
    return f"{seconds:.2f}"


SERVING = [Contestant("gru4rec, exact", OURS, "exact"), Contestant("gru4rec, quantised", OURS, "quantised"),
           Contestant("PyTorch", "torch"), Contestant("faiss", "faiss")]
NETWORK = [Contestant("gru4rec", OURS), Contestant("PyTorch", "torch")]
LOADING = [Contestant("gru4rec", OURS), Contestant("pandas", "pandas"), Contestant("Polars", "polars"),
           Contestant("DuckDB", "duckdb")]


def groups(quick):
    """All tables; tiny ones to try the script."""
    def size(full, tiny):
        return tiny if quick else full

    def lists(measure, n_items, tiny, n_requests, n_sessions=256, **others):
        items = size(n_items, tiny)
        return Case(f"{measure}/{n_items}", f"{items:,} items", "serving", measure, items=items, units=UNITS,
                    sessions=size(n_sessions, 8), requests=size(n_requests, 8), **others)

    def lists_of_many(n_items, tiny, n_requests):
        return lists("many", n_items, tiny, n_requests, flops=2 * size(n_items, tiny) * UNITS)

    def lists_of_one(n_items, tiny, n_requests, n_sessions=256):
        """A second thread changes nothing for this library and PyTorch, and with it faiss takes three times as long."""
        return lists("one", n_items, tiny, n_requests, n_sessions, threads=1)

    def training(name, title, units, lanes, n_sample, n_steps):
        flops = 6 * (lanes + n_sample) * units + (12 if name == "one_hot" else 30) * units * units
        return Case(f"training/{name}", f"{title}: {units} / {lanes} / {n_sample}", "training", "train", flops,
                    setting=name, items=size(CATALOGUE, 1000), steps=size(n_steps, 2), checked_steps=3)

    def loading(name, title, measure, order):
        return Case(f"loading/{name}", title, "loading", measure, events=size(2_700_000, 2000), order=order)

    return [
        Group("many", f"Top 20 for {size(256, 8)} sessions at once, {UNITS} units; microseconds per request",
              microseconds, SERVING, [lists_of_many(10_000, 500, 2560), lists_of_many(100_000, 1000, 256)]),
        Group("one", f"Top 20 for one session, {UNITS} units, one thread; microseconds", microseconds, SERVING,
              [lists_of_one(10_000, 500, 2000), lists_of_one(100_000, 1000, 200),
               lists_of_one(1_000_000, 2000, 20, 8)],
              ("read", "reads of the table")),
        Group("evaluation", f"Ranks of all test events, {UNITS} units; events/s", per_second, NETWORK,
              [Case("evaluation", f"{CATALOGUE:,} items", "evaluation", "evaluate",
                    2 * CATALOGUE * UNITS + 12 * UNITS * UNITS, items=CATALOGUE, units=UNITS,
                    sessions=size(1024, 4))]),
        Group("training", "Training in published settings: units / lanes / n_sample; events/s", per_second, NETWORK,
              [training("rsc15", "RSC15", 100, 32, 2048, 400),
               training("retailrocket", "RetailRocket", 224, 80, 2048, 100),
               training("diginetica", "Diginetica", 512, 128, 2048, 20),
               training("rees46", "Rees46", 512, 240, 2048, 10),
               training("one_hot", "one-hot", 100, 50, 0, 1000)]),
        Group("loading", f"Loading {size('2.7 million', '2,000')} events of a TSV file; seconds", in_seconds,
              LOADING,
              [loading("columns", "typed columns", "columns", "session"),
               loading("sessions", "sessions, one after another in the file", "sessions", "session"),
               loading("sessions_by_time", "sessions, the file by time", "sessions", "time")]),
    ]


class Side:
    """A process that measures one library."""

    def __init__(self, library, case, folder, options):
        words = [f"{name}={value}" for name, value in case.words.items()]
        threads = case.threads or options.threads
        words += [f"folder={folder}", f"threads={threads}"]
        command = [options.program] if library == OURS else [sys.executable, str(SIDE), library]
        limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"),
                               str(threads))
        self.process = subprocess.Popen([*command, case.kind, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=os.environ | limits)
        self.case, self.library = case, library
        self.state, _, self.about = self.read_line().partition(" ")

    def read_line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"compare.py: {self.library} failed in {self.case.name}")
        return line.strip()

    def measure(self, what):
        print(what, file=self.process.stdin, flush=True)
        return float(self.read_line())

    def stop(self):
        self.process.communicate()
        if self.process.returncode != 0:
            sys.exit(f"compare.py: {self.library} failed in {self.case.name}")


class Sides:
    """The processes of a case. This library comes first: it writes the data that the others read."""

    def __init__(self, group, case, folder, options, about):
        """:param about: gets the version of every library, None if it is left out"""
        self.running = {}
        for library in dict.fromkeys([OURS, *(contestant.library for contestant in group.contestants)]):
            side = Side(library, case, folder, options)
            if side.state == "missing":
                side.stop()
                if library not in about:
                    print(f"{library} is left out: {side.about}", file=sys.stderr)
                about[library] = None
            else:
                self.running[library] = side
                about[library] = side.about

    def stop(self):
        for side in self.running.values():
            side.stop()


class Results:
    """What was measured in the rounds of a case, by contestant; seconds per unit."""

    def __init__(self, case):
        self.case, self.seconds, self.units, self.peak = case, {}, [], 0

    def measure(self, group, sides, options):
        here = [contestant for contestant in group.contestants if contestant.library in sides.running]
        for number in range(options.rounds):
            for contestant in here if number % 2 == 0 else here[::-1]:
                seconds = sides.running[contestant.library].measure(f"{self.case.measure} {contestant.way}".strip())
                self.seconds.setdefault(contestant.title, []).append(seconds)
            if self.case.flops:
                self.peak = max(self.peak, sides.running[OURS].measure("peak"))
            if group.unit:
                self.units.append(sides.running[OURS].measure(group.unit[0]))

    def cell(self, group, title):
        if title not in self.seconds:
            return "–"
        seconds = self.seconds[title]
        middle = statistics.median(seconds)
        ends = sorted((min(seconds), max(seconds)), reverse=group.show is per_second)
        text = f"{group.show(middle)} ({' to '.join(map(group.show, ends))})"
        if self.case.flops:
            text += f", {100 * self.case.flops / middle / self.peak:.0f} %"
        if self.units:
            text += f", {middle / statistics.median(self.units):.2f}"
        return text


def compare(group, cases, options, about):
    """Prints the table of a group, row by row."""
    columns = [contestant.title for contestant in group.contestants]
    remark = ", share of the FMA peak" if cases[0].flops else f", {group.unit[1]}" if group.unit else ""
    print(f"\n{group.title}: median (least to most){remark}\n")
    print(f"| | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|", flush=True)
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="gru4rec-compare-") as folder:
            sides = Sides(group, case, folder, options, about)
            results = Results(case)
            results.measure(group, sides, options)
            sides.stop()
        print(f"| {case.title} | {' | '.join(results.cell(group, title) for title in columns)} |", flush=True)
        if results.peak:
            about.setdefault("peaks", []).append(results.peak * 1e-9)


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def chosen(only, quick):
    """The groups with those of their cases that are asked for, by the name of a group or a case."""
    every = groups(quick)
    known = {group.name for group in every} | {case.name for group in every for case in group.cases}
    if unknown := set(only or ()) - known:
        sys.exit(f"compare.py: there is no {', '.join(sorted(unknown))}, expected some of {', '.join(sorted(known))}")
    for group in every:
        cases = [case for case in group.cases if not only or group.name in only or case.name in only]
        if cases:
            yield group, cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program gru4rec_side of the benchmarks")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="NAMES",
                        help="tables or rows, separated by commas (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the script: the times mean nothing")
    options = parser.parse_args()
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be 1 or more")
    if not os.access(options.program, os.X_OK):
        parser.error(f"there is no program {options.program}")
    selected = list(chosen(options.only, options.quick))
    print(f"{cpu_name()}, {options.threads} {'thread' if options.threads == 1 else 'threads'}, {options.rounds} rounds")
    about = {}
    for group, cases in selected:
        compare(group, cases, options, about)
    peaks = about.pop("peaks", [])
    if peaks:
        print(f"\nFMA peak: {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s")
    if "training" in {group.name for group, _ in selected}:
        print("\nPyTorch's trainer is written for this comparison, from docs/model.md: it stands for the existing "
              "ports, whose licence forbids shipping them.")
    print(f"\nVersions: {'; '.join(text for text in about.values() if text)}")


if __name__ == "__main__":
    main()

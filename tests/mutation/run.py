#!/usr/bin/python3
"""Mutation testing of include/: run.py [--share 0.15] [--seed 1] [--header PATTERN] [--seconds 20] [--minutes N] [--again]

Draws a share of all mutants of each header (see places.py: signs, comparisons, off by one, conditions, statements left out,
rows for columns ...), builds the C++ tests once with all of them inside (see mutant.hpp), and runs for each mutant the test
cases that reach its place, the fastest first, until one fails. What --seconds of tests do not find counts as survived.
Prints a table by header, and writes the survivors to build/mutation/survivors.tsv. Those that equivalent.tsv lists with a
reason are not counted: score = killed / (mutants - equivalent), and what no test reaches counts as not killed. --again
judges only what the last run did not kill, after tests have been added; the headers must be as they were.

Needs python3-clang-14 and clang++, and takes an hour or more. Works in build/mutation. Exit status 1: fewer than --goal
percent were killed.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import places

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build" / "mutation"
SOURCE = FOLDER / "source"
BUILD = FOLDER / "build"
TESTS = ["unit", "gradient", "property", "golden", "robustness", "end_to_end"]
LEAST_PER_HEADER = 8
# A mutant of the code that replaces files has put a plain file in place of /dev/full. As root, tests run where nothing
# but the work folder and /tmp can be changed; anyone else has no rights over the machine.
CONFINED = ["unshare", "--mount", "sh", "-c",
            'mount --bind "$0" "$0" && mount --bind /tmp /tmp && mount --rbind /dev /dev && '
            'mount -o remount,bind,ro /dev && mount -o remount,bind,ro / && exec "$@"', str(FOLDER)]
SHORT_SECONDS = 1.0  # tests that are run before the longer ones


def copy_sources():
    """The project without its headers, changed files alone, so that a second run compiles little."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in files.rstrip("\0").split("\0"):
        if not name.startswith("include/gru4rec/"):
            write_if_changed(SOURCE / name, (ROOT / name).read_bytes())
    main = (ROOT / "tests/support/main.cpp").read_bytes()
    write_if_changed(SOURCE / "tests/support/main.cpp", main + b'\n#include "mutation/reached_by_case.hpp"\n')
    for name in ("mutant.hpp", "reached_by_case.hpp"):
        write_if_changed(SOURCE / "tests/mutation" / name, (ROOT / "tests/mutation" / name).read_bytes())


def write_if_changed(path, content):
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def find(chosen=None):
    finder = places.Finder(ROOT / "include" / "gru4rec", chosen)
    finder.find(ROOT / "tests/packaging/everything.cpp",
                ["-x", "c++", "-std=c++20", "-march=native", f"-I{ROOT / 'include'}", f"-I{ROOT / 'tests'}", "-isystem",
                 "/usr/include/eigen3"])
    return finder


def choose(mutants, share, seed, pattern):
    by_header = collections.defaultdict(list)
    for mutant in mutants:
        if fnmatch.fnmatch(mutant.header, pattern):
            by_header[mutant.header].append(mutant.number)
    chosen = set()
    for header, numbers in sorted(by_header.items()):
        count = max(LEAST_PER_HEADER, round(share * len(numbers)))
        chosen.update(random.Random(f"{seed} {header}").sample(numbers, min(count, len(numbers))))
    return chosen


def write_headers(chosen):
    finder = find(chosen)
    for header in (ROOT / "include" / "gru4rec").rglob("*.hpp"):
        rewriting = finder.rewritings.get(str(header))
        write_if_changed(SOURCE / header.relative_to(ROOT), rewriting.result() if rewriting else header.read_bytes())


def refused(output):
    """The mutants on the lines that a compiler complains about, inside the headers."""
    numbers = set()
    in_error = False
    for line in output.splitlines():
        place = re.match(r"(?:In file included from )?(\S+?):(\d+):(?:\d+:)? (error|note)?", line)
        if not place:
            continue
        in_error = in_error if place[3] == "note" else place[3] == "error"
        if not in_error or f"{SOURCE}/include/" not in place[1]:
            continue
        text = pathlib.Path(place[1]).read_text(encoding="utf-8").splitlines()[int(place[2]) - 1]
        found = {int(n) for n in re.findall(r"gru4rec_mutant::\w+<(\d+)>", text)}
        numbers |= found
        if found:
            in_error = False  # its notes say only where it came from
    return numbers


def build(chosen, jobs):
    """Leaves out mutants that do not compile, until all compiles."""
    flags = f"-include {SOURCE}/tests/mutation/mutant.hpp -w -ferror-limit=0"
    while True:
        write_headers(chosen)
        output = ""
        for file in ["tests/packaging/everything.cpp", *(f"src/{f.name}" for f in (SOURCE / "src").glob("*.cpp"))]:
            check = subprocess.run(
                ["clang++", "-std=c++20", "-fsyntax-only", "-march=native", *flags.split(), *(f"-I{SOURCE}/{d}" for d in ("include", "tests", "src")),
                 "-isystem", "/usr/include/eigen3", f"{SOURCE}/{file}"] + (["-DGRU4REC_COMPILED"] if "src/" in file else []),
                cwd=SOURCE, capture_output=True, text=True)
            output += check.stderr
        bad = refused(output) & chosen
        if not bad:
            if "error:" in output:
                raise SystemExit("run.py: the instrumented headers do not compile:\n" + output[:3000])
            configure = ["cmake", "-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                         f"-DCMAKE_CXX_FLAGS_RELEASE=-O1 {flags}", "-DCMAKE_CXX_COMPILER=clang++",
                         "-DGRU4REC_NATIVE=ON", "-DGRU4REC_BUILD_TESTS=ON", "-DGRU4REC_BUILD_EXAMPLES=OFF",
                         "-DGRU4REC_TESTS_PER_UNIT=12", f"-DPython3_EXECUTABLE={sys.executable}"]
            subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
            made = subprocess.run(["cmake", "--build", str(BUILD), "--parallel", str(jobs), "--target",
                                   *(f"gru4rec_{t}_tests" for t in TESTS), "--", "-k", "0"], capture_output=True, text=True)
            if made.returncode == 0:
                return chosen
            bad = refused(made.stdout + made.stderr) & chosen
            if not bad:
                raise SystemExit("run.py: the tests do not compile:\n" + made.stdout[-5000:] + made.stderr[-2000:])
        print(f"{len(bad)} mutants do not compile and are left out", flush=True)
        chosen = chosen - bad


class Case:
    """A test case, and which mutants it reaches."""
    def __init__(self, program, line):
        file, name, seconds, *reached = line.split("\t")
        self.program, self.file, self.name, self.seconds = program, file, name, float(seconds)
        self.reached = set(map(int, reached))


def run_program(program, cases, timeout, environment=None):
    """'' if the cases pass, else how the program ended."""
    command = [*(CONFINED if os.geteuid() == 0 else []), str(program), "--no-version=true", "--abort-after=1"]
    if cases:
        # A comma separates patterns, and ? is any character.
        command.append("--test-case=" + ",".join(re.sub(r"[,\\*?]", "?", c.name) for c in cases))
    try:
        done = subprocess.run(command, timeout=timeout, capture_output=True, cwd=FOLDER / "run",
                              env={**os.environ, **(environment or {})})
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode < 0:
        return "crashes"
    return "fails" if done.returncode else ""


def measure_cases():
    """What each case reaches, and all mutants that the tests hold. A case that fails without a mutant is left out."""
    cases, compiled = [], set()
    for name in TESTS:
        program = BUILD / "bin" / f"gru4rec_{name}_tests"
        record = FOLDER / f"{name}.reached"
        record.unlink(missing_ok=True)
        if problem := run_program(program, [], None, {"GRU4REC_MUTANT_REACHED": str(record)}):
            raise SystemExit(f"run.py: {program} {problem} without a mutant")
        first, *lines = record.read_text(encoding="utf-8").splitlines()
        compiled |= set(map(int, first.split("\t")[1:]))
        cases += [Case(program, line) for line in lines]
    return cases, compiled


def rounds(cases, seconds):
    """The cases in the order in which they are run: short ones together, then longer ones, until the time is over."""
    part, spent, total = [], 0.0, 0.0
    for case in sorted(cases, key=lambda c: c.seconds):
        if part and total + case.seconds > seconds:
            break
        part.append(case)
        spent += case.seconds
        total += case.seconds
        if spent > SHORT_SECONDS:
            yield part
            part, spent = [], 0.0
    if part:
        yield part


def fate(number, cases, seconds):
    reaching = [c for c in cases if number in c.reached]
    if not reaching:
        return "not reached"
    for part in rounds(reaching, seconds):
        for program in {c.program for c in part}:
            own = [c for c in part if c.program == program]
            timeout = 20 + 20 * sum(c.seconds for c in own)
            if ended := run_program(program, own, timeout, {"GRU4REC_MUTANT": str(number)}):
                return ended
    return "survives"


def read_equivalent():
    """(header, source line, change) of the mutants that cannot be killed."""
    lines = (ROOT / "tests/mutation/equivalent.tsv").read_text(encoding="utf-8").splitlines()
    return {tuple(line.split("\t")[:3]) for line in lines if line and not line.startswith("#")}


def report(mutants, fates):
    equivalent = read_equivalent()
    counts = collections.defaultdict(collections.Counter)
    survivors = []
    for number, ended in fates.items():
        mutant = mutants[number - 1]
        killed = ended in ("fails", "crashes", "hangs")
        if not killed and (mutant.header, mutant.source, mutant.change) in equivalent:
            counts[mutant.header]["equivalent"] += 1
            continue
        counts[mutant.header]["killed" if killed else ended] += 1
        if not killed:
            survivors.append(f"{mutant.header}:{mutant.line}\t{ended}\t{mutant.change}\t{mutant.source}")
    (FOLDER / "survivors.tsv").write_text("\n".join(sorted(survivors)) + "\n", encoding="utf-8")
    print(f"\n{'header':45}{'mutants':>8}{'killed':>8}{'survive':>8}{'not reached':>12}{'equivalent':>11}{'score':>8}")
    total = collections.Counter()
    for header, count in [*sorted(counts.items()), ("all", total)]:
        if header != "all":
            total.update(count)
        judged = count.total() - count["equivalent"]
        print(f"{header:45}{count.total():8}{count['killed']:8}{count['survives']:8}{count['not reached']:12}"
              f"{count['equivalent']:11}{100 * count['killed'] / max(judged, 1):7.1f}%")
    print(f"Survivors: {FOLDER / 'survivors.tsv'}")
    return 100 * total["killed"] / max(total.total() - total["equivalent"], 1)


def write_fates(mutants, fates):
    lines = [f"{number}\t{mutants[number - 1].header}\t{mutants[number - 1].change}\t{ended}" for number, ended in fates.items()]
    (FOLDER / "fates.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_fates(mutants):
    """Of the last run."""
    fates = {}
    for line in (FOLDER / "fates.tsv").read_text(encoding="utf-8").splitlines():
        number, header, change, ended = line.split("\t")
        mutant = mutants[int(number) - 1]
        if (mutant.header, mutant.change) != (header, change):
            raise SystemExit("run.py: the headers have changed since the last run; leave out --again")
        fates[int(number)] = ended
    return fates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.15, help="of the mutants of each header (default: 0.15)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--header", default="*", help="only headers that match, such as 'nn/*' or core/top_k.hpp")
    parser.add_argument("--seconds", type=float, default=20, help="of tests for each mutant (default: 20)")
    parser.add_argument("--minutes", type=float, default=1e9, help="after which no more mutants are run")
    parser.add_argument("--again", action="store_true", help="judge only what the last run did not kill")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--goal", type=float, default=90, help="percent killed (default: 90)")
    options = parser.parse_args()

    (FOLDER / "run").mkdir(parents=True, exist_ok=True)
    copy_sources()
    mutants = find().mutants
    chosen = choose(mutants, options.share, options.seed, options.header)
    print(f"{len(mutants)} mutants in include/, {len(chosen)} drawn", flush=True)
    chosen = build(chosen, options.jobs)
    cases, compiled = measure_cases()
    chosen &= compiled
    print(f"{len(chosen)} are compiled by the tests, which have {len(cases)} cases, {sum(c.seconds for c in cases):.0f} s",
          flush=True)

    fates = read_fates(mutants) if options.again else {}
    order = sorted(n for n in chosen if not options.again or fates.get(n) in ("survives", "not reached"))
    random.Random(options.seed).shuffle(order)
    start = time.monotonic()

    judged = []

    def judge(number):
        if time.monotonic() - start < 60 * options.minutes:
            fates[number] = fate(number, cases, options.seconds)
            judged.append(number)
            if len(judged) % 100 == 0:
                print(f"{len(judged)} of {len(order)}, {time.monotonic() - start:.0f} s", flush=True)
                write_fates(mutants, dict(fates))

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(judge, order))
    shutil.rmtree(FOLDER / "run")
    write_fates(mutants, fates)
    return 0 if report(mutants, fates) >= options.goal else 1


if __name__ == "__main__":
    sys.exit(main())

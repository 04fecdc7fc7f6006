#!/usr/bin/env python3
"""Which lines and branches of include/ the C++ tests run: coverage.py [--lines 95] [--branches 85] [--jobs N]

Builds the tests with clang and its instrumentation in build/coverage, runs them, and prints a table by header, the worst
first. What no test runs is in build/coverage/uncovered.txt. Exit status 1: fewer than the goals, in percent.

A branch is a condition, or a side of && and ||, and has two sides: true and false. Instantiations of a template count
together: a line is run, and a side taken, if it is in any of them. (llvm-cov's own summary takes the branches of one
instantiation.) Conditions that the compiler knows, such as those of `if constexpr`, and those inside macros do not count.
Needs clang, llvm (llvm-profdata, llvm-cov) and what tests/run.sh needs.
"""
import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "coverage"
PROGRAMS = [f"gru4rec_{folder}_tests" for folder in ("unit", "gradient", "property", "golden", "robustness", "end_to_end")]


def tool(name):
    """The one of the same version as clang++, which alone reads its files."""
    found = re.search(r"version (\d+)", subprocess.run(["clang++", "--version"], capture_output=True, text=True, check=True).stdout)
    for candidate in (f"{name}-{found[1]}", name):
        if path := shutil.which(candidate):
            return path
    sys.exit(f"coverage.py: needs {name} of version {found[1]} (Debian: llvm)")


def build_and_run(jobs):
    flags = "-O1 -g1 -fprofile-instr-generate -fcoverage-mapping"
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    f"-DCMAKE_CXX_FLAGS_RELEASE={flags}", "-DCMAKE_CXX_COMPILER=clang++", "-DGRU4REC_NATIVE=ON",
                    "-DGRU4REC_BUILD_TESTS=ON", "-DGRU4REC_BUILD_EXAMPLES=OFF", "-DGRU4REC_TESTS_PER_UNIT=12",
                    f"-DPython3_EXECUTABLE={sys.executable}"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(BUILD), "--parallel", str(jobs), "--target", *PROGRAMS], check=True)
    profiles = []
    for program in PROGRAMS:
        profiles.append(BUILD / f"{program}.profraw")
        subprocess.run([BUILD / "bin" / program, "--no-version=true", "--minimal=true"], check=True, cwd=BUILD,
                       env={**os.environ, "LLVM_PROFILE_FILE": str(profiles[-1])})
    subprocess.run([tool("llvm-profdata"), "merge", "--sparse", *map(str, profiles), "-o", str(BUILD / "all.profdata")],
                   check=True)


def llvm_cov(command, *arguments):
    objects = [str(BUILD / "bin" / PROGRAMS[0])]
    for program in PROGRAMS[1:]:
        objects += ["--object", str(BUILD / "bin" / program)]
    done = subprocess.run([tool("llvm-cov"), command, *objects, f"--instr-profile={BUILD / 'all.profdata'}", *arguments,
                           str(ROOT / "include")], check=True, capture_output=True, text=True)
    return done.stdout


class Header:
    """What the tests run of one header, of all its instantiations together."""
    def __init__(self):
        self.lines = {}  # number: how often it was run
        self.branches = {}  # (line, column): [whether it was ever true, whether it was ever false]
        self.text = {}  # number: source

    def counts(self):
        """(lines, lines run, sides of branches, sides taken)"""
        sides = [side for both in self.branches.values() for side in both]
        return len(self.lines), sum(n != "0" for n in self.lines.values()), len(sides), sum(sides)


def read_headers():
    """By name. llvm-cov shows each line once, with the sum of its instantiations, and its branches once for each of them."""
    headers = collections.defaultdict(Header)
    for line in llvm_cov("show", "--show-instantiations=false", "--show-branches=count", "--use-color=false").splitlines():
        if line.startswith(str(ROOT)):
            header = headers[pathlib.Path(line.rstrip(":")).relative_to(ROOT / "include" / "gru4rec")]
        elif found := re.match(r" *(\d+)\| *([\d.]+[kMGTPE]?)\|(.*)", line):
            header.lines[int(found[1])] = found[2]
            header.text[int(found[1])] = found[3].strip()
        elif found := re.match(r" *\|  Branch \((\d+):(\d+)\): \[True: (\S+), False: (\S+)\]", line):
            sides = header.branches.setdefault((int(found[1]), int(found[2])), [False, False])
            sides[0] |= found[3] != "0"
            sides[1] |= found[4] != "0"
    return headers


def write_uncovered(headers):
    with open(BUILD / "uncovered.txt", "w", encoding="utf-8") as out:
        for name, header in sorted(headers.items()):
            for number in sorted(n for n, count in header.lines.items() if count == "0"):
                out.write(f"{name}:{number}\tnot run\t{header.text[number]}\n")
            for (line, column), sides in sorted(header.branches.items()):
                missed = " and ".join(value for value, seen in zip(("true", "false"), sides) if not seen)
                if missed and header.lines.get(line) != "0":
                    out.write(f"{name}:{line}:{column}\tnever {missed}\t{header.text.get(line, '')}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, default=95, help="goal in percent (default: 95)")
    parser.add_argument("--branches", type=float, default=85, help="goal in percent (default: 85)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    build_and_run(options.jobs)

    headers = read_headers()
    rows = [(str(name), header.counts()) for name, header in headers.items()]
    rows.sort(key=lambda row: (row[1][1] / max(row[1][0], 1), row[0]))
    rows.append(("all", tuple(map(sum, zip(*(counts for _, counts in rows))))))
    print(f"{'header':45}{'lines':>8}{'missed':>8}{'branches':>10}{'missed':>8}")
    for name, (lines, lines_run, sides, taken) in rows:
        print(f"{name:45}{percent(lines_run, lines):7.1f}%{lines - lines_run:8}{percent(taken, sides):9.1f}%{sides - taken:8}")
    write_uncovered(headers)
    print(f"What no test runs: {BUILD / 'uncovered.txt'}")
    lines, lines_run, sides, taken = rows[-1][1]
    return 0 if percent(lines_run, lines) >= options.lines and percent(taken, sides) >= options.branches else 1


def percent(part, whole):
    return 100 * part / whole if whole else 100


if __name__ == "__main__":
    sys.exit(main())

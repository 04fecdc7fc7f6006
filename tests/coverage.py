#!/usr/bin/env python3
"""Which lines and branches of include/ the C++ tests run: coverage.py [--lines 95] [--branches 85] [--jobs N]

Builds the tests with clang and its instrumentation in build/coverage, runs them, and prints a table by header, the worst
first. The lines that no test runs are in build/coverage/uncovered.txt. Exit status 1: fewer than the goals, in percent.
Needs clang, llvm (llvm-profdata, llvm-cov) and what tests/run.sh needs.
"""
import argparse
import json
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


def write_uncovered():
    """Lines with a count of 0, each under the name of its header."""
    lines = []
    for line in llvm_cov("show", "--show-instantiations=false", "--use-color=false").splitlines():
        if line.startswith(str(ROOT)):
            lines.append("\n" + line)
        elif re.match(r" *\d+\| *0\|", line):
            lines.append(line)
    (BUILD / "uncovered.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, default=95, help="goal in percent (default: 95)")
    parser.add_argument("--branches", type=float, default=85, help="goal in percent (default: 85)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    build_and_run(options.jobs)

    data = json.loads(llvm_cov("export", "--summary-only"))["data"][0]
    rows = [(pathlib.Path(f["filename"]).relative_to(ROOT / "include" / "gru4rec"), f["summary"]) for f in data["files"]]
    rows.sort(key=lambda row: row[1]["lines"]["percent"])
    print(f"{'header':45}{'lines':>8}{'missed':>8}{'branches':>10}{'missed':>8}")
    for name, summary in [*rows, ("all", data["totals"])]:
        lines, branches = summary["lines"], summary["branches"]
        print(f"{str(name):45}{lines['percent']:7.1f}%{lines['count'] - lines['covered']:8}"
              f"{branches['percent']:9.1f}%{branches['notcovered']:8}")
    write_uncovered()
    print(f"Lines that no test runs: {BUILD / 'uncovered.txt'}")
    reached = data["totals"]["lines"]["percent"] >= options.lines and data["totals"]["branches"]["percent"] >= options.branches
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures what it costs to compile programs that use the library, in CPU seconds of the compiler, without linking.

The programs: `base` includes only Eigen/Core and tbb/parallel_for.h; `serve` loads a model and recommends; `first` and
`second` are those of README.md. Each is compiled header-only and as a program that links gru4rec::compiled. Ratios are
to the base, so they mean about the same on every machine.

    bench/compile_time.py                                  # g++ and clang++, a table
    bench/compile_time.py --compiler g++ --check           # fails if a ratio is above its bound
"""
import argparse
import concurrent.futures
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

BASE = """#include <Eigen/Core>
#include <tbb/parallel_for.h>
int main() {}
"""
SERVE = """#include <gru4rec/io/model_file.hpp>
#include <gru4rec/serve.hpp>
#include <cstdio>

int main() {
    const auto model = gru4rec::load_model<float>("model.safetensors");
    gru4rec::Recommender<float> recommender(model);
    gru4rec::SessionState<float> visitor(model);
    recommender.advance(visitor, model.items().find("17").value());
    for (const auto& [item, score] : recommender.recommend(visitor, 20)) {
        std::printf("%d %g\\n", static_cast<int>(item), static_cast<double>(score));
    }
}
"""

# Ratios to the base as they are, and how far --check lets them be exceeded: timings on shared machines vary. `first`
# has none header-only: all that it includes, but for synthetic.hpp, is in the two others.
BOUNDS = {"header-only": {"serve": 7, "second": 20.5}, "compiled": {"serve": 2.5, "first": 3, "second": 3.5}}
TOLERANCE = 1.6
WAYS = {"header-only": [], "compiled": ["-DGRU4REC_COMPILED"]}
BASE_REPETITIONS = 3  # the base is cheap, and every ratio depends on it


def readme_programs(folder):
    """Writes README.md's programs into the folder."""
    script = ROOT / "tests" / "packaging" / "readme_programs.py"
    done = subprocess.run([sys.executable, str(script), "write", str(folder), str(ROOT / "README.md")], capture_output=True,
                          text=True, check=True)
    return [pathlib.Path(name) for name in done.stdout.strip().split(";")]


def include_flags():
    """For Eigen and TBB, if they are not in the compiler's own folders."""
    flags = ["-I" + str(ROOT / "include")]
    if shutil.which("pkg-config"):
        done = subprocess.run(["pkg-config", "--cflags-only-I", "eigen3", "tbb"], capture_output=True, text=True,
                              check=False)
        flags += [flag.replace("-I", "-isystem", 1) for flag in done.stdout.split()]
    return flags


def compile_seconds(command, output):
    """CPU seconds, user and system, of a compiler and all processes that it starts."""
    process = subprocess.Popen([*command, "-o", str(output)], stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"compile_time.py: exit status {process.returncode} of {shlex.join(command)}")
    return usage.ru_utime + usage.ru_stime


def measure(compiler, flags, sources, pairs, repetitions, jobs):
    """{(program, way): (seconds, bytes of the object file)} of pairs of program and way"""
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = {}
        for program, way in pairs:
            command = [compiler, *flags, *WAYS[way], "-c", str(sources[program])]
            output = pathlib.Path(folder) / f"{program}_{way}"
            times = max(repetitions, BASE_REPETITIONS if program == "base" else 1)
            waiting[program, way] = [(pool.submit(compile_seconds, command, f"{output}_{i}.o"), f"{output}_{i}.o")
                                     for i in range(times)]
        return {key: (statistics.median(future.result() for future, _ in runs), os.path.getsize(runs[0][1]))
                for key, runs in waiting.items()}


def report(compiler, measured):
    """Prints the table; returns the lines that say which bound is exceeded."""
    base, _ = measured["base", "header-only"]
    exceeded = []
    for (program, way), (seconds, size) in measured.items():
        ratio = seconds / base
        bound = BOUNDS[way].get(program)
        print(f"| {compiler} | {program} | {way if program != 'base' else ''} | {seconds:.1f} | {ratio:.1f} | "
              f"{f'{bound:g}' if bound else ''} | {size / 1024:.0f} |", flush=True)
        if bound and ratio > bound * TOLERANCE:
            exceeded.append(f"{compiler}, {program}, {way}: {ratio:.1f} times the base, at most {bound * TOLERANCE:.1f}")
    return exceeded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compiler", action="append", help="may be repeated; default: g++ and clang++, if installed")
    parser.add_argument("--way", action="append", choices=WAYS, help="default: both")
    parser.add_argument("--repetitions", type=int, default=1, help="of each compilation; the median counts (default: 1)")
    parser.add_argument("--jobs", type=int, default=1, help="compilations at the same time (default: 1)")
    parser.add_argument("--check", action="store_true",
                        help=f"measure what has a bound, and fail if a ratio exceeds {TOLERANCE} times its bound")
    parser.add_argument("flags", nargs="*", help="after --: of the compiler (default: -O3 -march=native)")
    options = parser.parse_args()
    compilers = options.compiler or [name for name in ("g++", "clang++") if shutil.which(name)]
    flags = ["-std=c++20", *(options.flags or ["-O3", "-march=native"]), *include_flags()]

    with tempfile.TemporaryDirectory() as folder:
        readme = readme_programs(pathlib.Path(folder) / "readme")
        sources = {"base": pathlib.Path(folder) / "base.cpp", "serve": pathlib.Path(folder) / "serve.cpp",
                   "first": readme[0], "second": readme[1]}
        sources["base"].write_text(BASE, encoding="utf-8")
        sources["serve"].write_text(SERVE, encoding="utf-8")
        print("| compiler | program | way | CPU s | ratio | bound | object, KiB |")
        print("|---|---|---|---|---|---|---|")
        exceeded = []
        pairs = [("base", "header-only")] + [(program, way) for program in sources if program != "base"
                                             for way in options.way or WAYS
                                             if not options.check or program in BOUNDS[way]]
        for compiler in compilers:
            exceeded += report(compiler, measure(compiler, flags, sources, pairs, options.repetitions, options.jobs))
    if options.check and exceeded:
        sys.exit("\n".join(["too slow to compile:", *exceeded]))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Compiles each public header alone: each_header_alone.py INCLUDE_FOLDER --jobs N -- COMPILER FLAGS...

Most of the time would go into reading Eigen, oneTBB and the standard library again for each header. Headers that reach the
same headers of the first two, by their own includes, share a precompiled header of what all of them reach: it shows a
header nothing that it does not include.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

# Ours, or of Eigen, oneTBB and the standard library. Headers of a system, <windows.h> say, are not read on another.
INCLUDE = re.compile(r'^# *include (?:"(gru4rec/[^"]+)"|<((?:Eigen|tbb)/[^>]+|[a-z0-9_]+)>)', re.MULTILINE)


def reached(folder, header, seen=None):
    """The headers of others that the header includes, itself or by ours."""
    seen = set() if seen is None else seen
    found = set()
    if header not in seen:
        seen.add(header)
        for own, heavy in INCLUDE.findall((folder / header).read_text()):
            found |= reached(folder, own, seen) if own else {heavy}
    return frozenset(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    headers = sorted(str(path.relative_to(options.folder)) for path in options.folder.rglob("*.hpp"))
    if not headers:
        sys.exit(f"{options.folder}: no headers, expected the project's")

    with tempfile.TemporaryDirectory() as scratch:
        def precompile(number, includes):
            path = pathlib.Path(scratch) / f"heavy_{number}.hpp"
            path.write_text("".join(f"#include <{name}>\n" for name in sorted(includes)))
            subprocess.run([*options.command, "-x", "c++-header", str(path), "-o", f"{path}.gch"], check=True)
            return path

        def compile_alone(header, path):
            shared = ["-include", str(path)] if path else []
            return subprocess.run([*options.command, *shared, "-fsyntax-only", "-x", "c++", str(options.folder / header)],
                                  capture_output=True, text=True)

        found = {header: reached(options.folder, header) for header in headers}
        heavy = {header: frozenset(name for name in names if "/" in name) for header, names in found.items()}
        common = {group: frozenset.intersection(*(found[header] for header in headers if heavy[header] == group))
                  for group in heavy.values()}
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            groups = sorted((group for group, names in common.items() if names), key=sorted)
            paths = dict(zip(groups, pool.map(precompile, range(len(groups)), (common[group] for group in groups))))
            results = list(pool.map(lambda header: compile_alone(header, paths.get(heavy[header])), headers))
    failed = [header for header, result in zip(headers, results) if result.returncode != 0]
    for header, result in zip(headers, results):
        if result.returncode != 0:
            print(f"{header} does not compile alone:\n{result.stderr}")
    print(f"{len(headers)} headers, {len(failed)} do not compile alone")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

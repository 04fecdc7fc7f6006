#!/usr/bin/env python3
"""A few of the faults of faults.py, in the operations that replace files: faults_test.py [PROGRAM]"""
import argparse
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

from faults import OPERATIONS, Bench, examine, folder_in_memory  # noqa: E402  pylint: disable=wrong-import-position
from program_under_test import program_under_test  # noqa: E402  pylint: disable=wrong-import-position

# None: all kinds. After a failed reload a server waits for seconds, so it gets kinds that hardly reach one.
KINDS = {"preprocess": None, "train": None, "recommend": None, "serve": ["write", "sync", "rename", "memory"]}


def main():
    program = program_under_test()
    if b"__asan_init" in pathlib.Path(program).read_bytes():
        print("skipped: AddressSanitizer has its own memory; faults.py --without-memory runs it")
        sys.exit(77)
    options = argparse.Namespace(kinds=None, most=2, jobs=os.cpu_count() or 1, seed=1, quiet=True)
    with folder_in_memory() as work:
        bench = Bench(program, work)
        if bench.shim is None:
            print("skipped: this needs Linux and a C compiler")
            sys.exit(77)
        wrong = []
        for operation in OPERATIONS:
            if operation.name in KINDS:
                options.kinds = KINDS[operation.name]
                wrong += examine(bench, operation, options)
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

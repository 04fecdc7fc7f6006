"""Which program an end-to-end test runs."""
import os
import pathlib
import sys


def program_under_test(variable="GRU4REC_PROGRAM"):
    """The first argument of the test, if it is a file, or else the value of `variable`. Without either the test ends as
    skipped (exit status 77)."""
    if len(sys.argv) > 1 and os.path.isfile(sys.argv[1]):
        return os.path.abspath(sys.argv.pop(1))
    program = os.environ.get(variable)
    if not program:
        print(f"skipped: {variable} does not name the program")
        sys.exit(77)
    return os.path.abspath(program)


def maps_much_memory(program):
    """Whether a sanitizer in the program maps more memory than a limit for tests allows."""
    content = pathlib.Path(program).read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content

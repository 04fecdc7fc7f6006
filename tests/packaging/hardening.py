#!/usr/bin/env python3
"""Tells what the hardening of a built file lacks: hardening.py FILE...

FILE is a program or a module of Python, for Linux. Read with readelf (Debian: binutils); exit status 1: something is
missing, 77: there is no readelf.
"""
import re
import shutil
import subprocess
import sys


def read(file, *options):
    return subprocess.run(["readelf", "--wide", *options, file], check=True, capture_output=True, text=True,
                          env={"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin"}).stdout


def has_flag(dynamic, entry, flag):
    return any(flag in line.split() for line in dynamic.splitlines() if f"({entry})" in line)


def missing(file):
    """What the file lacks, each as a phrase."""
    segments, dynamic = read(file, "--program-headers"), read(file, "--dynamic")
    symbols = set(re.findall(r"UND (\w+)", read(file, "--dyn-syms")))
    is_program = "INTERP" in segments
    flags = {name: flags.replace(" ", "") for name, flags in
             re.findall(r"^ +([A-Z_]+) +(?:0x[0-9a-f]+ +){5}([RWE ]{3}) ", segments, re.MULTILINE)}
    lacks = []
    if is_program and not has_flag(dynamic, "FLAGS_1", "PIE"):
        lacks.append("a position-independent program (-fPIE -pie)")
    if "GNU_RELRO" not in flags:
        lacks.append("addresses of functions that are read-only after the start (-Wl,-z,relro)")
    if not has_flag(dynamic, "FLAGS", "BIND_NOW") and not has_flag(dynamic, "FLAGS_1", "NOW"):
        lacks.append("binding of all functions at the start (-Wl,-z,now)")
    if flags.get("GNU_STACK") != "RW":
        lacks.append("a stack that is not executable (-Wl,-z,noexecstack)")
    if re.search(r"^ +LOAD .* RWE ", segments, re.MULTILINE):
        lacks.append("memory that is either writable or executable")
    if "(TEXTREL)" in dynamic:
        lacks.append("code that the loader does not write to (-fPIC)")
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic) and is_program:
        lacks.append("libraries from the system's folders alone (no RPATH)")
    if "__stack_chk_fail" not in symbols:
        lacks.append("guards on the stack (-fstack-protector-strong)")
    if not any(re.fullmatch(r"__(?!stack)\w+_chk", symbol) for symbol in symbols):
        lacks.append("checked functions of the C library (-D_FORTIFY_SOURCE)")
    return lacks


def main(files):
    if not shutil.which("readelf"):
        print("skipped: there is no readelf")
        return 77
    status = 0
    for file in files:
        lacks = missing(file)
        print(f"{file}: {'lacks ' + '; '.join(lacks) if lacks else 'hardened'}")
        status = 1 if lacks else status
    return status


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Writes the software bill of materials of built files, as SPDX 2.3 in JSON: what of others is in them.

    cmake/software_bill.py --name gru4rec --version 0.1.0 --output FILE PROGRAM-OR-MODULE...

What is linked comes from the files themselves, what is compiled in from the headers that the build of each has noted
(Ninja; the build folder is found above the file). Versions are those of Debian's packages, given by --found
NAME=VERSION, or in the headers. Libraries that the linked ones need in turn are not listed. SOURCE_DATE_EPOCH sets the date.
"""
import argparse
import collections
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess

# By name: the licence, where it is from, and what its headers (whole paths) and libraries (file names) look like.
Component = collections.namedtuple("Component", "licence origin headers libraries")
COMPONENTS = {
    "Boost": Component("BSL-1.0", "https://www.boost.org", r"/boost/", r"libboost_"),
    "CLI11": Component("BSD-3-Clause", "https://github.com/CLIUtils/CLI11", r"/CLI/", None),
    "CPython": Component("Python-2.0", "https://www.python.org", r"/include/python3\.\d+t?/", r"libpython3"),
    "Eigen": Component("MPL-2.0", "https://eigen.tuxfamily.org", r"/Eigen/", None),
    "GCC runtime": Component("GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org",
                             r"/c\+\+/|/lib/gcc/|/lib/clang/|/lib/llvm-", r"libstdc\+\+|libgcc_s|libc\+\+"),
    "GNU C library": Component("LGPL-2.1-or-later", "https://www.gnu.org/software/libc/", None,
                               r"lib(c|m|dl|rt|pthread)\.so|ld-linux|ld64"),
    "hiredis": Component("BSD-3-Clause", "https://github.com/redis/hiredis", r"/hiredis/", r"libhiredis"),
    "JSON for Modern C++": Component("MIT", "https://github.com/nlohmann/json", r"/nlohmann/", None),
    "libarchive": Component("BSD-2-Clause", "https://www.libarchive.org", r"/archive(_entry)?\.h$", r"libarchive"),
    "nanobind": Component("BSD-3-Clause", "https://github.com/wjakob/nanobind", r"/nanobind/(?!ext/)", None),
    "oneTBB": Component("Apache-2.0", "https://github.com/uxlfoundation/oneTBB", r"/(oneapi|tbb)/", r"libtbb"),
    "robin-map": Component("MIT", "https://github.com/Tessil/robin-map", r"/tsl/", None),
    "simdjson": Component("Apache-2.0", "https://github.com/simdjson/simdjson", r"/simdjson\.h$", r"libsimdjson"),
    "zlib": Component("Zlib", "https://zlib.net", r"/zlib\.h$|/zconf\.h$", r"libz\.so"),
}
# Headers of the C library and the kernel declare what libc.so holds.
OF_THE_SYSTEM = r"^/usr/(local/)?include/([a-z0-9_]+-linux-gnu[a-z0-9]*/)?(asm|asm-generic|bits|gnu|linux|sys|arpa|net|netinet|rpc|[a-z0-9_-]+\.h)(/|$)"


def output_of(*command):
    """What a command prints; "" if it fails or does not exist."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def libraries_of(file):
    """Paths of the libraries that a file asks for itself."""
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "--wide", "--dynamic", file))
    if not needed:
        raise SystemExit(f"software_bill.py: readelf (Debian: binutils) finds no libraries in {file}; expected a built "
                         "program or module")
    found = dict(re.findall(r"^\s*(\S+) => (/\S+)", output_of("ldd", file), re.MULTILINE))
    return [found.get(name, name) for name in needed]


def build_folder_of(file):
    build = next((folder for folder in file.parents if (folder / "build.ninja").exists()), None)
    if build is None:
        raise SystemExit(f"software_bill.py: found no build.ninja above {file}; build with CMake's generator Ninja")
    return build


def headers_of(file, ninja):
    """Paths of the headers that a file is compiled of."""
    build = build_folder_of(file)
    objects = output_of(ninja, "-C", str(build), "-t", "inputs", str(file.relative_to(build))).splitlines()
    objects = [name for name in objects if name.endswith((".o", ".gch", ".pch"))]
    deps = output_of(ninja, "-C", str(build), "-t", "deps", *objects)
    headers = {os.path.normpath(build / line.strip()) for line in deps.splitlines() if line.startswith("    ")}
    if not headers:
        raise SystemExit(f"software_bill.py: {build} has not noted of which headers {file} is compiled")
    return headers


def component_of(path, pattern):
    """The name in COMPONENTS whose headers or libraries the path is one of, or None."""
    return next((name for name, component in COMPONENTS.items()
                 if (regex := getattr(component, pattern)) and re.search(regex, path)), None)


def debian_package(path):
    """Name, version and architecture of the installed package that has the file, or None."""
    real = os.path.realpath(path)
    for candidate in dict.fromkeys((path, real, re.sub("^/usr/", "/", real), "/usr" + real)):
        owners = [line.partition(": ")[0] for line in output_of("dpkg-query", "--search", candidate).splitlines()]
        owner = next((owner.split(",")[0] for owner in owners if not owner.startswith("diversion by ")), None)
        if owner:
            name, version, architecture = output_of("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}",
                                                    owner).split()
            return name, version, architecture
    return None


def version_in(header):
    """What the header or one beside it defines as ..._VERSION_MAJOR, _MINOR and _PATCH, or None."""
    for file in sorted(pathlib.Path(header).parent.glob("*.h")):
        parts = dict(re.findall(r"^# *define \w+_VERSION_(MAJOR|MINOR|PATCH) +(\d+)", file.read_text(errors="replace"), re.MULTILINE))
        if len(parts) == 3:
            return "{MAJOR}.{MINOR}.{PATCH}".format(**parts)
    return None


def distribution():
    """Of Debian or one that is made of it, as package URLs name it."""
    system = pathlib.Path("/etc/os-release")
    match = re.search(r'^ID="?([\w.-]+)', system.read_text(encoding="utf-8"), re.MULTILINE) if system.exists() else None
    return match[1] if match else "debian"


def find_components(files, ninja):
    """By name: how it is used, and one of its files. Linked ones win: their headers are those of the library."""
    found = {}
    unknown = set()
    own = tuple(f"{folder}/" for folder in (pathlib.Path(__file__).resolve().parent.parent, *map(build_folder_of, files)))
    for file in files:
        for library in libraries_of(file):
            found.setdefault(component_of(os.path.basename(library), "libraries") or os.path.basename(library),
                             ("DYNAMIC_LINK", library))
        for header in sorted(headers_of(file, ninja)):
            name = component_of(header, "headers")
            if name:
                found.setdefault(name, ("STATIC_LINK", header))
            elif not header.startswith(own) and not header.endswith(".cpp") and not re.search(OF_THE_SYSTEM, header):
                unknown.add(header)
    if unknown:
        raise SystemExit("software_bill.py: of which project are these headers? Add it to COMPONENTS: " + ", ".join(sorted(unknown)))
    return found


def package(name, version, licence, origin, reference=None):
    entry = {"SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", name), "name": name, "versionInfo": version,
             "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": licence, "licenseDeclared": licence,
             "copyrightText": "NOASSERTION"}
    if origin:
        entry["homepage"] = origin
    if reference:
        entry["externalRefs"] = [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": reference}]
    return entry


def bill(options):
    versions = dict(text.split("=", 1) for text in options.found)
    subject = package(options.name, options.version, "MIT", None)
    packages, relationships = [subject], [("SPDXRef-DOCUMENT", "DESCRIBES", subject["SPDXID"])]
    for name, (use, path) in sorted(find_components(options.files, options.ninja).items()):
        known = COMPONENTS.get(name)
        debian = debian_package(path)
        version = debian[1] if debian else versions.get(name) or version_in(path) or "NOASSERTION"
        reference = (f"pkg:deb/{distribution()}/{debian[0]}@{debian[1].replace('+', '%2B')}?arch={debian[2]}" if debian else
                     f"pkg:pypi/{name}@{version}" if name == "nanobind" else None)
        packages.append(package(name, version, known.licence if known else "NOASSERTION", known.origin if known else None, reference))
        use = "CONTAINS" if name in options.contained else use
        relationships.append((subject["SPDXID"], use, packages[-1]["SPDXID"]))
    date = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", datetime.datetime.now().timestamp())),
                                           datetime.timezone.utc)
    content = hashlib.sha256(json.dumps([packages, relationships]).encode()).hexdigest()[:16]
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{options.name}-{options.version}",
            "documentNamespace": f"https://gru4rec.invalid/spdx/{options.name}-{options.version}-{content}",
            "creationInfo": {"created": date.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: software_bill.py"]},
            "packages": packages,
            "relationships": [dict(zip(("spdxElementId", "relationshipType", "relatedSpdxElement"), relationship))
                              for relationship in relationships]}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="+", metavar="PROGRAM-OR-MODULE", type=lambda name: pathlib.Path(name).resolve())
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--version", required=True)
    arguments.add_argument("--output", required=True)
    arguments.add_argument("--ninja", default="ninja")
    arguments.add_argument("--found", action="append", default=[], metavar="NAME=VERSION", help="of what has no Debian package")
    arguments.add_argument("--contained", action="append", default=[], metavar="NAME", help="a library that is shipped along")
    options = arguments.parse_args()
    pathlib.Path(options.output).write_text(json.dumps(bill(options), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

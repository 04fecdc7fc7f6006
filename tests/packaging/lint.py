"""Reads the sources and reports what breaks the rules of the house: lint.py CHECK PROJECT-FOLDER."""
import pathlib
import re
import sys

# A header includes only headers of its own folder and of those before it.
LAYERS = ["", "core", "data", "batch", "nn", "optim", "model", "eval", "baselines", "train", "serve", "io"]
UMBRELLA = "gru4rec/gru4rec.hpp"

# Headers that must not be reached, directly or not: the container of sessions compiles without the readers of files.
OUT_OF_REACH = {
    "gru4rec/data/dataset.hpp": ("gru4rec/core/file.hpp", "gru4rec/data/reader.hpp", "gru4rec/data/delimited_text.hpp",
                                 "gru4rec/data/event_chunk.hpp", "gru4rec/data/parse_time.hpp"),
}

# What runs loops on threads; a thread may know there which team it belongs to.
THREAD_HEADERS = ("gru4rec/core/parallel.hpp", "gru4rec/core/thread_team.hpp")
FORBIDDEN = [
    (r"#include\s*<(iostream|execution|format|print|expected|source_location)>", "header that is not to be included"),
    (r"#include\s*<(tbb/tbb\.h|oneapi/tbb\.h|Eigen/(Dense|Eigen))>", "header that holds everything"),
    (r"#include\s*<doctest", "tests stay out of the library"),
    (r"^using\s+namespace\b", "using namespace in a header, outside a function"),
    (r"\bstd::(cout|cerr|clog)\b|\bstd::(printf|puts)\b", "the library never prints"),
    (r"\bstd::(normal|uniform)_|\bstd::(mt19937|minstd|random_device|shuffle)\b|\brand\s*\(",
     "numbers that differ from platform to platform; core/random.hpp has ours"),
    (r"\bstd::(views|ranges::views)::", "not in every compiler of the list"),
    (r"\b(min|max)\s*\(", "Windows headers make macros of these names: write (std::min)(a, b) and the like"),
    (r"\bthread_local\b|\btbb::global_control\b(?!::)", "global state"),
    (r"ffast-math|#pragma\s+GCC\s+optimize|__attribute__\s*\(\(optimize", "changes the arithmetic of the user's file"),
]


def code_of(text):
    """The text without comments and string contents, line by line the same."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + token[-1]
        return re.sub(r"[^\n]", " ", token)
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'", blank, text,
                  flags=re.DOTALL)


class Project:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.include = self.root / "include"
        self.headers = {path.relative_to(self.include).as_posix(): path.read_text(encoding="utf-8")
                        for path in sorted(self.include.rglob("*.hpp"))}
        if not self.headers:
            sys.exit(f"{self.include}: no headers")

    def includes(self, name):
        """(line, header) for each of our headers that `name` includes."""
        for number, line in enumerate(self.headers[name].splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*["<](gru4rec/[^">]+)[">]', line)
            if match:
                yield number, match.group(1)


def folder_of(name):
    parts = name.split("/")
    return "/".join(parts[1:-1])


def check_layers(project):
    """Folders include only folders before them; no circles within a folder."""
    for name in project.headers:
        folder = folder_of(name)
        if folder not in LAYERS:
            yield f"{name}: folder '{folder}' is not one of the layers"
            continue
        for line, target in project.includes(name):
            if target not in project.headers:
                yield f"{name}:{line}: {target} does not exist"
            elif target == UMBRELLA:
                yield f"{name}:{line}: includes the header of everything"
            elif name != UMBRELLA and LAYERS.index(folder_of(target)) > LAYERS.index(folder):
                yield f"{name}:{line}: '{folder}' stands before '{folder_of(target)}' and may not include {target}"
    state = {}

    def visit(name, path):
        if state.get(name) == "done" or name not in project.headers:
            return None
        if name in path:
            return path[path.index(name):] + [name]
        for _, target in project.includes(name):
            circle = visit(target, path + [name])
            if circle:
                return circle
        state[name] = "done"
        return None

    for name in project.headers:
        circle = visit(name, [])
        if circle:
            yield "circle: " + " -> ".join(circle)
            break

    for name, forbidden in OUT_OF_REACH.items():
        reached, waiting = set(), [name]
        while waiting:
            header = waiting.pop()
            if header in project.headers and header not in reached:
                reached.add(header)
                waiting += [target for _, target in project.includes(header)]
        for target in forbidden:
            if target in reached:
                yield f"{name}: includes {target}, if only through other headers"


def check_words(project):
    """No header holds what the library keeps out; TBB is named by the headers of threads, json by io/."""
    for name, text in project.headers.items():
        for number, line in enumerate(code_of(text).splitlines(), 1):
            for pattern, why in FORBIDDEN:
                if re.search(pattern, line) and not (name in THREAD_HEADERS and "thread_local constinit" in line):
                    yield f"{name}:{number}: {why}: {line.strip()}"
            if re.search(r"\btbb\b", line) and name not in THREAD_HEADERS:
                yield f"{name}:{number}: TBB is named only in {' and '.join(THREAD_HEADERS)}: {line.strip()}"
            if "nlohmann" in line and folder_of(name) != "io":
                yield f"{name}:{number}: nlohmann-json is used only in io/: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r'\s*#\s*include\s*"(?!gru4rec/)', line):
                yield f"{name}:{number}: include our headers as \"gru4rec/...\", others in <>"
            if line != line.rstrip() or "\t" in line:
                yield f"{name}:{number}: tab or blank at the end of the line"
            if len(line) > 120:
                yield f"{name}:{number}: {len(line)} columns, at most 120"


def check_guards(project):
    """Guards follow the path; a header has at most 500 lines; everything lives in the inline namespace."""
    for name, text in project.headers.items():
        guard = re.sub(r"[/.]", "_", name).upper()
        lines = text.splitlines()
        if lines[:2] != [f"#ifndef {guard}", f"#define {guard}"] or lines[-1] != "#endif":
            yield f"{name}: the guard must be {guard}, in the first two lines, #endif the last"
        if not text.endswith("\n"):
            yield f"{name}: no newline at the end"
        if len(lines) > 500:
            yield f"{name}: {len(lines)} lines, at most 500"
        for number, line in enumerate(code_of(text).splitlines(), 1):
            if re.match(r"\s*namespace\s+gru4rec\b", line) and line.strip() != "namespace gru4rec {":
                yield f"{name}:{number}: open namespace gru4rec and, on the next line, inline namespace GRU4REC_ABI"


def check_umbrella(project):
    """gru4rec.hpp includes every header but those of io/, itself or through others."""
    if UMBRELLA not in project.headers:
        yield f"{UMBRELLA} is missing"
        return
    included = {UMBRELLA}
    waiting = [UMBRELLA]
    while waiting:
        for _, target in project.includes(waiting.pop()):
            if target in project.headers and target not in included:
                included.add(target)
                waiting.append(target)
    for name in project.headers:
        if folder_of(name) != "io" and name not in included:
            yield f"{UMBRELLA}: lacks {name}"
        if folder_of(name) == "io" and name in included:
            yield f"{UMBRELLA}: includes {name}, which needs nlohmann-json"


def check_version(project):
    """version.hpp, CITATION.cff, CHANGELOG.md and what README.md names agree."""
    header = project.headers["gru4rec/version.hpp"]
    number = ".".join(re.search(rf"#define GRU4REC_VERSION_{part} (\d+)", header).group(1)
                      for part in ("MAJOR", "MINOR", "PATCH"))
    text = re.search(r'#define GRU4REC_VERSION_STRING "([^"]*)"', header).group(1)
    if text != number:
        yield f"version.hpp: GRU4REC_VERSION_STRING is {text}, the numbers say {number}"
    minor = "_".join(number.split(".")[:2])
    for tag in re.findall(r"#define GRU4REC_ABI (\w+)", header):
        if not tag.startswith(f"v{minor}_"):
            yield f"version.hpp: GRU4REC_ABI {tag} does not begin with v{minor}_"

    citation = (project.root / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.search(r"^version: *\"?([\d.]+)\"?$", citation, re.MULTILINE)
    if not cited or cited.group(1) != number:
        yield f"CITATION.cff: version {cited.group(1) if cited else 'missing'}, should be {number}"

    changelog = (project.root / "CHANGELOG.md").read_text(encoding="utf-8")
    top = re.search(r"^## \[?(\d+\.\d+\.\d+)\]?", changelog, re.MULTILINE)
    if not top or top.group(1) != number:
        yield f"CHANGELOG.md: topmost version {top.group(1) if top else 'missing'}, should be {number}"

    readme = project.root / "README.md"
    if readme.exists():
        for named in re.findall(r"find_package\(gru4rec (\d[\d.]*)", readme.read_text(encoding="utf-8")):
            if not number.startswith(named):
                yield f"README.md: find_package(gru4rec {named}), but this is {number}"


TEST_REFERENCE = re.compile(r'`(\w+/\w+_test\.\w+)`: "([^"]+)"')
# The programs of examples/ whose options options.md lists, and the section that each has; "": all others.
PROGRAMS = {"cli": "", "findings": "The program findings"}


def check_documents(project):
    """model.md names headers that exist, among them all of nn/ and optim/. Every test that a document names exists, and
    tables with a column of tests name one in every row. options.md has the parameters of parameters.md, with the same
    defaults and ranges, and the options of the programs."""
    documents = {path.name: path.read_text(encoding="utf-8") for path in sorted((project.root / "docs").glob("*.md"))}
    yield from wrong_headers(project, documents.get("model.md"))
    for name, text in documents.items():
        yield from invented_tests(project, name, text)
        yield from rows_without_test(name, text)
    if "options.md" in documents:
        yield from differing_parameters(documents["options.md"], documents.get("parameters.md", ""))
        yield from differing_options(project, documents["options.md"])


def wrong_headers(project, model):
    if model is None:
        return
    named = {"gru4rec/" + path for path in re.findall(r"\b(\w+/\w+\.hpp)\b", model)}
    for name in sorted(named - set(project.headers)):
        yield f"docs/model.md: {name} does not exist"
    for name in project.headers:
        if folder_of(name) in ("nn", "optim") and name not in named:
            yield f"docs/model.md: does not name {name}"


def invented_tests(project, document, text):
    for file, case in TEST_REFERENCE.findall(text.replace("\n", " ")):
        path = project.root / "tests" / file
        code = path.read_text(encoding="utf-8") if path.exists() else ""
        quoted = f'"{case}"' if path.suffix == ".cpp" else f"def {case}("
        if quoted not in code:
            yield f'docs/{document}: tests/{file} has no case "{case}"'


def rows_without_test(document, text):
    """Rows of tables whose last column is headed `test` or `tests`. A table's second line is the rule below its head."""
    in_table = has_tests = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            in_table = False
        elif not in_table:
            in_table = True
            has_tests = line.rstrip(" |").split("|")[-1].strip() in ("test", "tests")
        elif has_tests and not re.fullmatch(r"[-|: ]+", line) and not TEST_REFERENCE.search(line):
            yield f"docs/{document}:{number}: names no test"


def differing_parameters(options_document, parameters_document):
    def rows(text):
        return {parameter: (default.strip(), values.strip())
                for parameter, default, values in re.findall(r"^\| `(\w+)` \|(.*?)\|(.*?)\|", text, re.MULTILINE)}
    parameters, options = rows(parameters_document), rows(options_document)
    for name in sorted(parameters.keys() | options.keys()):
        if parameters.get(name) != options.get(name):
            yield f"docs/options.md: `{name}` has {options.get(name)}, docs/parameters.md has {parameters.get(name)}"


def differing_options(project, document):
    listed = {program: set() for program in PROGRAMS}
    for section in re.split(r"^## ", document, flags=re.MULTILINE):
        heading = section.split("\n", 1)[0]
        program = next((name for name, title in PROGRAMS.items() if title == heading), "cli")
        for cell in re.findall(r"^\| (`--.*?)\|", section, re.MULTILINE):
            listed[program].update(re.findall(r"--[\w-]+", cell))
    code = {program: "".join(path.read_text(encoding="utf-8") for path in
                             sorted((project.root / "examples" / program).glob("*.[ch]pp"))) for program in PROGRAMS}
    shared = dict(re.findall(r"\b(add_\w+)\(CLI::App& [^{]*\{\n(.*?)\n\}", "".join(code.values()), re.DOTALL))
    for program in PROGRAMS:
        called = re.findall(r"\b(add_\w+)\(", code[program])
        added = options_added_in(code[program] + "".join(shared.get(function, "") for function in set(called)))
        for option in sorted(added - listed[program]):
            yield f"docs/options.md: lacks {option} of examples/{program}"
        for option in sorted(listed[program] - added):
            yield f"docs/options.md: examples/{program} has no option {option}"


def options_added_in(code):
    """What functions of the name add_... are given as names of options."""
    return set(re.findall(r'\badd_\w+\(\s*(?:\w+,\s*)?"(--[\w-]+)"', code))


CHECKS = {name[len("check_"):]: check for name, check in list(globals().items()) if name.startswith("check_")}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in CHECKS:
        sys.exit(f"usage: lint.py {{{'|'.join(CHECKS)}}} PROJECT-FOLDER")
    problems = list(CHECKS[sys.argv[1]](Project(sys.argv[2])))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

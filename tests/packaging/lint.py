"""Reports where the sources break the project's rules: lint.py CHECK PROJECT-FOLDER."""
import os
import pathlib
import re
import sys

# A header includes only headers of its own folder and of those before it.
LAYERS = ["", "core", "data", "batch", "nn", "optim", "model", "blocks", "baselines", "eval", "train", "serve", "io"]

UMBRELLA = "gru4rec/gru4rec.hpp"
# Umbrella headers by job: the folders whose headers each one includes, and what it must keep out.
JOBS = {
    "gru4rec/baselines.hpp": (["baselines"], ["nn", "optim", "model", "blocks", "eval", "train", "serve", "io"]),
    "gru4rec/blocks.hpp": (["blocks"], ["model", "baselines", "eval", "train", "serve", "io"]),
    "gru4rec/data.hpp": (["data"], ["batch", "nn", "optim", "model", "blocks", "baselines", "eval", "train", "serve",
                                    "io"]),
    "gru4rec/eval.hpp": (["eval"], ["optim", "blocks", "baselines", "train", "serve", "io"]),
    "gru4rec/serve.hpp": (["serve"], ["optim", "blocks", "baselines", "eval", "train", "io", "data/dataset.hpp",
                                      "data/reader.hpp", "data/delimited_text.hpp"]),
    "gru4rec/train.hpp": (["train"], ["blocks", "baselines", "serve", "io"]),
}
UMBRELLAS = (UMBRELLA, *JOBS)

MAX_COLUMNS = 120
MAX_HEADER_LINES = 500
MAX_FUNCTION_LINES = 40  # from the opening to the closing brace

# Headers that must not be reached, directly or not: the container of sessions compiles without the readers of files,
# serving without them and without the trainer.
OUT_OF_REACH = {
    "gru4rec/data/dataset.hpp": ("gru4rec/core/file.hpp", "gru4rec/data/reader.hpp", "gru4rec/data/delimited_text.hpp",
                                 "gru4rec/data/event_chunk.hpp", "gru4rec/data/parse_time.hpp"),
    "gru4rec/serve.hpp": ("gru4rec/core/file.hpp", "gru4rec/data/reader.hpp", "gru4rec/io/safetensors_header.hpp",
                          "gru4rec/train/trainer.hpp"),
}

TBB_HEADERS = ("gru4rec/core/parallel.hpp", "gru4rec/core/parallel_sort.hpp")
EIGEN_INTERNAL_HEADER = "gru4rec/core/simd.hpp"

# Known violations, per check. An entry that is no longer needed is reported, so the list can only become shorter.
EXCEPTIONS = {
    "words": {
        "gru4rec/core/keyed_hash.hpp: std::random_device",  # the key of a hash is to differ
    },
    "sizes": {
        "gru4rec/core/kernels.hpp: multiply_rows_tile",
        "gru4rec/core/kernels.hpp: outer_rows_tile",
        "gru4rec/data/grouping.hpp: group_by_session",
        "gru4rec/io/load_optimizer.hpp: load_optimizer",
        "gru4rec/optim/update.hpp: update_row",
        "gru4rec/nn/activation.hpp: parse_activation",
    },
    "examples": {
        "examples/cli/arguments.cpp: AtomicFile",
        "examples/cli/arguments.cpp: FileBytes",
        "examples/cli/arguments.cpp: split",
        "examples/cli/baselines.cpp: format_number",
        "examples/cli/baselines.cpp: seconds_since",
        "examples/cli/compare.cpp: write_file",
        "examples/cli/containers.cpp: system_message",
        "examples/cli/containers.cpp: throw_format",
        "examples/cli/containers.cpp: throw_io",
        "examples/cli/duration.hpp: parse_number",
        "examples/cli/inputs.cpp: quote",
        "examples/cli/json_lines.cpp: quote",
        "examples/cli/json_lines.cpp: throw_format",
        "examples/cli/messages.cpp: printable",
        "examples/cli/option_kinds.hpp: parse_number",
        "examples/cli/preprocess.cpp: parse_number",
        "examples/cli/recommend.cpp: AtomicFile",
        "examples/cli/recommend.cpp: Chunks",
        "examples/cli/recommend.cpp: parallel_ranges",
        "examples/cli/recommend.cpp: split",
        "examples/cli/replay/results.cpp: write_file",
        "examples/cli/report.cpp: write_files",
        "examples/cli/serve/access.cpp: FileBytes",
        "examples/cli/serve/catalogue.cpp: FieldReader",
        "examples/cli/serve/catalogue.cpp: byte_order_mark",
        "examples/cli/serve/catalogue.cpp: check_is_table",
        "examples/cli/serve/catalogue.cpp: equal_bytes",
        "examples/cli/serve/catalogue.cpp: is_utf8",
        "examples/cli/serve/catalogue.cpp: load_word",
        "examples/cli/serve/catalogue.cpp: quote",
        "examples/cli/serve/catalogue.cpp: separator_of",
        "examples/cli/serve/catalogue.cpp: split",
        "examples/cli/serve/catalogue.cpp: take_line",
        "examples/cli/serve/catalogue.cpp: trimmed",
        "examples/cli/serve/filter_keeper.cpp: write_file",
        "examples/cli/serve/fold_case.cpp: append_utf8",
        "examples/cli/serve/fold_case.cpp: is_control",
        "examples/cli/serve/fold_case.cpp: utf8_sequence",
        "examples/cli/serve/target.cpp: is_utf8",
        "examples/cli/table_options.cpp: for_each_part",
        "examples/cli/unpacking.cpp: throw_format",
        "examples/findings/comparisons.cpp: split",
        "examples/findings/main.cpp: write_files",
    },
}

FORBIDDEN = [
    (r"#include\s*<(iostream|execution|format|print|expected|source_location)>", "header that is not to be included"),
    (r"#include\s*<(tbb/tbb\.h|oneapi/tbb\.h|Eigen/(Dense|Eigen))>", "header that holds everything"),
    (r"#include\s*<doctest", "tests stay out of the library"),
    (r"\bnlohmann\b", "nlohmann-json is for programs and tests; io/json.hpp has our reader"),
    (r"^using\s+namespace\b", "using namespace in a header, outside a function"),
    (r"\bstd::(cout|cerr|clog)\b|\bstd::(printf|puts)\b", "the library never prints"),
    (r"\bstd::(normal|uniform)_|\bstd::(mt19937|minstd|random_device|shuffle)\b|\brand\s*\(",
     "numbers that differ from platform to platform; core/random.hpp has ours"),
    (r"\bstd::(views|ranges::views)::", "not in every compiler of the list"),
    (r"\bstd::ranges::(\w+_of|copy\w*|count\w*|equal|fill\w*|find\w*|for_each\w*|generate\w*|is_\w*|lower_bound|"
     r"max\w*|merge|min\w*|nth_element|partial_sort|\w+_heap|remove\w*|reverse|rotate|search|sort|stable_sort|"
     r"binary_search|transform|unique|upper_bound)\b", "libc++ 14 lacks the algorithms for ranges"),
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
        self.is_ours = self.root.resolve() == pathlib.Path(__file__).resolve().parents[2]

    def includes(self, name):
        """(line, header) for each of our headers that `name` includes."""
        for number, line in enumerate(self.headers[name].splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*["<](gru4rec/[^">]+)[">]', line)
            if match:
                yield number, match.group(1)


def folder_of(name):
    parts = name.split("/")
    return "/".join(parts[1:-1])


class Exceptions:
    """The known violations of a check: `allows` a key that is listed, and reports the keys that nothing asked for."""
    def __init__(self, check):
        self.known = EXCEPTIONS[check]
        self.used = set()

    def allows(self, key):
        self.used.add(key)
        return key in self.known

    def unused(self, project):
        for key in sorted(self.known - self.used):
            if project.is_ours:
                yield f"lint.py: EXCEPTIONS no longer needs '{key}'"


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
            elif name not in UMBRELLAS and target in UMBRELLAS:
                yield f"{name}:{line}: includes the umbrella header {target}"
            elif name not in UMBRELLAS and LAYERS.index(folder_of(target)) > LAYERS.index(folder):
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
    """No header contains what the library keeps out. Few headers name TBB or Eigen's internals."""
    exceptions = Exceptions("words")
    for name, text in project.headers.items():
        for number, line in enumerate(code_of(text).splitlines(), 1):
            for pattern, why in FORBIDDEN:
                found = re.search(pattern, line)
                if found and not exceptions.allows(f"{name}: {found[0]}"):
                    yield f"{name}:{number}: {why}: {line.strip()}"
            if re.search(r"\btbb\b", line) and name not in TBB_HEADERS and not exceptions.allows(f"{name}: tbb"):
                yield f"{name}:{number}: TBB is named only in {' and '.join(TBB_HEADERS)}: {line.strip()}"
            if (re.search(r"\bEigen\s*::\s*internal\b", line) and name != EIGEN_INTERNAL_HEADER
                    and not exceptions.allows(f"{name}: Eigen::internal")):
                yield f"{name}:{number}: Eigen::internal is named only in {EIGEN_INTERNAL_HEADER}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1):
            if re.match(r'\s*#\s*include\s*"(?!gru4rec/)', line):
                yield f"{name}:{number}: include our headers as \"gru4rec/...\", others in <>"
            if line != line.rstrip() or "\t" in line:
                yield f"{name}:{number}: tab or blank at the end of the line"
            if len(line) > MAX_COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, at most {MAX_COLUMNS}"
    yield from exceptions.unused(project)


def check_guards(project):
    """Guards follow the path; everything lives in the inline namespace."""
    for name, text in project.headers.items():
        guard = re.sub(r"[/.]", "_", name).upper()
        lines = text.splitlines()
        if lines[:2] != [f"#ifndef {guard}", f"#define {guard}"] or lines[-1] != "#endif":
            yield f"{name}: the guard must be {guard}, in the first two lines, #endif the last"
        if not text.endswith("\n"):
            yield f"{name}: no newline at the end"
        for number, line in enumerate(code_of(text).splitlines(), 1):
            if re.match(r"\s*namespace\s+gru4rec\b", line) and line.strip() != "namespace gru4rec {":
                yield f"{name}:{number}: open namespace gru4rec and, on the next line, inline namespace GRU4REC_ABI"


NAME_BEFORE_PARENTHESIS = re.compile(r"(operator\s*(?:\(\)|[^\s(]+)|~?\w+)\s*\(")
NOT_A_FUNCTION_NAME = ("alignas", "decltype", "explicit", "noexcept", "requires", "sizeof")
CLASS_OR_NAMESPACE = re.compile(r"\b(class|struct|union|enum|namespace)\b[^()]*$")


def function_name(head):
    """Of what stands in front of an opening brace; None: no function."""
    if CLASS_OR_NAMESPACE.search(re.sub(r"\balignas\s*\([^()]*\)", "", head)):
        return None
    names = (match[1] for match in NAME_BEFORE_PARENTHESIS.finditer(head))
    return next((name for name in names if name not in NOT_A_FUNCTION_NAME), None)


def functions(text):
    """(name, line, lines) of each function defined outside of another; a lambda belongs to the function around it."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda directive: re.sub(r"[^\n]", " ", directive[0]), code_of(text),
                  flags=re.MULTILINE)
    depth = 0
    statement = 0  # where the text in front of the next brace begins
    function = None
    for brace in re.finditer(r"[{};]", code):
        if brace[0] == "{":
            name = function_name(code[statement:brace.start()])
            if function is None and name is not None:
                function = (name, brace.start(), depth)
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            in_head = code[brace.end():].lstrip()[:1] in (",", ")", "{")  # braces of an initialiser or a default argument
            if function is not None and depth == function[2] and not in_head:
                name, start, _ = function
                yield name, code.count("\n", 0, start) + 1, code.count("\n", start, brace.start()) + 1
                function = None
        elif function is not None and depth == function[2]:
            function = None  # a declaration with braces in a default argument
        if function is None:
            statement = brace.end()


def check_sizes(project):
    """Headers and functions are short enough to be read at once."""
    exceptions = Exceptions("sizes")
    for name, text in project.headers.items():
        lines = len(text.splitlines())
        if lines > MAX_HEADER_LINES and not exceptions.allows(name):
            yield f"{name}: {lines} lines, at most {MAX_HEADER_LINES}"
        for function, line, length in functions(text):
            if length > MAX_FUNCTION_LINES and not exceptions.allows(f"{name}: {function}"):
                yield f"{name}:{line}: {function} has {length} lines, at most {MAX_FUNCTION_LINES}"
    yield from exceptions.unused(project)


def check_examples(project):
    """Examples use the library as its users do: without gru4rec::detail."""
    exceptions = Exceptions("examples")
    for path in sorted((project.root / "examples").rglob("*.[ch]pp")):
        name = path.relative_to(project.root).as_posix()
        for number, line in enumerate(code_of(path.read_text(encoding="utf-8")).splitlines(), 1):
            for used in re.findall(r"\bgru4rec::detail::(\w+)", line):
                if not exceptions.allows(f"{name}: {used}"):
                    yield f"{name}:{number}: names gru4rec::detail::{used}, which is not for users"
    yield from exceptions.unused(project)


def check_umbrella(project):
    """gru4rec.hpp includes every header, itself or through others; the umbrella headers by job include their folders
    and keep the others out."""
    def reached_from(umbrella):
        reached = {umbrella}
        waiting = [umbrella]
        while waiting:
            for _, target in project.includes(waiting.pop()):
                if target in project.headers and target not in reached:
                    reached.add(target)
                    waiting.append(target)
        return reached

    for umbrella in (UMBRELLA, *JOBS):
        if umbrella not in project.headers:
            yield f"{umbrella} is missing"
            continue
        included = reached_from(umbrella)
        wanted, kept_out = JOBS.get(umbrella, (LAYERS, []))
        for name in project.headers:
            if folder_of(name) in wanted and name not in included:
                yield f"{umbrella}: lacks {name}"
            if name in included and (folder_of(name) in kept_out or name.split("/", 1)[1] in kept_out):
                yield f"{umbrella}: includes {name}, which is not part of its job"


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


def check_workflows(project):
    """Workflows only read the repository, end at some time, use actions of fixed content, and call scripts that exist."""
    for path in sorted((project.root / ".github/workflows").glob("*.yml")):
        name, text = path.name, path.read_text(encoding="utf-8")
        for wanted in ("permissions:\n  contents: read\n", "concurrency:\n  group: "):
            if "\n" + wanted not in text:
                yield f"{name}: lacks {wanted.split(':')[0]} at the top, expected:\n{wanted}"
        if re.search(r":\s*write(-all)?\b|\bpull_request_target\b|\bsecrets\.", text):
            yield f"{name}: may do more than read the repository"
        for job in re.split(r"\n(?=  [\w-]+:\n)", text.partition("\njobs:\n")[2]):
            if "\n    timeout-minutes: " not in job:
                yield f"{name}: a job without timeout-minutes: {job.strip().splitlines()[0]}"
        for action in re.findall(r"uses: *(.+)", text):
            if not re.fullmatch(r"[\w-]+/[\w./-]+@[0-9a-f]{40} +# v[\d.]+", action):
                yield f"{name}: {action} is not pinned, expected OWNER/NAME@COMMIT  # vVERSION"
        for script in re.findall(r"(?:[\w-]+/)+[\w-]+\.(?:sh|py)\b", text):
            if not os.access(project.root / script, os.X_OK):
                yield f"{name}: {script} is missing or not executable"


TEST_REFERENCE = re.compile(r'`(\w+/\w+_test\.\w+)`: "([^"]+)"')
TRACEABILITY = "tests/TRACEABILITY.md"
# The programs of examples/ whose options the traceability document lists, and the section of each; "": all others.
PROGRAMS = {"cli": "", "findings": "The program `findings`"}


def check_documents(project):
    """Headers, tests, files and sections that a document names exist, and so do documents and sections that headers name.
    model.md names every header of nn/ and optim/. A table whose last column is headed `test` names one in every row. The
    traceability document lists every parameter of parameters.md, every option of the programs and every label of
    mistakes.md."""
    paths = [*sorted(project.root.glob("*.md")), *sorted((project.root / "docs").glob("*.md")),
             project.root / TRACEABILITY]
    documents = {path.relative_to(project.root).as_posix(): path.read_text(encoding="utf-8")
                 for path in paths if path.exists()}
    yield from headers_missing_from_model(project, documents.get("docs/model.md"))
    for name, text in documents.items():
        if name != "CHANGELOG.md":  # which names what is gone
            yield from invented_headers(project, name, text)
        yield from broken_links(project, documents, name, text)
        yield from invented_tests(project, name, text)
        yield from rows_without_test(name, text)
    for name, text in project.headers.items():
        yield from invented_sections(documents, name, text)
    if TRACEABILITY in documents:
        traced = documents[TRACEABILITY]
        yield from differing_rows(traced, documents, "docs/parameters.md", r"^\| `(\w+)` \|")
        yield from differing_rows(traced, documents, "docs/mistakes.md", r"^\| ([A-Z]\d+) \|")
        yield from differing_options(project, traced)


def headers_missing_from_model(project, model):
    if model is None:
        return
    for name in project.headers:
        if folder_of(name) in ("nn", "optim") and name[len("gru4rec/"):] not in model:
            yield f"docs/model.md: does not name {name}"


def invented_headers(project, document, text):
    """Names of the forms `nn/gru.hpp` and `gru4rec/nn/gru.hpp`, unless they belong to another folder than include/."""
    for prefix, path in sorted(set(re.findall(r"(?<![\w/])(include/)?((?:\w+/)+\w+\.hpp)\b", text))):
        folder = path.split("/")[0]
        name = path if folder == "gru4rec" else "gru4rec/" + path
        if (prefix or folder == "gru4rec" or folder in LAYERS) and name not in project.headers:
            yield f"{document}: {name} does not exist"


def anchors_of(text):
    """The anchors that a Markdown viewer gives to the headings."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def broken_links(project, documents, document, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = ((project.root / document).parent / path).resolve() if path else project.root.resolve() / document
        if not file.exists():
            yield f"{document}: link to {target}: there is no such file"
        elif anchor:
            linked = file.relative_to(project.root.resolve()).as_posix()
            if linked in documents and anchor not in anchors_of(documents[linked]):
                yield f"{document}: link to {target}: there is no such section"


def invented_sections(documents, header, text):
    """Comments such as: docs/performance.md, "Chunk sizes"; docs/file_format.md#checkpoints."""
    prose = re.sub(r"\n\s*///?\s*", " ", text)
    for name, anchor, section in re.findall(r"\b(docs/\w+\.md)(?:#([\w-]+)|, \"([^\"]+)\")?", prose):
        if name not in documents:
            yield f"{header}: {name} does not exist"
        elif (anchor or section) and (anchor or section.lower().replace(" ", "-")) not in anchors_of(documents[name]):
            yield f"{header}: {name} has no section {anchor or section}"


def invented_tests(project, document, text):
    for file, case in TEST_REFERENCE.findall(text.replace("\n", " ")):
        path = project.root / "tests" / file
        code = path.read_text(encoding="utf-8") if path.exists() else ""
        quoted = f'"{case}"' if path.suffix == ".cpp" else f"def {case}("
        if quoted not in code:
            yield f'{document}: tests/{file} has no case "{case}"'


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
            yield f"{document}:{number}: names no test"


def differing_rows(traced, documents, document, pattern):
    """Rows are known by what `pattern` captures."""
    listed = set(re.findall(pattern, traced, re.MULTILINE))
    described = set(re.findall(pattern, documents.get(document, ""), re.MULTILINE))
    for name in sorted(described - listed):
        yield f"{TRACEABILITY}: lacks {name} of {document}"
    for name in sorted(listed - described):
        yield f"{TRACEABILITY}: {document} has no {name}"


def differing_options(project, document):
    listed = {program: set() for program in PROGRAMS}
    for section in re.split(r"^#+ ", document, flags=re.MULTILINE):
        heading = section.split("\n", 1)[0]
        program = next((name for name, title in PROGRAMS.items() if title == heading), "cli")
        for cell in re.findall(r"^\| (`--.*?)\|", section, re.MULTILINE):
            listed[program].update(re.findall(r"--[\w-]+", cell))
    code = {program: "".join(path.read_text(encoding="utf-8") for path in
                             sorted((project.root / "examples" / program).glob("*.[ch]pp"))) for program in PROGRAMS}
    shared = dict(re.findall(r"\b(add_\w+)\(CLI::App& [^{;]*\{\n(.*?)\n\}", "".join(code.values()), re.DOTALL))
    for program in PROGRAMS:
        text = code[program]
        waiting = re.findall(r"\b(add_\w+)\(", text)
        called = set()
        while waiting:
            function = waiting.pop()
            if function in shared and function not in called:
                called.add(function)
                text += shared[function]
                waiting += re.findall(r"\b(add_\w+)\(", shared[function])
        added = options_added_in(text)
        for option in sorted(added - listed[program]):
            yield f"{TRACEABILITY}: lacks {option} of examples/{program}"
        for option in sorted(listed[program] - added):
            yield f"{TRACEABILITY}: examples/{program} has no option {option}"


def options_added_in(code):
    """The option names that calls of functions named add_... pass."""
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

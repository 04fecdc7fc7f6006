"""Each check of lint.py passes on a small project and reports each fault that is put into it."""
import pathlib
import tempfile
import unittest
from unittest import mock

import lint

VERSION = """#ifndef GRU4REC_VERSION_HPP
#define GRU4REC_VERSION_HPP
#define GRU4REC_VERSION_MAJOR 1
#define GRU4REC_VERSION_MINOR 2
#define GRU4REC_VERSION_PATCH 3
#define GRU4REC_VERSION_STRING "1.2.3"
#define GRU4REC_ABI v1_2_base
#endif
"""


def header(name, *lines):
    guard = name.replace("/", "_").replace(".", "_").upper()
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", *lines, "#endif", ""])


class LintTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("include/gru4rec/version.hpp", VERSION)
        self.add("gru4rec/core/a.hpp", '#include "gru4rec/version.hpp"', "// using namespace std; in a comment")
        self.add("gru4rec/nn/b.hpp", '#include "gru4rec/core/a.hpp"', "namespace gru4rec {", "inline namespace GRU4REC_ABI {}", "}")
        self.add("gru4rec/io/c.hpp")
        self.add("gru4rec/data/d.hpp")
        self.add("gru4rec/serve/s.hpp", '#include "gru4rec/nn/b.hpp"')
        self.add("gru4rec/data.hpp", '#include "gru4rec/data/d.hpp"')
        self.add("gru4rec/eval.hpp")
        self.add("gru4rec/serve.hpp", '#include "gru4rec/serve/s.hpp"')
        self.add("gru4rec/train.hpp")
        self.add("gru4rec/baselines.hpp")
        self.add("gru4rec/blocks.hpp")
        self.add("gru4rec/gru4rec.hpp",
                 *(f'#include "gru4rec/{part}.hpp"'
                   for part in ("baselines", "blocks", "data", "eval", "io/c", "serve", "train")))
        self.write("CITATION.cff", "version: 1.2.3\n")
        self.write("CHANGELOG.md", "# Changes\n\n## Unreleased\n\n## 1.2.3\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def add(self, name, *lines):
        self.write("include/" + name, header(name, *lines))

    def problems(self, check):
        return "\n".join(lint.CHECKS[check](lint.Project(self.root)))

    def test_a_clean_project_passes_every_check(self):
        for check in lint.CHECKS:
            self.assertEqual(self.problems(check), "", check)

    def test_a_lower_layer_may_not_include_a_higher_one(self):
        self.add("gru4rec/core/a.hpp", '#include "gru4rec/nn/b.hpp"')
        self.assertIn("'core' stands before 'nn'", self.problems("layers"))

    def test_the_container_of_sessions_may_not_reach_the_reader_of_files(self):
        self.add("gru4rec/data/dataset.hpp", '#include "gru4rec/data/group.hpp"')
        self.add("gru4rec/data/group.hpp", '#include "gru4rec/data/reader.hpp"')
        self.add("gru4rec/data/reader.hpp")
        self.assertIn("gru4rec/data/dataset.hpp: includes gru4rec/data/reader.hpp", self.problems("layers"))

    def test_a_circle_is_reported(self):
        self.add("gru4rec/core/a.hpp", '#include "gru4rec/core/z.hpp"')
        self.add("gru4rec/core/z.hpp", '#include "gru4rec/core/a.hpp"')
        self.assertIn("circle: gru4rec/core/a.hpp -> gru4rec/core/z.hpp -> gru4rec/core/a.hpp",
                      self.problems("layers"))

    def test_an_unknown_folder_is_reported(self):
        self.add("gru4rec/misc/a.hpp")
        self.assertIn("'misc' is not one of the layers", self.problems("layers"))

    def test_a_header_may_not_include_an_umbrella_header(self):
        self.add("gru4rec/nn/b.hpp", '#include "gru4rec/data.hpp"')
        self.assertIn("gru4rec/nn/b.hpp:3: includes the umbrella header gru4rec/data.hpp", self.problems("layers"))

    def test_forbidden_words_are_reported(self):
        for line in ["#include <iostream>", "#include <tbb/tbb.h>", "#include <Eigen/Dense>", "using namespace std;",
                     'std::cout << "x";', "std::normal_distribution<> d;", "int i = rand();", "auto a = f(std::min(b, c));",
                     "auto a = std::numeric_limits<int>::max();", "tbb::task_arena arena;",
                     "#include <nlohmann/json.hpp>", '#include "a.hpp"', "int a; ",
                     "using Eigen::internal::padd;", "namespace ei = Eigen :: internal;", "thread_local int a;",
                     "std::ranges::stable_sort(v);", "if (std::ranges::any_of(v, f)) {"]:
            with self.subTest(line=line):
                self.add("gru4rec/core/a.hpp", line)
                self.assertIn("gru4rec/core/a.hpp:3:", self.problems("words"))

    def test_one_header_may_name_what_the_others_may_not(self):
        self.add("gru4rec/core/simd.hpp", "using Eigen::internal::padd;")
        self.add("gru4rec/core/parallel.hpp", "#include <tbb/parallel_for.h>", "using tbb::parallel_for;")
        self.assertEqual(self.problems("words"), "")
        self.add("gru4rec/core/parallel.hpp", "using Eigen::internal::padd;")
        self.add("gru4rec/core/simd.hpp", "using tbb::parallel_for;")
        self.assertIn("Eigen::internal is named only in gru4rec/core/simd.hpp", self.problems("words"))
        self.assertIn("TBB is named only in gru4rec/core/parallel.hpp", self.problems("words"))

    def test_words_that_only_look_forbidden_pass(self):
        self.add("gru4rec/core/a.hpp", "auto a = (std::min)(b, c);", "auto b = (std::numeric_limits<int>::max)();",
                 'auto text = "std::cout";', "/* using namespace */", "int n = 1'000'000; int operand(int);",
                 "template <std::ranges::sized_range R> auto n = std::ranges::size(r);")
        self.assertEqual(self.problems("words"), "")

    def test_a_wrong_guard_and_a_bare_namespace_are_reported(self):
        self.write("include/gru4rec/core/a.hpp", header("gru4rec/core/other.hpp", "namespace gru4rec {}"))
        self.assertIn("the guard must be GRU4REC_CORE_A_HPP", self.problems("guards"))
        self.assertIn("open namespace gru4rec and, on the next line, inline namespace GRU4REC_ABI", self.problems("guards"))

    def test_a_header_that_is_too_long_is_reported(self):
        self.add("gru4rec/core/a.hpp", *["int a;"] * 497)
        self.assertEqual(self.problems("sizes"), "")
        self.add("gru4rec/core/a.hpp", *["int a;"] * 498)
        self.assertEqual(self.problems("sizes"), "gru4rec/core/a.hpp: 501 lines, at most 500")

    def test_a_function_that_is_too_long_is_reported_by_its_name(self):
        heads = {"inline int f(int a) {": "f", "S::~S() {": "~S", "S::S(int a) : a_(a), b_{a} {": "S",
                 "int h(A a = {}) {": "h",
                 "template <class A, class B = int> requires C<A> auto g(A a) -> B {": "g",
                 "bool operator()(int a) const noexcept {": "operator()", "bool operator==(const S& o) const {": "operator=="}
        for head, name in heads.items():
            with self.subTest(head=head):
                around = ["namespace n {", "template <class A> requires (sizeof(A) > 1)", "struct T : B<int> {", "int x = 0;"]
                self.add("gru4rec/core/a.hpp", *around, head, *["if (a) { f(); }"] * 38, "}", "};", "}")
                self.assertEqual(self.problems("sizes"), "")
                self.add("gru4rec/core/a.hpp", *around, head, "auto l = [] {", *["if (a) { f(); }"] * 37, "};", "}", "};", "}")
                self.assertEqual(self.problems("sizes"), f"gru4rec/core/a.hpp:7: {name} has 41 lines, at most 40")

    def test_classes_and_namespaces_are_no_long_functions(self):
        self.add("gru4rec/core/a.hpp", "namespace n {", "template <class A = decltype(f())>", "class S {",
                 *["int f(int a) { return a; }"] * 60, "};", "enum class E {", *["a,"] * 60, "};", "}")
        self.assertEqual(self.problems("sizes"), "")

    def test_an_example_that_names_detail_is_reported(self):
        self.write("examples/a/main.cpp", "int a = gru4rec::n;  // not gru4rec::detail::n\nint b = gru4rec::detail::m;\n")
        self.assertEqual(self.problems("examples"),
                         "examples/a/main.cpp:2: names gru4rec::detail::m, which is not for users")

    def test_a_known_violation_passes_until_it_is_gone(self):
        project = lint.Project(self.root)
        project.is_ours = True
        with mock.patch.dict(lint.EXCEPTIONS, {"examples": {"examples/a/main.cpp: m"}}):
            self.write("examples/a/main.cpp", "int b = gru4rec::detail::m;\n")
            self.assertEqual(list(lint.check_examples(project)), [])
            self.write("examples/a/main.cpp", "int b = 0;\n")
            self.assertEqual(list(lint.check_examples(project)),
                             ["lint.py: EXCEPTIONS no longer needs 'examples/a/main.cpp: m'"])

    def test_a_header_that_an_umbrella_lacks_is_reported(self):
        self.add("gru4rec/optim/d.hpp")
        self.assertEqual(self.problems("umbrella"), "gru4rec/gru4rec.hpp: lacks gru4rec/optim/d.hpp")
        self.add("gru4rec/gru4rec.hpp", '#include "gru4rec/optim/d.hpp"', '#include "gru4rec/data.hpp"',
                 '#include "gru4rec/serve/s.hpp"', '#include "gru4rec/eval.hpp"', '#include "gru4rec/train.hpp"',
                 '#include "gru4rec/baselines.hpp"', '#include "gru4rec/blocks.hpp"', '#include "gru4rec/io/c.hpp"')
        self.add("gru4rec/serve.hpp")
        self.assertEqual(self.problems("umbrella"), "gru4rec/gru4rec.hpp: lacks gru4rec/serve.hpp\n"
                                                    "gru4rec/serve.hpp: lacks gru4rec/serve/s.hpp")

    def test_an_umbrella_by_job_that_reaches_io_is_reported(self):
        self.add("gru4rec/serve.hpp", '#include "gru4rec/serve/s.hpp"', '#include "gru4rec/io/c.hpp"')
        self.assertEqual(self.problems("umbrella"),
                         "gru4rec/serve.hpp: includes gru4rec/io/c.hpp, which is not part of its job")

    def test_an_umbrella_that_reaches_what_is_not_part_of_its_job_is_reported(self):
        self.add("gru4rec/train/t.hpp", '#include "gru4rec/data/reader.hpp"')
        self.add("gru4rec/data/reader.hpp")
        self.add("gru4rec/serve.hpp", '#include "gru4rec/serve/s.hpp"', '#include "gru4rec/train/t.hpp"')
        for header in ("train/t", "data/reader"):
            self.assertIn(f"gru4rec/serve.hpp: includes gru4rec/{header}.hpp, which is not part of its job",
                          self.problems("umbrella"))

    def test_versions_that_disagree_are_reported(self):
        self.write("CITATION.cff", "version: 1.2.2\n")
        self.write("CHANGELOG.md", "## 1.2.4\n## 1.2.3\n")
        self.write("README.md", "find_package(gru4rec 1.3 CONFIG)\n")
        self.write("include/gru4rec/version.hpp", VERSION.replace('"1.2.3"', '"1.2.5"').replace("v1_2", "v1_1"))
        problems = self.problems("version")
        for part in ["GRU4REC_VERSION_STRING is 1.2.5", "v1_1_base", "version 1.2.2", "topmost version 1.2.4",
                     "find_package(gru4rec 1.3)"]:
            self.assertIn(part, problems)

    def trace(self, text):
        self.write("tests/TRACEABILITY.md", text)

    def test_a_header_that_a_document_misnames_is_reported(self):
        for named in ["core/a.hpp", "gru4rec/core/a.hpp", "include/gru4rec/core/a.hpp", "tests/support/x.hpp",
                      "support/x.hpp"]:
            self.write("docs/x.md", f"`{named}` holds it.\n")
            self.assertEqual(self.problems("documents"), "", named)
        for named in ["core/z.hpp", "gru4rec/core/z.hpp", "include/gru4rec/core/z.hpp"]:
            self.write("docs/x.md", f"`{named}` holds it.\n")
            self.assertEqual(self.problems("documents"), "docs/x.md: gru4rec/core/z.hpp does not exist", named)
        self.write("docs/x.md", "")
        self.write("CHANGELOG.md", "## 1.2.3\n`gru4rec/core/z.hpp` is gone.\n")
        self.assertEqual(self.problems("documents"), "")

    def test_a_header_of_the_network_that_model_md_forgets_is_reported(self):
        self.write("docs/model.md", "The cell is in `nn/b.hpp`.\n")
        self.assertEqual(self.problems("documents"), "")
        self.write("docs/model.md", "The cell.\n")
        self.assertEqual(self.problems("documents"), "docs/model.md: does not name gru4rec/nn/b.hpp")

    def test_a_broken_link_is_reported(self):
        self.write("docs/x.md", "[self](#a-section-here) [up](../README.md) [y](y.md#the-end) [out](https://x.org/z#a)\n"
                                "## A section, here\n```\n# no heading\n```\n")
        self.write("docs/y.md", "# The `end`\n")
        self.write("README.md", "[x](docs/x.md)\n")
        self.assertEqual(self.problems("documents"), "")
        self.write("README.md", "[x](docs/z.md) [x](docs/x.md#no-heading)\n")
        self.assertEqual(self.problems("documents"), "README.md: link to docs/z.md: there is no such file\n"
                                                     "README.md: link to docs/x.md#no-heading: there is no such section")

    def test_a_document_or_section_that_a_header_invents_is_reported(self):
        self.write("docs/x.md", "# Dead ends\n")
        for comment, fault in [('/// docs/x.md, "Dead ends", has it.', ""), ("// As docs/x.md#dead-ends says.", ""),
                               ('// Measured: docs/x.md,\n// "Dead\n// ends".', ""),
                               ("// docs/y.md", "docs/y.md does not exist"),
                               ('// docs/x.md, "Live ends"', "docs/x.md has no section Live ends"),
                               ("// docs/x.md#live-ends", "docs/x.md has no section live-ends")]:
            self.add("gru4rec/core/a.hpp", comment)
            self.assertEqual(self.problems("documents"), fault and f"gru4rec/core/a.hpp: {fault}", comment)

    def test_a_test_case_that_a_document_invents_is_reported(self):
        self.write("tests/unit/a_test.cpp", 'TEST_CASE("one is one") {}\n')
        self.write("tests/unit/b_test.py", "    def test_two(self):\n")
        for document in ["docs/x.md", "tests/TRACEABILITY.md"]:
            self.write(document, '`unit/a_test.cpp`:\n"one is one"; `unit/b_test.py`: "test_two"\n')
            self.assertEqual(self.problems("documents"), "")
            self.write(document, '`unit/a_test.cpp`: "one is"; `unit/b_test.py`: "test_t"; `unit/c_test.cpp`: "none"\n')
            for part in ['a_test.cpp has no case "one is"', 'b_test.py has no case "test_t"', 'c_test.cpp has no case "none"']:
                self.assertIn(f"{document}: tests/unit/{part}", self.problems("documents"))
            self.write(document, "")

    def test_a_parameter_or_mistake_without_a_row_of_tests_is_reported(self):
        for document, row in [("docs/parameters.md", "| `{}` | 0 | [0, 1) | heavy ball |\n"),
                              ("docs/mistakes.md", "| {} | a mistake | the right thing |\n")]:
            names = ["momentum", "deep_input"] if "`" in row else ["B1", "T11"]
            traced = [f"| `{name}` | a check |\n" if "`" in row else f"| {name} | a check |\n" for name in names]
            self.write(document, "".join(map(row.format, names)))
            self.trace("".join(traced))
            self.assertEqual(self.problems("documents"), "")
            self.trace(traced[0])
            self.assertEqual(self.problems("documents"), f"tests/TRACEABILITY.md: lacks {names[1]} of {document}")
            self.trace("".join(traced))
            self.write(document, row.format(names[0]))
            self.assertEqual(self.problems("documents"), f"tests/TRACEABILITY.md: {document} has no {names[1]}")
            (self.root / document).unlink()

    def test_a_row_without_a_test_is_reported_if_the_table_has_a_column_of_tests(self):
        self.write("tests/unit/a_test.cpp", 'TEST_CASE("one is one") {}\n')
        row = '| -B1 | a mistake | `unit/a_test.cpp`: "one is one" |\n'
        for heading in ["test", "tests"]:
            self.trace(f"text\n\n| | the mistake | {heading} |\n|---|---|---|\n{row}")
            self.assertEqual(self.problems("documents"), "")
            self.trace(f"text\n\n| | the mistake | {heading} |\n|---|---|---|\n{row}| -B2 | other | |\n{row}")
            self.assertEqual(self.problems("documents"), "tests/TRACEABILITY.md:6: names no test")
        self.trace(f"| | the mistake | tests |\n|---|---|---|\n{row}\n| | broken by | seen |\n|---|---|---|\n"
                   "| -B2 | other | yes |\n")
        self.assertEqual(self.problems("documents"), "")

    def test_an_option_of_a_program_that_has_no_row_or_is_invented_is_reported(self):
        self.write("examples/cli/kinds.hpp", 'inline void add_keys(CLI::App& app, Keys& keys) {\n    add_text(app, "--key", keys);\n}\n')
        self.write("examples/cli/main.cpp", 'add_text(app, "--save", file, "FILE", "as --init"); app.add_flag("--json", x);\n'
                                            'fail("--nothing or --else"); add_number(\n    app, "--log-steps", n);\n')
        self.write("examples/findings/main.cpp", 'app.add_option("--seeds", seeds); cli::add_keys(app, keys);\n')
        cli = "| `--save, file` | |\n| `--log-steps` | |\n| `--json` (inspect) | |\n| `--key` | |\n"
        findings = "\n### The program `findings`\n\n| `--seeds` | |\n| `--key` | |\n"
        document = "tests/TRACEABILITY.md"
        self.trace(cli + findings)
        self.assertEqual(self.problems("documents"), "")
        for changed, fault in ((cli, f"lacks --key of examples/findings\n{document}: lacks --seeds of examples/findings"),
                               (cli + findings.replace("| `--key` | |\n", ""), "lacks --key of examples/findings"),
                               (cli + findings + "| `--save` | |\n", "examples/findings has no option --save"),
                               (cli.replace("--save, file", "--sav") + findings,
                                f"lacks --save of examples/cli\n{document}: examples/cli has no option --sav")):
            self.trace(changed)
            self.assertEqual(self.problems("documents"), f"{document}: {fault}")

    def test_a_workflow_that_may_write_never_ends_or_runs_what_may_change_is_reported(self):
        self.write("tests/run.sh", "")
        (self.root / "tests/run.sh").chmod(0o755)
        workflow = ("name: ci\non: push\npermissions:\n  contents: read\nconcurrency:\n  group: a\njobs:\n"
                    "  one:\n    timeout-minutes: 5\n    steps:\n"
                    f"      - uses: actions/checkout@{'a1' * 20}  # v4.2.2\n      - run: tests/run.sh --werror\n")
        self.write(".github/workflows/ci.yml", workflow)
        self.assertEqual(self.problems("workflows"), "")
        for old, new, fault in (("contents: read", "contents: write", "may do more"),
                                ("permissions:\n  contents: read\n", "", "lacks permissions"),
                                ("concurrency:\n  group: a\n", "", "lacks concurrency"),
                                ("on: push", "on: pull_request_target", "may do more"),
                                ("    timeout-minutes: 5\n", "", "without timeout-minutes: one:"),
                                ("a1" * 20, "v4", "is not pinned"), ("  # v4.2.2", "", "is not pinned"),
                                ("tests/run.sh", "tests/gone.sh", "tests/gone.sh is missing")):
            with self.subTest(fault, new=new):
                self.write(".github/workflows/ci.yml", workflow.replace(old, new))
                self.assertIn(fault, self.problems("workflows"))


if __name__ == "__main__":
    unittest.main()

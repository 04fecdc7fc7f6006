"""Each check of lint.py passes on a small project and reports each fault that is put into it."""
import pathlib
import tempfile
import unittest

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
        self.add("gru4rec/core/a.hpp", '#include "gru4rec/version.hpp"', "// using namespace std; in a comment is none")
        self.add("gru4rec/nn/b.hpp", '#include "gru4rec/core/a.hpp"', "namespace gru4rec::inline GRU4REC_ABI {}")
        self.add("gru4rec/io/c.hpp", "#include <nlohmann/json.hpp>")
        self.add("gru4rec/gru4rec.hpp", '#include "gru4rec/nn/b.hpp"')
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

    def test_forbidden_words_are_reported(self):
        for line in ["#include <iostream>", "#include <tbb/tbb.h>", "#include <Eigen/Dense>", "using namespace std;",
                     'std::cout << "x";', "std::normal_distribution<> d;", "int i = rand();", "auto a = f(std::min(b, c));",
                     "auto a = std::numeric_limits<int>::max();", "tbb::task_arena arena;",
                     "#include <nlohmann/json.hpp>", '#include "a.hpp"', "int a; "]:
            with self.subTest(line=line):
                self.add("gru4rec/core/a.hpp", line)
                self.assertIn("gru4rec/core/a.hpp:3:", self.problems("words"))

    def test_words_that_only_look_forbidden_pass(self):
        self.add("gru4rec/core/a.hpp", "auto a = (std::min)(b, c);", "auto b = (std::numeric_limits<int>::max)();",
                 'auto text = "std::cout";', "/* using namespace */", "int n = 1'000'000; int operand(int);")
        self.assertEqual(self.problems("words"), "")

    def test_a_wrong_guard_and_a_bare_namespace_are_reported(self):
        self.write("include/gru4rec/core/a.hpp", header("gru4rec/core/other.hpp", "namespace gru4rec {}"))
        self.assertIn("the guard must be GRU4REC_CORE_A_HPP", self.problems("guards"))
        self.assertIn("open namespace gru4rec::inline GRU4REC_ABI", self.problems("guards"))

    def test_a_header_that_the_umbrella_lacks_is_reported(self):
        self.add("gru4rec/optim/d.hpp")
        self.assertIn("lacks gru4rec/optim/d.hpp", self.problems("umbrella"))

    def test_an_umbrella_that_reaches_io_is_reported(self):
        self.add("gru4rec/gru4rec.hpp", '#include "gru4rec/nn/b.hpp"', '#include "gru4rec/io/c.hpp"')
        self.assertIn("includes gru4rec/io/c.hpp", self.problems("umbrella"))

    def test_versions_that_disagree_are_reported(self):
        self.write("CITATION.cff", "version: 1.2.2\n")
        self.write("CHANGELOG.md", "## 1.2.4\n## 1.2.3\n")
        self.write("README.md", "find_package(gru4rec 1.3 CONFIG)\n")
        self.write("include/gru4rec/version.hpp", VERSION.replace('"1.2.3"', '"1.2.5"').replace("v1_2", "v1_1"))
        problems = self.problems("version")
        for part in ["GRU4REC_VERSION_STRING is 1.2.5", "v1_1_base", "version 1.2.2", "topmost version 1.2.4",
                     "find_package(gru4rec 1.3)"]:
            self.assertIn(part, problems)

    def test_a_header_that_model_md_misnames_or_forgets_is_reported(self):
        self.write("docs/model.md", "The cell is in `nn/b.hpp`, its start in `core/a.hpp`.\n")
        self.assertEqual(self.problems("documents"), "")
        self.write("docs/model.md", "The cell is in `nn/c.hpp`.\n")
        self.assertEqual(self.problems("documents"), "docs/model.md: gru4rec/nn/c.hpp does not exist\n"
                                                     "docs/model.md: does not name gru4rec/nn/b.hpp")

    def test_a_test_case_that_a_document_invents_is_reported(self):
        self.write("tests/unit/a_test.cpp", 'TEST_CASE("one is one") {}\n')
        self.write("tests/unit/b_test.py", "    def test_two(self):\n")
        self.write("docs/x.md", '`unit/a_test.cpp`:\n"one is one"; `unit/b_test.py`: "test_two"\n')
        self.assertEqual(self.problems("documents"), "")
        self.write("docs/x.md", '`unit/a_test.cpp`: "one is"; `unit/b_test.py`: "test_t"; `unit/c_test.cpp`: "none"\n')
        for part in ['a_test.cpp has no case "one is"', 'b_test.py has no case "test_t"', 'c_test.cpp has no case "none"']:
            self.assertIn(part, self.problems("documents"))

    def test_a_parameter_that_options_md_lacks_or_has_otherwise_is_reported(self):
        self.write("docs/parameters.md", "| `momentum` | 0 | [0, 1) | heavy ball |\n| `deep_input` | false | | text |\n")
        self.write("docs/options.md", "| `momentum` | 0 | [0, 1) | a test |\n| `deep_input` | false | | a test |\n")
        self.assertEqual(self.problems("documents"), "")
        self.write("docs/options.md", "| `momentum` | 0.1 | [0, 1) | a test |\n")
        self.assertIn("docs/options.md: `momentum`", self.problems("documents"))
        (self.root / "docs/parameters.md").rename(self.root / "parameters.md")
        self.assertIn("docs/parameters.md has None", self.problems("documents"))
        (self.root / "parameters.md").rename(self.root / "docs/parameters.md")
        self.write("docs/options.md", "no parameter\n")
        for name in ["momentum", "deep_input"]:
            self.assertIn(f"docs/options.md: `{name}` has None", self.problems("documents"))

    def test_a_row_without_a_test_is_reported_where_the_table_has_a_column_of_tests(self):
        self.write("tests/unit/a_test.cpp", 'TEST_CASE("one is one") {}\n')
        row = '| B1 | a mistake | `unit/a_test.cpp`: "one is one" |\n'
        for heading in ["test", "tests"]:
            self.write("docs/x.md", f"text\n\n| | the mistake | {heading} |\n|---|---|---|\n{row}")
            self.assertEqual(self.problems("documents"), "")
            self.write("docs/x.md", f"text\n\n| | the mistake | {heading} |\n|---|---|---|\n{row}| B2 | other | |\n{row}")
            self.assertEqual(self.problems("documents"), "docs/x.md:6: names no test")
        self.write("docs/x.md", f"| | the mistake | tests |\n|---|---|---|\n{row}\n| | broken by | seen |\n|---|---|---|\n"
                                "| B2 | other | yes |\n")
        self.assertEqual(self.problems("documents"), "")

    def test_an_option_of_a_program_that_options_md_lacks_or_invents_is_reported(self):
        self.write("examples/cli/kinds.hpp", 'inline void add_keys(CLI::App& app, Keys& keys) {\n    add_text(app, "--key", keys);\n}\n')
        self.write("examples/cli/main.cpp", 'add_text(app, "--save", file, "FILE", "as --init"); app.add_flag("--json", x);\n'
                                            'fail("--nothing or --else"); add_number(\n    app, "--log-steps", n);\n')
        self.write("examples/findings/main.cpp", 'app.add_option("--seeds", seeds); cli::add_keys(app, keys);\n')
        cli = "| `--save, file` | | | |\n| `--log-steps` | | | |\n| `--json` (inspect) | | | |\n| `--key` | | | |\n"
        findings = "\n## The program findings\n\n| `--seeds` | | | |\n| `--key` | | | |\n"
        self.write("docs/options.md", cli + findings)
        self.assertEqual(self.problems("documents"), "")
        for changed, fault in ((cli, "lacks --key of examples/findings\ndocs/options.md: lacks --seeds of examples/findings"),
                               (cli + findings.replace("| `--key` | | | |\n", ""), "lacks --key of examples/findings"),
                               (cli + findings + "| `--save` | | | |\n", "examples/findings has no option --save"),
                               (cli.replace("--save, file", "--sav") + findings,
                                "lacks --save of examples/cli\ndocs/options.md: examples/cli has no option --sav")):
            self.write("docs/options.md", changed)
            self.assertEqual(self.problems("documents"), f"docs/options.md: {fault}")


if __name__ == "__main__":
    unittest.main()

"""hardening.py takes a small hardened program and names what is left out of it: hardening_test.py COMPILER."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import hardening

COMPILER = None
SOURCE = """
#include <cstdio>
#include <cstring>
int main(int n, char** words) {
    char text[16];
    std::strcpy(text, words[n - 1]);
    return std::puts(text);
}
"""
HARDENED = "-O2 -w -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -Wl,-z,relro,-z,now,-z,noexecstack"


class HardeningTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = pathlib.Path(folder.name) / "source.cpp"
        self.source.write_text(SOURCE)
        self.program = self.source.with_suffix("")

    def built(self, more="-fPIE -pie"):
        subprocess.run([COMPILER, *HARDENED.split(), *more.split(), str(self.source), "-o", str(self.program)],
                       check=True)
        return str(self.program)

    def test_a_hardened_program_lacks_nothing(self):
        self.assertEqual(hardening.missing(self.built()), [])
        self.assertEqual(hardening.main([str(self.program)]), 0)

    def test_a_module_needs_the_same_except_to_be_a_position_independent_program(self):
        self.assertEqual(hardening.missing(self.built("-fPIC -shared")), [])

    def test_what_is_left_out_is_named(self):
        pie = "-fPIE -pie "
        for flags, problem in (("-fno-pie -no-pie", "-pie"), (pie + "-Wl,-z,norelro", "relro"),
                               (pie + "-Wl,-z,lazy", "-z,now"), (pie + "-Wl,-z,execstack", "noexecstack"),
                               (pie + "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE"), (pie + "-Wl,-rpath,/tmp", "RPATH"),
                               (pie + "-fno-stack-protector", "-fstack-protector-strong")):
            with self.subTest(flags):
                lacks = hardening.missing(self.built(flags))
                self.assertEqual(len(lacks), 1, lacks)
                self.assertIn(problem, lacks[0])
                self.assertEqual(hardening.main([str(self.program)]), 1)


if __name__ == "__main__":
    COMPILER = sys.argv.pop(1)
    unittest.main(verbosity=2)

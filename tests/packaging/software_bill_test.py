"""The software bill of materials of a built program: software_bill_test.py [--bill FILE] PROGRAM-OR-MODULE...

Writes the bill with cmake/software_bill.py, or reads the one of a package, and compares it with what the files link and
with Debian's versions. Validated by spdx-tools (PyPI), if it is installed. Exit status 77: there is no readelf or dpkg.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "cmake"))
import software_bill

OPTIONS = None


class SoftwareBillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.bill = OPTIONS.bill or pathlib.Path(cls.folder.name) / "bill.spdx.json"
        if not OPTIONS.bill:
            subprocess.run([sys.executable, str(ROOT / "cmake/software_bill.py"), "--name", "gru4rec", "--version", "1.2.3",
                            "--output", str(cls.bill), *OPTIONS.files], check=True)
        cls.document = json.loads(pathlib.Path(cls.bill).read_text())
        cls.packages = {package["name"]: package for package in cls.document["packages"]}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def uses(self):
        names = {package["SPDXID"]: package["name"] for package in self.document["packages"]}
        return {names[relation["relatedSpdxElement"]]: relation["relationshipType"] for relation in self.document["relationships"]}

    def test_every_library_that_is_linked_is_listed(self):
        for file in OPTIONS.files:
            for library in software_bill.libraries_of(file):
                name = software_bill.component_of(pathlib.Path(library).name, "libraries")
                self.assertIsNotNone(name, f"cmake/software_bill.py does not know of which project {library} is")
                self.assertIn(self.uses()[name], ("DYNAMIC_LINK", "CONTAINS"), library)

    def test_what_is_compiled_in_is_listed(self):
        self.assertEqual(self.uses()["Eigen"], "STATIC_LINK")
        self.assertEqual(self.uses()["gru4rec"], "DESCRIBES")
        content = b"".join(pathlib.Path(file).read_bytes() for file in OPTIONS.files)
        for type_name, name in ((b"N8nlohmann", "JSON for Modern C++"), (b"N3CLI", "CLI11"), (b"N5boost", "Boost"), (b"8nanobind", "nanobind")):
            if type_name in content:  # which run-time type information holds
                self.assertEqual(self.uses().get(name), "STATIC_LINK")

    def test_each_has_a_version_and_a_licence(self):
        for name, package in self.packages.items():
            self.assertNotIn("NOASSERTION", (package["versionInfo"], package["licenseDeclared"]), name)

    def test_versions_are_those_of_the_packages_of_debian(self):
        compared = 0
        for name, package in self.packages.items():
            for reference in package.get("externalRefs", []):
                if match := re.fullmatch(r"pkg:deb/[\w.-]+/([^@]+)@(.+)\?arch=\w+", reference["referenceLocator"]):
                    version = software_bill.output_of("dpkg-query", "--show", "--showformat", "${Version}", match[1])
                    self.assertEqual((package["versionInfo"], match[2].replace("%2B", "+")), (version, version), name)
                    compared += 1
        self.assertGreater(compared, 2)

    def test_it_is_valid(self):
        try:
            from spdx_tools.spdx.parser.parse_anything import parse_file
            from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
        except ImportError:
            self.skipTest("spdx-tools (PyPI) is not installed")
        document = parse_file(str(self.bill))
        self.assertEqual([message.validation_message for message in validate_full_spdx_document(document)], [])


if __name__ == "__main__":
    if not shutil.which("readelf") or not shutil.which("dpkg-query"):
        print("skipped: there is no readelf or dpkg")
        sys.exit(77)
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="+", metavar="PROGRAM-OR-MODULE")
    arguments.add_argument("--bill")
    OPTIONS, rest = arguments.parse_known_args()
    unittest.main(verbosity=2, argv=[sys.argv[0], *rest])

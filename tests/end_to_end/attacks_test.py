"""gru4rec serve under the attacks of tests/server/attacks.py, with fewer clients than there.

The program is the first argument or GRU4REC_PROGRAM; without either the test is skipped (exit status 77), as it is if the
program was built without its server.
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "server"))
import attacks
import serve_test


class AttacksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = pathlib.Path(cls.folder.name) / "model.safetensors"
        for arguments in (("synth", "shop.tsv", "--sessions", "300", "--items", "60"),
                          ("train", "shop.tsv", "--params", "layers=8,n_epochs=1,n_sample=16", "--save", "model.safetensors")):
            subprocess.run([serve_test.PROGRAM, *arguments], cwd=cls.folder.name, check=True, capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def withstood(self, *names):
        for name in names:
            with self.subTest(name):
                self.assertIn(name, attacks.names_of_attacks())
                self.assertEqual(attacks.run(self.model, is_quick=True, only=name), [])

    def test_slow_clients_are_let_go(self):
        self.withstood("slow_headers", "slow_chunks", "slow_readers")

    def test_floods_hold_up_nobody(self):
        self.withstood("too_many_connections", "connections_that_come_and_go", "requests_without_end", "no_descriptor_left",
                       "bodies_that_are_only_announced")

    def test_no_path_leads_out_of_the_page(self):
        self.withstood("paths")

    def test_nothing_is_smuggled_behind_a_request(self):
        self.withstood("smuggling")

    def test_wrong_tokens_are_refused(self):
        self.withstood("wrong_tokens")

    def test_no_secret_is_written(self):
        self.withstood("secrets")

    def test_pages_of_other_origins_read_nothing(self):
        self.withstood("other_origins")


if __name__ == "__main__":
    serve_test.find_program()
    unittest.main(verbosity=2)

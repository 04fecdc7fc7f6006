#!/usr/bin/env python3
"""Files, disks and pipes that a program does not expect: situations_test.py [PROGRAM]

A full disk, a folder that may not be written, a file that shrinks while it is read, a folder or a pipe in place of a
file, a full standard output. Each must end with a message and an exit status, and leave what was there."""
import lzma
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "end_to_end")]

from faults import PARAMETERS, compile_shim, make_inputs, temporaries  # noqa: E402  pylint: disable=wrong-import-position
from program_under_test import maps_much_memory, program_under_test  # noqa: E402  pylint: disable=wrong-import-position

PROGRAM = program_under_test()


def mount(folder, options):
    """Mounts a disk in memory on the folder; False: that is not allowed here."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


class Situations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.inputs = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.inputs)
        make_inputs(PROGRAM, cls.inputs)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp()) / "files"
        self.addCleanup(shutil.rmtree, self.folder.parent)
        shutil.copytree(self.inputs, self.folder)

    def run_program(self, *arguments, **more):
        more = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
        return subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.folder, stderr=subprocess.PIPE, text=True,
                              timeout=60, check=False, **more)

    def fails(self, status, fragments, *arguments, **more):
        done = self.run_program(*arguments, **more)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertTrue(done.stderr.startswith("gru4rec: "), done.stderr)
        for fragment in fragments:
            self.assertIn(fragment, done.stderr)
        self.assertEqual(temporaries(self.folder), [])
        return done

    def content(self):
        return {str(path.relative_to(self.folder)): path.read_bytes()
                for path in self.folder.rglob("*") if path.is_file()}

    def test_a_full_standard_output_is_an_error_of_every_command(self):
        commands = [["preprocess", "raw.tsv", "--out", "out", "--test-duration", "1h"],
                    ["train", "train.tsv", "--params", PARAMETERS, "--save", "saved"],
                    ["evaluate", "model", "test.tsv"], ["recommend", "model", "--session", "1,2"],
                    ["recommend", "model", "--sessions", "test.tsv"],
                    ["inspect", "model"], ["inspect", "model", "--json"], ["import", "model", "--save", "saved"],
                    ["describe", "train.tsv"], ["synth", "made.tsv", "--sessions", 100],
                    ["baselines", "train.tsv", "test.tsv"], ["compare", "run.json", "--report", "page.html"],
                    ["--help"], ["--version"], ["train", "--help"]]
        for command in commands:
            with self.subTest(command[0]), open("/dev/full", "w", encoding="utf-8") as full:
                self.fails(3, ["cannot write standard output"], *command, stdout=full)
        self.assertNotEqual((self.folder / "saved").read_bytes(), b"old\n")  # the model is saved all the same

    def test_a_full_standard_error_changes_no_result(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, "train", "train.tsv", "--params", PARAMETERS, "--save", "saved"],
                                  cwd=self.folder, stdout=subprocess.DEVNULL, stderr=full, timeout=60, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertEqual((self.folder / "saved").read_bytes(), (self.folder / "next_model").read_bytes())

    def mounted_disk(self, size):
        disk = self.folder / "disk"
        disk.mkdir()
        if not mount(disk, f"size={size}"):
            self.skipTest("mounting is not allowed; faults.py fails calls in its own way")
        self.addCleanup(subprocess.run, ["umount", str(disk)], check=True)
        return disk

    def test_a_folder_that_is_read_only_is_read_and_not_written(self):
        disk = self.mounted_disk(1 << 24)
        for name in ("model", "train.tsv", "test.tsv", "raw.tsv", "run.json"):
            shutil.copy(self.folder / name, disk)
        self.assertTrue(mount(disk, "remount,ro"))
        self.assertEqual(self.run_program("evaluate", "disk/model", "disk/test.tsv").returncode, 0)
        self.assertEqual(self.run_program("recommend", "disk/model", "--session", "1,2").returncode, 0)
        for command in (["train", "disk/train.tsv", "--params", PARAMETERS, "--save", "disk/model"],
                        ["train", "disk/train.tsv", "--params", PARAMETERS, "--checkpoint", "disk/checkpoint"],
                        ["evaluate", "disk/model", "disk/test.tsv", "--ranks", "disk/ranks.tsv"],
                        ["recommend", "disk/model", "--sessions", "disk/test.tsv", "--out", "disk/lists.tsv"],
                        ["import", "disk/model", "--save", "disk/other"], ["synth", "disk/made.tsv", "--sessions", 100],
                        ["compare", "disk/run.json", "--report", "disk/page.html"],
                        ["preprocess", "disk/raw.tsv", "--out", "disk", "--test-duration", "1h"]):
            with self.subTest(" ".join(map(str, command))):
                self.fails(3, ["disk/", "Read-only file system"], *command)

    def test_a_disk_whose_files_have_all_rights_is_written(self):
        if b"__asan_init" in pathlib.Path(PROGRAM).read_bytes():
            self.skipTest("AddressSanitizer wants to be loaded first")
        shim = compile_shim(self.folder, with_memory=False)
        if shim is None:
            self.skipTest("this needs Linux and a C compiler")
        for name in ("saved", "new"):
            done = self.run_program("train", "train.tsv", "--params", PARAMETERS, "--save", name,
                                    env={**os.environ, "LD_PRELOAD": shim, "FAULT_RIGHTS": "1"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual((self.folder / name).read_bytes(), (self.folder / "next_model").read_bytes())
            self.assertEqual(temporaries(self.folder), [])

    def test_a_full_disk_leaves_the_old_files(self):
        large = ["train", "train.tsv", "--params", "layers=64,n_epochs=1,n_sample=16"]
        self.assertEqual(self.run_program(*large, "--save", "large").returncode, 0)
        disk = self.mounted_disk(16 * 4096)
        for name in ("saved", "test.tsv", "ranks.tsv"):
            (disk / name).write_text("old\n")
        before = {path.name: path.read_bytes() for path in disk.iterdir()}
        (disk / "filling").write_bytes(bytes(11 * 4096))
        for command in ([*large, "--save", "disk/saved"], [*large, "--checkpoint", "disk/c"],
                        ["import", "large", "--save", "disk/saved"],
                        ["preprocess", "raw.tsv", "--out", "disk", "--test-duration", "1h"],
                        ["synth", "disk/test.tsv", "--sessions", 5000]):
            with self.subTest(command[0]):
                self.fails(3, ["disk/", "No space left on device"], *command)
                left = {path.name: path.read_bytes() for path in disk.iterdir() if path.name != "filling"}
                self.assertEqual(left, before)

    def test_a_file_that_may_not_grow_is_named_and_leaves_the_old_one(self):
        before = self.content()
        for limit in (0, 1000):
            def limit_files(size=limit):
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            for name, command in (("saved", ["train", "train.tsv", "--params", PARAMETERS, "--save", "saved"]),
                                  ("saved", ["import", "model", "--save", "saved"]),
                                  ("test.tsv", ["synth", "test.tsv", "--sessions", 5000]),
                                  ("out", ["preprocess", "raw.tsv", "--out", "out", "--test-duration", "1h"])):
                with self.subTest(command[0], limit=limit):
                    self.fails(3, [name, "File too large"], *command, preexec_fn=limit_files)
                    self.assertEqual(self.content(), before)

    @unittest.skipIf(maps_much_memory(PROGRAM), "a sanitizer maps more than the limit")
    def test_a_lack_of_memory_is_not_called_a_broken_file(self):
        packed = bytearray(lzma.compress((self.folder / "train.tsv").read_bytes()))
        size = packed.index(b"\x21\x01", 12) + 2  # of the dictionary, in the header of the block
        packed[size] = 38  # 2 GiB
        end = 12 + (packed[12] + 1) * 4 - 4
        packed[end:end + 4] = zlib.crc32(packed[12:end]).to_bytes(4, "little")
        (self.folder / "train.tsv.xz").write_bytes(packed)
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
        self.fails(1, ["out of memory"], "describe", "train.tsv.xz", preexec_fn=limit)

    def test_a_file_that_shrinks_while_it_is_read_is_named(self):
        header = "SessionId\tItemId\tTime\n"
        rows = "".join(f"{i // 4}\t{i % 1000}\t{i}\n" for i in range(400_000))
        (self.folder / "log.tsv").write_text(header + rows)
        begin = time.monotonic()
        self.assertEqual(self.run_program("describe", "log.tsv").returncode, 0)
        duration = time.monotonic() - begin
        results = set()
        for n in range(100):
            (self.folder / "log.tsv").write_text(header + rows)
            with subprocess.Popen([PROGRAM, "describe", "log.tsv"], cwd=self.folder, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as process:
                time.sleep(duration * (n % 20) / 20)
                os.truncate(self.folder / "log.tsv", 4096)
                error = process.communicate(timeout=60)[1]
            results.add(process.returncode)
            self.assertIn(process.returncode, (0, 2, 3), error)
            if process.returncode == 3:
                self.assertIn("log.tsv", error)
                self.assertIn("shrank while it was read", error)
                return
        self.fail(f"no run was caught reading: {results}")

    def test_only_a_file_that_shrinks_is_told_as_one(self):
        with subprocess.Popen([PROGRAM, "describe", "-"], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            caught = f"/proc/{process.pid}/status"
            end = time.monotonic() + 20
            while not int(re.search(r"SigCgt:\s*(\w+)", pathlib.Path(caught).read_text())[1], 16) >> signal.SIGBUS - 1 & 1:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            process.send_signal(signal.SIGBUS)  # of a user
            error = process.communicate(timeout=60)[1]
        self.assertEqual((process.returncode, error), (-signal.SIGBUS, ""))

    def test_a_folder_in_place_of_a_file_is_named(self):
        for command in (["train", "train.tsv", "--save", "out"], ["train", "train.tsv", "--checkpoint", "out"],
                        ["train", "train.tsv", "--resume", "out"], ["train", "train.tsv", "--param-file", "out"],
                        ["train", "train.tsv", "--init", "out"], ["train", "train.tsv", "--continue", "out"],
                        ["evaluate", "out", "test.tsv"], ["evaluate", "model", "test.tsv", "--ranks", "out"],
                        ["recommend", "out", "--session", "1"],
                        ["recommend", "model", "--sessions", "test.tsv", "--out", "out"], ["inspect", "out"],
                        ["import", "out", "--save", "saved"], ["import", "model", "--save", "saved", "--items", "out"],
                        ["compare", "out", "--report", "page.html"], ["synth", "out"],
                        ["serve", "out", "--listen", "127.0.0.1:0"],
                        ["serve", "model", "--listen", "127.0.0.1:0", "--catalogue", "out"],
                        ["serve", "model", "--listen", "127.0.0.1:0", "--token-file", "out"],
                        ["serve", "model", "--listen", "127.0.0.1:0", "--log", "out"]):
            before = self.content()
            with self.subTest(" ".join(command)):
                self.fails(3, ["out"], *command)
                self.assertEqual(self.content(), before)

    def test_a_pipe_in_place_of_a_model_is_refused_at_once(self):
        os.mkfifo(self.folder / "pipe")
        for command in (["evaluate", "pipe", "test.tsv"], ["recommend", "pipe", "--session", "1"], ["inspect", "pipe"],
                        ["import", "pipe", "--save", "saved"], ["serve", "pipe", "--listen", "127.0.0.1:0"],
                        ["train", "train.tsv", "--resume", "pipe"], ["train", "train.tsv", "--init", "pipe"]):
            with self.subTest(" ".join(command)):
                self.fails(3, ["pipe", "expected a regular file"], *command)

    def test_a_pipe_in_place_of_a_log_is_read_as_a_file_is(self):
        os.mkfifo(self.folder / "pipe")
        for source in ("train.tsv", "train.jsonl.gz"):
            content = (self.folder / source).read_bytes()
            # It waits for a reader, for ever if the program opens no pipe.
            writer = threading.Thread(target=(self.folder / "pipe").write_bytes, args=[content], daemon=True)
            writer.start()
            arguments = ["--param-file", "params.json", "--save"]
            self.assertEqual(self.run_program("train", "pipe", *arguments, "of_pipe").returncode, 0)
            writer.join()
            self.assertEqual(self.run_program("train", source, *arguments, "of_file").returncode, 0)
            self.assertEqual((self.folder / "of_pipe").read_bytes(), (self.folder / "of_file").read_bytes())

    def test_a_catalogue_that_becomes_a_folder_is_told_and_read_when_it_is_a_file_again(self):
        with open(self.folder / "messages", "w", encoding="utf-8") as messages:
            server = subprocess.Popen([PROGRAM, "serve", "model", "--listen", "127.0.0.1:0", "--catalogue",
                                       "names.tsv"], cwd=self.folder, stderr=messages)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def wait_for(fragment):
            end = time.monotonic() + 20
            while fragment not in (self.folder / "messages").read_text():
                self.assertLess(time.monotonic(), end, (self.folder / "messages").read_text())
                time.sleep(0.01)

        wait_for("serving")
        names = (self.folder / "names.tsv").read_bytes()
        (self.folder / "names.tsv").unlink()
        (self.folder / "names.tsv").mkdir()
        server.send_signal(signal.SIGHUP)
        wait_for("the reload failed")
        (self.folder / "names.tsv").rmdir()
        (self.folder / "names.tsv").write_bytes(names)
        wait_for("its catalogue was read anew")
        server.terminate()
        self.assertEqual(server.wait(20), 0)


if __name__ == "__main__":
    unittest.main()

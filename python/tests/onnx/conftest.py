"""The program gru4rec, named by GRU4REC_PROGRAM, and models that it trains."""
import functools
import os
import pathlib
import subprocess

import pytest


class Program:
    """Runs the program in one folder."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def __call__(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    @functools.lru_cache(maxsize=None)
    def shop(self, sessions=600, items=70):
        """A file of made-up sessions."""
        path = self.folder / f"shop_{sessions}_{items}.tsv"
        self("synth", path, "--sessions", sessions, "--items", items)
        return path

    @functools.lru_cache(maxsize=None)
    def model(self, parameters, *options):
        """The file of a model with these parameters, trained for one epoch."""
        path = self.folder / f"model_{len(list(self.folder.glob('model_*')))}.safetensors"
        self("train", self.shop(), "--params", f"n_epochs=1,n_sample=32,{parameters}", "--save", path, *options)
        return path

    def lists(self, model, sessions, top):
        """The program's list [(item, score), ...] of each session, best first, by session id."""
        out = self.folder / "lists.tsv"
        self("recommend", model, "--sessions", sessions, "--top", top, "--out", out)
        result = {}
        for line in out.read_text().splitlines()[1:]:
            session, _, item, score = line.split("\t")
            result.setdefault(session, []).append((item, float(score)))
        return result


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    path = os.environ.get("GRU4REC_PROGRAM")
    if not path:
        pytest.skip("GRU4REC_PROGRAM does not name the program gru4rec")
    assert os.access(path, os.X_OK), f"GRU4REC_PROGRAM={path} is not a program"
    return Program(path, tmp_path_factory.mktemp("gru4rec"))


@pytest.fixture(scope="session")
def golden():
    """The folder with weights that the reference implementation trained."""
    data = os.environ.get("GRU4REC_TEST_DATA")
    if not data:
        pytest.skip("GRU4REC_TEST_DATA does not name a folder of reference data")
    folder = pathlib.Path(data) / "golden"
    assert folder.is_dir(), f"GRU4REC_TEST_DATA={data} has no folder golden"
    return folder

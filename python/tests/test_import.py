"""Importing the package costs little and needs neither the compiled part nor optional packages."""

from __future__ import annotations

import os
import subprocess
import sys


def _modules_after(statement: str) -> set[str]:
    statements = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", statements], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_nothing_heavy() -> None:
    loaded = _modules_after("import gru4rec")
    assert not loaded & {"numpy", "pandas", "polars", "pyarrow", "torch", "tqdm", "onnx", "gru4rec._core"}


def test_training_on_lists_loads_no_optional_package() -> None:
    loaded = _modules_after("import gru4rec\ngru4rec.GRU4Rec(n_epochs=1, n_sample=4).fit([['a', 'b']] * 9)")
    assert "gru4rec._core" in loaded
    assert not loaded & {"numpy", "pandas", "polars", "pyarrow", "torch", "onnx"}


def test_everything_public_is_there() -> None:
    import gru4rec

    for name in gru4rec.__all__:
        assert getattr(gru4rec, name) is not None and name in dir(gru4rec)
    assert not hasattr(gru4rec, "nothing")


def test_the_engine_is_the_one_that_the_environment_names() -> None:
    import gru4rec

    def run_with(engine: str) -> subprocess.CompletedProcess[str]:
        statement = "import gru4rec; print(gru4rec.__engine__)"
        environment = {**os.environ, "GRU4REC_ENGINE": engine}
        return subprocess.run([sys.executable, "-c", statement], env=environment, capture_output=True, text=True)

    assert run_with(gru4rec.__engine__).stdout == f"{gru4rec.__engine__}\n"
    refused = run_with("x86-64-v9")
    assert refused.returncode == 1
    assert "ImportError: gru4rec: GRU4REC_ENGINE is 'x86-64-v9', but the engines here are: " in refused.stderr

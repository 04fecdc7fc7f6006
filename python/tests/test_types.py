"""mypy --strict passes on the package and on the examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gru4rec

root = Path(__file__).parents[1]


def _mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=root / "examples")


def test_package_and_examples_are_typed() -> None:
    assert gru4rec.__file__ is not None
    package = Path(gru4rec.__file__).parent
    for what in (["-p", "gru4rec"], ["shop.py"]):
        done = _mypy(*what)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (package / "py.typed").exists()


def test_a_wrong_parameter_is_found_before_it_runs(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    lines = ["from gru4rec import GRU4Rec", 'GRU4Rec(loss="xe")', "GRU4Rec(layer=[1])", "GRU4Rec().fit([], patient=1)",
             'GRU4Rec().partial_fit([], patience="1")']
    wrong.write_text("\n".join(lines) + "\n")
    done = _mypy(str(wrong))
    assert done.returncode == 1 and all(f"wrong.py:{line}: error" in done.stdout for line in (2, 3, 4, 5)), done.stdout

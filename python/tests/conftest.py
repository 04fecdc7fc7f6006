"""Sessions of a made-up shop that a model can learn, and the files and programs that tests need."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

N_ITEMS = 40


def make_events(n_sessions: int, seed: int = 1) -> list[tuple[int, int, int]]:
    """Events (session, item, time) in time order; each session walks from item to neighbouring item on a ring."""
    draw = random.Random(seed)
    events = []
    for session in range(n_sessions):
        item = draw.randrange(N_ITEMS)
        time = 1_600_000_000 + 30 * session
        for _ in range(draw.randint(2, 6)):
            events.append((1000 + session, 100 + item, time))
            time += draw.randint(1, 60)
            item = (item + draw.choice([1, 1, 2])) % N_ITEMS
    events.sort(key=lambda event: event[2])
    return events


def write_table(path: Path, events: list[tuple[int, int, int]]) -> Path:
    lines = ["SessionId\tItemId\tTime"] + ["\t".join(map(str, event)) for event in events]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def events() -> list[tuple[int, int, int]]:
    return make_events(400)


@pytest.fixture(scope="session")
def test_events() -> list[tuple[int, int, int]]:
    return make_events(100, seed=2)


@pytest.fixture(scope="session")
def train_file(tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, int, int]]) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "train.tsv", events)


@pytest.fixture(scope="session")
def test_file(tmp_path_factory: pytest.TempPathFactory, test_events: list[tuple[int, int, int]]) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "test.tsv", test_events)


def columns_of(events: list[tuple[int, int, int]]) -> tuple[list[int], list[int], list[int]]:
    sessions, items, times = zip(*events)
    return list(sessions), list(items), list(times)


SMALL: dict[str, Any] = {"layers": [16], "n_sample": 32, "batch_size": 16, "n_epochs": 2}


def file_bytes(model: object, folder: Path) -> bytes:
    path = folder / "model.safetensors"
    model.save(path)  # type: ignore[attr-defined]
    return path.read_bytes()


@pytest.fixture(scope="session")
def program() -> str:
    """The command-line program, whose results tests compare with."""
    path = os.environ.get("GRU4REC_PROGRAM")
    if not path:
        pytest.skip("GRU4REC_PROGRAM does not say where the program is")
    assert os.access(path, os.X_OK), f"GRU4REC_PROGRAM={path} is not a program"
    return path


@pytest.fixture(scope="session")
def golden_files() -> list[Path]:
    """Files of weights of the reference implementation."""
    folder = os.environ.get("GRU4REC_TEST_DATA")
    if not folder:
        pytest.skip("GRU4REC_TEST_DATA does not say where the reference data are")
    files = sorted((Path(folder) / "golden").rglob("*.safetensors"))
    assert files, f"GRU4REC_TEST_DATA={folder} holds no golden weights"
    return files

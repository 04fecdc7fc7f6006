"""No leaks: memory stays flat over a thousand models, sessions and views."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from gru4rec import GRU4Rec


def _resident_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_is_flat_over_a_thousand_models() -> None:
    sessions = [[f"item {i}" for i in range(j, j + 3)] for j in range(120)]
    table = tuple(np.array(column) for column in zip(*[(j, i, i) for j in range(120) for i in range(j, j + 3)]))

    def one() -> None:
        for data in (sessions, table):
            model = GRU4Rec(layers=[64], n_epochs=1, n_sample=4, batch_size=100, threads=1).fit(data)
            live = model.session()
            live.click(model.items_[0])
            live.top(5)
            model.similar(model.items_[0], 5)
            model.recommend_many([[model.items_[1]]] * 3, 5)
            assert model.weights_["Wy.weight"].shape == (122, 64)
            try:
                model.similar("nobody")
            except KeyError:
                pass

    for _ in range(50):
        one()
    gc.collect()
    before = _resident_kilobytes()
    for _ in range(500):
        one()
    gc.collect()
    # A model takes 130 KB: if all 1000 leaked, that would be 130 MB.
    assert _resident_kilobytes() - before < 4_000

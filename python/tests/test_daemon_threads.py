"""A process may end while daemon threads use the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import threading, time
from gru4rec import GRU4Rec
sessions = [[(7 * s + i) % 500 for i in range(20)] for s in range(3000)]
model = GRU4Rec(layers=[64], n_sample=256, n_epochs=1, threads=1).fit(sessions[:300])
begun = threading.Event()
def work():
    begun.set()
    while True:
        {call}
threading.Thread(target=work, daemon=True).start()
begun.wait()
time.sleep({seconds})
"""


@pytest.mark.parametrize("seconds", [0.1, 0.3])
@pytest.mark.parametrize(
    "call",
    ["GRU4Rec(layers=[64], n_epochs=100, threads=1).fit(sessions)", "model.evaluate(sessions)",
     "model.recommend_many(sessions)"],
    ids=["fit", "evaluate", "recommend_many"],
)
def test_a_process_ends_while_a_daemon_thread_works(call: str, seconds: float) -> None:
    program = PROGRAM.format(call=call, seconds=seconds)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")

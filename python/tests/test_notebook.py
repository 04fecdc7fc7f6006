"""The notebook runs from top to bottom, and is stored without what it prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

path = Path(__file__).parents[1] / "examples" / "tour.ipynb"


def _text(cell: dict[str, Any]) -> str:
    """What a cell has printed or shown."""
    texts = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"])
    return "".join("".join(text) for text in texts)


# jupyter_client of pyzmq leaves sockets to the garbage collector.
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs() -> None:
    missing = "running the notebook needs nbclient, ipykernel and tqdm"
    nbclient = pytest.importorskip("nbclient", reason=missing)
    nbformat = pytest.importorskip("nbformat", reason=missing)
    pytest.importorskip("ipykernel", reason=missing)
    pytest.importorskip("tqdm", reason=missing)
    notebook = nbformat.read(path, as_version=4)
    # Raises what a cell raises.
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(path.parent))
    printed = "".join(_text(cell) for cell in notebook.cells if cell["cell_type"] == "code")
    assert re.search(r"epoch 1 of 8: +\d+%", printed), "no progress bar"
    recall = re.search(r"Recall@1 ([\d.]+) \(", printed)
    assert recall is not None and float(recall[1]) > 0.5  # the most likely neighbour comes next in 0.6 of all cases
    assert "after item 8: ['item 9'" in printed


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)

"""Weights to and from PyTorch."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from . import _core
from .parameter_values import Texts


def to_torch(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Copies: PyTorch has no tensors that may not be written to."""
    torch = importlib.import_module("torch")

    return {name: torch.tensor(array) for name, array in weights.items()}


def _to_numpy(tensor: Any) -> Any:
    import numpy as np

    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    return np.asarray(tensor, dtype=np.float32)


def from_torch(
    state_dict: Mapping[str, Any], items: Sequence[Any], supports: Optional[Sequence[int]], parameters: Texts
) -> _core.Model:
    """Through the library's import of files, which finds the network's shape and names every tensor that does not fit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state_dict"
        tensors = {name: _to_numpy(tensor) for name, tensor in state_dict.items()}
        return _core.import_tensors(path, tensors, list(items), list(supports or []), parameters)

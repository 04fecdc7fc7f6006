"""Converts weights to and from PyTorch state dicts."""

from __future__ import annotations

import importlib
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from . import _core
from .parameter_values import Texts

_log = logging.getLogger("gru4rec")


def to_torch(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors by name. They are copies: the weights are read-only, and PyTorch has no read-only tensors."""
    torch = importlib.import_module("torch")
    return {name: torch.tensor(array) for name, array in weights.items()}


def _to_numpy(name: str, tensor: Any) -> Any:
    """A tensor, or anything that NumPy takes as an array of numbers, as float32."""
    import numpy as np

    try:
        array = tensor.detach().cpu().float().numpy() if hasattr(tensor, "detach") else np.asarray(tensor)
        if np.iscomplexobj(array):
            raise ValueError("the numbers are complex")
        return array.astype(np.float32, copy=False)
    except (TypeError, ValueError, RuntimeError) as error:  # PyTorch's own, too: of sparse tensors, for example
        raise ValueError(f"gru4rec: tensor {name!r}: expected an array of numbers: {error}") from None


def from_torch(
    state_dict: Mapping[str, Any], items: Sequence[Any], supports: Optional[Sequence[int]], parameters: Texts
) -> _core.Model:
    """Goes by way of a file: the library's import infers the shape of the network and names tensors that do not fit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state_dict"
        tensors = {name: _to_numpy(name, tensor) for name, tensor in state_dict.items()}
        try:
            model, assumptions = _core.import_tensors(path, tensors, list(items), [] if supports is None else list(supports), parameters)
        except ValueError as error:  # names a file that the user has never seen
            raise ValueError(str(error).replace(str(path), "state_dict")) from None
    for assumption in assumptions:
        _log.info("assumed %s", assumption)
    return model

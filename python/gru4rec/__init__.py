"""Session-based recommendation with GRU4Rec: train, evaluate and serve on CPUs.

The compiled part is loaded when it is first needed, so modules that only read model files, such as
:mod:`gru4rec.onnx`, work without it. A wheel for other machines holds several builds of it in the folder ``engines``;
``__engine__`` names the one in use.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._core import EpochReport, Evaluation, Session
    from .estimator import Epoch, GradientNorm, GRU4Rec

    __engine__: str
    __version__: str

_homes = {
    "GRU4Rec": ".estimator",
    "Epoch": ".estimator",
    "GradientNorm": ".estimator",
    "EpochReport": "._core",
    "Evaluation": "._core",
    "Session": "._core",
    "__engine__": "._core",
    "__version__": "._core",
}

__all__ = ["Epoch", "EpochReport", "Evaluation", "GRU4Rec", "GradientNorm", "Session", "__engine__", "__version__"]

_engines = Path(__file__).with_name("engines")
if _engines.is_dir():  # import _core from the folder of the engine for this processor
    __path__.append(str(_engines / importlib.import_module(".engines._choice", __name__).choose()))


def __getattr__(name: str) -> Any:
    if name not in _homes:
        raise AttributeError(f"module 'gru4rec' has no attribute {name!r}")
    value = getattr(importlib.import_module(_homes[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

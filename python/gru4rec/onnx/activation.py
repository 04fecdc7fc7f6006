"""The activation of the candidate state: docs/parameters.md, `hidden_act`."""
from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

_NUMBER = r"([0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|\.[0-9]+(?:e[+-]?[0-9]+)?)"


@dataclass(frozen=True)
class Activation:
    """An ONNX operator with its attributes. The operator is empty for linear, which needs none."""

    operator: str
    attributes: dict[str, Any]


def parse_activation(name: str) -> Activation:
    """Parses `linear`, `relu`, `tanh`, `leaky-a`, `elu-a` or `selu-l-a`; raises ValueError for anything else."""
    simple = {"linear": "", "relu": "Relu", "tanh": "Tanh"}
    if name in simple:
        return Activation(simple[name], {})
    if match := re.fullmatch(rf"(leaky|elu)-{_NUMBER}", name):
        operator, attributes = {"leaky": "LeakyRelu", "elu": "Elu"}[match[1]], {"alpha": float(match[2])}
    elif match := re.fullmatch(rf"selu-{_NUMBER}-{_NUMBER}", name):
        # ONNX's Selu is gamma (alpha exp(x) - alpha) below 0 and gamma x above: gamma is the first number.
        operator, attributes = "Selu", {"gamma": float(match[1]), "alpha": float(match[2])}
    else:
        raise ValueError(f"hidden_act = '{name}', expected linear, relu, tanh, leaky-a, elu-a or selu-l-a")
    if not all(map(math.isfinite, attributes.values())) or attributes.get("gamma") == 0:
        raise ValueError(f"hidden_act = '{name}': its numbers must be finite, and the first of selu above 0")
    return Activation(operator, attributes)

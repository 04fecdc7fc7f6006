"""The guide names everything public, and the migration guides name every parameter."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gru4rec
from gru4rec import parameter_values

documents = Path(__file__).parents[2] / "docs"
conventions = {"self", "y", "deep"}  # of Python and scikit-learn


def _members(kind: Any) -> Iterator[str]:
    """Public members, and the arguments of those that are written in Python."""
    for name in {*dir(kind), *getattr(kind, "__dataclass_fields__", ())}:
        if name.startswith("_") or hasattr(tuple, name):
            continue
        yield name
        if inspect.isfunction(member := inspect.getattr_static(kind, name, None)):
            yield from inspect.signature(member).parameters


def _missing(document: str, names: set[str]) -> list[str]:
    text = (documents / document).read_text(encoding="utf-8")
    return sorted(name for name in names if not re.search(rf"(?<!\w){name}(?!\w)", text))


def test_the_guide_names_everything_public() -> None:
    names = set(gru4rec.__all__)
    for name in gru4rec.__all__:
        if inspect.isclass(kind := getattr(gru4rec, name)):
            names.update(_members(kind))
    assert {"fit", "patience", "click", "recall_at", "events_per_second"} <= names
    assert _missing("python.md", names - conventions) == []


@pytest.mark.parametrize("document", ["parameters.md", "from_reference.md", "from_recbole.md"])
def test_every_parameter_is_named(document: str) -> None:
    assert _missing(document, set(parameter_values.names)) == []

"""Checks arguments whose types the compiled part would refuse without their names."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

_LARGEST_INT = 2**31 - 1  # of the compiled part


def whole(name: str, value: Any, most: int = _LARGEST_INT) -> int:
    """A Python or NumPy integer from 0 to `most` as an int."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"gru4rec: {name} = {value!r}, expected a whole number") from None
    if not 0 <= number <= most:
        raise ValueError(f"gru4rec: {name} = {number}, must satisfy 0 <= {name} <= {most}")
    return number


def real(name: str, value: Any) -> float:
    """A number as a float."""
    try:
        if not isinstance(value, (str, bytes)):  # which float() would parse
            return float(value)
    except (TypeError, ValueError):
        pass
    raise ValueError(f"gru4rec: {name} = {value!r}, expected a number")


def listed(name: str, value: Any, example: str) -> list[Any]:
    """The value of an argument that must be a list or another iterable, but not a text."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"gru4rec: {name} = {value!r}, expected a list such as {example}")
    return list(value)


def cutoffs(value: Any) -> list[int]:
    """The lengths of lists to measure at."""
    return [whole("cutoffs", cutoff) for cutoff in listed("cutoffs", value, "[20]")]


def rules(ties: Any) -> list[str]:
    """One rule for ties, or several, as a list."""
    names = [ties] if isinstance(ties, str) else listed("ties", ties, '["standard"]')
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"gru4rec: ties = {ties!r}, expected the names of rules such as 'standard'")
    return names

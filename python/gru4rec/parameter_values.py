"""Converts parameters between Python values and the text that the library reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _core

#: Names and values of parameters, as the library reads and writes them.
Texts = list[tuple[str, str]]

_ranges = {name: range_ for name, _, range_ in _core.describe_parameters()}

#: The names of all parameters, in the order of the documentation.
names = list(_ranges)


def _parse_one(text: str, range_: str) -> Any:
    """A bool, int or float, depending on the range; text that is not a number, such as `layersize`, stays as it is."""
    if range_ == "true, false":
        return text == "true"
    # A range of integers is written `1 .. 1000`, one of other numbers `[0, 1)` or `>= 0`.
    number = int if " .. " in range_ else float
    try:
        return number(text)
    except ValueError:
        return text


def parse(name: str, text: str) -> Any:
    """The Python value of a parameter that the library wrote as text."""
    range_ = _ranges[name]
    if range_.startswith("each "):
        return [_parse_one(part, range_) for part in text.split("/")]
    return _parse_one(text, range_)


def to_text(value: Any) -> str:
    """A value as the library reads it: lists as ``a/b/c``."""
    if hasattr(value, "tolist"):  # a NumPy array or scalar
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return "/".join(to_text(element) for element in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_texts(values: Mapping[str, Any]) -> Texts:
    """Names and values as the library reads them, without parameters that are None and may be: they are not set."""
    not_set = {name for name, value in values.items() if value is None and defaults.get(name, "unknown") is None}
    return [(name, to_text(value)) for name, value in values.items() if name not in not_set]


def from_texts(texts: Texts) -> dict[str, Any]:
    """All parameters by name; those that the texts do not name are None."""
    given = dict(texts)
    return {name: parse(name, given[name]) if name in given else None for name in names}


#: The default of every parameter; None for those that are not set by default.
defaults = from_texts(_core.default_parameters())

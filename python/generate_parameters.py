"""Writes gru4rec/parameters.py, the types of all parameters for type checkers, from the library's own table.

Run it after changing the table: python generate_parameters.py. A test checks that the file is up to date.
"""

from __future__ import annotations

from pathlib import Path

from gru4rec import _core

_head = '''"""The types of all parameters. Written by generate_parameters.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Optional, TypedDict, Union


class Parameters(TypedDict, total=False):
    """The parameters of docs/parameters.md. None means that a parameter is not set."""

'''


def _type_of(range_: str) -> str:
    """The Python type of the values in a range, as source text."""
    if range_.startswith("each "):
        element = _type_of(range_[len("each ") :])
        return f"Union[{element}, Sequence[{element}]]"
    if range_ == "true, false":
        return "bool"
    if " .. " in range_:
        return "Union[int, str]" if "," in range_ else "int"
    if range_.startswith((">", "(", "[")):
        return "float"
    if ";" in range_:
        return "str"
    return "Literal[" + ", ".join(f'"{name}"' for name in range_.split(", ")) + "]"


def text() -> str:
    """The content of parameters.py."""
    lines = [_head]
    for name, default, range_ in _core.describe_parameters():
        lines.append(f"    #: {range_}. Default: {default}\n    {name}: Optional[{_type_of(range_)}]\n")
    return "".join(lines)


if __name__ == "__main__":
    (Path(__file__).parent / "gru4rec" / "parameters.py").write_text(text(), encoding="utf-8")

"""Reads events from tables, arrays, lists and files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from . import _core

_log = logging.getLogger("gru4rec")


@dataclass(frozen=True)
class Columns:
    """The columns of sessions, items and times. With the default names, other usual names are recognised too."""

    session_key: str = "SessionId"
    item_key: str = "ItemId"
    time_key: Optional[str] = "Time"  #: None: events are in row order
    time_unit: str = "auto"  #: unit of times that are numbers: auto, s, ms, us, ns or number

    def __post_init__(self) -> None:
        for name, value in (("session_key", self.session_key), ("item_key", self.item_key), ("time_unit", self.time_unit)):
            if not isinstance(value, str):
                raise TypeError(f"gru4rec: {name} = {value!r}, expected a text")
        _core.check_time_unit(self.time_unit)  # so that a wrong unit is an error for data without times, too
        if self.time_key is None and self.time_unit != "auto":
            raise ValueError(
                f"gru4rec: time_unit = {self.time_unit!r}, but with time_key=None no times are read; leave time_unit "
                "at auto"
            )

    def arguments(self) -> tuple[str, str, str, str]:
        """Session key, item key, time key and time unit as the compiled part takes them."""
        if self.time_key is None:
            return self.session_key, self.item_key, "Time", "none"
        return self.session_key, self.item_key, self.time_key, self.time_unit


def read(data: Any, columns: Columns, model: Optional[_core.Model] = None) -> _core.Dataset:
    """Reads a data set, and logs what was inferred (INFO) and which rows were skipped (WARNING).

    :param data: a path or a list of `pathlib.Path`; a pandas, Polars or PyArrow table, or anything else with
        ``__arrow_c_stream__``; a dict of columns; a tuple of one-dimensional arrays of equal length, (sessions, items,
        times) or (sessions, items); or a list of sessions, each a list of items
    :param columns: the names of the columns, and the unit of times
    :param model: if given, events of items that it does not know are left out
    :raises TypeError: if data of this type cannot be read
    :raises ValueError: if a column is missing or a value is invalid
    :raises OSError: if a file cannot be read
    """
    if isinstance(data, _core.Dataset):
        raise TypeError("gru4rec: expected a table, arrays, lists or a path, found a data set")
    dataset = _read(data, columns, model)
    for note in dataset.notes:
        _log.info("%s", note)
    for warning in dataset.warnings:
        _log.warning("%s", warning)
    return dataset


def _read(data: Any, columns: Columns, model: Optional[_core.Model]) -> _core.Dataset:
    if isinstance(data, (str, os.PathLike)):
        return _core.read_files([Path(data)], *columns.arguments(), model)
    if isinstance(data, (list, tuple)) and data and all(isinstance(path, os.PathLike) for path in data):
        return _core.read_files([Path(path) for path in data], *columns.arguments(), model)
    if _is_pandas(data):
        return _read_named(list(data.columns), lambda name: data[name], columns, model)
    if hasattr(data, "__arrow_c_stream__"):
        return _core.read_arrow(data.__arrow_c_stream__(), *columns.arguments(), model)
    if isinstance(data, dict):
        return _read_named(list(data), data.__getitem__, columns, model)
    if isinstance(data, tuple):
        return _read_arrays(data, columns, model)
    if isinstance(data, Iterable) and not isinstance(data, (bytes, bytearray)):
        return _read_sessions(data, model)
    raise TypeError(
        f"gru4rec: cannot read events from {type(data).__name__}; expected a path, a table (pandas, Polars, PyArrow), "
        "a tuple of arrays (sessions, items, times) or a list of sessions"
    )


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns")


def _is_column(part: Any) -> bool:
    """Whether it is an array of NumPy, a series of pandas or Polars, or an array of PyArrow."""
    return (hasattr(part, "dtype") and getattr(part, "ndim", 1) == 1) or _is_arrow(part)


def _is_arrow(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "pyarrow" and hasattr(values, "to_pylist")


def _read_named(names: list[Any], get: Any, columns: Columns, model: Optional[_core.Model]) -> _core.Dataset:
    """Reads columns of a table by name. `get` returns the column of a name."""
    *positions, notes = _core.find_columns([str(name) for name in names], *columns.arguments())
    for note in notes:
        _log.info("%s", note)
    session, item, time = (None if position < 0 else get(names[position]) for position in positions)
    return _read_columns(session, item, time, columns, model)


def _read_arrays(arrays: tuple[Any, ...], columns: Columns, model: Optional[_core.Model]) -> _core.Dataset:
    if len(arrays) not in (2, 3) or not all(_is_column(part) for part in arrays):
        raise TypeError(
            "gru4rec: a tuple is of two or three one-dimensional arrays: sessions, items, times. Make each an array "
            "(numpy.asarray), or put sessions into a list"
        )
    times = arrays[2] if len(arrays) == 3 else None
    return _read_columns(arrays[0], arrays[1], times, columns, model)


def _read_columns(
    sessions: Any, items: Any, times: Any, columns: Columns, model: Optional[_core.Model]
) -> _core.Dataset:
    *_, unit = columns.arguments()
    if unit == "none":
        times = None
    return _core.read_columns(
        _as_column(sessions, "sessions"), _as_column(items, "items"), _as_column(times, "times", unit), unit, model
    )


def _as_column(values: Any, name: str, unit: str = "auto") -> Any:
    """Numbers as a one-dimensional array of a type that the compiled part reads; anything else as a list.

    :param name: of the column, for messages
    :param unit: of times; dates accept only "auto"
    """
    if values is None or isinstance(values, (list, tuple)):
        return values
    import numpy as np

    array = _as_array(values)
    if isinstance(array, list):
        return array
    if array.ndim != 1:
        raise ValueError(f"gru4rec: the column of {name} has {array.ndim} dimensions; expected one")
    if array.dtype.kind == "M":
        if unit != "auto":
            raise ValueError(
                f"gru4rec: time_unit = {unit!r}, but the times are dates ({array.dtype}), which have no unit; leave "
                "time_unit at auto"
            )
        if np.isnat(array).any():
            return [None if missing else time for time, missing in zip(array.astype("i8").tolist(), np.isnat(array))]
        return array.astype(array.dtype.newbyteorder("="), copy=False).view("i8")
    if array.dtype.kind in "iu":
        if array.dtype in (np.int64, np.int32, np.uint64, np.uint32):
            return array
        return array.astype(np.int64 if array.dtype.kind == "i" else np.uint64)
    if array.dtype.kind == "f":
        return array.astype(np.float64, copy=False)
    return array.tolist()


def _as_array(values: Any) -> Any:
    """A NumPy array; a list with None if values are missing that the array could not show."""
    import numpy as np

    if _is_arrow(values):
        if values.null_count > 0:
            return values.to_pylist()
        return values.to_numpy() if hasattr(values, "chunks") else values.to_numpy(zero_copy_only=False)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        return values.tolist()
    return values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)


def _read_sessions(sessions: Iterable[Any], model: Optional[_core.Model]) -> _core.Dataset:
    """Reads sessions given in time order: the number of a session serves as the time of its items."""
    numbers: list[int] = []
    items: list[Any] = []
    for number, session in enumerate(sessions):
        if isinstance(session, (str, bytes, Mapping)) or not isinstance(session, Iterable):
            raise TypeError(
                f"gru4rec: session {number} is {session!r}; expected a list of sessions, each a list of items. A path "
                "in a list must be a pathlib.Path"
            )
        before = len(items)
        items.extend(session)
        numbers.extend([number] * (len(items) - before))
    return _core.read_columns(numbers, items, numbers, "number", model)

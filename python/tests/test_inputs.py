"""Every form of the same events gives the same model, and item ids come back as they went in."""

from __future__ import annotations

import ctypes
import logging
import signal
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
import pytest

from gru4rec import GRU4Rec

from conftest import SMALL, columns_of, file_bytes

Events = list[tuple[int, int, int]]


def _pandas(events: Events) -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(events, columns=["SessionId", "ItemId", "Time"])


def _pandas_text(events: Events) -> Any:
    return _pandas(events).astype({"SessionId": str, "ItemId": str})


def _pandas_renamed(events: Events) -> Any:
    frame = _pandas(events).rename(columns={"SessionId": "user_session", "ItemId": "product_id", "Time": "event_time"})
    frame.insert(0, "price", 1.5)
    return frame


def _pandas_dates(events: Events) -> Any:
    pandas = pytest.importorskip("pandas")
    frame = _pandas(events)
    frame["Time"] = pandas.to_datetime(frame["Time"], unit="s")
    return frame


def _pandas_categories(events: Events) -> Any:
    return _pandas(events).astype({"ItemId": "category"})


def _pandas_text_dates(events: Events) -> Any:
    frame = _pandas_dates(events)
    frame["Time"] = frame["Time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return frame


def _polars(events: Events) -> Any:
    polars = pytest.importorskip("polars")
    return polars.DataFrame(events, schema=["SessionId", "ItemId", "Time"], orient="row")


def _polars_text(events: Events) -> Any:
    polars = pytest.importorskip("polars")
    return _polars(events).with_columns(polars.col("ItemId", "SessionId").cast(polars.String))


def _polars_categories(events: Events) -> Any:
    polars = pytest.importorskip("polars")
    return _polars_text(events).with_columns(polars.col("ItemId").cast(polars.Categorical))


def _polars_chunks(events: Events) -> Any:
    polars = pytest.importorskip("polars")
    half = len(events) // 2
    return polars.concat([_polars(events[:half]), _polars(events[half:])], rechunk=False)


def _arrow(events: Events) -> Any:
    arrow = pytest.importorskip("pyarrow")
    return arrow.table(dict(zip(["SessionId", "ItemId", "Time"], columns_of(events))))


def _arrow_sliced(events: Events) -> Any:
    arrow = pytest.importorskip("pyarrow")
    padded = [(1, 1, 1)] * 5 + events
    sessions, items, times = columns_of(padded)
    return arrow.table({
        "SessionId": arrow.array(sessions, arrow.int32()),
        "ItemId": arrow.array([str(item) for item in items], arrow.large_string()).dictionary_encode(),
        "Time": arrow.array(times, arrow.timestamp("s")),
    }).slice(5)


def _numpy(events: Events) -> Any:
    return tuple(np.array(column) for column in columns_of(events))


def _numpy_strided(events: Events) -> Any:
    rows = np.array(events, dtype=np.int64)
    return rows[:, 0], rows[:, 1], rows[:, 2].astype(np.float64)


def _dict(events: Events) -> Any:
    return dict(zip(["SessionId", "ItemId", "Time"], columns_of(events)))


forms = [_pandas, _pandas_text, _pandas_renamed, _pandas_dates, _pandas_categories, _pandas_text_dates, _polars,
         _polars_text, _polars_categories, _polars_chunks, _arrow, _arrow_sliced, _numpy, _numpy_strided, _dict]


@pytest.mark.parametrize("form", forms, ids=lambda form: form.__name__.strip("_"))
def test_every_form_gives_the_model_of_the_file(
    form: Callable[[Events], Any], events: Events, train_file: Path, tmp_path: Path
) -> None:
    expected = GRU4Rec(**SMALL).fit(train_file)
    model = GRU4Rec(**SMALL).fit(form(events))
    assert file_bytes(model, tmp_path) == file_bytes(expected, tmp_path)
    kind = str if form in (_pandas_text, _polars_text, _polars_categories, _arrow_sliced) else int
    assert {type(item) for item in model.items_} == {kind}
    assert [str(item) for item in model.items_] == expected.items_


def test_lists_of_sessions(events: Events, tmp_path: Path) -> None:
    sessions: dict[int, list[int]] = {}
    for session, item, _ in events:
        sessions.setdefault(session, []).append(item)
    model = GRU4Rec(**SMALL).fit(list(sessions.values()))
    assert set(model.items_) == {item for _, item, _ in events}


@pytest.mark.parametrize(
    "items",
    [
        ["tea", "milk", "größe ☕"],
        [7, 2**40, -3],
        [2**80, 5, 6],
        [1.5, 2.0, 1e300],
        [uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)],
        [("a", 1), ("a", 2), "b"],
        [datetime(2020, 1, 1, tzinfo=timezone.utc), "b", 3],
    ],
    ids=["str", "int", "large int", "float", "UUID", "mixed", "more mixed"],
)
def test_ids_of_any_type_come_back(items: list[Any]) -> None:
    model = GRU4Rec(**SMALL).fit([items] * 30)
    assert model.items_ == items
    assert [type(item) for item in model.items_] == [type(item) for item in items]
    assert {item for item, _ in model.recommend(items[:1], 3)} == set(items)
    assert model.session(items).top(1)[0][0] in items


def test_ids_that_only_differ_in_type_are_refused() -> None:
    for items, which in (([1, "1", 2], "item ids 1 and '1' have the same str"),
                         ([1, True, 2], 'item id of the text "True" equals one'),
                         ([1, True, 2, "2"], "item ids 2 and '2' have the same str")):
        with pytest.raises(ValueError, match=rf"{which}.*unlike 1 and '1'"):
            GRU4Rec(**SMALL).fit([items] * 10)


def test_ids_of_later_data_may_not_equal_earlier_ones_either() -> None:
    model = GRU4Rec(**SMALL).fit([[1, 2]] * 5)
    with pytest.raises(ValueError, match='item id of the text "True" equals one of another text'):
        model.partial_fit([[True, 1.5]] * 5)
    assert model.partial_fit([["3", 2]] * 5).items_ == [1, 2, "3"]


@pytest.mark.parametrize(
    ("times", "form"),
    [
        ([10**18 + 1, 10**18, 10**18 + 2], lambda time: Decimal(time)),
        ([10**18 + 1, 10**18, 10**18 + 2], lambda time: np.int64(time)),
        ([10**18 + 1, 10**18, 10**18 + 2], lambda time: Decimal(time).scaleb(-9)),
        ([-1, -2, 0], lambda time: Decimal(time).scaleb(-9)),
        ([3, 2, 4], lambda time: datetime(2200, 1, 1, 0, 0, 0, time)),
        ([-3, -4, -2], lambda time: datetime(9999, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=time)),
    ],
    ids=["Decimal", "numpy.int64", "Decimal fraction", "before 1970", "datetime", "datetime with a zone"],
)
def test_objects_as_times_are_exact(times: list[int], form: Callable[[int], Any], tmp_path: Path) -> None:
    """The second row is the earliest one, so the first one would stay before it if they seemed to be equal."""
    table: Any = {"SessionId": [1, 1, 1], "ItemId": ["b", "a", "c"], "Time": times}
    expected = file_bytes(GRU4Rec(**SMALL).fit(table), tmp_path)
    table["Time"] = [form(time) for time in times]
    assert file_bytes(GRU4Rec(**SMALL).fit(table), tmp_path) == expected


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_nanoseconds_with_a_zone_are_exact(zone: str, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    times = [10**18 + 1, 10**18, 10**18 + 2]
    frame = pandas.DataFrame({"SessionId": 1, "ItemId": ["b", "a", "c"], "Time": times})
    expected = file_bytes(GRU4Rec(**SMALL).fit(frame), tmp_path)
    frame["Time"] = pandas.to_datetime(times, unit="ns", utc=True).tz_convert(zone)
    assert file_bytes(GRU4Rec(**SMALL).fit(frame), tmp_path) == expected


def test_a_time_whose_timestamp_is_not_a_number_names_its_row() -> None:
    class Time:
        def timestamp(self) -> str:
            return "noon"

    with pytest.raises(TypeError, match="row 0 of the table: must be real number, not str"):
        GRU4Rec(**SMALL).fit({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": [Time(), Time()]})


def test_rows_without_a_session_or_time_are_skipped(caplog: pytest.LogCaptureFixture) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "SessionId": [1, 1, None, 2, 2, 2], "ItemId": list("ababab"), "Time": [1.0, 2.0, 3.0, 4.0, float("nan"), 6.0]
    })
    with caplog.at_level(logging.WARNING, "gru4rec"):
        GRU4Rec(**SMALL).fit(frame)
    assert "2 rows skipped, the first one: row 2 of the table: the session is missing" in caplog.text


@pytest.mark.parametrize("form", [list, np.array])
def test_fractions_of_seconds_order_events(form: Callable[[list[float]], Any], tmp_path: Path) -> None:
    """Also before 1970, and down to the resolution that a float has for today's seconds."""
    times = [-1.75, -1.5, -0.25, 0.25, 0.5, 0.75, 1.6e9, 1.6e9 + 2.5e-7]
    rows = [(session, item, time) for session in range(20) for item, time in zip("abcdefgh", times)]
    first, others = rows[:8], rows[8:]  # the first session sets the order of the items, the others are reversed
    shuffled = first + others[::-1]
    models = []
    for events in (rows, shuffled):
        sessions, items, when = zip(*events)
        models.append(GRU4Rec(**{**SMALL, "session_order": "file"}))
        table = {"SessionId": [s % 2 for s in sessions], "ItemId": list(items), "Time": form(list(when))}
        models[-1].fit(table)
    assert models[0].n_items_ == 8
    expected, found = (file_bytes(model, tmp_path) for model in models)
    assert found == expected


def test_the_byte_order_of_dates_does_not_matter(events: Events, tmp_path: Path) -> None:
    sessions, items, times = (np.array(column) for column in columns_of(events))
    dates = times.astype("M8[s]")
    expected = file_bytes(GRU4Rec(**SMALL).fit((sessions, items, dates)), tmp_path)  # type: ignore[arg-type]
    for order in "<>":
        other = dates.astype(dates.dtype.newbyteorder(order))
        found = file_bytes(GRU4Rec(**SMALL).fit((sessions, items, other)), tmp_path)  # type: ignore[arg-type]
        assert found == expected


def test_a_session_id_may_vanish_while_the_text_of_an_item_is_made(tmp_path: Path) -> None:
    sessions = [f"session number {row // 3}" for row in range(90)]
    text_of_row = iter(range(len(sessions)))

    class Item:
        def __init__(self, name: str) -> None:
            self.name = name

        def __str__(self) -> str:
            row = next(text_of_row, None)
            if row is not None:
                sessions[row] = ""
                self.elsewhere = [f"another number {row}" for _ in range(50)]  # in the memory that became free
            return self.name

    items = [Item("a"), Item("b"), Item("c")] * 30
    names = [item.name for item in items]
    expected = file_bytes(GRU4Rec(**SMALL).fit({"SessionId": sessions[:], "ItemId": names}), tmp_path)  # type: ignore[arg-type]
    table = {"SessionId": sessions, "ItemId": items}
    assert file_bytes(GRU4Rec(**SMALL).fit(table), tmp_path) == expected  # type: ignore[arg-type]


class _ArrowSchema(ctypes.Structure):
    pass


_ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(_ArrowSchema))),
    ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)
]


class _ArrowStream(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p)
                for name in ("get_schema", "get_next", "get_last_error", "release", "private_data")]


class _StreamThatWaits:
    """An Arrow stream whose `get_next` is pause(): it returns, and fails, when a signal arrives."""

    def __init__(self) -> None:
        self.columns = [_ArrowSchema(b"l", name, None, 2) for name in (b"SessionId", b"ItemId", b"Time")]
        self.pointers = (ctypes.POINTER(_ArrowSchema) * 3)(*map(ctypes.pointer, self.columns))
        self.ignore = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        self.no_text = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: None)
        self.table = _ArrowSchema(b"+s", b"", None, 0, 3, self.pointers, None, _address(self.ignore), None)
        self.fill = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(self.get_schema)
        self.stream = _ArrowStream(_address(self.fill), _address(ctypes.CDLL(None).pause), _address(self.no_text),
                                   _address(self.ignore), None)

    def get_schema(self, _: int, out: int) -> int:
        ctypes.memmove(out, ctypes.byref(self.table), ctypes.sizeof(self.table))
        return 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self.stream), b"arrow_array_stream", None)


def _address(function: Any) -> Optional[int]:
    return ctypes.cast(function, ctypes.c_void_p).value


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals for threads")
def test_other_threads_run_while_an_arrow_stream_is_waited_for() -> None:
    """They may be those that the stream waits for."""
    here = threading.get_ident()
    waker = threading.Timer(0.2, lambda: signal.pthread_kill(here, signal.SIGUSR1))
    old = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGUSR1, signal.SIGALRM)}
    signal.alarm(20)  # if no thread can run
    try:
        begin = time.monotonic()
        waker.start()
        with pytest.raises(ValueError, match="the Arrow stream failed: its source gives no reason but error -1"):
            GRU4Rec(**SMALL).fit(_StreamThatWaits())  # type: ignore[arg-type]
        assert time.monotonic() - begin < 10
    finally:
        signal.alarm(0)
        waker.join()
        for number, handler in old.items():
            signal.signal(number, handler)


class _ArrowArray(ctypes.Structure):
    pass


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))), ("dictionary", ctypes.POINTER(_ArrowArray)),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p)
]


class _DamagedStream:
    """The Arrow stream of a table, whose batches a function damages."""

    def __init__(self, table: Any, damage: Callable[[_ArrowArray], None]) -> None:
        self.table, self.damage = table, damage

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        capsule = self.table.__arrow_c_stream__()
        pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
        pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        stream = _ArrowStream.from_address(pointer_of(capsule, b"arrow_array_stream"))
        function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        get_next = function(stream.get_next)

        def get_damaged(source: int, out: int) -> int:
            status: int = get_next(source, out)
            array = _ArrowArray.from_address(out)
            if array.release:
                self.damage(array)
            return status

        self.function = function(get_damaged)
        stream.get_next = _address(self.function)
        return capsule


def _set(field: str, value: Any) -> Callable[[_ArrowArray], None]:
    return lambda batch: setattr(batch.children[1].contents, field, value)


def _remove_buffer(batch: _ArrowArray) -> None:
    batch.children[1].contents.buffers[1] = None


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda batch: setattr(batch, "n_children", 1), "it is missing"),
        (_set("length", 2), "it has 2 values for 3 rows"),
        (_set("length", -1), "it has -1 values for 3 rows"),
        (_set("offset", -1), "its offset is -1"),
        (_set("offset", 2**63 - 1), "its offset is 9223372036854775807"),
        (_set("n_buffers", 1), "it has 1 buffers, not the"),
        (_remove_buffer, "a buffer is missing"),
    ],
)
@pytest.mark.parametrize("kind", ["int64", "string", "large_string", "string_view"])
def test_a_damaged_arrow_batch_is_refused(kind: str, damage: Any, message: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    items = arrow.array([1, 2, 3]).cast(arrow.string()).cast(getattr(arrow, kind)())
    table = arrow.table({"SessionId": [1, 1, 1], "ItemId": items, "Time": [1, 2, 3]})
    with pytest.raises(ValueError, match=f'column "ItemId": a batch of the Arrow stream.*{message}'):
        GRU4Rec(**SMALL).fit(_DamagedStream(table, damage))  # type: ignore[arg-type]


def test_an_arrow_batch_of_another_schema_is_refused() -> None:
    arrow = pytest.importorskip("pyarrow")
    good = arrow.table({"SessionId": [0, 0], "ItemId": ["a", "b"], "Time": [0, 1]})
    coded = good.set_column(1, "ItemId", good["ItemId"].dictionary_encode())
    numbers = good.set_column(1, "ItemId", arrow.array([1, 2], arrow.int8()))
    plain_codes = good.set_column(1, "ItemId", arrow.array([0, 1], arrow.int32()))
    for schema, batch, name in ((good, good.select(["SessionId"]), "ItemId"), (good, numbers, "ItemId"),
                                (coded, plain_codes, "ItemId"), (plain_codes, coded, "ItemId"),
                                (numbers, good, "ItemId"), (good, good.select(["SessionId", "ItemId"]), "Time")):
        reader = arrow.RecordBatchReader.from_batches(schema.schema, iter(batch.to_batches()))
        with pytest.raises(ValueError, match=f'column "{name}": a batch of the Arrow stream does not fit its schema'):
            GRU4Rec(**SMALL).fit(reader)


def test_arrow_columns_may_be_longer_than_the_batch(events: Events, train_file: Path, tmp_path: Path) -> None:
    n_rows = len(events)
    longer = _DamagedStream(_arrow(events + events[:9]), lambda batch: setattr(batch, "length", n_rows))
    expected = file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)
    assert file_bytes(GRU4Rec(**SMALL).fit(longer), tmp_path) == expected  # type: ignore[arg-type]


def test_a_null_row_of_an_arrow_stream_is_a_row_without_a_session(caplog: pytest.LogCaptureFixture) -> None:
    arrow = pytest.importorskip("pyarrow")
    names, columns = ["SessionId", "ItemId", "Time"], [[1, 1, 1, 1], list("axbx"), [1, 2, 3, 4]]
    rows = arrow.StructArray.from_arrays(
        [arrow.array(column) for column in columns], names, mask=arrow.array([False, True, False, True])
    )
    with caplog.at_level(logging.WARNING, "gru4rec"):
        model = GRU4Rec(**SMALL).fit(arrow.chunked_array([rows]))
    assert model.items_ == ["a", "b"]
    assert "2 rows skipped, the first one: row 1 of the table: the session is missing" in caplog.text


def _missing_values() -> list[Any]:
    values = [None, float("nan"), np.float32("nan"), np.datetime64("NaT"), Decimal("NaN")]
    try:
        import pandas
    except ImportError:
        return values
    return [*values, pandas.NaT, pandas.NA]


@pytest.mark.parametrize("missing", _missing_values(), ids=repr)
def test_a_missing_item_is_an_error(missing: Any) -> None:
    with pytest.raises(ValueError, match="row 1 of the table: the item is missing"):
        GRU4Rec(**SMALL).fit([["a", missing, "b"]])


@pytest.mark.parametrize("missing", _missing_values(), ids=repr)
@pytest.mark.parametrize(("column", "name"), [("SessionId", "session"), ("Time", "time")])
def test_a_missing_object_skips_its_row(
    column: str, name: str, missing: Any, caplog: pytest.LogCaptureFixture
) -> None:
    table: dict[str, list[Any]] = {"SessionId": [1, 1, 1], "ItemId": ["a", "x", "b"], "Time": [1, 2, 3]}
    table[column][1] = missing
    with caplog.at_level(logging.WARNING, "gru4rec"):
        assert GRU4Rec(**SMALL).fit(table).items_ == ["a", "b"]
    assert f"row 1 of the table: the {name} is missing" in caplog.text


def test_a_missing_column_is_named() -> None:
    polars = pytest.importorskip("polars")
    columns = {"SessionId": [1], "thing": ["a"], "Time": [1]}
    for table in (polars.DataFrame(columns), columns):
        with pytest.raises(ValueError, match='column "ItemId" is missing.*"thing"'):
            GRU4Rec().fit(table)


def test_two_candidates_for_a_column_are_an_error_until_one_is_chosen(events: Events) -> None:
    frame = _pandas(events).rename(columns={"ItemId": "product_id"})
    frame["sku"] = frame["product_id"] + 1000
    with pytest.raises(ValueError, match="both .* could be column"):
        GRU4Rec(**SMALL).fit(frame)
    assert min(GRU4Rec(**SMALL).fit(frame, item_key="sku").items_) >= 1000


def test_without_times_the_rows_are_in_order(events: Events, tmp_path: Path) -> None:
    frame = _pandas(events)
    expected = file_bytes(GRU4Rec(**SMALL).fit(frame), tmp_path)
    assert file_bytes(GRU4Rec(**SMALL).fit(frame, time_key=None), tmp_path) == expected
    assert file_bytes(GRU4Rec(**SMALL).fit(frame[["SessionId", "ItemId"]]), tmp_path) == expected
    sessions, items, _ = _numpy(events)
    assert file_bytes(GRU4Rec(**SMALL).fit((sessions, items)), tmp_path) == expected


def _numpy_dates(events: Events) -> Any:
    sessions, items, times = _numpy(events)
    return sessions, items, times.astype("M8[s]")


def _dict_dates(events: Events) -> Any:
    table = _dict(events)
    return {**table, "Time": [datetime.fromtimestamp(time, timezone.utc) for time in table["Time"]]}


def _dict_text(events: Events) -> Any:
    table = _dict(events)
    return {**table, "Time": [str(time) for time in table["Time"]]}


@pytest.mark.parametrize("form", [_pandas, _polars, _arrow, _numpy, _numpy_strided, _dict, _dict_text])
@pytest.mark.parametrize(("unit", "per_second"), [("ms", 1000), ("us", 1000_000), ("number", 1)])
def test_tables_take_a_unit_of_times_as_files_do(
    form: Callable[[Events], Any], unit: str, per_second: int, events: Events, train_file: Path, tmp_path: Path
) -> None:
    expected = file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)
    scaled = [(session, item, time * per_second) for session, item, time in events]
    assert file_bytes(GRU4Rec(**SMALL).fit(form(scaled), time_unit=unit), tmp_path) == expected


def test_the_unit_decides_what_numbers_as_text_count() -> None:
    table: Any = {"SessionId": [1, 1, 1], "ItemId": list("abc"), "Time": ["5", "100000000000", "100000000001"]}
    with pytest.raises(ValueError, match="looks like milliseconds.*set the unit"):
        GRU4Rec(**SMALL).fit(table)
    assert GRU4Rec(**SMALL).fit(table, time_unit="ms").items_ == ["a", "b", "c"]


@pytest.mark.parametrize(
    "form", [_pandas_dates, _pandas_text_dates, _arrow_sliced, _numpy_dates, _dict_dates],
    ids=lambda form: form.__name__.strip("_"),
)
def test_dates_have_no_unit(form: Callable[[Events], Any], events: Events, train_file: Path, tmp_path: Path) -> None:
    model = GRU4Rec(**SMALL)
    with pytest.raises(ValueError, match="date.*unit"):
        model.fit(form(events), time_unit="s")
    expected = file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)
    assert file_bytes(model.fit(form(events)), tmp_path) == expected


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone cannot be set")
def test_datetimes_without_a_zone_are_utc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Clocks of central Europe went from 2:00 to 3:00 that night, so there 2:30 would be 3:30, after 3:10."""
    times = [datetime(2020, 3, 29, 2, 30), datetime(2020, 3, 29, 3, 10), datetime(2020, 3, 29, 4, 0)] * 20
    table: Any = {"SessionId": [row // 3 for row in range(60)], "ItemId": list("abc") * 20}
    expected = file_bytes(GRU4Rec(**SMALL).fit({**table, "Time": list(map(str, times))}), tmp_path)
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    try:
        found = file_bytes(GRU4Rec(**SMALL).fit({**table, "Time": times}), tmp_path)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == expected


def test_an_unknown_unit_is_refused_whatever_the_data_are(events: Events, train_file: Path) -> None:
    model = GRU4Rec(**SMALL).fit(train_file)
    for data in (train_file, _dict(events), _numpy(events), [["a", "b"]]):
        for use in (model.fit, model.evaluate):
            with pytest.raises(ValueError, match='time_unit = "minutes", expected auto, s, ms'):
                use(data, time_unit="minutes")


def test_arrays_without_a_time_key_are_in_order(events: Events, tmp_path: Path) -> None:
    sessions, items, times = _numpy(events)
    in_order, backwards = (sessions, items), (sessions, items, -times)
    expected = file_bytes(GRU4Rec(**SMALL).fit(in_order), tmp_path)
    assert file_bytes(GRU4Rec(**SMALL).fit(backwards, time_key=None), tmp_path) == expected


def test_errors_say_what_cannot_be_read() -> None:
    arrow = pytest.importorskip("pyarrow")
    with pytest.raises(TypeError, match="a path in a list must be a pathlib.Path|expected a list of sessions"):
        GRU4Rec().fit(["train.tsv"])
    with pytest.raises(TypeError, match="cannot read events from int"):
        GRU4Rec().fit(3)
    with pytest.raises(OSError, match="no_such_file"):
        GRU4Rec().fit("no_such_file.tsv")
    with pytest.raises(ValueError, match='column "ItemId" has the Arrow type'):
        GRU4Rec().fit(arrow.table({"SessionId": [1], "ItemId": [[1]], "Time": [1]}))
    with pytest.raises(ValueError, match="column of sessions has 2 rows, that of items 1; .* of equal length"):
        GRU4Rec().fit((np.array([1, 2]), np.array([1]), np.array([1])))
    with pytest.raises(ValueError, match="column of times has 2 dimensions"):
        GRU4Rec().fit({"SessionId": [1, 1], "ItemId": [1, 2], "Time": np.array([[1, 2]])})
    with pytest.raises(ValueError, match="nothing to learn"):
        GRU4Rec().fit([["a"], ["b"]])
    with pytest.raises(ValueError, match="is not a valid time|neither|date"):
        GRU4Rec().fit({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": ["soon", "later"]})


class _WithoutText:
    def __str__(self) -> str:
        raise RuntimeError("no text today")


class _Interrupted:
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        (_WithoutText(), ValueError, "row 1 of the table: no text today"),
        ("\ud800", ValueError, "row 1 of the table: .*surrogates not allowed"),
        (["a", "list"], TypeError, "row 1 of the table: unhashable"),
        (_Interrupted(), KeyboardInterrupt, "^$"),
    ],
    ids=["a function that raises", "half a character", "not hashable", "interrupted"],
)
def test_an_error_that_python_raises_names_its_row(item: Any, error: type[BaseException], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        GRU4Rec(**SMALL).fit([["a", item, "b"]])
    if isinstance(item, _WithoutText):
        assert isinstance(raised.value.__cause__, RuntimeError)


def test_a_time_that_cannot_be_read_names_its_row() -> None:
    class Time:
        def timestamp(self) -> float:
            raise OverflowError("too far away")

    with pytest.raises(ValueError, match="row 0 of the table: too far away"):
        GRU4Rec(**SMALL).fit({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": [Time(), Time()]})


def test_lists_of_numpy_dates_are_read_as_arrays_of_them_are(events: Events, tmp_path: Path) -> None:
    sessions, items, times = _numpy_dates(events)
    table = {"SessionId": list(sessions), "ItemId": list(items), "Time": list(times)}
    expected = file_bytes(GRU4Rec(**SMALL).fit((sessions, items, times)), tmp_path)
    assert file_bytes(GRU4Rec(**SMALL).fit(table), tmp_path) == expected


class _NoStream:
    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return "no capsule"


def test_an_object_that_is_not_a_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="__arrow_c_stream__ returned no Arrow stream"):
        GRU4Rec(**SMALL).fit(_NoStream())


def test_what_was_inferred_is_logged(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gru4rec"):
        GRU4Rec(**SMALL).fit(_pandas_renamed(events))
    assert 'column "product_id" is read as ItemId' in caplog.text
    assert "epoch 2 of 2: loss" in caplog.text


def test_files_of_recbole_are_read(events: Events, train_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.inter"
    lines = ["user_id:token\titem_id:token\ttimestamp:float"] + ["\t".join(map(str, event)) for event in events]
    path.write_text("\n".join(lines) + "\n")
    model = GRU4Rec(**SMALL).fit(path, session_key="user_id")
    assert file_bytes(model, tmp_path) == file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)


def test_several_files_are_one_data_set(events: Events, train_file: Path, tmp_path: Path) -> None:
    lines = train_file.read_text().splitlines()
    half = len(lines) // 2
    for name, rows in (("a.tsv", lines[1:half]), ("b.tsv", lines[half:])):
        (tmp_path / name).write_text("\n".join([lines[0], *rows]) + "\n")
    model = GRU4Rec(**SMALL).fit([tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert file_bytes(model, tmp_path) == file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)


def test_a_unit_of_times_that_are_not_read_is_refused() -> None:
    with pytest.raises(ValueError, match="time_unit = 'ms', but with time_key=None no times are read"):
        GRU4Rec(**SMALL).fit([["a", "b"]], time_key=None, time_unit="ms")


@pytest.mark.parametrize("data", [([1, 1], [2, 3], [4, 5]), ([1, 1], [2, 3]), (["a", "b"],) * 4])
def test_a_tuple_of_lists_is_refused(data: Any) -> None:
    """It could be columns as well as sessions."""
    with pytest.raises(TypeError, match="two or three one-dimensional arrays.*sessions into a list"):
        GRU4Rec(**SMALL).fit(data)


def test_arrays_of_pyarrow_are_columns(events: Events, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    arrays = _numpy(events)
    expected = file_bytes(GRU4Rec(**SMALL).fit(arrays), tmp_path)
    assert file_bytes(GRU4Rec(**SMALL).fit(tuple(map(arrow.array, arrays))), tmp_path) == expected
    chunked = tuple(arrow.chunked_array([array[:5], array[5:]]) for array in arrays)
    assert file_bytes(GRU4Rec(**SMALL).fit(chunked), tmp_path) == expected
    texts = arrow.array([f"x{item}" for item in arrays[1]])
    assert all(item.startswith("x") for item in GRU4Rec(**SMALL).fit((arrow.array(arrays[0]), texts)).items_)
    missing = arrow.array([None, *arrays[0][1:].tolist()])
    assert sum(GRU4Rec(**SMALL).fit((missing, *arrays[1:])).supports_) == len(arrays[0]) - 1


def test_masked_values_are_missing(caplog: pytest.LogCaptureFixture) -> None:
    times = np.ma.array([1, 2, 99, 4, 5], mask=[0, 0, 1, 0, 0])
    model = GRU4Rec(**SMALL).fit((np.array([1, 1, 1, 2, 2]), np.array([1, 2, 999, 1, 2]), times))
    assert model.items_ == [1, 2] and "1 row" in caplog.text


@pytest.mark.parametrize("session", [{"SessionId": 1, "ItemId": 2, "Time": 3}, "text", 7])
def test_a_session_is_a_list_of_items(session: Any) -> None:
    with pytest.raises(TypeError, match="session 0 is .*; expected a list of sessions"):
        GRU4Rec(**SMALL).fit([session, session])

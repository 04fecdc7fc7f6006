"""Every form of the same events gives the same model, and item ids come back as they went in."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

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
    return _polars(events).with_columns(polars.col("ItemId").cast(polars.String), polars.col("SessionId").cast(polars.String))


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
    expected = GRU4Rec(**SMALL).fit(train_file)  # type: ignore[arg-type]
    model = GRU4Rec(**SMALL).fit(form(events))  # type: ignore[arg-type]
    assert file_bytes(model, tmp_path) == file_bytes(expected, tmp_path)
    kind = str if "text" in form.__name__.replace("text_dates", "") or form in (_polars_categories, _arrow_sliced) else int
    assert {type(item) for item in model.items_} == {kind}
    assert [str(item) for item in model.items_] == expected.items_


def test_lists_of_sessions(events: Events, tmp_path: Path) -> None:
    sessions: dict[int, list[int]] = {}
    for session, item, _ in events:
        sessions.setdefault(session, []).append(item)
    model = GRU4Rec(**SMALL).fit(list(sessions.values()))  # type: ignore[arg-type]
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
    model = GRU4Rec(**SMALL).fit([items] * 30)  # type: ignore[arg-type]
    assert model.items_ == items
    assert [type(item) for item in model.items_] == [type(item) for item in items]
    assert {item for item, _ in model.recommend(items[:1], 3)} == set(items)
    assert model.session(items).top(1)[0][0] in items


def test_ids_that_only_differ_in_type_are_refused() -> None:
    with pytest.raises(ValueError, match="as 1 and '1' have"):
        GRU4Rec(**SMALL).fit([[1, "1", 2]] * 10)  # type: ignore[arg-type]


def test_rows_without_a_session_or_time_are_skipped(caplog: pytest.LogCaptureFixture) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({
        "SessionId": [1, 1, None, 2, 2, 2], "ItemId": list("ababab"), "Time": [1.0, 2.0, 3.0, 4.0, float("nan"), 6.0]
    })
    with caplog.at_level(logging.WARNING, "gru4rec"):
        GRU4Rec(**SMALL).fit(frame)  # type: ignore[arg-type]
    assert "2 rows skipped, the first one: row 2 of the table: the session is missing" in caplog.text


@pytest.mark.parametrize("form", [list, np.array])
def test_fractions_of_seconds_order_events(form: Callable[[list[float]], Any], tmp_path: Path) -> None:
    """Also before 1970, and as small as a float of today's seconds has them."""
    times = [-1.75, -1.5, -0.25, 0.25, 0.5, 0.75, 1.6e9, 1.6e9 + 2.5e-7]
    rows = [(session, item, time) for session in range(20) for item, time in zip("abcdefgh", times)]
    first, others = rows[:8], rows[8:]  # the first session numbers the items, the others come backwards
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


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_item_is_an_error(missing: Any) -> None:
    with pytest.raises(ValueError, match="row 1 of the table: the item is missing"):
        GRU4Rec(**SMALL).fit([["a", missing, "b"]])  # type: ignore[arg-type]


def test_a_missing_column_is_named() -> None:
    polars = pytest.importorskip("polars")
    for table in (polars.DataFrame({"SessionId": [1], "thing": ["a"], "Time": [1]}), {"SessionId": [1], "thing": ["a"], "Time": [1]}):
        with pytest.raises(ValueError, match='column "ItemId" is missing.*"thing"'):
            GRU4Rec().fit(table)


def test_two_candidates_for_a_column_are_an_error_until_one_is_chosen(events: Events) -> None:
    frame = _pandas(events).rename(columns={"ItemId": "product_id"})
    frame["sku"] = frame["product_id"] + 1000
    with pytest.raises(ValueError, match="both .* could be column"):
        GRU4Rec(**SMALL).fit(frame)  # type: ignore[arg-type]
    assert min(GRU4Rec(**SMALL).fit(frame, item_key="sku").items_) >= 1000  # type: ignore[arg-type]


def test_without_times_the_rows_are_in_order(events: Events, tmp_path: Path) -> None:
    frame = _pandas(events)
    expected = file_bytes(GRU4Rec(**SMALL).fit(frame), tmp_path)  # type: ignore[arg-type]
    assert file_bytes(GRU4Rec(**SMALL).fit(frame, time_key=None), tmp_path) == expected  # type: ignore[arg-type]
    assert file_bytes(GRU4Rec(**SMALL).fit(frame[["SessionId", "ItemId"]]), tmp_path) == expected  # type: ignore[arg-type]
    sessions, items, _ = _numpy(events)
    assert file_bytes(GRU4Rec(**SMALL).fit((sessions, items)), tmp_path) == expected  # type: ignore[arg-type]


def test_what_cannot_be_read_is_said() -> None:
    arrow = pytest.importorskip("pyarrow")
    with pytest.raises(TypeError, match="a path in a list must be a pathlib.Path|expected a list of sessions"):
        GRU4Rec().fit(["train.tsv"])
    with pytest.raises(TypeError, match="cannot read events from int"):
        GRU4Rec().fit(3)
    with pytest.raises(OSError, match="no_such_file"):
        GRU4Rec().fit("no_such_file.tsv")
    with pytest.raises(ValueError, match='column "ItemId" has the Arrow type'):
        GRU4Rec().fit(arrow.table({"SessionId": [1], "ItemId": [[1]], "Time": [1]}))
    with pytest.raises(ValueError, match="of equal length"):
        GRU4Rec().fit((np.array([1, 2]), np.array([1]), np.array([1])))
    with pytest.raises(ValueError, match="nothing to learn"):
        GRU4Rec().fit([["a"], ["b"]])
    with pytest.raises(ValueError, match="is not a valid time|neither|date"):
        GRU4Rec().fit({"SessionId": [1, 1], "ItemId": ["a", "b"], "Time": ["soon", "later"]})


def test_what_was_inferred_is_logged(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gru4rec"):
        GRU4Rec(**SMALL).fit(_pandas_renamed(events))  # type: ignore[arg-type]
    assert 'column "product_id" is read as ItemId' in caplog.text
    assert "epoch 2 of 2: loss" in caplog.text


def test_files_of_recbole_are_read(events: Events, train_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.inter"
    lines = ["user_id:token\titem_id:token\ttimestamp:float"] + ["\t".join(map(str, event)) for event in events]
    path.write_text("\n".join(lines) + "\n")
    model = GRU4Rec(**SMALL).fit(path, session_key="user_id")  # type: ignore[arg-type]
    assert file_bytes(model, tmp_path) == file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)  # type: ignore[arg-type]


def test_several_files_are_one_data_set(events: Events, train_file: Path, tmp_path: Path) -> None:
    lines = train_file.read_text().splitlines()
    half = len(lines) // 2
    for name, rows in (("a.tsv", lines[1:half]), ("b.tsv", lines[half:])):
        (tmp_path / name).write_text("\n".join([lines[0], *rows]) + "\n")
    model = GRU4Rec(**SMALL).fit([tmp_path / "a.tsv", tmp_path / "b.tsv"])  # type: ignore[arg-type]
    assert file_bytes(model, tmp_path) == file_bytes(GRU4Rec(**SMALL).fit(train_file), tmp_path)  # type: ignore[arg-type]

"""Evaluation, recommendation, similar items and live sessions."""

from __future__ import annotations

import copy
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru4rec import GRU4Rec, Session, _core

from conftest import SMALL


@pytest.fixture(scope="module")
def model(train_file: Path) -> GRU4Rec:
    return GRU4Rec(**{**SMALL, "n_epochs": 8}).fit(train_file)


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (1.5, TypeError, "n = 1.5, expected an integer"),
        ("3", TypeError, "n = '3', expected an integer"),
        (None, TypeError, "n = None, expected an integer"),
        (2**63, ValueError, "n = 9223372036854775808, expected an integer within 64 bits"),
    ],
)
def test_a_length_that_is_not_a_number_is_named(model: GRU4Rec, n: Any, error: type[Exception], message: str) -> None:
    for use in (lambda: model.recommend(["110"], n), lambda: model.recommend_many([["110"]], n),
                lambda: model.similar("110", n), lambda: model.session(["110"]).top(n)):
        with pytest.raises(error, match=message):
            use()


def test_lengths_may_be_of_numpy(model: GRU4Rec) -> None:
    assert model.recommend(["110"], np.int32(3)) == model.recommend(["110"], 3)  # type: ignore[arg-type]


def test_none_is_not_an_item(model: GRU4Rec) -> None:
    for use in (lambda: model.session([None]), lambda: model.session().click(None), lambda: model.similar(None)):
        with pytest.raises(TypeError, match="item = None, expected an item id"):
            use()


def test_bytes_are_not_a_session(model: GRU4Rec) -> None:
    for data in (b"110", bytearray(b"110")):
        for use in (lambda: model.recommend(data), lambda: model.recommend_many([data]),
                    lambda: model.recommend(["110"], exclude=data)):
            with pytest.raises(TypeError, match=f"is of type {type(data).__name__}; expected a list of item ids"):
                use()


def test_evaluation(model: GRU4Rec, test_file: Path) -> None:
    ties = ["conservative", "standard"]
    result = model.evaluate(test_file, cutoffs=[1, 5, 20], ties=ties, coverage=True, resamples=50)
    assert 0 < result.recall_at(1) < result.recall_at(5) <= result.recall_at(20) <= 1
    assert result.recall_at(1) == result.mrr_at(1)
    assert result.recall_at(5, "standard") >= result.recall_at(5, "conservative") == result.recall_at(5)
    assert 0 < result.coverage_at(5) <= 1 and 0 < result.popularity_at(5) < 1
    low, high = result.recall_intervals[1]
    assert low < result.recall_at(1) < high
    assert "Recall@5" in repr(result)
    with pytest.raises(ValueError, match="cutoff 3 was not measured"):
        result.recall_at(3)
    with pytest.raises(ValueError, match="ties"):
        model.evaluate(test_file, ties="lucky")
    with pytest.raises(ValueError, match="no predictions"):
        model.evaluate([["what", "is", "this"]])


def test_the_program_measures_the_same(model: GRU4Rec, test_file: Path, program: str, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    done = subprocess.run([program, "evaluate", str(tmp_path / "m"), str(test_file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{model.evaluate(test_file).recall_at(20):.4f}"[1:] in done.stdout


def test_the_items_that_follow_are_recommended(model: GRU4Rec) -> None:
    items = [item for item, _ in model.recommend(["110", "111"], 4)]
    assert "112" in items


def test_scores_descend_and_restrictions_hold(model: GRU4Rec) -> None:
    every = model.recommend(["110"], 1000)
    assert len(every) == model.n_items_
    assert [score for _, score in every] == sorted((score for _, score in every), reverse=True)
    left = model.recommend(["110"], 1000, exclude=["112", "113", "unknown"])
    assert left == [pair for pair in every if pair[0] not in ("112", "113")]
    assert model.recommend(["110"], 5, only=["113", "112"]) == [p for p in every if p[0] in ("112", "113")]
    assert model.recommend(["110"], 5, only=[]) == []
    assert model.recommend(["110"], 0) == []
    with pytest.raises(ValueError, match="n = -1"):
        model.recommend(["110"], -1)
    for wrong, kind in (("110", "str"), (110, "int"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"session is of type {kind}; expected a list of item ids"):
            model.recommend(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="exclude is of type int"):
        model.recommend(["110"], exclude=110)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"cutoffs = 20, expected a list such as \[20\]"):
        model.evaluate([["110", "111"]], cutoffs=20)  # type: ignore[arg-type]


def test_unknown_items_are_skipped(model: GRU4Rec) -> None:
    assert model.recommend(["nothing", "110", "more"], 5) == model.recommend(["110"], 5)
    popular = model.recommend([], 1)[0]
    assert popular == model.recommend(["unknown"], 1)[0]
    assert popular[1] == max(model.supports_)


def test_many_sessions_are_as_one_by_one(model: GRU4Rec) -> None:
    sessions = [["110", "111"], [], ["105"], ["120"] * 30, ["nobody"]] * 20
    exclude = [["112"], [], ["106"], [], []] * 20
    expected = [model.recommend(s, 7, exclude=e) for s, e in zip(sessions, exclude)]
    assert model.recommend_many(sessions, 7, exclude=exclude) == expected
    assert model.recommend_many([], 7) == []
    with pytest.raises(ValueError, match="exclude has 1 lists for 2 sessions"):
        model.recommend_many([[], []], 3, exclude=[[]])
    with pytest.raises(TypeError, match=r"sessions\[1\] is of type str; expected a list of item ids"):
        model.recommend_many([["110"], "111"], 3)
    with pytest.raises(TypeError, match=r"exclude\[0\] is of type int"):
        model.recommend_many([["110"]], 3, exclude=[110])  # type: ignore[list-item]


def test_live_sessions(model: GRU4Rec) -> None:
    session = model.session()
    assert len(session) == 0 and session.top(3) == model.recommend([], 3)
    assert session.click("110") and session.click(111) and not session.click("nobody")
    assert len(session) == 2
    assert session.top(5) == model.recommend(["110", "111"], 5)
    assert session.top(5, exclude=["112"]) == model.recommend(["110", "111"], 5, exclude=["112"])
    for other in copy.copy(session), copy.deepcopy(session):
        other.click("130")
        assert session.top(5) == model.recommend(["110", "111"], 5) != other.top(5)
    session.reset()
    assert len(session) == 0 and session.top(3) == model.recommend([], 3)


@pytest.mark.parametrize("rubbish", ["x", None, 7])
def test_a_session_of_no_model_says_how_to_make_one(model: GRU4Rec, rubbish: Any) -> None:
    kind = type(rubbish).__name__
    with pytest.raises(TypeError, match=rf"found {kind}; write model\.session\(\)"):
        Session(rubbish)
    with pytest.raises(TypeError, match=rf"found {kind}; write model\.similar\(item\)"):
        _core.SimilarItems(rubbish)
    with pytest.raises(TypeError, match=r"found GRU4Rec; write model\.session\(\)"):
        Session(model)  # type: ignore[arg-type]


def test_a_session_keeps_its_model_alive(train_file: Path) -> None:
    model = GRU4Rec(**SMALL).fit(train_file)
    expected = model.recommend(["110"], 5)
    session = model.session(["110"])
    del model
    assert session.top(5) == expected


def test_similar_items(model: GRU4Rec) -> None:
    similar = model.similar("110", 5)
    assert len(similar) == 5 and "110" not in dict(similar)
    assert all(-1.001 <= cosine <= 1.001 for _, cosine in similar)
    vectors = dict(zip(model.items_, model.weights_["Wy.weight"]))
    a, b = vectors["110"], vectors[similar[0][0]]
    assert abs(similar[0][1] - float(a @ b) / float((a @ a) * (b @ b)) ** 0.5) < 1e-5
    with pytest.raises(KeyError, match="nobody"):
        model.similar("nobody")


def test_similar_items_are_those_of_the_model_in_place(train_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if another thread's fit ends while they are prepared."""
    model = GRU4Rec(**SMALL).fit(train_file)
    before = model.similar("110", 5)
    prepare = _core.SimilarItems

    def prepare_while_another_fit_ends(of: _core.Model) -> _core.SimilarItems:
        prepared = prepare(of)
        monkeypatch.setattr(_core, "SimilarItems", prepare)
        model.set_params(seed=7).fit(train_file)
        return prepared

    model.set_params(seed=5).fit(train_file)
    monkeypatch.setattr(_core, "SimilarItems", prepare_while_another_fit_ends)
    of_the_second = model.similar("110", 5)
    assert before != of_the_second != model.similar("110", 5)
    assert model.similar("110", 5) == GRU4Rec(**SMALL, seed=7).fit(train_file).similar("110", 5)


def test_many_threads_ask_one_model(model: GRU4Rec) -> None:
    sessions = [[str(100 + i), str(101 + i)] for i in range(20)]
    expected = [model.recommend(session, 5) for session in sessions]
    failures: list[str] = []

    def ask(first: int) -> None:
        for i in range(200):
            place = (first + i) % len(sessions)
            if model.recommend(sessions[place], 5) != expected[place]:
                failures.append(f"session {place}")

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_model_without_weights_says_so() -> None:
    with pytest.raises(AttributeError, match="call fit, or load a model file"):
        GRU4Rec().recommend(["a"])


@pytest.mark.parametrize("items", ["110", b"110", 7])
def test_a_session_begins_with_a_list(model: GRU4Rec, items: Any) -> None:
    with pytest.raises(TypeError, match="items = .*, expected a list"):
        model.session(items)


@pytest.mark.parametrize("argument", [{"resamples": "9"}, {"level": "x"}, {"cutoffs": 20}, {"ties": 3}])
def test_arguments_of_measuring_are_named(model: GRU4Rec, test_file: Path, argument: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match=f"gru4rec: {next(iter(argument))} = "):
        model.evaluate(test_file, **argument)

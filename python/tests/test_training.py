"""Training: the same bits as the program, callbacks, early stopping, interruption, newer data."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru4rec import Epoch, GRU4Rec

from conftest import N_ITEMS, SMALL, file_bytes, make_events, write_table


def _text_of(params: dict[str, Any]) -> str:
    return ",".join(f"{name}={'/'.join(map(str, v)) if isinstance(v, list) else v}" for name, v in params.items())


def _train_by_program(program: str, folder: Path, *arguments: str) -> bytes:
    path = folder / "by_program.safetensors"
    done = subprocess.run([program, "train", *arguments, "--save", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path.read_bytes()


settings = [
    SMALL,
    {"layers": [24, 16], "loss": "bpr-max", "n_sample": 64, "n_epochs": 2, "dropout_p_hidden": 0.2, "momentum": 0.1,
     "gru_variant": "reset_after", "constrained_embedding": False, "embedding": 16},
    {"layers": [16], "constrained_embedding": False, "n_epochs": 1, "session_order": "random", "bptt": 3,
     "adapt": "adam"},
]


@pytest.mark.parametrize("params", settings)
@pytest.mark.parametrize("seed", [42, 7])
def test_the_same_bytes_as_the_program(program: str, train_file: Path, tmp_path: Path, params: Any, seed: int) -> None:
    expected = _train_by_program(
        program, tmp_path, str(train_file), "--params", _text_of(params), "--seed", str(seed), "--threads", "1"
    )
    model = GRU4Rec(seed=seed, threads=2, **params).fit(train_file)
    assert file_bytes(model, tmp_path) == expected


def test_the_program_trains_further_alike(program: str, train_file: Path, tmp_path: Path) -> None:
    newer = [(session, item + 5, when) for session, item, when in make_events(100, seed=9)]
    newer_file = write_table(tmp_path / "newer.tsv", newer)
    model = GRU4Rec(**SMALL).fit(train_file)
    model.save(tmp_path / "old.safetensors")
    model.set_params(learning_rate=0.02).partial_fit(newer_file)
    expected = _train_by_program(
        program, tmp_path, str(newer_file), "--continue", str(tmp_path / "old.safetensors"), "--params",
        "learning_rate=0.02",
    )
    assert file_bytes(model, tmp_path) == expected
    assert model.n_items_ > N_ITEMS


def test_seeds_and_threads(train_file: Path, tmp_path: Path) -> None:
    one = file_bytes(GRU4Rec(threads=1, **SMALL).fit(train_file), tmp_path)
    assert file_bytes(GRU4Rec(threads=2, **SMALL).fit(train_file), tmp_path) == one
    assert file_bytes(GRU4Rec(seed=1, **SMALL).fit(train_file), tmp_path) != one


def test_fit_returns_itself_and_begins_anew(train_file: Path, tmp_path: Path) -> None:
    model = GRU4Rec(**SMALL)
    assert model.fit(train_file) is model
    first = file_bytes(model, tmp_path)
    assert file_bytes(model.fit(train_file), tmp_path) == first


def test_callbacks_see_every_epoch_and_can_stop(train_file: Path, test_file: Path) -> None:
    seen: list[Epoch] = []
    measured: list[float] = []

    def watch(epoch: Epoch) -> bool:
        seen.append(epoch)
        measured.append(epoch.model.evaluate(test_file).recall_at(20))
        return epoch.epoch < 3

    model = GRU4Rec(**{**SMALL, "n_epochs": 10}).fit(train_file, valid=test_file, callbacks=[watch])
    assert [epoch.epoch for epoch in seen] == [1, 2, 3]
    assert seen[2].loss < seen[0].loss and seen[0].report.complete
    assert [epoch.valid.recall_at(20) for epoch in seen if epoch.valid] == measured
    assert model.evaluate(test_file).recall_at(20) == measured[-1]


def test_early_stopping_restores_the_best_epoch(train_file: Path, test_file: Path, tmp_path: Path) -> None:
    recalls: list[float] = []
    files: list[bytes] = []

    def watch(epoch: Epoch) -> None:
        assert epoch.valid is not None
        recalls.append(epoch.valid.mrr_at(5))
        files.append(file_bytes(epoch.model, tmp_path))

    params = {**SMALL, "n_epochs": 60, "learning_rate": 0.5, "layers": [32]}
    model = GRU4Rec(**params).fit(
        train_file, valid=test_file, patience=2, stop_metric="mrr", cutoffs=[5, 20], callbacks=[watch]
    )
    best = recalls.index(max(recalls))
    assert model.best_epoch_ == best + 1
    assert len(recalls) == best + 3 < 60
    assert file_bytes(model, tmp_path) == files[best]


def test_norms_of_gradients_are_measured_and_change_no_bit(train_file: Path, tmp_path: Path) -> None:
    seen: list[Epoch] = []
    params = {**SMALL, "layers": [16, 8], "constrained_embedding": False}
    model = GRU4Rec(**params).fit(train_file, gradients_every=4, callbacks=[seen.append])
    assert len(seen) == 2
    for epoch in seen:
        assert set(epoch.gradients) == {"output", "input.0", "layer.0", "layer.1", "all"}
        for mean, largest, updates in epoch.gradients.values():
            assert 0 < mean <= largest and updates == (epoch.report.steps + 3) // 4
        assert epoch.gradients["all"].largest >= epoch.gradients["layer.0"].largest

    unmeasured: list[Epoch] = []
    same = GRU4Rec(**params).fit(train_file, callbacks=[unmeasured.append])
    assert [epoch.gradients for epoch in unmeasured] == [{}, {}]
    assert file_bytes(same, tmp_path) == file_bytes(model, tmp_path)
    with pytest.raises(ValueError, match="gradients_every = -1"):
        GRU4Rec(**params).partial_fit(train_file, gradients_every=-1)


def test_an_epoch_has_its_learning_rate(train_file: Path) -> None:
    seen: list[Epoch] = []
    params = {**SMALL, "n_epochs": 3, "learning_rate": 0.4, "lr_decay": 0.5}
    GRU4Rec(**params).fit(train_file, callbacks=[seen.append])
    assert [epoch.learning_rate for epoch in seen] == pytest.approx([0.4, 0.2, 0.1])


def test_patience_needs_validation_data(train_file: Path) -> None:
    with pytest.raises(ValueError, match="patience needs valid"):
        GRU4Rec(**SMALL).fit(train_file, patience=1)
    with pytest.raises(ValueError, match="stop_metric"):
        GRU4Rec(**SMALL).fit(train_file, valid=train_file, patience=1, stop_metric="loss")
    with pytest.raises(ValueError, match='stop_metric = "loss", expected recall, mrr or ndcg'):
        GRU4Rec(**SMALL).fit(train_file, stop_metric="loss")


def test_a_callback_without_a_list_is_refused_before_training(train_file: Path) -> None:
    with pytest.raises(TypeError, match=r"callbacks = .*expected a list such as \[print\]"):
        GRU4Rec(**SMALL).fit(train_file, callbacks=print)  # type: ignore[arg-type]


def test_what_a_callback_raises_is_raised_and_the_model_is_usable(train_file: Path) -> None:
    def fail(epoch: Epoch) -> None:
        raise KeyError("mine")

    model = GRU4Rec(**SMALL)
    with pytest.raises(KeyError, match="mine"):
        model.fit(train_file, callbacks=[fail])
    assert len(model.recommend([100], 5)) == 5


def test_divergence_is_an_error_and_keeps_the_old_model(train_file: Path, tmp_path: Path) -> None:
    model = GRU4Rec(**SMALL).fit(train_file)
    before = file_bytes(model, tmp_path)
    with pytest.raises(FloatingPointError, match="likely cause: learning_rate"):
        model.set_params(learning_rate=1e30, adapt="sgd", hidden_act="relu").fit(train_file)
    assert file_bytes(model, tmp_path) == before


def test_an_interrupt_ends_training_after_the_step(train_file: Path) -> None:
    model = GRU4Rec(**{**SMALL, "n_epochs": 1_000_000})
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores SIGINT
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    start = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(train_file)
    assert time.monotonic() - start < 20
    assert len(model.recommend([100], 5)) == 5
    assert model.weights_["Wy.weight"].shape[0] == model.n_items_


@pytest.mark.parametrize("while_training", [False, True])
def test_an_interrupt_ends_an_evaluation_where_it_is(while_training: bool) -> None:
    n_items = 20_000  # ranked at 300,000 predictions: six seconds of a very fast core, and far more of others
    items = np.arange(n_items)
    model = GRU4Rec(threads=1, **{**SMALL, "layers": [100], "n_epochs": 1})
    train = {"SessionId": items // 8, "ItemId": items, "Time": items}
    events = np.arange(400_000)
    test = {"SessionId": events // 4, "ItemId": 7 * events % n_items, "Time": events}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    at_signal: list[float] = []

    def interrupt() -> None:
        at_signal.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(2, interrupt)
    if not while_training:
        model.fit(train)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        if while_training:
            model.fit(train, valid=test)
        else:
            model.evaluate(test)
        timer.join()
    # Python raises KeyboardInterrupt as well when an evaluation is over: four seconds of work after the signal, or more.
    assert time.process_time() - at_signal[0] < 2
    assert len(model.recommend([100], 5)) == 5


def test_other_threads_run_meanwhile(train_file: Path) -> None:
    """The old model answers while a new one is trained."""
    model = GRU4Rec(**SMALL).fit(train_file)
    expected = model.recommend([100], 3)
    answers = 0
    stop = threading.Event()

    def ask() -> None:
        nonlocal answers
        while not stop.is_set():
            assert model.recommend([100], 3) == expected
            answers += 1

    thread = threading.Thread(target=ask)
    deadline = time.monotonic() + 60
    seen: list[int] = []  # answers at the end of each epoch

    def go_on(_: Epoch) -> bool:
        seen.append(answers)
        if answers < seen[0] + 100 and time.monotonic() < deadline:
            return True
        stop.set()
        thread.join()  # before the new model takes over, whose answers differ
        return False

    thread.start()
    try:
        model.set_params(n_epochs=100_000).partial_fit(train_file, callbacks=[go_on])
    finally:
        stop.set()
        thread.join()
    assert seen[-1] >= seen[0] + 100


def test_partial_fit_keeps_what_was_known_and_appends(train_file: Path) -> None:
    model = GRU4Rec(**SMALL).fit(train_file)
    old_items = model.items_
    sessions = [[100, 999], ["new", 999, 101]] * 20
    model.partial_fit(sessions)
    assert model.items_[: len(old_items)] == old_items
    assert model.items_[len(old_items) :] == [999, "new"]  # unchanged, whatever type the old ids have
    assert model.session().click("new")


def test_partial_fit_of_nothing_is_fit(train_file: Path, tmp_path: Path) -> None:
    assert file_bytes(GRU4Rec(**SMALL).partial_fit(train_file), tmp_path) == file_bytes(
        GRU4Rec(**SMALL).fit(train_file), tmp_path
    )


def test_a_network_cannot_change_in_partial_fit(train_file: Path) -> None:
    model = GRU4Rec(**SMALL).fit(train_file).set_params(layers=[32])
    with pytest.raises(ValueError, match="layers = 32, the model was made with 16"):
        model.partial_fit(train_file)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(_Terminal, True), (io.StringIO, False)])
def test_the_bar_is_shown_on_terminals_only(
    train_file: Path, monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], shown: bool
) -> None:
    pytest.importorskip("tqdm")
    output = stream()
    monkeypatch.setattr(sys, "stderr", output)
    deadline = time.monotonic() + 0.5
    GRU4Rec(**{**SMALL, "n_epochs": 100_000}).fit(train_file, callbacks=[lambda _: time.monotonic() < deadline])
    assert ("of 100000" in output.getvalue()) == shown


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_unknown_argument_is_refused_by_the_name_of_the_method(method: str) -> None:
    with pytest.raises(TypeError, match=rf"gru4rec: {method}\(\): got an unexpected keyword argument 'sample_store'"):
        getattr(GRU4Rec(), method)([["a", "b"]], sample_store=1)


@pytest.mark.parametrize(("answer", "epochs"), [(False, 1), (np.bool_(False), 1), (None, 3), (0, 3), (True, 3)])
def test_only_false_ends_training(answer: Any, epochs: int) -> None:
    seen = []
    GRU4Rec(layers=[4], n_epochs=3, n_sample=4).fit(
        [["a", "b"]] * 9, callbacks=[lambda epoch: seen.append(epoch.epoch) or answer]
    )
    assert seen == list(range(1, epochs + 1))


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ({"patience": "a"}, "patience = 'a', expected a whole number"),
        ({"patience": 1.5}, "patience = 1.5, expected a whole number"),
        ({"patience": 2**40}, "patience = 1099511627776, must satisfy"),
        ({"gradients_every": -1}, "gradients_every = -1, must satisfy 0 <= gradients_every"),
        ({"cutoffs": "20"}, r"cutoffs = '20', expected a list such as \[20\]"),
        ({"cutoffs": [2.5]}, "cutoffs = 2.5, expected a whole number"),
        ({"ties": None}, "ties = None, expected a list"),
        ({"ties": [3]}, r"ties = \[3\], expected the names of rules"),
        ({"session_key": None}, "session_key = None, expected a text"),
        ({"time_unit": None}, "time_unit = None, expected a text"),
    ],
)
def test_arguments_of_wrong_types_are_named(argument: dict[str, Any], problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"gru4rec: {problem}"):
        GRU4Rec(**SMALL).fit([["a", "b"]] * 9, **argument)

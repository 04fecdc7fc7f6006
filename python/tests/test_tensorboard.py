"""The event files are read back with TensorBoard's own reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru4rec import Epoch, GRU4Rec

from conftest import SMALL

pytest.importorskip("tensorboard", reason="TensorBoard is not installed")


def _read(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def _values(events: Any, tag: str) -> list[float]:
    return [event.value for event in events.Scalars(tag)]


def test_every_epoch_is_in_the_event_file(train_file: Path, test_file: Path, tmp_path: Path) -> None:
    from gru4rec.tensorboard import Writer

    seen: list[Epoch] = []
    norms: list[float] = []

    def watch(epoch: Epoch) -> None:
        seen.append(epoch)
        norms.append(float(np.linalg.norm(epoch.model.weights_["Wy.weight"])))

    model = GRU4Rec(**{**SMALL, "n_epochs": 3, "lr_decay": 0.5})
    with Writer(tmp_path / "run") as writer:
        model.fit(train_file, valid=test_file, cutoffs=[5, 20], callbacks=[watch, writer])

    events = _read(tmp_path / "run")
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert _values(events, "loss") == pytest.approx([epoch.loss for epoch in seen])
    assert _values(events, "learning_rate") == pytest.approx([0.05, 0.025, 0.0125])
    assert _values(events, "norm/Wy.weight") == pytest.approx(norms)
    for tag, metric in [("valid/Recall@5", "recall_at"), ("valid/MRR@5", "mrr_at"), ("valid/NDCG@5", "ndcg_at")]:
        assert _values(events, tag) == pytest.approx([getattr(epoch.valid, metric)(5) for epoch in seen])
    assert {"valid/Recall@20", "events_per_second", "norm/By.weight"} <= set(events.Tags()["scalars"])


def test_norms_of_gradients_are_written_if_they_are_measured(train_file: Path, tmp_path: Path) -> None:
    from gru4rec.tensorboard import Writer

    seen: list[Epoch] = []
    with Writer(tmp_path / "with") as writer:
        GRU4Rec(**SMALL).fit(train_file, gradients_every=2, callbacks=[seen.append, writer])
    with Writer(tmp_path / "without") as writer:
        GRU4Rec(**SMALL).fit(train_file, callbacks=[writer])
    events = _read(tmp_path / "with")
    for part in ("output", "layer.0", "all"):
        for value in ("mean", "largest"):
            expected = [getattr(epoch.gradients[part], value) for epoch in seen]
            assert _values(events, f"gradient_{value}/{part}") == pytest.approx(expected)
    assert not any(tag.startswith("gradient") for tag in _read(tmp_path / "without").Tags()["scalars"])


def test_parameters_are_those_of_the_run(train_file: Path, tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import metadata

    from gru4rec.tensorboard import Writer

    with Writer(tmp_path) as writer:
        GRU4Rec(**{**SMALL, "layers": [16, 8], "momentum": 0.25, "seed": 7}).fit(train_file, callbacks=[writer])
    events = _read(tmp_path)
    assert not any(tag.startswith("valid/") for tag in events.Tags()["scalars"])  # no validation data
    content = events.PluginTagToContent(metadata.PLUGIN_NAME)[metadata.SESSION_START_INFO_TAG]
    stored = metadata.parse_session_start_info_plugin_data(content).hparams
    assert stored["layers"].string_value == "16/8"
    assert (stored["momentum"].number_value, stored["seed"].number_value) == (0.25, 7)
    assert stored["constrained_embedding"].bool_value is True and "learning_rate" not in stored


def test_the_file_can_be_read_while_training_goes_on(train_file: Path, tmp_path: Path) -> None:
    from gru4rec.tensorboard import Writer

    n_read: list[int] = []

    def read(epoch: Epoch) -> None:
        n_read.append(len(_read(tmp_path).Scalars("loss")))

    with Writer(tmp_path) as writer:
        GRU4Rec(**SMALL).fit(train_file, callbacks=[writer, read])
    assert n_read == [1, 2]

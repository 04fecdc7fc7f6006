"""Event files for TensorBoard. Needs the package tensorboard: pip install tensorboard."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Optional, Union

import numpy as np

from .estimator import Epoch, GRU4Rec
from .parameter_values import to_text

_events = importlib.import_module("tensorboard.compat.proto.event_pb2")
_summaries = importlib.import_module("tensorboard.compat.proto.summary_pb2")
_hparams = importlib.import_module("tensorboard.plugins.hparams.summary_v2")
_files = importlib.import_module("tensorboard.summary.writer.event_file_writer")


class Writer:
    """A callback for `fit` that writes an event file: the parameters once, and after every epoch loss, learning rate,
    speed, validation metrics, the norms of the weights and, with `gradients_every`, those of the gradients.

    >>> with Writer("runs/first") as writer:
    ...     model.fit(train, valid=valid, callbacks=[writer])

    :param log_dir: the folder of the run, created if missing; use one for each training
    """

    def __init__(self, log_dir: Union[str, os.PathLike[str]]) -> None:
        self._log_dir = os.fspath(log_dir)
        self._file = _files.EventFileWriter(self._log_dir)
        self._has_parameters = False

    def __call__(self, epoch: Epoch) -> None:
        if not self._has_parameters:
            self._write(0, _hparams.hparams_pb(_parameters_of(epoch.model), trial_id=self._log_dir))
            self._has_parameters = True
        values = [_summaries.Summary.Value(tag=tag, simple_value=value) for tag, value in _scalars(epoch)]
        self._write(epoch.epoch, _summaries.Summary(value=values))
        self._file.flush()  # so that TensorBoard shows the epoch while training goes on

    def _write(self, step: int, summary: Any) -> None:
        self._file.add_event(_events.Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Writes what is left and closes the file."""
        self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def _parameters_of(model: GRU4Rec) -> dict[str, Union[bool, float, str]]:
    """The parameters that are set. Lists become text, because TensorBoard does not take lists."""
    return {
        name: value if isinstance(value, (bool, int, float, str)) else to_text(value)
        for name, value in model.get_params().items()
        if value is not None
    }


def _scalars(epoch: Epoch) -> Iterator[tuple[str, float]]:
    """Tags and values of an epoch."""
    yield "loss", epoch.loss
    yield "learning_rate", epoch.learning_rate
    yield "events_per_second", epoch.report.events_per_second
    if epoch.valid is not None:
        for cutoff in epoch.valid.cutoffs:
            yield f"valid/Recall@{cutoff}", epoch.valid.recall_at(cutoff)
            yield f"valid/MRR@{cutoff}", epoch.valid.mrr_at(cutoff)
            yield f"valid/NDCG@{cutoff}", epoch.valid.ndcg_at(cutoff)
    for name, gradient in epoch.gradients.items():
        yield f"gradient_mean/{name}", gradient.mean
        yield f"gradient_largest/{name}", gradient.largest
    for name, weights in epoch.model.weights_.items():
        yield f"norm/{name}", float(np.linalg.norm(weights))

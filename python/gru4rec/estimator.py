"""The model class, which follows the conventions of scikit-learn."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from . import _core, arguments, parameter_values
from .inputs import Columns, read
from .progress import ProgressBar

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    from .parameters import Parameters

    P = ParamSpec("P")

_log = logging.getLogger("gru4rec")

#: Settings that are not parameters of the model, with their defaults.
_settings = {"seed": 42, "threads": 0}

#: Pairs of an item and its score, best first.
Recommendations = list[tuple[Any, float]]


class GradientNorm(NamedTuple):
    """Norms of the gradient of a table or a layer over the measured updates of an epoch, before `grad_cap`."""

    mean: float  #: mean of the Euclidean norms
    largest: float  #: largest of the Euclidean norms
    updates: int  #: how many updates were measured


@dataclass(frozen=True)
class Epoch:
    """What a callback gets after every epoch."""

    report: _core.EpochReport  #: loss, time and counts of the epoch
    valid: Optional[_core.Evaluation]  #: on the validation data; None without such data or if the epoch is incomplete
    model: GRU4Rec  #: the model as trained so far; use it within the callback only

    @property
    def epoch(self) -> int:
        """The number of the epoch, counted from 1."""
        return self.report.epoch

    @property
    def loss(self) -> float:
        """The mean loss of the epoch."""
        return self.report.loss

    @property
    def learning_rate(self) -> float:
        """The learning rate of the epoch's updates, after `lr_decay`."""
        return self.report.learning_rate

    @property
    def gradients(self) -> dict[str, GradientNorm]:
        """Norms of `output`, `input.0`, ... (tables), `layer.0`, ... and `all`; empty without `gradients_every`."""
        return {name: GradientNorm(*norm) for name, norm in self.report.gradients.items()}


#: Returns False to end training; None and True continue it.
Callback = Callable[[Epoch], Optional[bool]]


def _arguments_of(
    train: Callable[Concatenate[GRU4Rec, Optional[_core.Model], P], GRU4Rec],
) -> Callable[[Callable[..., GRU4Rec]], Callable[Concatenate[GRU4Rec, P], GRU4Rec]]:
    """Gives a method the signature of `train` without `old`, for type checkers, help() and error messages."""
    whole = inspect.signature(train)
    signature = whole.replace(parameters=[each for name, each in whole.parameters.items() if name != "old"])

    def decorate(method: Callable[..., GRU4Rec]) -> Callable[Concatenate[GRU4Rec, P], GRU4Rec]:
        def checked(self: GRU4Rec, /, *arguments: P.args, **options: P.kwargs) -> GRU4Rec:
            try:
                signature.bind(self, *arguments, **options)
            except TypeError as error:
                raise TypeError(f"gru4rec: {method.__name__}(): {error}") from None
            return method(self, *arguments, **options)

        functools.update_wrapper(checked, method)
        checked.__signature__ = signature  # type: ignore[attr-defined]
        return checked

    return decorate


def _is_false(value: Any) -> bool:
    """Whether a callback returned False, of Python or of NumPy. Others that are falsy, such as None, mean nothing."""
    import numpy as np

    return isinstance(value, (bool, np.bool_)) and not value


class GRU4Rec:
    """A GRU4Rec model in single precision.

    :param seed: seed of initial weights, negatives, dropout and random session order
    :param threads: maximum number of threads; 0: one per core. Results do not depend on it
    :param parameters: those of docs/parameters.md. None means that a parameter is not set
    :raises ValueError: for an unknown parameter or an invalid value

    >>> model = GRU4Rec(layers=[64], n_epochs=2).fit([["tea", "milk"], ["tea", "sugar", "milk"]] * 100)
    >>> model.recommend(["tea"], 2)
    """

    def __init__(self, *, seed: int = 42, threads: int = 0, **parameters: Unpack[Parameters]) -> None:
        # Kept unchanged: scikit-learn's clone() compares values by identity.
        self._given: dict[str, Any] = {"seed": seed, "threads": threads, **parameters}
        self._fitted: Optional[_core.Model] = None
        # The search for similar items, and the model that it was prepared for.
        self._similar: Optional[tuple[_core.Model, _core.SimilarItems]] = None
        self.best_epoch_: Optional[int] = None
        self._check(self._given)

    # Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters, `seed` and `threads` by name. `deep` is ignored; scikit-learn passes it."""
        return {**parameter_values.defaults, **_settings, **self._given}

    def set_params(self, **parameters: Any) -> GRU4Rec:
        """Sets parameters for the next fit. A trained model stays as it is.

        :raises ValueError: for an unknown parameter or an invalid value; then nothing is changed
        """
        given = {**self._given, **parameters}
        self._check(given)
        self._given = given
        return self

    @property
    def seed(self) -> int:
        """The seed of initial weights, negatives, dropout and random session order."""
        return int(self._given["seed"])

    @property
    def threads(self) -> int:
        """The maximum number of threads; 0: one per core."""
        return int(self._given["threads"])

    @staticmethod
    def _check(given: Mapping[str, Any]) -> None:
        _core.check_parameters(GRU4Rec._texts(given))
        arguments.whole("seed", given["seed"], 2**64 - 1)
        arguments.whole("threads", given["threads"])

    @staticmethod
    def _texts(given: Mapping[str, Any]) -> parameter_values.Texts:
        return parameter_values.to_texts({name: value for name, value in given.items() if name not in _settings})

    def __repr__(self) -> str:
        given = {name: value for name, value in self._given.items() if _settings.get(name, ...) != value}
        return f"GRU4Rec({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    # Training

    def _train(
        self,
        old: Optional[_core.Model],
        data: Any,
        y: None = None,
        *,
        valid: Any = None,
        patience: int = 0,
        stop_metric: str = "recall",
        cutoffs: Sequence[int] = (20,),
        ties: Union[str, Sequence[str]] = "conservative",
        callbacks: Sequence[Callback] = (),
        gradients_every: int = 0,
        progress: Optional[bool] = None,
        session_key: str = "SessionId",
        item_key: str = "ItemId",
        time_key: Optional[str] = "Time",
        time_unit: str = "auto",
    ) -> GRU4Rec:
        """Trains the old model further, or a new one if there is none."""
        patience = arguments.whole("patience", patience)
        if patience > 0 and valid is None:
            raise ValueError("gru4rec: patience needs valid, the data that epochs are compared on")
        callbacks = arguments.listed("callbacks", callbacks, "[print]")
        columns = Columns(session_key, item_key, time_key, time_unit)
        model, train = self._begin(old, data, columns)
        valid_data = None if valid is None else self._test_data(valid, columns, model)
        with ProgressBar(progress, int(dict(model.parameters())["n_epochs"])) as bar:
            best_epoch, exception = _core.fit(
                model,
                train,
                seed=self.seed,
                threads=self.threads,
                gradients_every=arguments.whole("gradients_every", gradients_every),
                after_steps=bar.show if bar.is_shown else None,
                after_epoch=self._after_epoch(model, bar, callbacks),
                valid=valid_data,
                patience=patience,
                stop_metric=stop_metric,
                cutoffs=arguments.cutoffs(cutoffs),
                ties=arguments.rules(ties),
            )
        self._adopt(model)
        self.best_epoch_ = best_epoch or None
        if exception is not None:
            raise exception
        return self

    @_arguments_of(_train)
    def fit(self, *arguments: Any, **options: Any) -> GRU4Rec:
        """Trains a new model, which replaces the old one when training ends.

        Ctrl-C ends training after the current step, or a measurement of `valid` where it is, and raises
        KeyboardInterrupt; the model can then be used.

        :param data: the training data; see :func:`gru4rec.inputs.read`
        :param y: ignored; scikit-learn passes it
        :param valid: data on which the model is measured after every epoch
        :param patience: ends training after this many epochs without improvement on `valid`, and restores the weights
            of the best epoch; 0: never
        :param stop_metric: what must improve: recall, mrr or ndcg, at the first cutoff and by the first rule for ties
        :param cutoffs: list lengths to measure at on `valid`, as for :meth:`evaluate`
        :param ties: rules for items of equal score, as for :meth:`evaluate`
        :param callbacks: functions that are called with an :class:`Epoch` after every epoch; one that returns False
            ends training
        :param gradients_every: measures the gradients of every n-th update, for `Epoch.gradients`; 0: of none.
            Measuring takes about as long as the update itself and does not change results
        :param progress: whether to show a progress bar; None: on a terminal and in a notebook
        :param session_key: like `item_key`, `time_key` and `time_unit`, a field of :class:`gru4rec.inputs.Columns`
        :returns: the model itself
        :raises ValueError: if an argument or the data are invalid, or no session has two events
        :raises TypeError: if data or an argument are of a type that cannot be read
        :raises OSError: if a file cannot be read
        :raises FloatingPointError: if training diverges; the old model is kept
        """
        return self._train(None, *arguments, **options)

    @_arguments_of(_train)
    def partial_fit(self, *arguments: Any, **options: Any) -> GRU4Rec:
        """Trains the model further on newer data, whose new items are appended. The optimiser starts fresh.

        Takes the arguments of :meth:`fit`, and does the same if there is no model yet. Until it returns, other threads
        get answers from the old model.
        """
        return self._train(self._fitted, *arguments, **options)

    def _begin(self, old: Optional[_core.Model], data: Any, columns: Columns) -> tuple[_core.Model, _core.Dataset]:
        """The model to train, and its training data."""
        train = read(data, columns)
        if train.n_pairs == 0:
            raise ValueError("gru4rec: no session has two events, so there is nothing to learn")
        _log.info("training on %d events of %d sessions, %d items", train.n_events, train.n_sessions, train.n_items)
        if old is None:
            return _core.Model(self._texts(self._given), train, self.seed), train
        model = old.extended(train, self._texts(self._given), self.seed)
        return model, _core.with_items(train, model)

    def _after_epoch(
        self, model: _core.Model, bar: ProgressBar, callbacks: Sequence[Callback]
    ) -> Callable[[_core.EpochReport, Optional[_core.Evaluation]], bool]:
        """What the library calls after every epoch: it logs it and runs the callbacks; False ends training."""

        def report(epoch: _core.EpochReport, evaluation: Optional[_core.Evaluation]) -> bool:
            bar.close()
            _log.info(
                "epoch %d of %d: loss %.4f, %.0f events/s%s",
                epoch.epoch,
                bar.n_epochs,
                epoch.loss,
                epoch.events_per_second,
                "" if evaluation is None else f", {evaluation!r}",
            )
            seen = Epoch(epoch, evaluation, self._copy_with(model))
            # A list, not a generator: every callback is called, even after one returned False.
            return all([not _is_false(callback(seen)) for callback in callbacks])

        return report

    def _adopt(self, model: _core.Model) -> None:
        """Replaces the model."""
        self._similar = None
        self._fitted = model

    def _copy_with(self, model: _core.Model) -> GRU4Rec:
        """A GRU4Rec with the same parameters and another model."""
        other = self.__copy__()
        other._adopt(model)
        return other

    # Use

    @property
    def _model(self) -> _core.Model:
        """The trained model; AttributeError if there is none."""
        if self._fitted is None:
            raise AttributeError("gru4rec: this GRU4Rec has no weights yet; call fit, or load a model file")
        return self._fitted

    @property
    def items_(self) -> list[Any]:
        """The ids of all items, in the row order of the item tables."""
        return self._model.items()

    @property
    def supports_(self) -> list[int]:
        """How often each item occurs in the training data, in the order of `items_`."""
        return self._model.supports()

    @property
    def n_items_(self) -> int:
        """The number of items."""
        return self._model.n_items

    def evaluate(
        self,
        data: Any,
        *,
        cutoffs: Sequence[int] = (20,),
        ties: Union[str, Sequence[str]] = "conservative",
        coverage: bool = False,
        resamples: int = 0,
        level: float = 0.95,
        session_key: str = "SessionId",
        item_key: str = "ItemId",
        time_key: Optional[str] = "Time",
        time_unit: str = "auto",
    ) -> _core.Evaluation:
        """Predicts every event of every session except the first, ranking all items, and measures the ranks.

        Ctrl-C ends it where it is and raises KeyboardInterrupt.

        :param data: the test data; see :func:`gru4rec.inputs.read`. Events of unknown items are left out
        :param cutoffs: list lengths to measure at
        :param ties: how to rank items that score the same as the target: standard, conservative or median, or a list
            of these
        :param coverage: also measure which fraction of the items appears in the lists, and how popular they are
        :param resamples: number of resamples of the sessions for confidence intervals; 0: no intervals. They depend on
            the `seed` of the model
        :param level: level of the confidence intervals, such as 0.95
        :param session_key: like `item_key`, `time_key` and `time_unit`, a field of :class:`gru4rec.inputs.Columns`
        :raises AttributeError: if the model has no weights yet
        :raises ValueError: if an argument or the data are invalid, or there is nothing to predict
        :raises TypeError: if data or an argument are of a type that cannot be read
        :raises OSError: if a file cannot be read
        """
        options: dict[str, Any] = {
            "cutoffs": arguments.cutoffs(cutoffs),
            "ties": arguments.rules(ties),
            "coverage": bool(coverage),
            "resamples": arguments.whole("resamples", resamples),
            "level": arguments.real("level", level),
        }
        model = self._model
        test = self._test_data(data, Columns(session_key, item_key, time_key, time_unit), model)
        return _core.evaluate(model, test, **options, threads=self.threads, seed=self.seed)

    @staticmethod
    def _test_data(data: Any, columns: Columns, model: _core.Model) -> _core.Dataset:
        """Data to measure on: events of the model's items, with at least one prediction."""
        test = read(data, columns, model)
        if test.n_pairs == 0:
            raise ValueError(
                "gru4rec: no predictions: no session has two events of items of the training data "
                f"({test.n_unknown_events} events of unknown items left out)"
            )
        return test

    def recommend(
        self,
        session: Iterable[Any],
        n: int = 20,
        *,
        exclude: Optional[Iterable[Any]] = None,
        only: Optional[Iterable[Any]] = None,
    ) -> Recommendations:
        """The n items most likely to come next, with their scores, best first.

        Items that the model does not know are skipped. A session without known items gets the most frequent items.

        :param session: item ids, oldest first
        :param n: length of the list; it is shorter if fewer items are left
        :param exclude: items to leave out
        :param only: the only items that may be listed
        :raises AttributeError: if the model has no weights yet
        :raises TypeError: if an argument is not a list of item ids
        :raises ValueError: if n is negative
        """
        return _core.recommend(self._model, session, n, exclude, only)

    def recommend_many(
        self,
        sessions: Iterable[Iterable[Any]],
        n: int = 20,
        *,
        exclude: Optional[Iterable[Iterable[Any]]] = None,
    ) -> list[Recommendations]:
        """What :meth:`recommend` returns for each of many sessions; faster than one call for each.

        :param sessions: a list of sessions, each a list of item ids, oldest first
        :param n: length of each list
        :param exclude: for each session, the items to leave out
        :raises AttributeError: if the model has no weights yet
        :raises TypeError: if a session or an element of `exclude` is not a list of item ids
        :raises ValueError: if n is negative, or `exclude` does not have one element for each session
        """
        return _core.recommend_many(self._model, sessions, n, exclude, self.threads)

    def similar(
        self,
        item: Any,
        n: int = 20,
        *,
        exclude: Optional[Iterable[Any]] = None,
        only: Optional[Iterable[Any]] = None,
    ) -> Recommendations:
        """The n items whose output vectors have the largest cosine with that of an item, with the cosines, best first.

        The first call after training prepares the search, which reads the whole table.

        :param item: an item id; the item itself is not listed
        :param n: length of the list
        :param exclude: items to leave out
        :param only: the only items that may be listed
        :raises AttributeError: if the model has no weights yet
        :raises KeyError: if the model does not know the item
        """
        model, kept = self._model, self._similar
        if kept is None or kept[0] is not model:  # another thread's fit may replace the model at any moment
            kept = self._similar = model, _core.SimilarItems(model)
        return kept[1].find(item, n, exclude, only)

    def session(self, items: Iterable[Any] = ()) -> _core.Session:
        """A live session of one visitor.

        :param items: what the visitor has clicked already, oldest first; unknown items are skipped
        :raises AttributeError: if the model has no weights yet
        """
        session = _core.Session(self._model)
        for item in arguments.listed("items", items, '["red-shoes"]'):
            session.click(item)
        return session

    # Weights and files

    @property
    def weights_(self) -> dict[str, Any]:
        """The weights by the names of docs/file_format.md: read-only float32 views, which keep the model alive."""
        return self._model.weights()

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes a model file, the same as the program writes. It is written completely or not at all.

        :raises OSError: if the file cannot be written
        """
        self._model.save(Path(path))

    @classmethod
    def load(
        cls, path: Union[str, os.PathLike[str]], *, item_type: type = str, seed: int = 42, threads: int = 0
    ) -> GRU4Rec:
        """Reads a model file.

        :param item_type: type of the item ids, str or int; the file does not store it
        :param seed: see :class:`GRU4Rec`; the file does not store it
        :param threads: likewise
        :raises OSError: if the file cannot be read
        :raises ValueError: if it is not a valid model, or an id is not an integer with `item_type=int`
        """
        if item_type not in (str, int):
            raise ValueError(f"gru4rec: item_type = {item_type!r}, expected str or int")
        if not _core.has_content_hash(Path(path)):
            _log.warning("%s has no content_hash, so it was not checked for damage", path)
        if _core.stored_dtype(Path(path)) == "F64":
            _log.warning("%s holds double precision, which is rounded to single", path)
        return cls._from_model(_core.Model.load(Path(path), item_type.__name__), seed, threads)

    @classmethod
    def _from_model(cls, model: _core.Model, seed: int, threads: int) -> GRU4Rec:
        """A GRU4Rec with the parameters of a model."""
        texts = dict(model.parameters())
        given = {name: parameter_values.parse(name, text) for name, text in texts.items()}
        result = cls(seed=seed, threads=threads, **given)
        result._adopt(model)
        return result

    def to_torch(self) -> dict[str, Any]:
        """The weights as a PyTorch state dict, under the names that the reference implementation uses.

        :raises ImportError: if torch is not installed
        """
        from .torch_weights import to_torch

        return to_torch(self.weights_)

    @classmethod
    def from_torch(
        cls,
        state_dict: Mapping[str, Any],
        items: Sequence[Any],
        *,
        supports: Optional[Sequence[int]] = None,
        seed: int = 42,
        threads: int = 0,
        **parameters: Any,
    ) -> GRU4Rec:
        """Builds a model from the weights of a PyTorch module.

        :param state_dict: tensors, or arrays, by name; see docs/file_format.md for names and shapes
        :param items: the ids of the items, in row order
        :param supports: how often each item occurs in the training data; without them, all items count the same
        :param seed: see :class:`GRU4Rec`
        :param threads: likewise
        :param parameters: those that cannot be inferred from the tensors; layers, gru_variant and embeddings can
        :raises ValueError: if a tensor is missing or of the wrong shape, or a parameter does not fit
        """
        from .torch_weights import from_torch

        model = from_torch(state_dict, items, supports, parameter_values.to_texts(parameters))
        return cls._from_model(model, seed, threads)

    def __getstate__(self) -> dict[str, Any]:
        fitted = None if self._fitted is None else self._fitted.parts()
        return {**self.__dict__, "_similar": None, "_fitted": fitted}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if state["_fitted"] is not None:
            self._fitted = _core.restore_model(*state["_fitted"])

    def __copy__(self) -> GRU4Rec:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._given = dict(self._given)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> GRU4Rec:
        return self.__copy__()  # a fitted model never changes, so copies share it


def _signature() -> inspect.Signature:
    """The signature of the constructor with all parameters, which scikit-learn and help() read."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**parameter_values.defaults, **_settings}.items()
    ]
    return inspect.Signature(parameters)


GRU4Rec.__signature__ = _signature()  # type: ignore[attr-defined]

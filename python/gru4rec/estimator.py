"""The model, with the conventions of scikit-learn."""

from __future__ import annotations

import inspect
import logging
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from . import _core, parameter_values
from .inputs import Columns, read
from .progress import ProgressBar

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    from .parameters import Parameters

    P = ParamSpec("P")

_log = logging.getLogger("gru4rec")

#: Settings that are not parameters of the model.
_settings = {"seed": 42, "threads": 0}

Recommendations = list[tuple[Any, float]]


class GradientNorm(NamedTuple):
    """The gradient of a table or a layer over the measured updates of an epoch, before `grad_cap`."""

    mean: float  #: of the Euclidean norms
    largest: float  #: of them
    updates: int  #: that were measured


@dataclass(frozen=True)
class Epoch:
    """What a callback gets after every epoch."""

    report: _core.EpochReport
    valid: Optional[_core.Evaluation]  #: of the validation data, if there are any and the epoch is complete
    model: GRU4Rec  #: as trained so far; for use within the callback only

    @property
    def epoch(self) -> int:
        """Counted from 1."""
        return self.report.epoch

    @property
    def loss(self) -> float:
        """The mean loss of the epoch."""
        return self.report.loss

    @property
    def learning_rate(self) -> float:
        """That of the epoch's updates, as lr_decay has made it."""
        return self.report.learning_rate

    @property
    def gradients(self) -> dict[str, GradientNorm]:
        """The norms of `output`, `input.0`, ... (tables), `layer.0`, ... and `all`; empty without `gradients_every`."""
        return {name: GradientNorm(*norm) for name, norm in self.report.gradients.items()}


#: Returns False to end training; None and True go on.
Callback = Callable[[Epoch], Optional[bool]]


def _arguments_of(
    train: Callable[Concatenate[GRU4Rec, Optional[_core.Model], P], GRU4Rec],
) -> Callable[[Callable[..., GRU4Rec]], Callable[Concatenate[GRU4Rec, P], GRU4Rec]]:
    """Gives a method the arguments of `train` but for the old model, for type checkers and help()."""
    signature = inspect.signature(train)
    public = [parameter for name, parameter in signature.parameters.items() if name != "old"]

    def decorate(method: Callable[..., GRU4Rec]) -> Callable[Concatenate[GRU4Rec, P], GRU4Rec]:
        method.__signature__ = signature.replace(parameters=public)  # type: ignore[attr-defined]
        return method

    return decorate


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"gru4rec: {name} = {value!r}, expected a whole number") from None


def _list(name: str, value: Any, example: str) -> list[Any]:
    if not isinstance(value, Iterable):
        raise TypeError(f"gru4rec: {name} = {value!r}, expected a list such as {example}")
    return list(value)


def _rules(ties: Union[str, Sequence[str]]) -> list[str]:
    return [ties] if isinstance(ties, str) else list(ties)


class GRU4Rec:
    """A GRU4Rec model of single precision.

    :param seed: of initial weights, negatives, dropout and random session order
    :param threads: at most so many; 0: one per core. Results do not depend on it
    :param parameters: those of docs/parameters.md. None stands for a parameter that is not set

    >>> model = GRU4Rec(layers=[64], n_epochs=2).fit([["tea", "milk"], ["tea", "sugar", "milk"]] * 100)
    >>> model.recommend(["tea"], 2)
    """

    def __init__(self, *, seed: int = 42, threads: int = 0, **parameters: Unpack[Parameters]) -> None:
        # What is given is kept as it is: scikit-learn's clone() compares it by identity.
        self._given: dict[str, Any] = {"seed": seed, "threads": threads, **parameters}
        self._fitted: Optional[_core.Model] = None
        self._similar: Optional[tuple[_core.Model, _core.SimilarItems]] = None
        self.best_epoch_: Optional[int] = None
        self._check(self._given)

    # Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters and settings by name. `deep` is there for scikit-learn and changes nothing."""
        return {**parameter_values.defaults, **_settings, **self._given}

    def set_params(self, **parameters: Any) -> GRU4Rec:
        """Sets parameters for the next fit. The model that is there stays as it is."""
        given = {**self._given, **parameters}
        self._check(given)
        self._given = given
        return self

    @property
    def seed(self) -> int:
        return int(self._given["seed"])

    @property
    def threads(self) -> int:
        return int(self._given["threads"])

    @staticmethod
    def _check(given: Mapping[str, Any]) -> None:
        _core.check_parameters(GRU4Rec._texts(given))
        if not 0 <= _whole("seed", given["seed"]) < 2**64:
            raise ValueError(f"gru4rec: seed = {given['seed']}, must satisfy 0 <= seed < 2^64")
        if _whole("threads", given["threads"]) < 0:
            raise ValueError(f"gru4rec: threads = {given['threads']}, must satisfy threads >= 0")

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
        if patience < 0:
            raise ValueError(f"gru4rec: patience = {patience}, must satisfy patience >= 0")
        if patience > 0 and valid is None:
            raise ValueError("gru4rec: patience needs valid, the data that epochs are compared on")
        cutoffs, callbacks = _list("cutoffs", cutoffs, "[20]"), _list("callbacks", callbacks, "[print]")
        columns = Columns(session_key, item_key, time_key, time_unit)
        model, train = self._begin(old, data, columns)
        valid_data = None if valid is None else self._test_data(valid, columns, model)
        with ProgressBar(progress, int(dict(model.parameters())["n_epochs"])) as bar:
            best_epoch, exception = _core.fit(
                model,
                train,
                self.seed,
                self.threads,
                gradients_every,
                bar.show if bar.is_shown else None,
                self._after_epoch(model, bar, callbacks),
                valid_data,
                patience,
                stop_metric,
                cutoffs,
                _rules(ties),
            )
        self._adopt(model)
        self.best_epoch_ = best_epoch or None
        if exception is not None:
            raise exception
        return self

    @_arguments_of(_train)
    def fit(self, *arguments: Any, **options: Any) -> GRU4Rec:
        """Trains a new model.

        Ctrl-C ends training after the current step and raises KeyboardInterrupt; the model can be used then.

        :param data: see :func:`gru4rec.inputs.read`
        :param y: ignored, for scikit-learn
        :param valid: data that the model is measured on after every epoch
        :param patience: ends training after so many epochs without improvement on `valid`, and restores the weights
            of the best epoch; 0: neither
        :param stop_metric: recall, mrr or ndcg, at the first cutoff and by the first rule for ties
        :param cutoffs: of the measurements on `valid`, as those of :meth:`evaluate`
        :param ties: likewise
        :param callbacks: called after every epoch
        :param gradients_every: n: measures the gradients of every n-th update, for `Epoch.gradients`; 0: of none.
            Measuring takes about as long as the update itself and changes no result
        :param progress: whether a bar is shown; None: on a terminal and in a notebook
        :param session_key: like `item_key`, `time_key` and `time_unit` a field of :class:`gru4rec.inputs.Columns`
        """
        return self._train(None, *arguments, **options)

    @_arguments_of(_train)
    def partial_fit(self, *arguments: Any, **options: Any) -> GRU4Rec:
        """Trains the model further on newer data, whose new items are appended. The optimiser starts fresh.

        Arguments are those of :meth:`fit`. Without a model it is the same. Until it returns, the old model goes on
        answering.
        """
        return self._train(self._fitted, *arguments, **options)

    def _begin(self, old: Optional[_core.Model], data: Any, columns: Columns) -> tuple[_core.Model, _core.Dataset]:
        """The model that is to be trained, and its training data."""
        train = read(data, columns)
        if train.n_pairs == 0:
            raise ValueError("no session has two events, so there is nothing to learn")
        _log.info("training on %d events of %d sessions, %d items", train.n_events, train.n_sessions, train.n_items)
        if old is None:
            return _core.Model(self._texts(self._given), train, self.seed), train
        model = old.extended(train, self._texts(self._given), self.seed)
        return model, _core.with_items(train, model)

    def _after_epoch(
        self, model: _core.Model, bar: ProgressBar, callbacks: Sequence[Callback]
    ) -> Callable[[_core.EpochReport, Optional[_core.Evaluation]], bool]:
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
            seen = Epoch(epoch, evaluation, self._with(model))
            # All are called, whatever one of them says.
            return all([callback(seen) is not False for callback in callbacks])

        return report

    def _adopt(self, model: _core.Model) -> None:
        self._similar = None
        self._fitted = model

    def _with(self, model: _core.Model) -> GRU4Rec:
        """The same parameters with another model."""
        other = self.__copy__()
        other._adopt(model)
        return other

    # Use

    @property
    def _model(self) -> _core.Model:
        if self._fitted is None:
            raise AttributeError("this GRU4Rec has no weights yet; call fit, or load a model file")
        return self._fitted

    @property
    def items_(self) -> list[Any]:
        """The ids of all items, in the order of the rows of the item tables."""
        return self._model.items()

    @property
    def supports_(self) -> list[int]:
        """How often each item occurs in the training data."""
        return self._model.supports()

    @property
    def n_items_(self) -> int:
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
        """Ranks all items at every position of every session.

        :param ties: how items count that score the same as the target: standard, conservative or median
        :param coverage: also measure what share of the items is in the lists, and how popular they are
        :param resamples: of sessions, for confidence intervals of this `level`; 0: none
        """
        cutoffs = _list("cutoffs", cutoffs, "[20]")
        model = self._model
        test = self._test_data(data, Columns(session_key, item_key, time_key, time_unit), model)
        return _core.evaluate(model, test, cutoffs, _rules(ties), self.threads, coverage, resamples, level, self.seed)

    @staticmethod
    def _test_data(data: Any, columns: Columns, model: _core.Model) -> _core.Dataset:
        test = read(data, columns, model)
        if test.n_pairs == 0:
            raise ValueError(
                "no predictions: no session has two events of items of the training data "
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
        """The n items most likely to come next, with their scores, the best first.

        Items that the model does not know are skipped. A session without known ones gets the most frequent items.

        :param exclude: items to leave out
        :param only: the only items that may be listed
        """
        return _core.recommend(self._model, session, n, exclude, only)

    def recommend_many(
        self,
        sessions: Iterable[Iterable[Any]],
        n: int = 20,
        *,
        exclude: Optional[Iterable[Iterable[Any]]] = None,
    ) -> list[Recommendations]:
        """What :meth:`recommend` returns for each of many sessions, in less time than one by one.

        :param exclude: for each session the items to leave out
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
        """The items whose output vectors have the largest cosines with that of an item.

        :raises KeyError: if the model does not know the item
        """
        model, kept = self._model, self._similar
        if kept is None or kept[0] is not model:  # another thread's fit may put another model in place at any moment
            kept = self._similar = model, _core.SimilarItems(model)
        return kept[1].find(item, n, exclude, only)

    def session(self, items: Iterable[Any] = ()) -> _core.Session:
        """The session of a visitor, which may have clicked items already."""
        session = _core.Session(self._model)
        for item in items:
            session.click(item)
        return session

    # Weights and files

    @property
    def weights_(self) -> dict[str, Any]:
        """The weights by the names of docs/file_format.md: read-only NumPy views, which keep the model alive."""
        return self._model.weights()

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the model file that the program writes as well. It appears as a whole or not at all."""
        self._model.save(Path(path))

    @classmethod
    def load(
        cls, path: Union[str, os.PathLike[str]], *, item_type: type = str, seed: int = 42, threads: int = 0
    ) -> GRU4Rec:
        """Reads a model file.

        :param item_type: str or int: what ids are, which the file does not say
        """
        if item_type not in (str, int):
            raise ValueError(f"gru4rec: item_type = {item_type!r}, expected str or int")
        if not _core.has_content_hash(Path(path)):
            _log.warning("%s has no content_hash, so it was not checked for damage", path)
        if _core.stored_dtype(Path(path)) == "F64":
            _log.warning("%s holds double precision, which is rounded to single", path)
        return cls._of(_core.Model.load(Path(path), item_type.__name__), seed, threads)

    @classmethod
    def _of(cls, model: _core.Model, seed: int, threads: int) -> GRU4Rec:
        texts = dict(model.parameters())
        given = {name: parameter_values.parse(name, text) for name, text in texts.items()}
        result = cls(seed=seed, threads=threads, **given)
        result._adopt(model)
        return result

    def to_torch(self) -> dict[str, Any]:
        """The weights as a state dict of PyTorch, under the names that the reference implementation uses."""
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
        """Makes a model of the weights of a PyTorch module.

        :param items: the ids of the items, in the order of the rows
        :param supports: how often each item occurs in the training data; without them all count the same
        :param parameters: what the tensors do not show; they show layers, gru_variant and embeddings
        """
        from .torch_weights import from_torch

        model = from_torch(state_dict, items, supports, parameter_values.to_texts(parameters))
        return cls._of(model, seed, threads)

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
    """Of the constructor, with all parameters: scikit-learn and help() ask for it."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**parameter_values.defaults, **_settings}.items()
    ]
    return inspect.Signature(parameters)


GRU4Rec.__signature__ = _signature()  # type: ignore[attr-defined]

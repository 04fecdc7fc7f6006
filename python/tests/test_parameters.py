"""Parameters are those of the library: names, defaults, checks and messages."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gru4rec import GRU4Rec, _core

from conftest import SMALL


def test_defaults_are_those_of_the_library() -> None:
    params = GRU4Rec().get_params()
    described = {name: default for name, default, _ in _core.describe_parameters()}
    assert set(params) == {*described, "seed", "threads"}
    assert params["layers"] == [100] and described["layers"] == "100"
    assert params["loss"] == described["loss"]
    assert params["n_sample"] == int(described["n_sample"])
    assert params["constrained_embedding"] is True
    assert params["learning_rate"] is None  # unset: it depends on the optimiser
    assert isinstance(params["momentum"], float) and isinstance(params["batch_size"], int)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"sample_alpha": 1.7}, "gru4rec: sample_alpha = 1.7, must satisfy 0 <= sample_alpha <= 1"),
        ({"layers": [100, 0]}, "gru4rec: layers = 0, must satisfy 1 <= units <= 65536"),
        ({"loss": "xe"}, "write loss=cross-entropy"),
        ({"n_samples": 3}, "did you mean n_sample?"),
        ({"loss": "bpr-max", "logq": 1.0}, "gru4rec: logq = 1, must satisfy logq = 0 with loss = bpr-max"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"threads": 2**40}, "threads = 1099511627776, must satisfy 0 <= threads <= 2147483647"),
        ({"threads": -1}, "threads = -1, must satisfy 0 <= threads <= 2147483647"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": "x"}, "gru4rec: seed = 'x', expected a whole number"),
        ({"threads": 1.5}, "gru4rec: threads = 1.5, expected a whole number"),
    ],
)
def test_errors_say_what_the_library_says(given: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError) as error:
        GRU4Rec(**given)  # type: ignore[arg-type]
    assert text in str(error.value)


def test_a_bad_parameter_changes_nothing() -> None:
    model = GRU4Rec(momentum=0.5)
    with pytest.raises(ValueError, match="momentum"):
        model.set_params(momentum=2)
    assert model.get_params()["momentum"] == 0.5


def test_numpy_numbers_and_tuples_are_values(tmp_path: Path) -> None:
    given: dict[str, Any] = {"layers": np.array([32, 16]), "batch_size": np.int32(8), "momentum": np.float32(0.5)}
    model = GRU4Rec(n_epochs=1, **given)
    model.fit([["a", "b", "c"]] * 20)
    model.save(tmp_path / "m")
    params = GRU4Rec.load(tmp_path / "m").get_params()
    assert (params["layers"], params["batch_size"], params["momentum"]) == ([32, 16], 8, 0.5)


def test_scikit_learn_clones_it() -> None:
    base = pytest.importorskip("sklearn.base")
    model = GRU4Rec(seed=3, **SMALL).fit([["a", "b"]] * 20)
    copy = base.clone(model)
    assert copy.get_params() == model.get_params()
    with pytest.raises(AttributeError, match="call fit"):
        copy.recommend(["a"])


def test_the_signature_names_every_parameter() -> None:
    names = list(inspect.signature(GRU4Rec).parameters)
    assert names[:2] == ["layers", "loss"] and "seed" in names


def test_fit_and_partial_fit_take_the_same_arguments() -> None:
    signature = inspect.signature(GRU4Rec.fit)
    assert signature == inspect.signature(GRU4Rec.partial_fit)
    assert list(signature.parameters)[:4] == ["self", "data", "y", "valid"]
    for train in (GRU4Rec().fit, GRU4Rec().partial_fit):
        with pytest.raises(TypeError, match="patient"):
            train([["a", "b"]], patient=1)  # type: ignore[call-arg]


def test_the_types_are_those_of_the_table() -> None:
    script = Path(__file__).parents[1] / "generate_parameters.py"
    spec = importlib.util.spec_from_file_location("generate_parameters", script)
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    import gru4rec.parameters as written

    assert Path(str(written.__file__)).read_text() == generator.text(), "run generate_parameters.py"


def test_parameters_of_a_loaded_model_are_those_it_was_trained_with(tmp_path: Path) -> None:
    model = GRU4Rec(layers=[8, 4], loss="bpr-max", adapt="adam", adapt_params=[0.9, 0.99], n_epochs=1,
                    embedding="layersize", constrained_embedding=False, final_act="elu-1")
    model.fit([["a", "b", "c"]] * 20).save(tmp_path / "m")
    given = {**model.get_params(), "learning_rate": None}
    assert GRU4Rec.load(tmp_path / "m").get_params() == given


def test_none_is_only_for_parameters_that_can_be_unset() -> None:
    assert GRU4Rec(learning_rate=None).get_params()["learning_rate"] is None
    with pytest.raises(ValueError, match="adapt = 'None', expected sgd, .*; write adapt=sgd"):
        GRU4Rec(adapt=None)
    with pytest.raises(ValueError, match="layers = 'None'"):
        GRU4Rec().set_params(layers=None)

"""Search spaces: JSON files with ranges of parameters, described in docs/tune.md#search-spaces."""
from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from typing import Any

import optuna
from errors import TuneError
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Parameters = dict[str, str]


@dataclass(frozen=True)
class SearchSpace:
    """Ranges of the searched parameters and values of the fixed ones, named and written as for `gru4rec train
    --params`."""

    fixed: Parameters
    ranges: dict[str, BaseDistribution]

    def suggest(self, trial: optuna.Trial) -> Parameters:
        """Lets Optuna choose a value for every parameter with a range."""
        return {name: as_text(_suggest(trial, name, values)) for name, values in self.ranges.items()}

    def with_fixed(self, parameters: Parameters) -> SearchSpace:
        """The same space with more fixed parameters, which are then not searched."""
        ranges = {name: values for name, values in self.ranges.items() if name not in parameters}
        return SearchSpace(self.fixed | parameters, ranges)

    def samples(self) -> list[Parameters]:
        """A few settings in which both ends of every range and all choices occur. The first is the defaults."""
        values = {name: _ends_or_choices(of) for name, of in self.ranges.items()}
        return [self.fixed] + [self.fixed | {name: as_text(some[min(index, len(some) - 1)])
                                             for name, some in values.items()}
                               for index in range(max(map(len, values.values())))]

    def describe(self) -> dict[str, Any]:
        """The space as values of JSON, for comparison with that of a study."""
        ranges = {name: json.loads(optuna.distributions.distribution_to_json(values))
                  for name, values in self.ranges.items()}
        return {"fixed": self.fixed, "space": ranges}


def as_text(value: Any) -> str:
    """A value as `--params` takes it. Lists become a/b/c, and 0.1 + 0.2 becomes 0.3, not 0.30000000000000004."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "/".join(map(as_text, value))
    return format(value, ".12g") if isinstance(value, float) else str(value)


def _suggest(trial: optuna.Trial, name: str, values: BaseDistribution) -> Any:
    if isinstance(values, IntDistribution):
        return trial.suggest_int(name, values.low, values.high, step=values.step, log=values.log)
    if isinstance(values, FloatDistribution):
        return trial.suggest_float(name, values.low, values.high, step=values.step, log=values.log)
    assert isinstance(values, CategoricalDistribution)
    return trial.suggest_categorical(name, values.choices)


def _ends_or_choices(values: BaseDistribution) -> list[Any]:
    if isinstance(values, CategoricalDistribution):
        return list(values.choices)
    assert isinstance(values, (IntDistribution, FloatDistribution))
    return [values.low, values.high]


def parse_parameters(text: str) -> Parameters:
    """`name=value,name=value`. The program checks names and values."""
    parameters: Parameters = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name or name in parameters:
            raise TuneError(f"--params: '{part}', expected name=value, each name once")
        parameters[name] = value
    return parameters


def listed(parameters: Parameters) -> str:
    """`name=value,name=value`, as `--params` takes it."""
    return ",".join(f"{name}={value}" for name, value in parameters.items())


def read_space(path: str) -> SearchSpace:
    """Reads a space. Raises TuneError, naming the file, the parameter and what was expected."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file, object_pairs_hook=_object)
    except OSError as error:
        raise TuneError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise TuneError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("space"), dict) or not content["space"]:
        raise TuneError(f"{path}: expected an object with an object 'space' of parameters and ranges")
    if unknown := content.keys() - {"source", "fixed", "space"}:
        raise TuneError(f"{path}: unknown entry '{min(unknown)}', expected source, fixed, space")
    fixed = content.get("fixed", {})
    if not isinstance(fixed, dict):
        raise TuneError(f"{path}: fixed: expected an object of parameters and values")
    if both := fixed.keys() & content["space"].keys():
        raise TuneError(f"{path}: '{min(both)}' is in fixed and in space")
    for name in (*fixed, *content["space"]):
        if not re.fullmatch("[a-z0-9_]+", name):
            raise TuneError(f"{path}: {name!r} is not the name of a parameter")
    ranges = {name: _distribution(f"{path}: {name}", values) for name, values in content["space"].items()}
    return SearchSpace({name: _value(f"{path}: {name}", value) for name, value in fixed.items()}, ranges)


def _object(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, which takes the last of several entries of one name unless they are refused."""
    content = dict(entries)
    if len(content) < len(entries):
        names = [name for name, _ in entries]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is given twice")
    return content


def _value(where: str, value: Any) -> str:
    """A value as text. Raises TuneError if the program would read more than a value in it."""
    text = as_text(value)
    if not text.isprintable() or re.search("[,=]", text):
        raise TuneError(f"{where}: {text!r} is not a value; lists are [200, 100], or \"200/100\"")
    return text


def _distribution(where: str, values: Any) -> BaseDistribution:
    """`{"choices": [...]}` or `{"low": a, "high": b}` with `step` or `log`; whole numbers if all of them are."""
    keys = set(values) if isinstance(values, dict) else set()
    if keys == {"choices"} and isinstance(values["choices"], list) and values["choices"]:
        # As text, since Optuna does not take lists, such as layers, as choices.
        return CategoricalDistribution([_value(where, choice) for choice in values["choices"]])
    if not {"low", "high"} <= keys or not keys <= {"low", "high", "step", "log"} or {"step", "log"} <= keys:
        raise TuneError(f"{where}: expected {{\"choices\": [...]}} or {{\"low\": a, \"high\": b}}, with \"step\" or "
                        "\"log\": true")
    numbers = [values[key] for key in ("low", "high", "step") if key in values]
    if not all(isinstance(number, (int, float)) and not isinstance(number, bool)
               and abs(number) <= sys.float_info.max  # false for NaN
               for number in numbers) or not isinstance(values.get("log", False), bool):
        raise TuneError(f"{where}: low, high and step must be numbers, log true or false")
    try:
        if all(isinstance(number, int) for number in numbers):
            return IntDistribution(values["low"], values["high"], log=values.get("log", False),
                                   step=values.get("step", 1))
        return FloatDistribution(values["low"], values["high"], log=values.get("log", False), step=values.get("step"))
    except ValueError as error:
        raise TuneError(f"{where}: {error}") from None


def built_in_spaces() -> dict[str, str]:
    """Files of the spaces that come with this program, by name."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spaces")
    return {name.removesuffix(".json"): os.path.join(folder, name) for name in sorted(os.listdir(folder))}

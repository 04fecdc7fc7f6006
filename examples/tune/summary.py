"""Summarises what a study found."""
from __future__ import annotations

import json
import shlex
import warnings
from typing import Any

import optuna
from errors import TuneError
from optuna.trial import FrozenTrial, TrialState
from search_space import as_text, listed
from study import FINISHED, not_ours, trials
from training import Setup

_SHOWN = 5


def summarise(study: optuna.Study, setup: Setup) -> dict[str, Any]:
    """Counts, defaults, the best trials, importances and commands.

    Raises TuneError if no trial is complete, or one is of another program.
    """
    complete = sorted(trials(study, TrialState.COMPLETE), key=lambda trial: (-trial.values[0], trial.number))
    if not complete:
        raise TuneError(f"--study: no trial of '{study.study_name}' is complete yet")
    for trial in complete:
        if not isinstance(trial.user_attrs.get("best_epoch"), int):
            raise not_ours(study, f"its trial {trial.number} has no attribute 'best_epoch', so something else did it")
    described = study.user_attrs["setup"]
    defaults = next((trial for trial in complete if trial.user_attrs.get("defaults")), None)
    best = complete[0]
    return {
        "study": study.study_name,
        "metric": described["metric"],
        "trials": {state.name.lower(): len(trials(study, state)) for state in TrialState},
        "diverged": sum(trial.user_attrs.get("diverged", False) for trial in trials(study, TrialState.PRUNED)),
        "epochs": sum(len(trial.intermediate_values) for trial in trials(study, *FINISHED)),
        "epochs_without_pruning": sum(trial.user_attrs.get("n_epochs", 0) for trial in trials(study, *FINISHED)),
        "defaults": defaults.values[0] if defaults else None,
        "best": [_entry(trial) for trial in complete[:_SHOWN]],
        "importances": _importances(study, list(described["space"])),
        "command": shlex.join(setup.command(_parameters(described["fixed"], best))),
    }


def _entry(trial: FrozenTrial) -> dict[str, Any]:
    return {"trial": trial.number, "value": trial.values[0], "best_epoch": trial.user_attrs["best_epoch"],
            "defaults": trial.user_attrs.get("defaults", False), "params": texts_of(trial)}


def texts_of(trial: FrozenTrial) -> dict[str, str]:
    """The parameters that were chosen for a trial, as `--params` takes them."""
    return {name: as_text(value) for name, value in trial.params.items()}


def _parameters(fixed: dict[str, str], trial: FrozenTrial) -> dict[str, str]:
    """All parameters of a trial, with the best epoch as n_epochs: training for that many epochs gives its weights."""
    return fixed | texts_of(trial) | {"n_epochs": str(trial.user_attrs["best_epoch"])}


def _importances(study: optuna.Study, names: list[str]) -> dict[str, Any]:
    """How much each parameter tells good complete trials from the others, as shares; none if there are too few trials.
    `rough`: part of the range of a parameter has fewer than two trials."""
    if sum(bool(trial.params) for trial in trials(study, TrialState.COMPLETE)) < 2:
        return {"shares": {}, "rough": True}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shares = optuna.importance.get_param_importances(study, params=names)
    return {"shares": shares, "rough": any("less than 2 trials" in str(warning.message) for warning in caught)}


def as_lines(summary: dict[str, Any]) -> str:
    """The summary as text for people."""
    metric, counts = summary["metric"], summary["trials"]
    lines = [f"study {summary['study']}: {counts['complete']} trials complete, {counts['pruned']} pruned"
             f" ({summary['diverged']} diverged), {counts['fail']} cut short, {counts['running']} running",
             f"{summary['epochs']} epochs of {summary['epochs_without_pruning']} were trained"
             + ", the others pruned" * (summary["epochs"] < summary["epochs_without_pruning"]), ""]
    if summary["defaults"] is not None:
        lines += [f"{metric} of the defaults: {summary['defaults']:.6f}"]
    lines += [f"{'trial':>7}  {metric:<10}  epoch  parameters"]
    for entry in summary["best"]:
        lines += [f"{entry['trial']:>7}  {entry['value']:<10.6f}  {entry['best_epoch']:>5}  "
                  f"{'defaults' if entry['defaults'] else listed(entry['params'])}"]
    importances = summary["importances"]
    lines += ["", "importance of the parameters, among complete trials" + (", a rough guess" * importances["rough"])]
    lines += [f"{share:>7.2f}  {name}" for name, share in importances["shares"].items()] or ["  too few trials"]
    return "\n".join([*lines, "", "the best, again:", "  " + summary["command"]])


def as_json(summary: dict[str, Any]) -> str:
    """The summary as JSON, for programs."""
    return json.dumps(summary, indent=2)

"""The study in a database: opening it, what its trials may not differ in, and how many are left to do."""
from __future__ import annotations

import hashlib
import re
import time
import warnings
from typing import Any

import optuna
from errors import TuneError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from search_space import SearchSpace
from sqlalchemy.exc import SQLAlchemyError
from training import Setup

# Heartbeats are marked as experimental, in every process anew.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
# The worker prints a line for each trial, and the message of an error without the way to it.
optuna.logging.set_verbosity(optuna.logging.ERROR)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_GRACE = 6  # heartbeats that may fail to come before a trial is given to another worker
_RETRIES = 3
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.5


def retry(times: int | None = _RETRIES) -> RetryHeartbeatStaleTrialCallback:
    """Puts a trial that was cut short into the queue again, with its parameters. None: however often it was."""
    return RetryHeartbeatStaleTrialCallback(max_retry=times)


def open_storage(url: str, heartbeat: int) -> RDBStorage:
    """A database by its URL, as SQLAlchemy takes it."""
    # SQLite has one writer at a time: the others wait. A server may close connections that rest for hours.
    engine = {"connect_args": {"timeout": 120}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return RDBStorage(url, engine_kwargs=engine, heartbeat_interval=heartbeat,
                              grace_period=grace_seconds(heartbeat), heartbeat_stale_trial_callback=retry())
        except (SQLAlchemyError, ImportError) as error:
            message = str(error).splitlines()[0]
            # Another worker makes the tables of a new database at the same moment.
            if attempt == _ATTEMPTS or not re.search("already exists|unique constraint", message, re.IGNORECASE):
                raise TuneError(f"--storage: {hidden_password(url)}: {message}") from None
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable")


def grace_seconds(heartbeat: int) -> int:
    """After which a worker without heartbeats is taken to be dead."""
    return _GRACE * heartbeat


def hidden_password(url: str) -> str:
    """A URL that can be shown."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{user.split(':')[0]}{at}{place}" if at else url


def load_study(storage: RDBStorage, name: str, sampler: optuna.samplers.BaseSampler | None = None,
               pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    """Raises TuneError if the study is not there."""
    try:
        return optuna.load_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
    except KeyError:
        known = ", ".join(optuna.get_all_study_names(storage)) or "none"
        raise TuneError(f"--study: there is no study '{name}' in {hidden_password(storage.url)}; it has: "
                        f"{known}") from None


def begin(storage: RDBStorage, name: str, space: SearchSpace, setup: Setup) -> optuna.Study:
    """Makes the study, with the defaults as first trial; or compares what its trials have in common.

    Raises TuneError if the study is one of other data, ranges or options.
    """
    described = describe(space, setup)
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
    except optuna.exceptions.DuplicatedStudyError:
        study = load_study(storage, name)
        before = study_setup(study)
        for key, value in described.items():
            if before.get(key) != value:
                raise TuneError(f"--study: the study '{name}' was begun with {key} {_short(before.get(key))}, now it "
                                f"is {_short(value)}: give what was given then, or another --study") from None
        return study
    study.enqueue_trial({}, user_attrs={"defaults": True})
    study.set_user_attr("setup", described)
    return study


def study_setup(study: optuna.Study) -> dict[str, Any]:
    """What the study was begun with. Waits for the process that begins it at this moment."""
    for _ in range(_ATTEMPTS):
        if setup := study.user_attrs.get("setup"):
            return dict(setup)
        time.sleep(_PAUSE_SECONDS)
    raise TuneError(f"--study: the study '{study.study_name}' was not begun by `tune.py run`, or that was killed at "
                    "once: give another --study")


def describe(space: SearchSpace, setup: Setup) -> dict[str, Any]:
    """As JSON stores it. Files may have other names on other machines, so their contents are compared."""
    return space.describe() | {"metric": setup.metric, "seed": setup.seed, "options": setup.more,
                               "training data": _digest(setup.train), "validation data": _digest(setup.valid)}


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TuneError(f"{path}: {error.strerror}") from None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 300 else text[:300] + "..."


def trials(study: optuna.Study, *states: TrialState) -> list[optuna.trial.FrozenTrial]:
    """Trials in some states, in order."""
    return study.get_trials(deepcopy=False, states=states)

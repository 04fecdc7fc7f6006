"""The study in a database: opening it, and checking that a command fits it."""
from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
import time
import warnings
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import optuna
from errors import TuneError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from search_space import SearchSpace
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError
from training import Setup

# Optuna warns in every process that heartbeats are experimental.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
# The worker prints a line for each trial; errors are printed without a traceback.
optuna.logging.set_verbosity(optuna.logging.ERROR)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_GRACE_HEARTBEATS = 6  # missing heartbeats after which a trial is given to another worker
_RETRIES = 3  # of a trial whose workers were killed
# How often, and how long apart, to look again while another worker creates the database or the study.
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.5
# Keys and types of what describe() returns.
_SETUP = {"fixed": dict, "space": dict, "metric": str, "seed": int, "options": list, "training data": str,
          "validation data": str}


def retry(times: int | None = _RETRIES) -> RetryHeartbeatStaleTrialCallback:
    """Puts a trial that was cut short back into the queue with its parameters, at most `times` times; None: always."""
    return RetryHeartbeatStaleTrialCallback(max_retry=times)


class Storage(RDBStorage):
    """A database that knows whether a heartbeat of the current trial has reached it: `has_heartbeat`.

    In SQLite, Optuna reads whether a trial waits and then marks it as running, so two workers could take the same one.
    Here the transaction locks the database before it reads.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_heartbeat = threading.Event()
        self._thread = threading.local()  # the heartbeats have transactions of their own
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "begin", self._begin)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        self._thread.takes_trial = state == TrialState.RUNNING
        try:
            return super().set_trial_state_values(trial_id, state, values)
        finally:
            self._thread.takes_trial = False

    def _begin(self, connection: Connection) -> None:
        if getattr(self._thread, "takes_trial", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def record_heartbeat(self, trial_id: int) -> None:
        super().record_heartbeat(trial_id)
        self.has_heartbeat.set()


def open_storage(url: str, heartbeat: int | None = None) -> Storage:
    """Opens the database at a URL of SQLAlchemy, for a worker with the seconds between its heartbeats.

    Raises TuneError if that fails.
    """
    if _sqlite_file(url) in ("", ":memory:"):
        raise TuneError(f"--storage: {hidden_password(url)}: a study in memory is lost at the end; expected "
                        "sqlite:///FILE")
    # SQLite has one writer at a time; the others wait. A server may close connections that are idle for hours.
    engine = {"connect_args": {"timeout": 120}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return Storage(url, engine_kwargs=engine, heartbeat_interval=heartbeat,
                           grace_period=heartbeat and grace_seconds(heartbeat), heartbeat_stale_trial_callback=retry())
        except (SQLAlchemyError, ImportError, RuntimeError, ValueError, TypeError) as error:
            # A RuntimeError is of tables of another Optuna, the last two are of parameters in the URL.
            message = str(error).splitlines()[0].replace(url, hidden_password(url))
            # Another worker may be creating the tables of a new database at the same moment.
            if attempt == _ATTEMPTS or not re.search("already exists|unique constraint", message, re.IGNORECASE):
                raise TuneError(f"--storage: {hidden_password(url)}: {message}") from None
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError("unreachable")


def require_database(url: str) -> None:
    """Raises TuneError if the URL is that of an SQLite file which does not exist; opening it would create it."""
    file = _sqlite_file(url)
    if file and not os.path.exists(file):
        raise TuneError(f"--storage: {hidden_password(url)}: there is no file '{file}'")


def _sqlite_file(url: str) -> str | None:
    """The file in a URL of SQLite, empty or `:memory:` if it is in memory; None for other databases."""
    try:
        parts = make_url(url)
    except (SQLAlchemyError, ValueError):
        return None  # opening it tells why
    if parts.get_backend_name() != "sqlite":
        return None
    file = parts.database or ""
    if "uri" not in parts.query:
        return file
    return "" if parts.query.get("mode") == "memory" else unquote(file.removeprefix("file:"))


def grace_seconds(heartbeat: int) -> int:
    """How long a worker may be silent before it is taken to be dead."""
    return _GRACE_HEARTBEATS * heartbeat


def hidden_password(url: str) -> str:
    """A URL without its passwords, which are before the last @ or in parameters of the query."""
    shown = re.sub(r"://([^:/?]*):.*@", r"://\1@", url, count=1, flags=re.DOTALL)
    return re.sub(r"([?&])([^=&]*)=[^&]*", _hidden_parameter, shown)


def _hidden_parameter(parameter: re.Match[str]) -> str:
    is_secret = re.search("pass|pwd|secret|token", unquote(parameter[2]), re.IGNORECASE)
    return f"{parameter[1]}{parameter[2]}=***" if is_secret else parameter[0]


def load_study(storage: Storage, name: str, sampler: optuna.samplers.BaseSampler | None = None,
               pruner: optuna.pruners.BasePruner | None = None) -> optuna.Study:
    """Loads a study. Raises TuneError if the database does not have it."""
    try:
        return optuna.load_study(storage=storage, study_name=name, sampler=sampler, pruner=pruner)
    except KeyError:
        known = ", ".join(optuna.get_all_study_names(storage)) or "none"
        raise TuneError(f"--study: there is no study '{name}' in {hidden_password(storage.url)}, which has: "
                        f"{known}") from None


def begin(storage: Storage, name: str, described: dict[str, Any]) -> optuna.Study:
    """Creates the study that `describe` described, with the defaults as first trial, or loads it.

    Raises TuneError if it was begun with other data, ranges or options.
    """
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
    except optuna.exceptions.DuplicatedStudyError:
        study = load_study(storage, name)
        require_same(study, described)
        return study
    study.enqueue_trial({}, user_attrs={"defaults": True})
    study.set_user_attr("setup", described)
    return study


def require_same(study: optuna.Study, described: dict[str, Any]) -> None:
    """Raises TuneError if the study was begun with something else than is described."""
    before = study_setup(study)
    for key, value in described.items():
        if before.get(key) != value:
            raise TuneError(f"--study: the study '{study.study_name}' was begun with {key} {_short(before.get(key))}, "
                            f"now it is {_short(value)}: use the same options as then, or another --study") from None


def study_setup(study: optuna.Study) -> dict[str, Any]:
    """What the study was begun with. Waits if another process is just beginning it.

    Raises TuneError if it is not a study of this program.
    """
    if study.directions != [optuna.study.StudyDirection.MAXIMIZE]:
        raise not_ours(study, "it does not maximise one value")
    for _ in range(_ATTEMPTS):
        if (setup := study.user_attrs.get("setup")) is not None:
            break
        time.sleep(_PAUSE_SECONDS)
    else:
        raise not_ours(study, "it has no attribute 'setup', so something else began it, or `tune.py run` was killed at "
                       "once")
    if not isinstance(setup, dict):
        raise not_ours(study, "its attribute 'setup' is of something else")
    for key, kind in _SETUP.items():
        if not isinstance(setup.get(key), kind):
            raise not_ours(study, f"its attribute 'setup' has no {key} as this version writes it")
    return setup


def not_ours(study: optuna.Study, why: str) -> TuneError:
    """The error for a study that another program made, or that has a trial of another program."""
    return TuneError(f"--study: cannot use the study '{study.study_name}': {why}; give another --study")


def describe(space: SearchSpace, setup: Setup) -> dict[str, Any]:
    """What must not change during a study, as values of JSON. Data files are described by their contents, since other
    machines may have them under other names."""
    return space.describe() | describe_setup(setup)


def describe_setup(setup: Setup) -> dict[str, Any]:
    return {"metric": setup.metric, "seed": setup.seed, "options": setup.train_options,
            "training data": _digest(setup.train), "validation data": _digest([setup.valid])}


def _digest(paths: list[str]) -> str:
    digests = [_digest_of_file(file) for path in paths for file in _files_of(path)]
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _files_of(path: str) -> list[str]:
    """The files that the program reads for a path: a folder's files by name, without hidden ones."""
    if not os.path.isdir(path):
        return [path]
    try:
        with os.scandir(path) as entries:
            files = sorted((entry.path for entry in entries if entry.is_file() and not entry.name.startswith(".")),
                           key=os.fsencode)
    except OSError as error:
        raise TuneError(f"{path}: {error.strerror}") from None
    if not files:
        raise TuneError(f"{path}: the folder holds no files")
    return files


def _digest_of_file(path: str) -> str:
    try:
        if path == "-" or not stat.S_ISREG(os.stat(path).st_mode):
            raise TuneError(f"{path}: every training run reads the data again, so they must be in files")
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TuneError(f"{path}: {error.strerror}") from None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 300 else text[:300] + "..."


def trials(study: optuna.Study, *states: TrialState) -> list[optuna.trial.FrozenTrial]:
    """Trials in any of these states, in order."""
    return study.get_trials(deepcopy=False, states=states)

"""A worker: takes trials of a study until enough are finished."""
from __future__ import annotations

import sys
import time

import optuna
from optuna.exceptions import TrialPruned, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from search_space import SearchSpace, listed
from stopping import check
from study import FINISHED, Storage, retry, trials
from summary import texts_of
from training import Diverged, Setup, epochs

_WAIT_SECONDS = 0.5


class Worker:
    """Runs one trial after another, each with its own parameters."""

    def __init__(self, study: optuna.Study, storage: Storage, space: SearchSpace, setup: Setup,
                 grace_seconds: int, place: int = 0) -> None:
        """:param place: among the workers of the same command, from 0"""
        self._study = study
        self._storage = storage
        self._space = space
        self._setup = setup
        self._grace_seconds = grace_seconds
        self._place = place
        self._number = -1  # of the trial that is running here; -1: none
        self._lost = False  # whether that trial was given to another worker meanwhile
        self._first_seen: dict[int, float] = {}  # by number of the trial, when it was first seen running

    def work(self, n_trials: int) -> None:
        """Works until n_trials of the study are finished, by any worker. A few more are finished if workers take their
        last trials at the same moment. Raises KeyboardInterrupt after a signal."""
        has_waited = False
        while True:
            # Before counting, so that trials whose worker was killed do not count as running.
            optuna.storages.fail_stale_trials(self._study)
            self._fail_trials_without_worker()
            n_finished = len(trials(self._study, *FINISHED))
            if n_finished >= n_trials:
                return
            check()
            n_left = n_trials - n_finished - len(trials(self._study, TrialState.RUNNING))
            if n_left <= 0:
                time.sleep(_WAIT_SECONDS)  # running trials that fail are repeated, perhaps here
                continue
            if n_left == 1 and self._place > 0 and not has_waited:
                time.sleep(_WAIT_SECONDS * self._place)  # so that one of the workers takes the last trial, not all
                has_waited = True
                continue
            has_waited = False
            self._next_trial()

    def _fail_trials_without_worker(self) -> None:
        """Fails trials whose worker was killed before its first heartbeat; Optuna would wait for them forever."""
        now = time.monotonic()
        for trial in trials(self._study, TrialState.RUNNING):
            first_seen = self._first_seen.setdefault(trial.number, now)
            begun = trial.user_attrs.get("begun") == trial.number  # a repeated trial inherits the mark of the first one
            if not begun and now - first_seen > self._grace_seconds:
                retry()(self._study, self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True))

    def _next_trial(self) -> None:
        """Runs one trial. After a signal the trial goes back to the queue."""
        self._lost, self._number = False, -1
        self._storage.has_heartbeat.clear()
        try:
            self._study.optimize(self._objective, n_trials=1, callbacks=[self._print_result])
        except (UpdateFinishedTrialError, ValueError):
            if not self._lost:
                raise
            print(f"trial {self._number}: this process was suspended, so another worker took it over", file=sys.stderr)
        except KeyboardInterrupt:
            if self._number >= 0:
                cut_short = self._study.get_trials()[self._number]
                if cut_short.state == TrialState.FAIL:
                    retry(times=None)(self._study, cut_short)
            raise

    def _objective(self, trial: optuna.Trial) -> float:
        self._number = trial.number
        try:
            # Optuna's heartbeats come from another thread, perhaps later. Until the first one arrives, the lack of this
            # mark shows other workers that nobody may be working on the trial.
            if self._has_heartbeat():
                trial.set_user_attr("begun", trial.number)
            return self._train(trial)
        except UpdateFinishedTrialError:
            self._lost = True
            raise

    def _has_heartbeat(self) -> bool:
        """Waits for the first heartbeat of the trial; false if it does not arrive."""
        end = time.monotonic() + self._grace_seconds
        while not (arrived := self._storage.has_heartbeat.wait(_WAIT_SECONDS)) and time.monotonic() < end:
            check()
        return arrived

    def _train(self, trial: optuna.Trial) -> float:
        """Trains with the parameters of a trial. Returns the metric of the best epoch."""
        is_default = trial.user_attrs.get("defaults", False)
        parameters = self._space.fixed | ({} if is_default else self._space.suggest(trial))
        best, best_epoch = -1.0, 0
        try:
            with epochs(self._setup, parameters) as done:
                for epoch in done:
                    if epoch.value > best:
                        best, best_epoch = epoch.value, epoch.number
                    trial.report(epoch.value, epoch.number)
                    trial.set_user_attr("n_epochs", epoch.n_epochs)
                    # The defaults are never pruned, since the other trials are compared with them.
                    if epoch.number < epoch.n_epochs and not is_default and trial.should_prune():
                        raise TrialPruned(f"after epoch {epoch.number} of {epoch.n_epochs}")
        except Diverged:
            trial.set_user_attr("diverged", True)
            raise TrialPruned("training diverged") from None
        trial.set_user_attr("best_epoch", best_epoch)
        return best

    def _print_result(self, _: optuna.Study, trial: FrozenTrial) -> None:
        """Prints a line for each trial."""
        chosen = "defaults" if trial.user_attrs.get("defaults") else listed(texts_of(trial))
        last = f"epoch {len(trial.intermediate_values)}/{trial.user_attrs.get('n_epochs', '?')}"
        if trial.user_attrs.get("diverged"):
            result = f"diverged after {last}"
        elif trial.state == TrialState.PRUNED:
            result = f"pruned after {last}"
        else:
            result = f"{self._setup.metric} {trial.values[0]:.6f}"
        print(f"trial {trial.number:>3}  {result:<24}  {chosen}", flush=True)

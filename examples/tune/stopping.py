"""Ctrl-C and SIGTERM. An exception in the middle of a commit leaves Optuna and SQLite in disorder, so a signal only
stops the program that trains, and the worker ends where `check` is called."""
from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

STOPPED = 128 + signal.SIGINT  # the status that shells report for a program that Ctrl-C ended
MESSAGE = "tune.py: stopped; run the same command again to continue the study"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# `timeout` sends its signal twice; only what comes later than this is a second request.
_SAME_REQUEST_SECONDS = 1.0


class _State:
    """Of this process, since signals are of a process, too."""

    requested_at: float | None = None
    stop_program: Callable[[], None] | None = None


def watch() -> None:
    """From now on the first signal asks this process to stop, and a later one ends it and its workers at once."""
    for number in _SIGNALS:
        signal.signal(number, _stop_or_exit)


def watch_as_worker() -> None:
    """Like `watch`, but every signal only asks: a worker may get that of a terminal as well as that of its parent.

    The death of the parent counts as a signal. Signals must be blocked until here: `blocked`.
    """
    for number in _SIGNALS:
        signal.signal(number, _stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_stop_after_parent, daemon=True).start()


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Processes that start in this block get no signals until `watch_as_worker`, so none while they import."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def check() -> None:
    """Raises KeyboardInterrupt if this process was asked to stop."""
    if _State.requested_at is not None:
        raise KeyboardInterrupt


@contextlib.contextmanager
def stopping(stop_program: Callable[[], None]) -> Iterator[None]:
    """Calls `stop_program` when a signal arrives during the block. Raises KeyboardInterrupt if one did before."""
    _State.stop_program = stop_program
    try:
        check()
        yield
    finally:
        _State.stop_program = None


def _stop(*_: object) -> None:
    _State.requested_at = _State.requested_at or time.monotonic()
    if _State.stop_program is not None:
        _State.stop_program()


def _stop_or_exit(*_: object) -> None:
    if _State.requested_at is None or time.monotonic() - _State.requested_at < _SAME_REQUEST_SECONDS:
        _stop()
        return
    for worker in multiprocessing.active_children():
        worker.kill()
    os.write(2, f"{MESSAGE}\n".encode())  # print fails if the signal came in the middle of another print
    os._exit(STOPPED)


def _stop_after_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    signal.pthread_kill(main_thread, signal.SIGTERM)  # to this thread it would not end a read in the other

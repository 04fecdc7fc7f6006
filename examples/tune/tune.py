#!/usr/bin/env python3
"""Searches for good parameters for `gru4rec train` with Optuna: docs/tune.md.

    tune.py run TRAIN... VALID --space cross-entropy --params layers=100,n_epochs=5 --trials 30 --workers 2
    tune.py summary TRAIN... VALID
"""
from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import Any

import optuna
from errors import TuneError
from optuna.exceptions import StorageInternalError
from search_space import SearchSpace, built_in_spaces, parse_parameters, read_space
from stopping import MESSAGE, STOPPED, blocked, check, watch, watch_as_worker
from study import (
    begin,
    describe,
    describe_setup,
    grace_seconds,
    hidden_password,
    load_study,
    open_storage,
    require_database,
    require_same,
    study_setup,
)
from summary import as_json, as_lines, summarise
from training import Setup, require_parameters
from worker import Worker

PRUNERS = {
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5),
    "halving": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "none": optuna.pruners.NopPruner,
}
# Options of `gru4rec train`, with the option of this program that sets them.
OWN_OPTIONS = {"--params": "--params", "--param-file": "--params", "--valid": "VALID", "--measure": "--metric",
               "--threads": "--threads", "--seed": "--seed"}
# Options that write a file, or are of no use without it.
FILE_OPTIONS = ("--save", "--checkpoint", "--resume", "--report", "--log-steps", "--ranks")
STORAGE_VARIABLE = "GRU4REC_TUNE_STORAGE"
_WAIT_SECONDS = 0.2  # between looks for a signal
OUTPUT_CLOSED = 128 + signal.SIGPIPE  # the status that shells report for a program that SIGPIPE ended


def main(arguments: list[str]) -> int:
    try:
        require_utf8([*arguments, os.environ.get(STORAGE_VARIABLE, "")])
        options = read_options(arguments)
        do: Callable[[argparse.Namespace], int] = options.do
        status = do(options)
        sys.stdout.flush()
        return status
    except (TuneError, StorageInternalError) as error:
        print(f"tune.py: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(MESSAGE, file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        discard_output()
        return OUTPUT_CLOSED
    except OSError as error:
        discard_output()
        print(f"tune.py: {one_line(error)}", file=sys.stderr)
        return 1


def require_utf8(texts: list[str]) -> None:
    """Raises TuneError if a text is not UTF-8, since output and databases are."""
    for text in texts:
        if not text.isascii() and text != text.encode(errors="replace").decode():
            shown = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
            raise TuneError(f"'{hidden_password(shown)}' is not valid UTF-8")


def read_options(arguments: list[str]) -> argparse.Namespace:
    ours, train_options = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        ours, train_options = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(prog="tune.py", description=__doc__.splitlines()[0],
                                     epilog="Options after -- go to `gru4rec train`: -- --item-key product.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="begin a study, or continue it")
    summary = commands.add_parser("summary", help="print what a study found")
    for command in (run, summary):
        add_common_options(command)
    add_run_options(run)
    run.set_defaults(do=do_run)
    summary.add_argument("--json", action="store_true", help="as JSON")
    summary.set_defaults(do=do_summary)
    options = parser.parse_args(ours)
    options.train_options = train_options
    require_only_data_options(train_options)
    return options


def require_only_data_options(train_options: list[str]) -> None:
    """Raises TuneError if an option after -- is one that this program gives itself, or writes a file, which every
    training run would overwrite."""
    for option in train_options:
        name = option.partition("=")[0]
        if name in OWN_OPTIONS:
            raise TuneError(f"{name} after --: use {OWN_OPTIONS[name]} of tune.py instead")
        if name in FILE_OPTIONS:
            raise TuneError(f"{name} after --: every training run would write the same file")


def add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("train", nargs="+", metavar="TRAIN", help="training data: files, or folders of files")
    parser.add_argument("valid", metavar="VALID",
                        help="validation data, on which every epoch is measured: a file, or a folder of files")
    parser.add_argument("--storage", default=os.environ.get(STORAGE_VARIABLE, "sqlite:///tune.db"),
                        help=f"URL of the database (default: ${STORAGE_VARIABLE}, or sqlite:///tune.db)")
    parser.add_argument("--study", default="gru4rec", help="name of the study (default: gru4rec)")
    parser.add_argument("--program", default="gru4rec", help="the program (default: gru4rec)")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--heartbeat", type=at_least(1, 86400), default=10, metavar="SECONDS",
                        help="how often workers report that they are alive (default: 10); after 6 missing reports, "
                             "another worker takes over the trial")
    parser.add_argument("--space", default="cross-entropy", metavar="NAME",
                        help=f"{', '.join(built_in_spaces())}, or a JSON file (default: cross-entropy)")
    parser.add_argument("--params", default="", metavar="LIST",
                        help="parameters as in `gru4rec train`; these are not searched")
    parser.add_argument("--trials", type=at_least(1), default=30, metavar="N",
                        help="finished trials of the study, by all workers together (default: 30)")
    parser.add_argument("--workers", type=at_least(1), default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--threads", type=at_least(1), metavar="N",
                        help="threads of each training run (default: cores divided by workers)")
    parser.add_argument("--metric", default="MRR@20", help="Recall@N, MRR@N or NDCG@N (default: MRR@20)")
    parser.add_argument("--pruner", choices=PRUNERS, default="median",
                        help="which training runs are stopped early (default: median)")
    parser.add_argument("--seed", type=at_least(0), default=42, metavar="N",
                        help="seed of every training run (default: 42)")
    parser.add_argument("--sampler-seed", type=at_least(0, 2**32 - 1), metavar="N",
                        help="seed for choosing parameters; reproducible with one worker")


def at_least(least: int, most: int = 2**63 - 1) -> Any:
    """A type for argparse: whole numbers from `least` to `most`."""
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"'{text}', expected a whole number, {least} or more")
        if int(text) > most:
            raise argparse.ArgumentTypeError(f"'{text}', expected at most {most}")
        return int(text)
    return number


def setup_of(options: argparse.Namespace, metric: str, seed: int, threads: int = 1) -> Setup:
    """What all trials have in common. `threads` does not matter for a summary."""
    if not re.fullmatch("(Recall|MRR|NDCG)@[1-9][0-9]*", metric):
        raise TuneError(f"--metric: '{metric}', expected Recall@N, MRR@N or NDCG@N")
    return Setup(options.program, options.train, options.valid, metric, seed, threads, options.train_options)


def space_of(options: argparse.Namespace) -> SearchSpace:
    """The search space, without the parameters given by --params."""
    space = read_space(built_in_spaces().get(options.space, options.space)).with_fixed(parse_parameters(options.params))
    if not space.ranges:
        raise TuneError(f"--params: all parameters of the space {options.space} are given, so none is left to search")
    return space


def do_run(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, interrupt)
    options.threads = options.threads or max(1, (os.cpu_count() or 1) // options.workers)
    setup, space = setup_of(options, options.metric, options.seed, options.threads), space_of(options)
    require_parameters(setup, space)
    described = describe(space, setup)  # takes long if the data are large
    storage = open_storage(options.storage, options.heartbeat)
    watch()
    study = begin(storage, options.study, described)
    workers = f"{options.workers} worker" + "s" * (options.workers != 1)
    print(f"study {options.study} in {hidden_password(options.storage)}: {workers}", flush=True)
    if options.workers == 1:
        work(options, space, setup, 0)
    else:
        run_workers(options, space, setup)
    print(as_lines(summarise(study, setup)))
    return 0


def work(options: argparse.Namespace, space: SearchSpace, setup: Setup, number: int) -> None:
    """What worker `number` does."""
    seed = None if options.sampler_seed is None else (options.sampler_seed + number) % 2**32
    storage = open_storage(options.storage, options.heartbeat)
    study = load_study(storage, options.study, optuna.samplers.TPESampler(seed=seed), PRUNERS[options.pruner]())
    Worker(study, storage, space, setup, grace_seconds(options.heartbeat), number).work(options.trials)


def work_in_process(options: argparse.Namespace, space: SearchSpace, setup: Setup, number: int) -> None:
    """`work` in a process of its own, whose exit status tells how it ended."""
    watch_as_worker()
    try:
        work(options, space, setup, number)
    except (TuneError, StorageInternalError) as error:
        sys.exit(f"tune.py: worker {number}: {one_line(error)}")
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    except BrokenPipeError:
        discard_output()
        sys.exit(OUTPUT_CLOSED)
    except OSError as error:
        discard_output()
        sys.exit(f"tune.py: worker {number}: {one_line(error)}")


def run_workers(options: argparse.Namespace, space: SearchSpace, setup: Setup) -> None:
    """Runs the workers as processes and waits for them.

    Raises TuneError if all of them ended before the trials were done, BrokenPipeError if one could not print,
    KeyboardInterrupt after a signal.
    """
    context = multiprocessing.get_context("spawn")  # connections to databases do not survive a fork
    workers = [context.Process(target=work_in_process, args=(options, space, setup, number))
               for number in range(options.workers)]
    multiprocessing.resource_tracker.ensure_running()  # its start would end `blocked`
    try:
        with blocked():
            for worker in workers:
                worker.start()
        while running := [worker.sentinel for worker in workers if worker.is_alive()]:
            check()
            multiprocessing.connection.wait(running, timeout=_WAIT_SECONDS)
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
        for worker in workers:
            worker.join()
    if any(worker.exitcode == OUTPUT_CLOSED for worker in workers):
        raise BrokenPipeError
    if all(worker.exitcode for worker in workers):
        check()
        raise TuneError("all workers ended before the trials were done; run the same command again to continue")


def one_line(error: Exception) -> str:
    """The message of an error; that of the database if the storage failed. Other files are named where they are used,
    so an error without a name is of standard output."""
    if isinstance(error, OSError):
        return f"{error.filename or 'standard output'}: {error.strerror}"
    if isinstance(error, StorageInternalError):
        return f"--storage: {str(error.__cause__ or error).splitlines()[0]}"
    return str(error)


def discard_output() -> None:
    """After writing failed, because `head` has closed the pipe or a disk is full: otherwise the flush at exit would
    fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def interrupt(*_: object) -> None:
    """Handles SIGTERM like Ctrl-C."""
    raise KeyboardInterrupt


def do_summary(options: argparse.Namespace) -> int:
    require_database(options.storage)
    study = load_study(open_storage(options.storage), options.study)
    stored = study_setup(study)
    options.train_options = options.train_options or stored["options"]
    setup = setup_of(options, stored["metric"], stored["seed"])
    require_same(study, describe_setup(setup))
    summary = summarise(study, setup)
    print(as_json(summary) if options.json else as_lines(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

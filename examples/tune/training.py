"""Runs `gru4rec train` and follows its epochs."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO

from errors import TuneError
from search_space import SearchSpace, listed
from stopping import check, stopping

_NOWHERE = f"{os.devnull}/nowhere"
_REFUSED = 2
_DIVERGED = 4  # docs/program.md#exit-statuses


class Diverged(Exception):
    """A loss or a weight was not finite."""


@dataclass(frozen=True)
class Setup:
    """What all training runs of a study have in common."""

    program: str
    train: list[str]
    """Files, or folders of files, as `gru4rec train` takes them."""
    valid: str
    """One file or folder of validation data."""
    metric: str
    """Recall, MRR or NDCG at a cutoff, such as `MRR@20`."""
    seed: int
    threads: int
    train_options: list[str] = field(default_factory=list)
    """Further options of `gru4rec train`."""

    def command(self, parameters: dict[str, str]) -> list[str]:
        """The command that trains with these parameters."""
        return [self.program, "train", *self.train, "--params", listed(parameters), "--valid", self.valid, "--measure",
                self.metric.split("@")[1], "--seed", str(self.seed), *self.train_options]


@dataclass(frozen=True)
class Epoch:
    """The number of an epoch, counted from 1, and the metric after it on the validation data."""

    number: int
    n_epochs: int
    value: float


def require_parameters(setup: Setup, space: SearchSpace) -> None:
    """Raises TuneError if there is no program, or with its message if it refuses a parameter of the space or an
    option."""
    if shutil.which(setup.program) is None:
        raise TuneError(f"--program: '{setup.program}' was not found, or may not be executed; expected the program "
                        "gru4rec")
    # The program looks at its options first, so files that do not exist keep it from training.
    without_data = replace(setup, train=[_NOWHERE], valid=_NOWHERE)
    for parameters in space.samples():
        done = subprocess.run(without_data.command(parameters), stdin=subprocess.DEVNULL, capture_output=True,
                              encoding="utf-8", errors="replace")
        if done.returncode == _REFUSED:
            raise TuneError(f"gru4rec train refuses {listed(parameters)}: {_last_line(done.stderr)}")


def _last_line(messages: str) -> str:
    return messages.strip().splitlines()[-1] if messages.strip() else "no message"


@contextmanager
def epochs(setup: Setup, parameters: dict[str, str]) -> Iterator[Iterator[Epoch]]:
    """Runs a training and yields its epochs as they end. The program is stopped when the block is left.

    Raises Diverged, KeyboardInterrupt after a signal, or TuneError with the message of the program.
    """
    command = [*setup.command(parameters), "--threads", str(setup.threads)]
    if setpriv := shutil.which("setpriv"):
        # A worker that is killed cannot stop its program, so the system does.
        command = [setpriv, "--pdeathsig", "TERM", *command]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as messages:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages,
                                       text=True, start_new_session=True)
        except OSError as error:
            raise TuneError(f"{command[0]}: {error.strerror}; --program names the program gru4rec") from None
        assert process.stdout is not None
        try:
            with stopping(process.kill):
                yield _follow(process, process.stdout, messages, setup)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _follow(process: subprocess.Popen[str], lines: IO[str], messages: IO[str], setup: Setup) -> Iterator[Epoch]:
    """The epochs in the output of the program, which wrote its errors to `messages`."""
    pattern = re.compile(rf"epoch +(\d+)/(\d+) .* {re.escape(setup.metric)} (\S+)")
    n_seen = 0
    for line in lines:
        if match := pattern.match(line):
            n_seen += 1
            yield Epoch(int(match[1]), int(match[2]), float(match[3]))
    status = process.wait()
    if status == _DIVERGED:
        raise Diverged
    if status != 0:
        check()  # the signal stopped the program
        messages.seek(0)
        raise TuneError(f"gru4rec train ended with status {status}: {_last_line(messages.read())}")
    if n_seen == 0:
        raise TuneError(f"{setup.program}: it printed no epoch with {setup.metric}; is it the program gru4rec?")

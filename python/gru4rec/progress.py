"""A progress bar for each epoch."""

from __future__ import annotations

import importlib
import sys
from types import TracebackType
from typing import Any, Optional

from . import _core


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell"


class ProgressBar:
    """A tqdm bar that shows how much of the current epoch is done.

    :param wanted: whether to show it; None: on a terminal and in a notebook, if tqdm is installed
    :param n_epochs: how many epochs the training has
    :raises ImportError: if `wanted` is True and tqdm is not installed
    """

    def __init__(self, wanted: Optional[bool], n_epochs: int) -> None:
        self.n_epochs = n_epochs
        self._bar: Any = None
        self._tqdm: Any = None
        if wanted is False or (wanted is None and not (sys.stderr.isatty() or _is_notebook())):
            return
        try:
            self._tqdm = importlib.import_module("tqdm.auto").tqdm
        except ImportError:
            if wanted:
                raise

    @property
    def is_shown(self) -> bool:
        """Whether :meth:`show` draws anything; it must not be called otherwise."""
        return self._tqdm is not None

    def show(self, step: _core.StepReport) -> None:
        """Moves the bar; the first step of an epoch opens a new one."""
        if self._bar is None:
            label = f"epoch {step.epoch} of {self.n_epochs}"
            # Without `initial`, the speed at first would be that of all pairs so far in no time.
            self._bar = self._tqdm(
                total=step.pairs_in_epoch,
                initial=step.pairs_done,
                desc=label,
                unit="event",
                unit_scale=True,
                leave=False,
            )
        self._bar.n = step.pairs_done
        self._bar.set_postfix_str(f"loss {step.loss:.4f}", refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Removes the bar at the end of an epoch."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

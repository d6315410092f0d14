"""What a logger may offer beyond curves, and how its faults are told."""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from s2s_lab.training.sample import Example

log = logging.getLogger(__name__)


def warn(line: str) -> None:
    """Tells of a fault that the training survives, in the log and on standard error."""
    log.warning("%s", line)
    print(f"s2s-train: warning: {line}", file=sys.stderr, flush=True)


@runtime_checkable
class ShowsExamples(Protocol):
    """A logger that shows decoded sentences and their attention."""

    def show_examples(self, examples: Sequence[Example], *, step: int) -> None:
        """Shows the examples of one validation."""


@runtime_checkable
class KeepsModels(Protocol):
    """A logger that keeps the final model."""

    def keep_model(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Keeps a model folder with the facts of its run."""


@runtime_checkable
class Ends(Protocol):
    """A logger whose run goes on after the training, until the evaluations of its job are done."""

    def end(self, scores: Mapping[str, float]) -> None:
        """Takes the evaluations' scores by name, then ends the logger's run."""


@runtime_checkable
class Continues(Protocol):
    """A logger whose records go on exactly when a training is resumed."""

    def state_dict(self) -> dict[str, Any]:
        """What it has recorded, as plain containers."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes that back, in place of what was recorded after it."""


@runtime_checkable
class CanBeSentLater(Protocol):
    """A logger whose files are of use after it failed."""

    @property
    def later(self) -> str:
        """What to do with the files, for a message."""
        ...

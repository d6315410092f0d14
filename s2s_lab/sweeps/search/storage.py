"""The journal of a search: one append-only file that survives any end of the process, held by one process at a time."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from s2s_lab.faults import RequestError
from s2s_lab.records.alone import alone_in

if TYPE_CHECKING:
    from optuna.storages.journal import JournalStorage
    from optuna.study import Study

JOURNAL = "search.journal"
COUNTED = ("finished", "stopped", "failed")
"""Outcomes of trials that use up the budget."""
Definition = dict[str, Any]
"""What a search is: its fixed words, its space, its objectives, its sampler."""


class Held:
    """Optuna's lock of the journal, for a process that holds the whole search: free at every call."""

    def acquire(self) -> bool:
        """Takes it."""
        return True

    def release(self) -> None:
        """Gives it back."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keeps every other process from searching in this folder while the block lasts; ends with the process.

    Args:
        folder: of the experiment, made when missing.

    Raises:
        RequestError: if another process has it, or the folder cannot be written to.
    """
    refusal = "another process is searching in this folder; give a second search its own experiment_name"
    with alone_in(folder, ".search.lock", refusal, make=True):
        yield


def open_storage(path: Path) -> "JournalStorage":
    """The journal as Optuna's storage; what a crash left half written at its end is cut off.

    Args:
        path: of the journal, made when missing.

    Raises:
        RequestError: if it cannot be written to, or a line is none of a journal.
    """
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    try:
        if path.exists():
            _cut_torn_end(path)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=Held()))  # pyright: ignore[reportArgumentType]
    except OSError as error:
        raise RequestError(f"{path}: cannot be read or written to ({error.strerror})") from None
    except RequestError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise RequestError(f"{path}: not the journal of a search ({type(error).__name__}: {error})") from None


def _cut_torn_end(path: Path) -> None:
    """Cuts off a last line that a crash has left without its end; every line before must be whole."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            raise RequestError(f"{path}, line {number}: not a line of a search's journal")
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))


def open_study(
    storage: "JournalStorage",
    path: Path,
    definition: Definition,
    directions: Sequence[Literal["minimize", "maximize"]],
    *,
    accept_changed: bool,
    carry: Callable[..., None],
) -> "Study":
    """The study of a search, made when it is not there.

    Args:
        storage: the journal.
        path: of the journal, for messages.
        definition: of the search as it is asked for now.
        directions: of its objectives.
        accept_changed: whether the search may go on with another definition than it began with.
        carry: takes what still fits from the study before into a new one; gets both and the definition.

    Raises:
        RequestError: if the definition was changed and this is not accepted; names the first difference.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    studies = [
        optuna.load_study(study_name=study.study_name, storage=storage) for study in sorted(storage.get_all_studies())
    ]
    if studies and "definition" not in studies[-1].user_attrs:  # a crash came while it was made
        optuna.delete_study(study_name=studies.pop().study_name, storage=storage)
    if studies:
        recorded = studies[-1].user_attrs["definition"]
        if recorded == definition:
            return studies[-1]
        if not accept_changed:
            raise RequestError(
                f"{path}: the search there is another one: {_difference(recorded, definition)}; choose another "
                "experiment_name, or go on with the changed one by hydra.sweeper.accept_changed=true"
            )
    name = f"search-{len(studies) + 1}"
    study = optuna.create_study(study_name=name, storage=storage, directions=list(directions))
    if studies:
        carry(studies[-1], study, definition=definition)
    study.set_user_attr("definition", definition)
    return study


def _difference(recorded: Any, now: Any, place: str = "") -> str:
    """The first difference of two definitions, in words."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for key in [*recorded, *now]:
            if recorded.get(key) != now.get(key):
                return _difference(recorded.get(key), now.get(key), f"{place}: {key}" if place else str(key))
    if isinstance(recorded, list) and isinstance(now, list):
        gone = [str(item) for item in recorded if item not in now] or ["nothing"]
        new = [str(item) for item in now if item not in recorded] or ["nothing"]
        return f"{place} was {' '.join(gone)}, is now {' '.join(new)}"
    shown = ["not there" if item is None else str(item) for item in (recorded, now)]
    return f"{place or 'its definition'} was {shown[0]}, is now {shown[1]}"


def recover(storage: "JournalStorage", study: "Study") -> int:
    """Puts trials back whose process ended: each is told as failed and waits again with the same values.

    A crash at any point of this loses none and repeats none: the waiting one is made first and names the one it
    stands for.

    Returns:
        How many trials wait again.
    """
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs["requeued_of"] for trial in trials if "requeued_of" in trial.user_attrs}
    count = 0
    for trial in trials:
        if trial.state != TrialState.RUNNING:
            continue
        drawn = trial.params if "words" in trial.user_attrs else trial.system_attrs.get("fixed_params")
        if drawn:
            if trial.number not in again:
                study.enqueue_trial(drawn, user_attrs={"requeued_of": trial.number})
            count += 1
        storage.set_trial_user_attr(trial._trial_id, "outcome", "requeued" if drawn else "void")
        study.tell(trial.number, state=TrialState.FAIL)
    return count


def draws(study: "Study") -> int:
    """How many trials were drawn, those that wait again counted once."""
    trials = study.get_trials(deepcopy=False)
    return sum("requeued_of" not in trial.user_attrs and trial.user_attrs.get("outcome") != "void" for trial in trials)


def budget_used(study: "Study") -> int:
    """How many trials count: those with a value, stopped early, or failed."""
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state.is_finished() and trial.user_attrs.get("outcome") in COUNTED for trial in trials)

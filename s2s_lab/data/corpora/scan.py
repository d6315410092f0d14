"""SCAN: commands of a small grammar and the actions they mean, with every published split."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from s2s_lab.data.corpora.base import Corpus, Pair
from s2s_lab.faults import RequestError

SPLITS = ("simple", "length", "jump", "turn_left", "around_right")
LONGEST_TRAINED = 22  # actions, in the length split
JUMP_COPIES, TURN_LEFT_COPIES = 1467, 2189


class ScanCorpus(Corpus):
    """Commands and actions; the published split rules, with validation held out of the published training set.

    Paper: Lake and Baroni 2018, "Generalization without Systematicity", arXiv 1711.00350 (supplement: grammar and
    interpretation); around_right: Loula, Baroni and Lake 2018, arXiv 1807.07545.

    Random choices follow from `split_seed` by hashing, so that they are the same everywhere. Training subsets of
    growing `fraction` contain each other, and so do growing `composed` sets.

    Args:
        split: simple, length, jump, turn_left or around_right.
        split_seed: chooses random subsets and the validation pairs.
        fraction: of the commands that train, the rest tests; simple only (published: 0.8, and 0.01 to 0.64).
        composed: composed jump commands moved from the test set into training; jump only.
        validation_fraction: of the published training set that is held out of it.
        source: must be command.
        target: must be action.

    Raises:
        RequestError: if an option is out of range or does not belong to the split.
    """

    name = "scan"
    citation = "Lake and Baroni 2018, arXiv 1711.00350"
    licence = "generated from the published grammar (authors' files: BSD)"

    def __init__(
        self,
        *,
        split: str = "simple",
        split_seed: int = 0,
        fraction: float | None = None,
        composed: int | None = None,
        validation_fraction: float = 0.05,
        source: str = "command",
        target: str = "action",
    ) -> None:
        if split not in SPLITS:
            raise RequestError(f"data.split={split}: one of {', '.join(SPLITS)} is expected")
        if (source, target) != ("command", "action"):
            raise RequestError(f"data.source={source} data.target={target}: scan goes from command to action only")
        if fraction is not None and (split != "simple" or not 0 < fraction < 1):
            raise RequestError(f"data.fraction={fraction} data.split={split}: between 0 and 1, with split simple only")
        if composed is not None and (split != "jump" or composed < 0):
            raise RequestError(f"data.composed={composed} data.split={split}: at least 0, with split jump only")
        if not 0 < validation_fraction < 1:
            raise RequestError(f"data.validation_fraction={validation_fraction}: between 0 and 1 is expected")
        self.split, self.split_seed = split, split_seed
        self.fraction = Fraction(str(0.8 if fraction is None else fraction))
        self.composed = composed or 0
        self.validation_fraction = Fraction(str(validation_fraction))
        self.source, self.target = source, target

    def splits(self) -> tuple[str, ...]:
        """train, validation, test."""
        return "train", "validation", "test"

    def stream(self, split: str) -> Iterator[Pair]:
        """The pairs of a split once."""
        meanings = commands()
        return ((command, meanings[command]) for command in self._commands[split])

    def check(self) -> None:
        """Nothing: no file is read."""

    def fingerprint(self) -> dict[str, str]:
        """sha256 of the pairs of each split."""
        return {
            split: hashlib.sha256(
                "".join(f"{source}\t{target}\n" for source, target in self.stream(split)).encode()
            ).hexdigest()
            for split in self.splits()
        }

    @functools.cached_property
    def _commands(self) -> dict[str, list[str]]:
        """Commands of each split, repetitions included."""
        train, test = self._published()
        order = self._shuffled("validation", [f"{command} {position}" for position, command in enumerate(train)])
        held_out = max(1, int(len(train) * self.validation_fraction))
        if held_out >= len(train):
            raise RequestError(f"data.fraction={float(self.fraction)}: {len(train)} training commands are too few")
        shuffled = [name.rpartition(" ")[0] for name in order]
        return {"train": shuffled[held_out:], "validation": shuffled[:held_out], "test": test}

    def _published(self) -> tuple[list[str], list[str]]:
        """Training commands (with repetitions) and test commands by the published rule."""
        every = list(commands())
        if self.split == "simple":
            shuffled = self._shuffled("simple", every)
            size = int(len(every) * self.fraction)
            return shuffled[:size], shuffled[size:]
        if self.split == "length":
            return _divided(every, lambda command: commands()[command].count(" ") + 1 <= LONGEST_TRAINED)
        if self.split == "around_right":
            train, rest = _divided(every, lambda command: "around right" not in command)
            return train, [command for command in rest if "turn around right" not in command]
        primitive, copies = ("jump", JUMP_COPIES) if self.split == "jump" else ("turn left", TURN_LEFT_COPIES)
        train, rest = _divided(every, lambda command: primitive not in command)
        rest = self._shuffled("composed", [command for command in rest if command != primitive])
        if self.composed >= len(rest):
            raise RequestError(f"data.composed={self.composed}: fewer than {len(rest)} are expected")
        return [*train, *[primitive] * copies, *rest[: self.composed]], rest[self.composed :]

    def _shuffled(self, purpose: str, names: Sequence[str]) -> list[str]:
        """The names in an order that depends on nothing but split_seed, purpose and the names."""
        return sorted(names, key=lambda name: hashlib.sha256(f"{self.split_seed} {purpose} {name}".encode()).digest())


def _divided(names: Sequence[str], rule: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    chosen = [name for name in names if rule(name)]
    return chosen, [name for name in names if not rule(name)]


@functools.cache
def commands() -> dict[str, str]:
    """All 20,910 commands with their actions, in the order of the grammar.

    Paper: Lake and Baroni 2018, supplement, figures 6 and 7.
    """
    primitives = {"walk": ["I_WALK"], "look": ["I_LOOK"], "run": ["I_RUN"], "jump": ["I_JUMP"]}
    phrases = dict(primitives)
    for side in ("left", "right"):
        turn = [f"I_TURN_{side.upper()}"]
        for word, action in {**primitives, "turn": []}.items():
            phrases[f"{word} {side}"] = turn + action
            phrases[f"{word} opposite {side}"] = turn * 2 + action
            phrases[f"{word} around {side}"] = (turn + action) * 4
    sentences = {
        phrase + suffix: actions * times
        for phrase, actions in phrases.items()
        for suffix, times in (("", 1), (" twice", 2), (" thrice", 3))
    }
    meanings = dict(sentences)
    for first, first_actions in sentences.items():
        for second, second_actions in sentences.items():
            meanings[f"{first} and {second}"] = first_actions + second_actions
            meanings[f"{first} after {second}"] = second_actions + first_actions
    return {command: " ".join(actions) for command, actions in meanings.items()}

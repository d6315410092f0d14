"""What the evaluations of one run share, made once: models, texts, scored references, encoded sources."""

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from s2s_lab.assemble.inference import load_model
from s2s_lab.assemble.shortlist import shortlist_of
from s2s_lab.assemble.split_texts import SplitTexts, texts_of
from s2s_lab.assemble.together import Together, runs_of, together_of
from s2s_lab.inference.encodings import Encodings
from s2s_lab.inference.frozen import FrozenModel, length_sorted_batches
from s2s_lab.inference.shortlist import Shortlist
from s2s_lab.records.run_folder import RunFolder

MEGABYTE = 1 << 20
Made = TypeVar("Made")


class Ids(NamedTuple):
    """The texts of a split in a model's ids, eos at the end: each source, and the first reference of each."""

    sources: list[list[int]]
    targets: list[list[int]]


class Workbench:
    """One run, and what its evaluations have in common.

    Args:
        run: a finished run.
        encoded_megabytes: of encoded sources that are kept for further strategies; 0 where there are none.

    Attributes:
        run: the run.
    """

    def __init__(self, run: RunFolder, *, encoded_megabytes: int = 0) -> None:
        self.run = run
        self._most_bytes = encoded_megabytes * MEGABYTE
        self._made: dict[Hashable, Any] = {}
        self._encodings: tuple[Hashable, Encodings] | None = None

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Gives what was made under a key, and makes it the first time; a failure is not remembered."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def texts(self, settings: Mapping[str, Any]) -> SplitTexts:
        """Texts of the split; settings are plain conf/evaluate.yaml, here and below."""
        return self.once(("texts", *_place(settings)), lambda: texts_of(self.run, settings))

    def model(self, settings: Mapping[str, Any], device: torch.device) -> FrozenModel:
        """The run's model in the precision that is asked for."""
        precision = settings["precision"]
        return self.once(
            ("model", *_arithmetic(settings, device)),
            lambda: load_model(self.run.path, device=device, precision=precision),
        )

    def together(self, settings: Mapping[str, Any], device: torch.device) -> Together:
        """The run's model with what the settings put beside it, each further model read once."""
        model, precision = self.model(settings, device), settings["precision"]

        def load(path: Path) -> FrozenModel:
            key = ("model of", path.resolve(), *_arithmetic(settings, device))
            return self.once(key, lambda: load_model(path, device=device, precision=precision))

        key = ("together", repr(runs_of(settings)), settings["batch_sentences"], *_arithmetic(settings, device))
        beside = (repr(settings.get(name)) for name in ("together_weights", "together_mean", "shortlist"))
        return self.once((*key, *beside), lambda: together_of(settings, self.run.path, model, load=load, device=device))

    def shortlist(self, settings: Mapping[str, Any], device: torch.device) -> Shortlist | None:
        """The shortlist of the run's model, where one is asked for."""
        if not settings["shortlist"]:
            return None
        data, model = settings["paths"].get("data"), self.model(settings, device)
        return self.once(("shortlist", data), lambda: shortlist_of(self.run, model, data))

    def ids(self, settings: Mapping[str, Any], device: torch.device) -> Ids:
        """The texts of the split in the model's ids."""
        model, texts = self.model(settings, device), self.texts(settings)

        def make() -> Ids:
            sources = [model.source.ids(line) for line in texts.sources]
            return Ids(sources, [model.target.ids(accepted[0]) for accepted in texts.references])

        # Of each model its own: one that copies words numbers them itself.
        return self.once(("ids", *_place(settings), *_arithmetic(settings, device)), make)

    def likelihoods(self, settings: Mapping[str, Any], device: torch.device) -> dict[int, tuple[float, int]]:
        """Log-probability and tokens of each first reference, as what is decoded with gives them."""
        together, ids = self.together(settings, device), self.ids(settings, device)
        size = settings["batch_sentences"]

        def make() -> dict[int, tuple[float, int]]:
            batches = length_sorted_batches(ids.sources, ids.targets, sentences=size)
            return together.likelihoods(batches)

        return self.once(("likelihoods", together.network, *_place(settings), *_arithmetic(settings, device)), make)

    def encodings(self, settings: Mapping[str, Any]) -> Encodings | None:
        """What keeps the encoded sources of the split; those of another one are let go. None where none are kept."""
        if not self._most_bytes:
            return None
        place = _place(settings)
        if self._encodings is None or self._encodings[0] != place:
            self._encodings = (place, Encodings(self._most_bytes))
        return self._encodings[1]


def _place(settings: Mapping[str, Any]) -> tuple[Hashable, ...]:
    return settings["split"], settings["paths"].get("data")


def _arithmetic(settings: Mapping[str, Any], device: torch.device) -> tuple[Hashable, ...]:
    return settings["precision"], settings["matmul_precision"], str(device)

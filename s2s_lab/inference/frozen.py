"""A frozen model: a network with its two text sides, and the folder that holds it without any pickle."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file

from s2s_lab.data.batch import Batch
from s2s_lab.data.collate import collate
from s2s_lab.faults import RequestError
from s2s_lab.inference.text import TextSide
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.records.disk_faults import naming

WEIGHTS, CONFIGURATION = "model.safetensors", "config.yaml"


@dataclass(frozen=True)
class FrozenModel:
    """A network in eval mode with everything that turns text into its ids and back.

    Attributes:
        network: in eval mode.
        source: text side of the sources.
        target: text side of the targets.
        configuration: plain settings that the model was built from.
        shared: whether both sides share one vocabulary.
    """

    network: Seq2Seq
    source: TextSide
    target: TextSide
    configuration: dict[str, Any]
    shared: bool


def length_sorted_batches(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]] | None = None,
    *,
    sentences: int,
    rows: Iterable[int] | None = None,
) -> Iterator[Batch]:
    """Batches of encoded sentences, the longest sources first (then the longest targets).

    Args:
        sources: ids of each source, eos included.
        targets: ids of each target, eos included, or None.
        sentences: in a batch.
        rows: positions of the sentences that are taken; all of them if None.

    Yields:
        Batches whose `index` is the position in `sources`.
    """

    def length(index: int) -> tuple[int, int]:
        return len(sources[index]), 0 if targets is None else len(targets[index])

    order = sorted(range(len(sources)) if rows is None else rows, key=length, reverse=True)
    for start in range(0, len(order), sentences):
        chosen = order[start : start + sentences]
        of_chosen = None if targets is None else [np.asarray(targets[row]) for row in chosen]
        yield collate([np.asarray(sources[row]) for row in chosen], of_chosen, chosen)


def save_model(model: FrozenModel, folder: Path) -> None:
    """Writes a model folder: model.safetensors, config.yaml, vocabularies and tokenizers.

    Raises:
        OSError: if it cannot be written; names a file of it.
    """
    with naming(folder / WEIGHTS):
        _save_model(model, folder)


def _save_model(model: FrozenModel, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = model.network.state_dict()
    shared = _shared_names(state)
    own = {name: value.detach().cpu().contiguous() for name, value in state.items() if name not in shared}
    save_file(own, folder / WEIGHTS, metadata=shared)
    text = yaml.safe_dump(model.configuration, sort_keys=False, allow_unicode=True)
    (folder / CONFIGURATION).write_text(text, encoding="utf-8")
    for name, side in sides(model.source, model.target, model.shared).items():
        side.tokenizer.save(folder, name)
        side.vocabulary.save(folder / f"{name}.vocabulary.txt")


def sides(source: TextSide, target: TextSide, shared: bool) -> dict[str, TextSide]:
    """The text sides by the name that their files carry: one `shared`, or `source` and `target`."""
    return {"shared": source} if shared else {"source": source, "target": target}


def load_weights(network: Seq2Seq, folder: Path) -> None:
    """Reads model.safetensors into a network.

    Raises:
        RequestError: if the file is missing or damaged, or if its weights do not fit the network.
    """
    network.load_state_dict(fitting_weights(network, folder))


def fitting_weights(network: Seq2Seq, folder: Path) -> dict[str, torch.Tensor]:
    """The weights of model.safetensors by the names of a network, which may be on the meta device.

    Raises:
        RequestError: if the file is missing or damaged, or if its weights do not fit the network.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise RequestError(f"{path}: no such file; a model folder was expected")
    try:
        found = load_file(path)
    except Exception as error:
        raise RequestError(f"{path}: not a readable safetensors file ({error})") from error
    expected = network.state_dict()
    for name, value in expected.items():
        if name in found and found[name].shape != value.shape:
            raise RequestError(f"{path}: {name} is {tuple(found[name].shape)}, the network needs {tuple(value.shape)}")
    aliases = _shared_names(expected)
    missing = [name for name in expected if name not in found and name not in aliases]
    unknown = [name for name in found if name not in expected]
    if missing or unknown:
        fault = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown to it"
        raise RequestError(f"{path}: the weights do not fit the network: {fault}")
    return {**found, **{alias: found[name] for alias, name in aliases.items()}}


def _shared_names(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Names of tensors that share the storage of an earlier one (tied weights), with the earlier one's name."""
    first: dict[int, str] = {}
    shared = {}
    for name, value in state.items():
        place = value.untyped_storage()._cdata if value.is_meta else value.data_ptr()
        owner = first.setdefault(place, name)
        if owner != name and value.numel():
            shared[name] = owner
    return shared

"""A frozen model: a network with its two text sides, and the folder that holds it without any pickle."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from s2s_lab.data.batch import Batch
from s2s_lab.data.collate import collate
from s2s_lab.faults import RequestError
from s2s_lab.inference.folder import write_sums
from s2s_lab.inference.text import TextSide
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.records.disk_faults import naming

FLOATS = ("F32", "F16", "BF16", "F64")
INTEGERS = ("I64",)
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
    """Writes a model folder: model.safetensors, config.yaml, vocabularies and tokenizers, and the SHA256SUMS of all.

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
    write_sums(folder)


def sides(source: TextSide, target: TextSide, shared: bool) -> dict[str, TextSide]:
    """The text sides by the name that their files carry: one `shared`, or `source` and `target`."""
    return {"shared": source} if shared else {"source": source, "target": target}


def check_weights(network: Seq2Seq, folder: Path) -> None:
    """Compares the names, shapes and types that model.safetensors announces with those of a network; reads no weight.

    Args:
        network: may be on the meta device.
        folder: a model folder.

    Raises:
        RequestError: if the file is missing or damaged, or if its weights do not fit the network.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise RequestError(f"{path}: no such file; a model folder was expected")
    try:
        with safe_open(path, framework="pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}
            found = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in parts.items()}
    except Exception as error:
        raise RequestError(f"{path}: not a readable safetensors file ({error})") from error
    expected = network.state_dict(keep_vars=True)
    for name, value in expected.items():
        own = FLOATS[0] if value.is_floating_point() else INTEGERS[0]
        shape, dtype = found.get(name, (tuple(value.shape), own))
        if shape != tuple(value.shape):
            raise RequestError(f"{path}: {name} is {shape}, the network needs {tuple(value.shape)}")
        types = FLOATS if value.is_floating_point() else INTEGERS
        if dtype not in types:
            raise RequestError(f"{path}: {name} is of type {dtype}, expected one of {', '.join(types)}")
    parameters = {id(value): name for name, value in reversed(expected.items())}
    missing = [name for name, value in expected.items() if name not in found and parameters[id(value)] == name]
    unknown = [name for name in found if name not in expected]
    if missing or unknown:
        fault = f"{missing[0]} is missing" if missing else f"{unknown[0]} is unknown to it"
        raise RequestError(f"{path}: the weights do not fit the network: {fault}")


def load_weights(network: Seq2Seq, folder: Path) -> None:
    """Reads model.safetensors into a network.

    Raises:
        RequestError: if the file is missing or damaged, or if its weights do not fit the network.
    """
    check_weights(network, folder)
    try:
        found = load_file(folder / WEIGHTS)
    except Exception as error:
        raise RequestError(f"{folder / WEIGHTS}: not a readable safetensors file ({error})") from error
    aliases = _shared_names(network.state_dict())
    network.load_state_dict({**found, **{alias: found[name] for alias, name in aliases.items()}})
    fault = network.output.fault()
    if fault is not None:
        raise RequestError(f"{folder / WEIGHTS}: {fault}")


def _shared_names(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Names of tensors that share the storage of an earlier one (tied weights), with the earlier one's name."""
    first: dict[int, str] = {}
    shared = {}
    for name, value in state.items():
        owner = first.setdefault(value.data_ptr(), name)
        if owner != name and value.numel():
            shared[name] = owner
    return shared

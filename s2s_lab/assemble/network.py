"""Builds the network of a configuration, part by part, each getting the sizes of its neighbours."""

import contextlib
import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from s2s_lab.assemble.instantiation import build, check_kind, locate, refusing
from s2s_lab.data.vocabulary import PAD
from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.bridges.base import Bridge
from s2s_lab.models.cells.base import Cell
from s2s_lab.models.cells.stack import CellFactory
from s2s_lab.models.cells.wrapped import WrappedCell
from s2s_lab.models.decoders.base import Decoder
from s2s_lab.models.encoders.base import Encoder
from s2s_lab.models.initialization.base import Initialization
from s2s_lab.models.outputs.base import Output
from s2s_lab.models.seq2seq import Seq2Seq

KINDS = {
    "encoder": Encoder,
    "attention": Attention,
    "decoder": Decoder,
    "bridge": Bridge,
    "output": Output,
    "initialization": Initialization,
    "cell": Cell,
}
"""What each node builds; an embedding is built by a function."""
AROUND_CELLS = ("transition", "cell_dropout")
"""Nodes that may be chosen, each a cell around the one before."""
_CELL_SIZES = ("input_size", "hidden_size")
DECIDED = {
    "embedding": (
        "source_vocabulary_size",
        "target_vocabulary_size",
        "shared_vocabulary",
        "padding_id",
        "factor_sizes",
    ),
    "cell": _CELL_SIZES,
    **{name: (*_CELL_SIZES, "cell") for name in AROUND_CELLS},
    "encoder": ("input_size",),
    "sources": ("input_size", "encoder"),
    "attention": ("query_size", "memory_size", "summary_size", "num_sources"),
    "decoder": ("input_size", "memory_size", "summary_size", "attention"),
    "bridge": ("encoder_state_sizes", "decoder_state_sizes", "memory_size"),
    "output": ("feature_size", "vocabulary_size", "target_embedding", "source_vocabulary_size", "memory_size"),
}
"""Keys of each node that follow from the other parts and the data."""
WITHIN = {"cell": "cell", "energy": "attention", "each": "attention"}
"""Keys of nodes that hold a node of another kind, and that kind."""


@contextlib.contextmanager
def without_memory() -> Iterator[None]:
    """Networks that are built meanwhile lie on the meta device: they have shapes, and no numbers."""
    with torch.device("meta"), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Draws no normal numbers: where there is no memory to draw them into, torch loads its compiler for them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func is torch.Tensor.normal_ else func(*args, **(kwargs or {}))


def build_network(
    settings: Mapping[str, Any],
    *,
    source_size: int,
    target_size: int,
    shared: bool,
    factor_sizes: tuple[int, ...] = (),
) -> Seq2Seq:
    """Builds and initializes a network: embeddings, encoder, decoder with its attention, bridge, output.

    Args:
        settings: plain configuration with the nodes cell, embedding, encoder, attention, decoder, bridge, output and
            initialization, perhaps also transition, cell_dropout and sources; a `cell` inside encoder or decoder
            serves that side alone. An encoder or decoder whose signature has no `cell` gets none.
        source_size: tokens of the source vocabulary.
        target_size: tokens of the target vocabulary.
        shared: whether both sides share one vocabulary.
        factor_sizes: ids of each factor of a source token.

    Raises:
        RequestError: if two parts cannot be combined.
    """
    for name, kind in KINDS.items():
        check_kind(settings[name], kind, name)
    for name in DECIDED:
        _check_undecided(settings.get(name), name, name)
    nodes = {name: dict(settings[name]) for name in ("encoder", "decoder")}
    recurrent = [name for name in nodes if _takes_cell(nodes[name], name)]
    cells = {name: nodes[name].pop("cell", settings["cell"]) for name in recurrent}
    for name, cell in cells.items():
        check_kind(cell, Cell, f"{name}.cell")
    for name in AROUND_CELLS:
        if name in settings:
            check_kind(settings[name], WrappedCell, name)
            if not cells:
                raise RequestError(
                    f"{name} is chosen, but neither encoder nor decoder has a cell that it could be around"
                )
    if "sources" in settings:
        check_kind(settings["sources"], Encoder, "sources")
    with refusing("the parts of the network do not fit together"):
        return _joined(settings, nodes, cells, source_size, target_size, shared, factor_sizes)


def _check_undecided(node: Any, kind: str, place: str) -> None:
    """Checks that a node sets nothing that is decided elsewhere, and would be ignored.

    Raises:
        RequestError: it does.
    """
    if not isinstance(node, Mapping):
        return
    for key in DECIDED[kind]:
        if key in node:
            raise RequestError(f"{place}.{key} is {node[key]!r}, expected not to be set: the other parts decide it")
    for key, inner in WITHIN.items():
        _check_undecided(node.get(key), inner, f"{place}.{key}")


def _cell_factory(node: Any, settings: Mapping[str, Any]) -> CellFactory:
    """What builds the cell of a node, with what is chosen around it."""
    factory = build(node, "cell")
    for name in AROUND_CELLS:
        if name in settings:
            factory = functools.partial(build(settings[name], name), cell=factory)
    return factory


def _with_factors(node: Mapping[str, Any], factor_sizes: tuple[int, ...]) -> dict[str, Any]:
    """The sizes of factors where an embedding reads them.

    Raises:
        RequestError: there are factors, and it reads none.
    """
    if "factor_sizes" in inspect.signature(locate(node["_target_"], "embedding")).parameters:
        return {"factor_sizes": factor_sizes}
    if factor_sizes:
        raise RequestError(
            f"the source's tokenizer gives {len(factor_sizes)} factors, but the embedding reads none; expected "
            "embedding=factored"
        )
    return {}


def _attention_factory(node: Mapping[str, Any], encoder: Encoder) -> Any:
    """What builds the attention of a node, told of the number of sources where it wants to know."""
    factory = build(node, "attention")
    if "num_sources" in inspect.signature(locate(node["_target_"], "attention")).parameters:
        return functools.partial(factory, num_sources=encoder.num_sources)
    return factory


def _takes_cell(node: Mapping[str, Any], place: str) -> bool:
    return "cell" in inspect.signature(locate(node["_target_"], place)).parameters


def _joined(
    settings: Mapping[str, Any],
    nodes: Mapping[str, Any],
    cells: Mapping[str, Any],
    source_size: int,
    target_size: int,
    shared: bool,
    factor_sizes: tuple[int, ...],
) -> Seq2Seq:
    factories = {name: {"cell": _cell_factory(cell, settings)} for name, cell in cells.items()}
    source_embedding, target_embedding = build(
        settings["embedding"],
        "embedding",
        source_vocabulary_size=source_size,
        target_vocabulary_size=target_size,
        shared_vocabulary=shared,
        padding_id=PAD,
        **_with_factors(settings["embedding"], factor_sizes),
    )
    reading = functools.partial(build, nodes["encoder"], "encoder", **factories.get("encoder", {}))
    if "sources" in settings:
        reading = functools.partial(build, settings["sources"], "sources", encoder=reading)
    encoder = reading(input_size=source_embedding.embedding_size)
    decoder = build(
        nodes["decoder"],
        "decoder",
        input_size=target_embedding.embedding_size,
        memory_size=encoder.memory_size,
        summary_size=encoder.summary_size,
        attention=_attention_factory(settings["attention"], encoder),
        **factories.get("decoder", {}),
    )
    bridge = build(
        settings["bridge"],
        "bridge",
        encoder_state_sizes=encoder.state_sizes,
        decoder_state_sizes=decoder.state_sizes,
        memory_size=encoder.memory_size,
    )
    output = build(
        settings["output"],
        "output",
        feature_size=decoder.feature_size,
        vocabulary_size=target_size,
        target_embedding=target_embedding,
        source_vocabulary_size=source_size,
        memory_size=encoder.memory_size,
    )
    network = Seq2Seq(
        source_embedding=source_embedding,
        target_embedding=target_embedding,
        encoder=encoder,
        bridge=bridge,
        decoder=decoder,
        output=output,
    )
    build(settings["initialization"], "initialization")(network)
    return network

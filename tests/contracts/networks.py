"""Small networks of every combination of options in conf/, and what the laws compare."""

import functools
import importlib
import inspect
import itertools
from functools import partial
from inspect import signature
from operator import itemgetter
from typing import Any

import torch
from torch.nn import functional

from s2s_lab.models.outputs.base import Output
from s2s_lab.models.seq2seq import Seq2Seq
from s2s_lab.nested import leaves, map_leaves
from tests.contracts.covering import covering
from tests.contracts.options import options, settings

SIZE, LAYERS, VOCAB, BATCH, SOURCE_LEN, TARGET_LEN = 6, 2, 9, 3, 5, 4
PAD = 0
# Keys that choose between ways of working, with the values that every law must hold for.
WAYS = {
    "input_feeding": (False, True),
    "readout": ("maxout", "tanh", "none"),
    "bidirectional": (False, True),
    "reverse_source": (False, True),
    "fast_forward": (False, True),
    "gate": ("both", "source", "target"),
}
# Keys whose value no law may depend on, at values that keep the networks small and what they compute fixed.
WIDTHS = {
    "hidden_size": SIZE,
    "num_layers": LAYERS,
    "embedding_size": SIZE,
    "num_heads": 3,
    "feedforward_size": 8,
    "readout_size": SIZE,
}
QUIET = {"noise": 0.0}  # what is drawn anew in every training step


def ways(group: str, keys: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Give every option in every way of working, leaving out those that an earlier one equals."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in options(group):
        node = settings(group, name)
        chosen = [key for key in keys if key in node]
        for values in itertools.product(*(WAYS[key] for key in chosen)):
            changes = dict(zip(chosen, values, strict=True))
            fixed = {key: value for key, value in WIDTHS.items() if key in node}
            found.setdefault(repr(sorted((node | fixed | changes).items())), (name, changes))
    return list(found.values())


def make(group: str, name: str, **changes: Any) -> Any:
    return made(settings(group, name), **changes)


def made(node: dict[str, Any], **changes: Any) -> Any:
    node = {
        key: made(value) if isinstance(value, dict) and "_target_" in value else value for key, value in node.items()
    }
    path, attribute = node.pop("_target_").rsplit(".", 1)
    target = getattr(importlib.import_module(path), attribute)
    node.update({key: value for key, value in (WIDTHS | QUIET).items() if key in node})
    node.update(changes)
    return partial(target, **node) if node.pop("_partial_", False) else target(**node)


def cells_of(cell: str, *around: tuple[str, str]) -> Any:
    """Give the factory of a cell, and around it those of other groups that hold anything."""
    factory = make("cell", cell)
    for group, name in around:
        if settings(group, name):
            factory = partial(make(group, name), cell=factory)
    return factory


def with_cell(factory: Any, cell: Any) -> dict[str, Any]:
    """Give the cell to those encoders and decoders that have it in their signature."""
    return {"cell": cell} if "cell" in inspect.signature(factory.func).parameters else {}


def tables(output: Output) -> dict[str, torch.Tensor]:
    """Make tables as of training pairs: each source id translates into two target ids, and matches itself."""
    made: dict[str, torch.Tensor] = {}
    if "lexicon" in output.learned:
        ids, probabilities = torch.zeros_like(output.lexicon_ids), torch.zeros_like(output.lexicon_probabilities)
        ids[:, 0], ids[:, 1] = torch.arange(VOCAB), torch.arange(VOCAB).roll(1)
        probabilities[:, 0], probabilities[:, 1] = 0.7, 0.2
        made |= {"lexicon_ids": ids, "lexicon_probabilities": probabilities}
    if "matches" in output.learned:
        made["matches"] = torch.arange(VOCAB)
    return made


def build(
    *,
    cell: str = "gru",
    transition: str = "shallow",
    cell_dropout: str = "none",
    encoder: tuple[str, dict[str, Any]] = ("recurrent", {}),
    sources: tuple[str, dict[str, Any]] = ("one", {}),
    bridge: str = "projected",
    attention: str = "additive",
    normalizer: str = "unset",
    decoder: tuple[str, dict[str, Any]] = ("attend_last", {}),
    output: str = "linear",
    embedding: str = "separate",
    factors: dict[str, Any] | None = None,
    initialization: str = "torch_default",
) -> Seq2Seq:
    source_embedding, target_embedding = make("embedding", embedding, **(factors or {}))(
        source_vocabulary_size=VOCAB, target_vocabulary_size=VOCAB, shared_vocabulary=True, padding_id=PAD
    )
    cells = cells_of(cell, ("transition", transition), ("cell_dropout", cell_dropout))
    reading, writing = make("encoder", encoder[0], **encoder[1]), make("decoder", decoder[0], **decoder[1])
    reading = partial(reading, **with_cell(reading, cells))
    if settings("sources", sources[0]):
        reading = partial(make("sources", sources[0], **sources[1]), encoder=reading)
    normalizing = {} if normalizer == "unset" else {"normalizer": make("normalizer", normalizer)}
    encoding = reading(input_size=source_embedding.embedding_size)
    if attention == "hierarchical":
        normalizing["num_sources"] = encoding.num_sources
    decoding = writing(
        input_size=SIZE,
        memory_size=encoding.memory_size,
        summary_size=encoding.summary_size,
        attention=make("attention", attention, **normalizing),
        **with_cell(writing, cells),
    )
    bridging = make("bridge", bridge)(
        encoder_state_sizes=encoding.state_sizes,
        decoder_state_sizes=decoding.state_sizes,
        memory_size=encoding.memory_size,
    )
    scoring = make("output", output)(
        feature_size=decoding.feature_size,
        vocabulary_size=VOCAB,
        target_embedding=target_embedding,
        source_vocabulary_size=VOCAB,
        memory_size=encoding.memory_size,
    )
    if scoring.learned:
        scoring.fill(**tables(scoring))
    network = Seq2Seq(
        source_embedding=source_embedding,
        target_embedding=target_embedding,
        encoder=encoding,
        bridge=bridging,
        decoder=decoding,
        output=scoring,
    )
    make("initialization", initialization)(network)
    return network


LENGTHS = torch.tensor([5, 2, 4])
INPUTS = torch.tensor([[2, 4, 5, 6], [2, 8, 8, 3], [2, 7, 4, 4]])


def sources(rows: list[int] | None = None, source_len: int = SOURCE_LEN) -> tuple:
    ids = torch.tensor([[4, 5, 6, 7, 3], [8, 3, 0, 0, 0], [5, 5, 4, 3, 0]])
    ids = functional.pad(ids, (0, source_len - SOURCE_LEN), value=PAD)
    chosen = list(range(BATCH)) if rows is None else rows
    return ((ids[chosen], LENGTHS[chosen]),)


def run_steps(network: Seq2Seq, given: tuple, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    memory, state = network.start(given)
    all_scores, all_weights = [], []
    for position in range(inputs.shape[1]):
        scores, state, weights = network.step(inputs[:, position], state, memory)
        assert all(part.shape[0] == len(inputs) for part in leaves(state))
        all_scores.append(scores)
        all_weights.append(weights)
    return torch.stack(all_scores, 1), None if all_weights[0] is None else torch.stack(all_weights, 1)


def check_gradients(network: Seq2Seq) -> None:
    """Every parameter has a gradient, but those of a source embedding that nothing reads, which ask for none."""
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        else:
            assert parameter.grad is None and name.startswith("source_embedding") and not network.encoder.reads, name


def check_memory_is_shared(network, memory, state, width=3):
    """Several hypotheses of a sentence step together as each does alone, over one memory of the sentence."""
    previous_ids = torch.randint(1, VOCAB, (BATCH, width))
    wide = map_leaves(lambda part: part.repeat_interleave(width, 0), state)
    wide = map_leaves(lambda part: part + 0.1 * torch.randn_like(part), wide)
    scores, following, weights = network.step(previous_ids.flatten(), wide, memory)
    for index in range(width):
        alone = network.step(previous_ids[:, index], map_leaves(itemgetter(slice(index, None, width)), wide), memory)
        together = map_leaves(itemgetter(slice(index, None, width)), (scores, following))
        torch.testing.assert_close(together, alone[:2])
        torch.testing.assert_close(None if weights is None else weights[index::width], alone[2])
    assert all(part.shape[0] == BATCH for part in leaves(memory))


EMBEDDINGS = [name for name in options("embedding") if name != "factored"]  # see test_factors.py
AXES = {
    "attention": [name for name in options("attention") if name != "hierarchical"],  # see test_several_sources.py
    "normalizer": ["unset", *options("normalizer")],
    "decoder": ways("decoder", ("input_feeding", "readout", "gate")),
    "encoder": ways("encoder", ("bidirectional", "reverse_source", "fast_forward")),
    "cell": options("cell"),
    "bridge": options("bridge"),
    "transition": options("transition"),
    "cell_dropout": options("cell_dropout"),
    "output": options("output"),
    "embedding": EMBEDDINGS,
}


@functools.cache
def states_of(group: str, name: str, changes: tuple[tuple[str, Any], ...], cell: str | None) -> Any:
    """Give the sizes of a part's state; None where they depend on a cell that is not given."""
    factory = make(group, name, **dict(changes))
    cells = with_cell(factory, make("cell", cell) if cell else None)
    if cells and not cell:
        return None
    neighbours = {"memory_size": SIZE, "summary_size": SIZE, "attention": make("attention", "additive")}
    return factory(input_size=SIZE, **cells, **(neighbours if group == "decoder" else {})).state_sizes


@functools.cache
def is_constant(attention: str) -> bool:
    return make("attention", attention).func.constant


@functools.cache
def normalizes(attention: str) -> bool:
    return "normalizer" in signature(make("attention", attention)).parameters


def refusal(parts: dict[str, Any]) -> str | None:
    """Say how the message begins that refuses some parts of a network; None where they can stand together."""
    attention, decoder, encoder = parts.get("attention"), parts.get("decoder"), parts.get("encoder")
    if parts.get("bridge") == "copy" and encoder and decoder:
        sides, cell = {"encoder": encoder, "decoder": decoder}, parts.get("cell")
        states = [states_of(side, name, tuple(changes.items()), cell) for side, (name, changes) in sides.items()]
        if all(states) and states[0] != states[1]:
            return "bridge=copy needs equal states"
    if attention == "start_only" and decoder and decoder[0] in ("conditional_gru", "context_gate"):
        return f"the (second cell|gate) of decoder={decoder[0]} (reads|weighs) a context, but the attention's is empty"
    if attention and decoder and decoder[1].get("input_feeding") and is_constant(attention):
        return "decoder.input_feeding is true without attention, expected false"
    if parts.get("transition") == "deep" and parts.get("cell") and not make("cell", parts["cell"]).func.output_is_state:
        return "transition=deep needs a cell that reads its previous output"
    output = parts.get("output")
    if (
        output
        and attention
        and make("output", output).func.reads_weights
        and make("attention", attention).func.constant
    ):
        return f"{make('output', output).func.__name__} reads the attention's weights"
    if output == "copynet" and encoder and encoder[0] == "pyramidal":
        return "CopyNetOutput reads a memory entry for each source position"
    if output == "tied" and decoder and decoder[1].get("readout") == "none":
        return "output=tied needs features as wide as the embedding"
    return None


def no_network(parts: dict[str, Any]) -> bool:
    """Whether some parts are no network: refused, or a normalizer for an attention without one."""
    if refusal(parts) is not None:
        return True
    return parts.get("normalizer", "unset") != "unset" and "attention" in parts and not normalizes(parts["attention"])


def name_of(parts: dict[str, Any]) -> str:
    names = [value if isinstance(value, str) else f"{value[0]}{list(value[1].values())}" for value in parts.values()]
    return "-".join(names)


PAIRS = covering(AXES, no_network)


def each_option(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the first rows that hold an option of any axis which no row before them held."""
    rows, seen = [], set()
    for row in pairs:
        new = {(axis, repr(option)) for axis, option in row.items()} - seen
        if new:
            rows.append(row)
            seen |= new
    return rows

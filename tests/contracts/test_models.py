"""Laws of every network that can be composed from conf/: of every pair of options that can stand together."""

import importlib
import itertools
from collections.abc import Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.outputs.base import Output
from s2s_lab.models.seq2seq import Seq2Seq
from tests.contracts.covering import covering

CONF = Path(__file__).parents[2] / "conf"
SIZE, LAYERS, VOCAB, BATCH, SOURCE_LEN, TARGET_LEN = 6, 2, 9, 3, 5, 4
PAD = 0
# Keys that choose between ways of working, with the values that every law must hold for.
WAYS = {
    "input_feeding": (False, True),
    "readout": ("maxout", "tanh", "none"),
    "bidirectional": (False, True),
    "reverse_source": (False, True),
}
WIDTHS = {"hidden_size": SIZE, "num_layers": LAYERS, "embedding_size": SIZE, "readout_size": SIZE}


def options(group: str) -> list[str]:
    found = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    assert found, f"conf/{group} holds no option"
    return found


def settings(group: str, name: str) -> dict[str, Any]:
    node = yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8"))
    merged: dict[str, Any] = {}
    for parent in node.pop("defaults", []):
        if parent != "_self_":
            merged |= settings(group, parent)
    return merged | node


def ways(group: str, keys: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Give every option in every way of working, leaving out those that an earlier one equals."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in options(group):
        node = settings(group, name)
        chosen = [key for key in keys if key in node]
        for values in itertools.product(*(WAYS[key] for key in chosen)):
            changes = dict(zip(chosen, values, strict=True))
            found.setdefault(repr(sorted((node | changes).items())), (name, changes))
    return list(found.values())


def make(group: str, name: str, **changes: Any) -> Any:
    node = settings(group, name)
    path, attribute = node.pop("_target_").rsplit(".", 1)
    target = getattr(importlib.import_module(path), attribute)
    node.update({key: value for key, value in WIDTHS.items() if key in node})
    node.update(changes)
    return partial(target, **node) if node.pop("_partial_", False) else target(**node)


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
    encoder: tuple[str, dict[str, Any]] = ("recurrent", {}),
    bridge: str = "projected",
    attention: str = "additive",
    decoder: tuple[str, dict[str, Any]] = ("attend_last", {}),
    output: str = "linear",
    embedding: str = "separate",
    initialization: str = "torch_default",
) -> Seq2Seq:
    source_embedding, target_embedding = make("embedding", embedding)(
        source_vocabulary_size=VOCAB, target_vocabulary_size=VOCAB, shared_vocabulary=True, padding_id=PAD
    )
    cells = make("cell", cell)
    encoding = make("encoder", encoder[0], **encoder[1])(input_size=SIZE, cell=cells)
    decoding = make("decoder", decoder[0], **decoder[1])(
        input_size=SIZE,
        memory_size=encoding.memory_size,
        summary_size=encoding.summary_size,
        attention=make("attention", attention),
        cell=cells,
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


def tensors(nested: Any) -> Iterator[torch.Tensor]:
    if isinstance(nested, tuple):
        for part in nested:
            yield from tensors(part)
    else:
        assert isinstance(nested, torch.Tensor), f"a leaf is {nested!r}, expected a tensor"
        yield nested


def replace(nested: Any, change: Any) -> Any:
    if isinstance(nested, tuple):
        parts = [replace(part, change) for part in nested]
        return type(nested)(*parts) if hasattr(nested, "_fields") else tuple(parts)
    return change(nested)


def run_steps(network: Seq2Seq, given: tuple, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    memory, state = network.start(given)
    all_scores, all_weights = [], []
    for position in range(inputs.shape[1]):
        scores, state, weights = network.step(inputs[:, position], state, memory)
        assert all(part.shape[0] == len(inputs) for part in tensors(state))
        all_scores.append(scores)
        all_weights.append(weights)
    return torch.stack(all_scores, 1), None if all_weights[0] is None else torch.stack(all_weights, 1)


AXES = {
    "attention": options("attention"),
    "decoder": ways("decoder", ("input_feeding", "readout")),
    "encoder": ways("encoder", ("bidirectional", "reverse_source")),
    "cell": options("cell"),
    "bridge": options("bridge"),
    "output": options("output"),
    "embedding": options("embedding"),
}


def refusal(parts: dict[str, Any]) -> str | None:
    """Say how the message begins that refuses some parts of a network; None where they can stand together."""
    attention, decoder = parts.get("attention"), parts.get("decoder")
    if attention and decoder and decoder[1].get("input_feeding") and make("attention", attention).func.constant:
        return "decoder.input_feeding is true without attention, expected false"
    output = parts.get("output")
    if (
        output
        and attention
        and make("output", output).func.reads_weights
        and make("attention", attention).func.constant
    ):
        return f"{make('output', output).func.__name__} reads the attention's weights"
    if output == "tied" and decoder and decoder[1].get("readout") == "none":
        return "output=tied needs features as wide as the embedding"
    return None


def name_of(parts: dict[str, Any]) -> str:
    names = [value if isinstance(value, str) else f"{value[0]}{list(value[1].values())}" for value in parts.values()]
    return "-".join(names)


every_pair = pytest.mark.parametrize("parts", covering(AXES, lambda row: refusal(row) is not None), ids=name_of)


@pytest.mark.parametrize(
    "parts",
    [
        {first: one, second: other}
        for first, second in itertools.combinations(AXES, 2)
        for one, other in itertools.product(AXES[first], AXES[second])
        if refusal({first: one, second: other})
    ],
    ids=name_of,
)
def test_impossible_combinations_are_refused_with_the_reason(parts):
    with pytest.raises(RequestError, match=f"^{refusal(parts)}"):
        build(**parts)


@every_pair
def test_steps_equal_forward(parts):
    network = build(**parts)
    with torch.no_grad():
        features, weights = network.eval()(sources(), INPUTS)
        scores, step_weights = run_steps(network, sources(), INPUTS)
    assert features.shape[:2] == (BATCH, TARGET_LEN)
    assert features.shape[2] == network.decoder.feature_size or network.output.reads_source
    torch.testing.assert_close(scores, network.output.scores(features), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(step_weights, weights, atol=1e-5, rtol=0.0)
    if weights is not None:
        assert weights.shape == (BATCH, TARGET_LEN, SOURCE_LEN)
        assert weights.masked_select((torch.arange(SOURCE_LEN) >= LENGTHS.unsqueeze(1)).unsqueeze(1)).eq(0).all()
        torch.testing.assert_close(weights.sum(2), torch.ones(BATCH, TARGET_LEN))


@every_pair
def test_padding_and_order_in_the_batch_change_nothing(parts):
    network = build(**parts)
    network.double().eval()
    order = [2, 0, 1]
    with torch.no_grad():
        features, _ = network(sources(), INPUTS)
        padded, _ = network(sources(source_len=SOURCE_LEN + 3), INPUTS)
        shuffled, _ = network(sources(order), INPUTS[order])
        alone = [
            network(((ids[:, :length], length.unsqueeze(0)),), INPUTS[row : row + 1])[0]
            for row in range(BATCH)
            for ids, length in [(sources([row])[0][0], LENGTHS[row])]
        ]
    torch.testing.assert_close(padded, features, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(shuffled, features[order], atol=1e-12, rtol=0.0)
    torch.testing.assert_close(torch.cat(alone), features, atol=1e-12, rtol=0.0)


@every_pair
def test_hypotheses_share_the_memory_of_their_sentence(parts):
    network = build(**parts)
    width = 3
    previous_ids = torch.randint(1, VOCAB, (BATCH, width))
    with torch.no_grad():
        memory, state = network.double().eval().start(sources())
        _, state, _ = network.step(INPUTS[:, 0], state, memory)
        wide = replace(state, lambda part: part.repeat_interleave(width, 0))
        wide = replace(wide, lambda part: part + 0.1 * torch.randn_like(part))
        scores, following, weights = network.step(previous_ids.flatten(), wide, memory)
        for index in range(width):
            alone = network.step(previous_ids[:, index], replace(wide, itemgetter(slice(index, None, width))), memory)
            together = replace((scores, following), itemgetter(slice(index, None, width)))
            torch.testing.assert_close(together, alone[:2])
            torch.testing.assert_close(None if weights is None else weights[index::width], alone[2])
    assert all(part.shape[0] == BATCH for part in tensors(memory))


@every_pair
def test_training_in_bfloat16_stays_near_float32_and_reaches_every_parameter(parts):
    network = build(**parts)
    features, _ = network(sources(), INPUTS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast, _ = network(sources(), INPUTS)
        loss, nll = network.output.loss(fast.flatten(0, 1), INPUTS.flatten(), 0.1)
    loss.backward()
    assert (fast - features).abs().max() < 0.05
    assert loss.dtype == nll.dtype == torch.float32
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.dtype == torch.float32


@every_pair
def test_a_batch_without_rows_passes(parts):
    network = build(**parts)
    features, _ = network(sources([]), INPUTS[:0])
    assert features.shape[:2] == (0, TARGET_LEN)
    loss, _ = network.output.loss(features.flatten(0, 1), INPUTS[:0].flatten())
    loss.backward()
    assert loss.item() == 0.0
    scores, _, _ = network.step(INPUTS[:0, 0], *reversed(network.start(sources([]))))
    assert scores.shape == (0, VOCAB)


@pytest.mark.parametrize("embedding", options("embedding"))
@pytest.mark.parametrize("output", options("output"))
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_loss_is_torchs_cross_entropy_of_log_probs(output, embedding, label_smoothing):
    network = build(output=output, embedding=embedding).double()
    parameters = list(network.parameters())
    features, _ = network(sources(), INPUTS)
    features, targets = features.flatten(0, 1), INPUTS.roll(-1, 1).flatten()
    loss, nll = network.output.loss(features, targets, label_smoothing)
    log_probs = network.output.log_probs(features)
    expected = functional.cross_entropy(log_probs, targets, reduction="sum", label_smoothing=label_smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, functional.nll_loss(log_probs, targets, reduction="sum"), check_stride=False)
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
    for mine, theirs in zip(gradients, torch.autograd.grad(expected, parameters), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("initialization", options("initialization"))
@pytest.mark.parametrize("cell", options("cell"))
def test_initialization_is_finite_and_leaves_what_cells_and_padding_fix(cell, initialization):
    network = build(cell=cell, initialization=initialization)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    for table in (network.source_embedding.weight, network.target_embedding.weight):
        assert table[PAD].eq(0).all() and table[PAD + 1].ne(0).any()
    forget_bias = settings("cell", cell).get("forget_bias")
    if forget_bias is not None:
        for built in network.decoder.stack.cells:
            _, _, input_bias, recurrent_bias = built.weights
            assert (input_bias + recurrent_bias)[SIZE : 2 * SIZE].eq(forget_bias).all()


def test_every_option_starts_with_a_line_that_says_what_it_is():
    for group in ("cell", "encoder", "bridge", "attention", "decoder", "output", "embedding", "initialization"):
        for name in options(group):
            first = (CONF / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
            assert first.startswith("# ") and first.endswith("."), f"{group}/{name}"

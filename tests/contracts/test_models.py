"""Laws of every network that can be composed from conf/: of every pair of options that can stand together."""

import itertools
from typing import Any

import pytest
import torch
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.base import FusedCell
from tests.contracts.covering import covering
from tests.contracts.networks import (
    AXES,
    BATCH,
    EMBEDDINGS,
    INPUTS,
    LENGTHS,
    PAD,
    PAIRS,
    SIZE,
    SOURCE_LEN,
    TARGET_LEN,
    VOCAB,
    build,
    check_gradients,
    check_memory_is_shared,
    each_option,
    name_of,
    no_network,
    options,
    refusal,
    run_steps,
    settings,
    sources,
)
from tests.contracts.options import CONF
from tests.contracts.rounding import MOST_SPREADS, spread


@pytest.mark.slow
def test_any_three_parts_that_can_stand_together_make_a_network():
    """Every three options of the six main axes meet in a network without memory, of which there are ten million."""
    axes = {axis: AXES[axis] for axis in ("attention", "decoder", "encoder", "cell", "bridge", "output")}
    rows = covering(axes, no_network, strength=3)
    for row in rows:
        with torch.device("meta"):
            network = build(**row)
        assert all(parameter.is_meta for parameter in network.parameters()), name_of(row)


every_pair = pytest.mark.parametrize("parts", PAIRS, ids=name_of)
every_option = pytest.mark.parametrize("parts", each_option(PAIRS), ids=name_of)


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


@every_option
def test_hypotheses_share_the_memory_of_their_sentence(parts):
    network = build(**parts)
    with torch.no_grad():
        memory, state = network.double().eval().start(sources())
        _, state, _ = network.step(INPUTS[:, 0], state, memory)
        check_memory_is_shared(network, memory, state)


@every_option
def test_training_in_bfloat16_stays_near_float32_and_reaches_every_parameter(parts):
    """Each feature is as near as a change of the last digit of every parameter leaves it; see rounding.py."""
    network = build(**parts)

    def run(module: torch.nn.Module) -> torch.Tensor:
        torch.manual_seed(1)
        return module(sources(), INPUTS)[0]

    features = run(network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast = run(network)
        loss, nll = network.output.loss(fast.flatten(0, 1), INPUTS.flatten(), 0.1)
    loss.backward()
    assert (fast - features).abs().max() < MOST_SPREADS * spread(network, run)
    assert loss.dtype == nll.dtype == torch.float32
    check_gradients(network)
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


@every_option
def test_decoding_with_parameters_in_bfloat16_stays_near_float32(parts):
    network = build(**parts).eval()

    def run(module: torch.nn.Module) -> torch.Tensor:
        return run_steps(module, sources(), INPUTS)[0].float().exp()

    with torch.no_grad():
        scores = run(network)
        allowed = MOST_SPREADS * spread(network, run)
        assert (run(network.to(torch.bfloat16)) - scores).abs().max() < allowed


@every_option
def test_a_batch_without_rows_passes(parts):
    network = build(**parts)
    features, _ = network(sources([]), INPUTS[:0])
    assert features.shape[:2] == (0, TARGET_LEN)
    loss, _ = network.output.loss(features.flatten(0, 1), INPUTS[:0].flatten())
    loss.backward()
    assert loss.item() == 0.0
    scores, _, _ = network.step(INPUTS[:0, 0], *reversed(network.start(sources([]))))
    assert scores.shape == (0, VOCAB)


@pytest.mark.parametrize("embedding", EMBEDDINGS)
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


def forget_biases(cell: Any) -> torch.Tensor:
    if isinstance(cell, FusedCell):  # input, forget, candidate, output
        _, _, input_bias, recurrent_bias = cell.weights
        return (input_bias + recurrent_bias)[SIZE : 2 * SIZE]
    if "forget" in cell.gates:
        return cell.bias[cell.place("forget")]
    return -cell.bias[cell.place("input")]  # what is forgotten is 1 - input


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
            assert forget_biases(built).eq(forget_bias).all()


def test_every_option_starts_with_a_line_that_says_what_it_is():
    for group in (
        "cell",
        "encoder",
        "bridge",
        "attention",
        "normalizer",
        "decoder",
        "output",
        "embedding",
        "initialization",
        "transition",
        "cell_dropout",
        "sources",
    ):
        for name in options(group):
            lines = (CONF / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
            first = next(line for line in lines if "@package" not in line)
            assert first.startswith("# ") and first.endswith("."), f"{group}/{name}"


READING_NOTHING = AXES | {"encoder": [("nothing", {})], "cell": ["gru"], "output": ["linear"]}


@pytest.mark.parametrize("parts", covering(READING_NOTHING, no_network), ids=name_of)
def test_a_model_that_reads_nothing_gives_the_same_for_every_source_of_a_length(parts):
    network = build(**parts).eval()
    values, lengths = sources()[0]
    features, _ = network(((values, lengths),), INPUTS)
    others, _ = network((((values + 3) % VOCAB, lengths),), INPUTS)
    torch.testing.assert_close(others, features)


@pytest.mark.parametrize("embedding", ["separate", "shared"])
@pytest.mark.parametrize("decoder", ["attend_first_plain", "transformer", "convolutional"])
def test_a_language_model_reaches_every_parameter_that_asks_for_a_gradient(decoder, embedding):
    """Ranks that train together wait for all of them."""
    parts = {"encoder": ("nothing", {}), "bridge": "zero", "attention": "start_only", "embedding": embedding}
    network = build(**parts, decoder=(decoder, {}))
    features, _ = network(sources(), INPUTS)
    network.output.loss(features.flatten(0, 1), INPUTS.flatten())[0].backward()
    for name, parameter in network.named_parameters():
        unread = name.startswith("source_embedding") and embedding == "separate"
        assert parameter.requires_grad is not unread, name
        assert (parameter.grad is not None and bool(parameter.grad.ne(0).any())) is not unread, name

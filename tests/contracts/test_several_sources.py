"""Laws of every network that reads several sources, of every pair of options that can stand together."""

import functools
from typing import Any

import pytest
import torch
from torch.nn import functional

from s2s_lab.faults import RequestError
from tests.contracts import networks
from tests.contracts.covering import covering
from tests.contracts.networks import (
    BATCH,
    INPUTS,
    PAD,
    SIZE,
    TARGET_LEN,
    VOCAB,
    check_gradients,
    name_of,
    options,
)

WAYS = [{"share": share, "state": state} for share in (False, True) for state in ("projected", "mean")]
AXES = {
    **networks.AXES,
    "attention": options("attention"),
    "normalizer": ["unset", "entmax"],
    "encoder": list(
        {networks.settings("encoder", name)["_target_"]: (name, {}) for name in options("encoder")}.values()
    ),
    "embedding": ["separate", "positional"],
    "sources": [("several", way) for way in WAYS],
    "decoder": [("attend_last", {"input_feeding": True}), ("attend_first", {}), ("transformer", {}), ("gnmt", {})],
    "cell": ["gru", "lstm"],
    "transition": ["shallow"],
    "cell_dropout": ["none"],
}
FIRST = torch.tensor([[4, 5, 6, 7, 3], [8, 3, 0, 0, 0], [5, 5, 4, 3, 0]])
SECOND = torch.tensor([[7, 3, 0, 0], [5, 6, 4, 3], [3, 0, 0, 0]])  # the last one is empty but for its end
LENGTHS = (torch.tensor([5, 2, 4]), torch.tensor([2, 4, 1]))
TOTAL = LENGTHS[0] + LENGTHS[1]


def sources(rows: list[int] | None = None, padding: int = 0) -> tuple:
    chosen = list(range(BATCH)) if rows is None else rows
    return tuple(
        (functional.pad(ids, (0, padding), value=PAD)[chosen], lengths[chosen])
        for ids, lengths in zip((FIRST, SECOND), LENGTHS, strict=True)
    )


@functools.cache
def ordered(attention: str) -> bool:
    return bool(networks.make("attention", attention).func.ordered is True)


def refusal(parts: dict[str, Any]) -> str | None:
    if parts.get("encoder") and parts["encoder"][0] == "pyramidal":
        return "sources=several needs a memory entry for each source position, but PyramidalEncoder"
    if parts.get("attention") and ordered(parts["attention"]):
        return r"\w+ takes the memory for one source in its order, but the encoder reads 2"
    return networks.refusal(parts)


def no_network(parts: dict[str, Any]) -> bool:
    stateless = parts.get("decoder", ("",))[0] == "transformer" or parts.get("bridge") in ("constant", "zero")
    blind = parts.get("attention") == "start_only" and stateless  # nothing reads the sources
    return blind or refusal(parts) is not None or networks.no_network(parts)


PAIRS = covering(AXES, no_network)
every_pair = pytest.mark.parametrize("parts", PAIRS, ids=name_of)
every_option = pytest.mark.parametrize("parts", networks.each_option(PAIRS), ids=name_of)


@pytest.mark.parametrize("attention", options("attention"))
def test_an_attention_that_counts_positions_is_refused_unless_it_reads_each_source_apart(attention: str) -> None:
    several = {"sources": ("several", {})}
    if not ordered(attention):
        networks.build(attention=attention, **several)
        return
    with pytest.raises(RequestError, match=f"^{refusal({'attention': attention})}"):
        networks.build(attention=attention, **several)
    network = hierarchical(attention).double().eval()
    with torch.no_grad():
        scores, _ = networks.run_steps(network, sources(), INPUTS)
        features, weights = network(sources(), INPUTS)
    torch.testing.assert_close(scores, network.output.scores(features), atol=1e-10, rtol=0.0)
    assert weights is not None


def hierarchical(each: str) -> Any:
    made = networks.make

    def with_each(group: str, name: str, **changes: Any) -> Any:
        changes = {**changes, "each": made("attention", each)} if name == "hierarchical" else changes
        return made(group, name, **changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "make", with_each)
        return networks.build(attention="hierarchical", sources=("several", {}))


@pytest.mark.parametrize("encoder", ["pyramidal"])
def test_an_encoder_that_shortens_its_source_is_refused(encoder: str) -> None:
    with pytest.raises(RequestError, match=f"^{refusal({'encoder': (encoder, {})})}"):
        networks.build(encoder=(encoder, {}), sources=("several", {}))


def test_a_network_refuses_more_or_fewer_sources_than_its_encoder_reads() -> None:
    with pytest.raises(RequestError, match=r"^the network reads 1 source, but the batch holds 2$"):
        networks.build()(sources(), INPUTS)
    network = networks.build(sources=("several", {}))
    for given in (sources()[:1], (*sources(), sources()[0])):
        with pytest.raises(RequestError, match=f"^the network reads 2 sources, but the batch holds {len(given)}$"):
            network(given, INPUTS)
    with pytest.raises(RequestError, match=r"^sources\.num_sources is 1, expected at least 2"):
        networks.build(sources=("several", {"num_sources": 1}))
    with pytest.raises(RequestError, match=r"^attention=hierarchical attends to several sources, but there is 1"):
        networks.build(attention="hierarchical")


@every_pair
def test_steps_equal_forward(parts: dict[str, Any]) -> None:
    network = networks.build(**parts)
    with torch.no_grad():
        features, weights = network.eval()(sources(), INPUTS)
        scores, step_weights = networks.run_steps(network, sources(), INPUTS)
    torch.testing.assert_close(scores, network.output.scores(features), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(step_weights, weights, atol=1e-5, rtol=0.0)
    if weights is not None:
        assert weights.shape[:2] == (BATCH, TARGET_LEN)
        beyond = torch.arange(weights.shape[2]) >= TOTAL.unsqueeze(1)
        assert weights.masked_select(beyond.unsqueeze(1)).eq(0).all()
        torch.testing.assert_close(weights.sum(2), torch.ones(BATCH, TARGET_LEN))


@every_pair
def test_padding_between_the_sources_and_the_order_in_the_batch_change_nothing(parts: dict[str, Any]) -> None:
    network = networks.build(**parts).double().eval()
    order = [2, 0, 1]
    with torch.no_grad():
        features, weights = network(sources(), INPUTS)
        padded, padded_weights = network(sources(padding=3), INPUTS)
        shuffled, _ = network(sources(order), INPUTS[order])
        alone = [
            network(tuple((ids[row : row + 1, : n[row]], n[row : row + 1]) for ids, n in sources()), INPUTS[[row]])[0]
            for row in range(BATCH)
        ]
    torch.testing.assert_close(padded, features, atol=1e-12, rtol=0.0)
    if weights is not None:
        torch.testing.assert_close(padded_weights[:, :, : weights.shape[2]], weights, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(shuffled, features[order], atol=1e-12, rtol=0.0)
    torch.testing.assert_close(torch.cat(alone), features, atol=1e-12, rtol=0.0)


@every_option
def test_training_reaches_every_parameter(parts: dict[str, Any]) -> None:
    network = networks.build(**parts)
    torch.manual_seed(1)
    features, _ = network(sources(), INPUTS)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast, _ = network(sources(), INPUTS)
        loss, _ = network.output.loss(fast.flatten(0, 1), INPUTS.flatten(), 0.1)
    loss.backward()
    assert (fast - features).abs().max() < 0.05 * features.abs().max().clamp(min=1.0)
    check_gradients(network)


@pytest.mark.parametrize("attention", [name for name in options("attention") if not ordered(name)])
def test_hypotheses_share_the_memory_of_their_sentence(attention: str) -> None:
    network = networks.build(attention=attention, sources=("several", {})).double().eval()
    with torch.no_grad():
        networks.check_memory_is_shared(network, *network.start(sources()))


@pytest.mark.parametrize("attention", ["additive", "hierarchical"])
def test_a_batch_without_rows_passes(attention: str) -> None:
    network = networks.build(attention=attention, sources=("several", {}))
    features, _ = network(sources([]), INPUTS[:0])
    network.output.loss(features.flatten(0, 1), INPUTS[:0].flatten())[0].backward()
    scores, _, _ = network.step(INPUTS[:0, 0], *reversed(network.start(sources([]))))
    assert features.shape[:2] == (0, TARGET_LEN) and scores.shape == (0, VOCAB)


def test_the_flat_memory_is_the_sources_one_after_the_other() -> None:
    network = networks.build(sources=("several", {"share": True})).double().eval()
    with torch.no_grad():
        encoded = network.encoder(*zip(*((network.source_embedding(ids), n) for ids, n in sources()), strict=True))
        alone = [network.encoder.encoders[0](network.source_embedding(ids), n).memory for ids, n in sources()]
    assert encoded.memory_mask.sum(1).tolist() == TOTAL.tolist()
    for row in range(BATCH):
        expected = torch.cat([memory[row, : n[row]] for memory, n in zip(alone, LENGTHS, strict=True)])
        assert torch.equal(encoded.memory[row, : TOTAL[row]], expected)
        assert encoded.memory[row, TOTAL[row] :].eq(0).all()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_states_are_combined_as_zoph_and_knight_do(cell: str) -> None:
    """That is h = tanh(W [h_1; h_2]), c = c_1 + c_2; or the mean of each."""
    for state in ("projected", "mean"):
        network = networks.build(cell=cell, sources=("several", {"state": state})).double().eval()
        with torch.no_grad():
            encoded = network.encoder(*zip(*((network.source_embedding(ids), n) for ids, n in sources()), strict=True))
            for height, layer in enumerate(encoded.final_state):
                one, other = (part.final_state[height] for part in encoded.parts)
                if state == "mean":
                    expected = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
                else:
                    weight = network.encoder.projections[height].weight
                    assert weight.shape == (SIZE, 2 * SIZE)
                    joined = torch.tanh(torch.cat((one[0], other[0]), 1) @ weight.T)
                    expected = [joined, *(a + b for a, b in zip(one[1:], other[1:], strict=True))]
                for found, part in zip(layer, expected, strict=True):
                    torch.testing.assert_close(found, part)


def test_hierarchical_attention_is_the_papers() -> None:
    """The hierarchical combination of Libovicky and Helcl 2017, in plain loops."""
    network = networks.build(attention="hierarchical", sources=("several", {})).double().eval()
    attention = network.decoder.attention
    query = torch.randn(BATCH, 1, attention.query_size, dtype=torch.float64)
    with torch.no_grad():
        encoded = network.encoder(*zip(*((network.source_embedding(ids), n) for ids, n in sources()), strict=True))
        found, weights = attention(query, attention.prepare(encoded))
        for row in range(BATCH):
            contexts, within, energies = [], [], []
            for k, part in enumerate(encoded.parts):
                own = attention.attentions[k]
                memory = part.memory[row, : LENGTHS[k][row]]
                total = own.query_projection.weight @ query[row, 0] + memory @ own.memory_projection.weight.T
                alpha = (torch.tanh(total) @ own.energy_projection.weight[0]).softmax(0)
                contexts.append(alpha @ memory)
                within.append(alpha)
                keys = attention.key_projections[k].weight @ contexts[k]
                sums = torch.tanh(attention.query_projection.weight @ query[row, 0] + keys)
                energies.append(attention.energy_projection.weight[0] @ sums)
            beta = torch.stack(energies).softmax(0)
            values = [
                projection.weight @ c for projection, c in zip(attention.value_projections, contexts, strict=True)
            ]
            torch.testing.assert_close(found[row, 0], sum(b * v for b, v in zip(beta, values, strict=True)))
            expected = torch.cat([b * alpha for b, alpha in zip(beta, within, strict=True)])
            torch.testing.assert_close(weights[row, 0, : TOTAL[row]], expected)

"""Packed weights multiply like the weights they hold, and a row's result depends on no other row."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from s2s_lab.assemble.inference import load_model
from s2s_lab.decoding.beam import BeamSearch
from s2s_lab.decoding.greedy import GreedySearch
from s2s_lab.faults import RequestError
from s2s_lab.inference.frozen import length_sorted_batches, save_model
from s2s_lab.inference.packed import BLOCK_ROWS, FloatWeight, Int8Weight, pack, quantize, to_integers
from s2s_lab.inference.score import score_targets
from s2s_lab.models.seq2seq import Seq2Seq
from tests.inference.test_frozen import model

OUT, IN = 70, 48


@pytest.mark.parametrize("shape", [(1, IN), (5, IN), (2, 3, IN)])
@pytest.mark.parametrize("biased", [True, False])
def test_a_float_weight_multiplies_like_the_weight(shape: tuple[int, ...], biased: bool) -> None:
    weight, inputs, bias = torch.randn(OUT, IN), torch.randn(shape), torch.randn(OUT) if biased else None
    torch.testing.assert_close(
        functional.linear(inputs, FloatWeight(weight), bias), functional.linear(inputs, weight, bias)
    )


def test_integers_are_within_half_a_step_and_keep_the_largest_value() -> None:
    values = torch.randn(9, IN) * torch.logspace(-6, 6, 9).unsqueeze(1)
    integers, scales = to_integers(values)
    error = (integers.double() * scales.double() - values.double()).abs()
    assert (error <= 0.5001 * scales.double()).all()
    assert integers.abs().amax(1).eq(127).all()


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("rows", [1, 3, BLOCK_ROWS + 5])
def test_an_int8_product_is_the_exact_product_of_what_both_factors_were_rounded_to(rows: int, biased: bool) -> None:
    weight, inputs, bias = Int8Weight(torch.randn(OUT, IN)), torch.randn(rows, IN), torch.randn(OUT)
    integers, scales = to_integers(inputs)
    exact = (integers.double() * scales.double()) @ (weight.integers.double() * weight.scales.double().unsqueeze(1)).t()
    found = functional.linear(inputs, weight, bias if biased else None)
    torch.testing.assert_close(found, (exact + (bias if biased else 0.0)).float(), rtol=1e-5, atol=1e-5)


def test_an_int8_row_is_the_same_whatever_is_beside_it() -> None:
    weight, inputs, bias = Int8Weight(torch.randn(OUT, IN)), torch.randn(BLOCK_ROWS + 9, IN), torch.randn(OUT)
    together = functional.linear(inputs, weight, bias)
    inputs[::2] *= 1e3  # other neighbours for the odd rows
    assert torch.equal(functional.linear(inputs, weight, bias)[1::2], together[1::2])
    for row in (1, BLOCK_ROWS + 1):
        assert torch.equal(functional.linear(inputs[row : row + 1], weight, bias)[0], together[row])


def test_a_row_of_zeros_gives_the_bias() -> None:
    bias = torch.randn(OUT)
    assert torch.equal(functional.linear(torch.zeros(2, IN), Int8Weight(torch.randn(OUT, IN)), bias)[1], bias)


@pytest.mark.parametrize("kind", [FloatWeight, Int8Weight])
def test_elsewhere_a_packed_weight_stands_for_its_values(kind: type) -> None:
    packed = kind(torch.randn(OUT, IN))
    rows = functional.embedding(torch.tensor([0, 3]), packed)
    assert type(rows) is torch.Tensor
    torch.testing.assert_close(rows, packed.unpack()[[0, 3]])


@pytest.mark.parametrize("kind", [FloatWeight, Int8Weight])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_some_rows_of_a_packed_weight_multiply_like_those_of_the_whole(kind: type, dtype: torch.dtype) -> None:
    packed, ids = torch.nn.Parameter(kind(torch.randn(OUT, IN, dtype=dtype)), requires_grad=False), torch.arange(3, 67)
    inputs, bias = torch.randn(5, IN, dtype=dtype), torch.randn(OUT, dtype=dtype)
    rows = packed.index_select(0, ids)
    assert type(rows) is kind and rows.shape == (64, IN) and rows.dtype == dtype
    assert torch.equal(rows.unpack(), packed.unpack()[ids])
    found, expected = functional.linear(inputs, rows, bias[ids]), functional.linear(inputs, packed, bias)[:, ids]
    torch.testing.assert_close(found, expected)
    assert kind is not Int8Weight or torch.equal(found, expected)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("model=lstm_attention", "attention=general"),
        ("output=tied",),
        ("cell=gru_reset_before",),
        ("cell=layer_norm_lstm", "cell_dropout=variational"),
        ("cell=lstm_full_gate_recurrence", "transition=deep", "cell_dropout=zoneout"),
        ("cell=sru", "decoder=attend_first_residual"),
    ],
)
def test_a_packed_network_decodes_like_the_network_and_an_int8_one_nearly(words: tuple[str, ...]) -> None:
    plain, packed, rounded = (model(*words).network for _ in range(3))
    for other in (packed, rounded):
        other.load_state_dict(plain.state_dict())
    pack(packed)
    quantize(rounded)
    for strategy in (GreedySearch(bos=1, eos=2, max_length=6), BeamSearch(bos=1, eos=2, size=3, max_length=6)):
        expected, same, near = (decoded(network, strategy) for network in (plain, packed, rounded))
        assert [item.ids for item in same] == [item.ids for item in expected]
        for one, other in zip(expected, same, strict=True):
            assert abs(one.log_prob - other.log_prob) < 1e-4
        for one, other in zip(expected, near, strict=True):
            assert one.ids != other.ids or abs(one.log_prob - other.log_prob) < 0.2


@pytest.mark.parametrize("words", [(), ("model=bahdanau",), ("decoder=attend_last",), ("output=tied",)])
def test_a_packed_network_scores_targets_like_the_network(words: tuple[str, ...]) -> None:
    plain, packed = model(*words), model(*words)
    packed.network.load_state_dict(plain.network.state_dict())
    pack(packed.network)
    sources = [plain.source.ids(line) for line in ("a b c", "d", "b b")]
    expected, found = (
        score_targets(
            each.network, length_sorted_batches(sources, sources[::-1], sentences=2), device=torch.device("cpu")
        )
        for each in (plain, packed)
    )
    assert expected.keys() == found.keys()
    for index, (log_prob, tokens) in expected.items():
        assert found[index][1] == tokens
        assert abs(found[index][0] - log_prob) < 1e-4


def decoded(network: Seq2Seq, strategy: GreedySearch | BeamSearch) -> list:
    sources, lengths = torch.tensor([[4, 5, 6, 2], [7, 2, 0, 0], [5, 5, 2, 0]]), torch.tensor([4, 2, 3])
    with torch.inference_mode():
        memory, state = network.start(((sources, lengths),))
        found = strategy.decode(
            network.step, state, memory, source_lengths=lengths, sentence_index=torch.arange(len(lengths))
        )
    return [nbest[0] for nbest in found]


def test_int8_is_refused_on_a_gpu_in_one_line(tmp_path: Path) -> None:
    save_model(model(), tmp_path / "model")
    with pytest.raises(RequestError, match="precision=int8: on the CPU alone"):
        load_model(tmp_path / "model", device=torch.device("cuda"), precision="int8")

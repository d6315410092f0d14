"""Laws of networks whose source tokens carry factors."""

from typing import Any

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.seq2seq import Seq2Seq
from tests.contracts import networks
from tests.contracts import test_several_sources as several
from tests.contracts.networks import BATCH, INPUTS, LENGTHS, PAD, SIZE, VOCAB, options

SIZES = (6, 5)
WAYS = [("concatenated", [2, 3]), ("concatenated", 4), ("summed", 4)]


def network(combine: str = "concatenated", widths: Any = 4, **parts: Any) -> Seq2Seq:
    factors = {"factor_sizes": SIZES, "combine": combine, "factor_embedding_size": widths}
    return networks.build(embedding="factored", factors=factors, **parts)


def with_factors(plain: tuple) -> tuple:
    """Put two factors beside each id, functions of id and position, 0 on padding."""
    made = []
    for ids, lengths in plain:
        positions = torch.arange(ids.shape[1])
        real = (positions < lengths.unsqueeze(1)).long()
        streams = [
            real * (1 + (ids * 3 + positions * prime) % (size - 1)) for prime, size in zip((1, 2), SIZES, strict=True)
        ]
        made.append((torch.stack([ids, *streams], 2), lengths))
    return tuple(made)


@pytest.mark.parametrize(("combine", "widths"), WAYS)
def test_a_tokens_vector_is_its_words_beside_or_plus_those_of_its_factors(combine: str, widths: Any) -> None:
    embedding = network(combine, widths).source_embedding.eval()
    ids = with_factors(networks.sources())[0][0]
    found = [table.weight[ids[..., place]] for place, table in enumerate(embedding.tables)]
    expected = torch.cat(found, 2) if combine == "concatenated" else found[0] + found[1] + found[2]
    torch.testing.assert_close(embedding(ids), expected)
    assert embedding.embedding_size == expected.shape[2]
    assert all(table.weight[PAD].eq(0).all() for table in embedding.tables)
    if combine == "concatenated":
        assert expected.shape[2] == SIZE + (sum(widths) if isinstance(widths, list) else 2 * widths)


@pytest.mark.parametrize("output", options("output"))
@pytest.mark.parametrize(("combine", "widths"), WAYS)
def test_steps_equal_forward_and_padding_and_order_change_nothing(output: str, combine: str, widths: Any) -> None:
    built = network(combine, widths, output=output).double().eval()
    given, order = with_factors(networks.sources()), [2, 0, 1]
    with torch.no_grad():
        features, weights = built(given, INPUTS)
        scores, step_weights = networks.run_steps(built, given, INPUTS)
        padded, _ = built(with_factors(networks.sources(source_len=8)), INPUTS)
        shuffled, _ = built(tuple((ids[order], n[order]) for ids, n in given), INPUTS[order])
        ids, _ = given[0]
        alone = [
            built(((ids[row : row + 1, :length], length.unsqueeze(0)),), INPUTS[row : row + 1])[0]
            for row, length in enumerate(LENGTHS)
        ]
    torch.testing.assert_close(scores, built.output.scores(features), atol=1e-10, rtol=0.0)
    torch.testing.assert_close(step_weights, weights, atol=1e-10, rtol=0.0)
    torch.testing.assert_close(padded, features, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(shuffled, features[order], atol=1e-12, rtol=0.0)
    torch.testing.assert_close(torch.cat(alone), features, atol=1e-12, rtol=0.0)
    assert len(alone) == BATCH


@pytest.mark.parametrize("output", ["pointer_generator", "copynet"])
def test_an_unknown_word_is_copied_and_read_as_unknown_whatever_its_factors(output: str) -> None:
    built = network(output=output).eval()
    ((ids, lengths),) = with_factors(networks.sources())
    unknown = ids.clone()
    unknown[0, 1, 0] = VOCAB + 3  # a word that the vocabulary lacks
    known = unknown.clone()
    known[0, 1, 0] = 1
    assert torch.equal(built.known_source(unknown), known)
    memory, state = built.start(((unknown, lengths),))
    scores, _, _ = built.step(INPUTS[:, 0], state, memory)
    assert scores.shape[1] == VOCAB + 1


@pytest.mark.parametrize("factor", [0, 1])
def test_every_factor_has_a_say_and_a_gradient(factor: int) -> None:
    built = network().double()
    ((ids, lengths),) = with_factors(networks.sources())
    features, _ = built(((ids, lengths),), INPUTS)
    features.sum().backward()
    assert all(table.weight.grad.ne(0).any() for table in built.source_embedding.tables)
    other = ids.clone()
    other[0, 0, 1 + factor] = 1 + other[0, 0, 1 + factor] % (SIZES[factor] - 1)
    changed, _ = built(((other, lengths),), INPUTS)
    assert not torch.allclose(changed[0], features[0]) and torch.equal(changed[1:], features[1:])


def test_several_sources_carry_factors_too() -> None:
    built = network(sources=("several", {}), output="pointer_generator").double().eval()
    with torch.no_grad():
        features, _ = built(with_factors(several.sources()), INPUTS)
        padded, _ = built(with_factors(several.sources(padding=2)), INPUTS)
    torch.testing.assert_close(padded, features, atol=1e-12, rtol=0.0)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({}, "embedding=factored reads factors of source tokens, but there are none"),
        ({"factor_sizes": SIZES, "factor_embedding_size": [3]}, "has 1 widths, expected 2, one for each factor"),
        ({"factor_sizes": SIZES, "factor_embedding_size": 0}, "embedding.factor_embedding_size is 0"),
        ({"factor_sizes": SIZES, "combine": "added"}, "embedding.combine is 'added'"),
    ],
)
def test_impossible_options_are_refused(factors: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        networks.build(embedding="factored", factors=factors)

"""Embeddings look up, and share only what can be shared."""

import math

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings import positional, pretrained, separate, shared
from s2s_lab.models.embeddings.positional import PositionalEmbedding, sinusoids
from s2s_lab.models.embeddings.token import TokenEmbedding

SIZES = {"source_vocabulary_size": 7, "target_vocabulary_size": 7, "padding_id": 0, "embedding_size": 3}


def test_lookup_gives_rows_of_the_table_and_zero_for_padding():
    embedding = TokenEmbedding(vocabulary_size=7, embedding_size=3, padding_id=2)
    ids = torch.tensor([[1, 2], [6, 0]])
    vectors = embedding(ids)
    torch.testing.assert_close(vectors, embedding.weight[ids])
    assert vectors[0, 1].eq(0).all()
    vectors.sum().backward()
    assert embedding.weight.grad[2].eq(0).all() and embedding.weight.grad[1].eq(1).all()


def test_dropout_works_in_training_alone():
    embedding = TokenEmbedding(vocabulary_size=7, embedding_size=100, dropout=0.5)
    ids = torch.tensor([1])
    assert embedding(ids).eq(0).any()
    assert torch.equal(embedding.eval()(ids), embedding.weight[ids])


def test_separate_embeddings_share_nothing():
    source, target = separate.build(**SIZES, shared_vocabulary=True)
    assert source.weight is not target.weight


def test_shared_embeddings_are_one():
    source, target = shared.build(**SIZES, shared_vocabulary=True)
    assert source is target


@pytest.mark.parametrize("change", [{"shared_vocabulary": False}, {"source_vocabulary_size": 8}])
def test_shared_refuses_two_vocabularies(change):
    with pytest.raises(RequestError, match="embedding=shared needs one vocabulary for both sides"):
        shared.build(**{**SIZES, "shared_vocabulary": True, **change})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embedding_size": 0}, "embedding.embedding_size is 0, expected a whole number above 0"),
        ({"embedding_size": 3, "dropout": 1.0}, "embedding.dropout is 1.0, expected a probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        TokenEmbedding(vocabulary_size=7, **options)


def test_frozen_without_vectors_is_refused_as_nothing_would_be():
    with pytest.raises(RequestError, match=r"^embedding\.frozen is true, but there are no vectors to keep"):
        pretrained.build(**SIZES, shared_vocabulary=False, frozen=True)
    source, target = pretrained.build(**SIZES, shared_vocabulary=False, frozen=True, source_vectors="vectors.txt")
    assert (source.weight.requires_grad, target.weight.requires_grad) == (False, True)


def test_sinusoids_equal_the_papers_equations():
    found = sinusoids(torch.arange(4), 5, torch.float64)
    for position in range(4):
        for place in range(5):
            angle = position / 10000.0 ** ((place - place % 2) / 5)
            expected = math.sin(angle) if place % 2 == 0 else math.cos(angle)
            assert found[position, place].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("positions", ["sinusoidal", "learned"])
def test_positions_are_added_to_the_tokens_vectors(positions):
    embedding = PositionalEmbedding(vocabulary_size=7, embedding_size=4, positions=positions, max_length=3)
    ids = torch.tensor([[1, 2, 5, 6], [1, 1, 1, 1]])
    added = embedding(ids) - embedding.weight[ids]
    torch.testing.assert_close(added[0], added[1])
    expected = sinusoids(torch.arange(4), 4, torch.float32)
    if positions == "learned":
        expected = embedding.places.weight[[0, 1, 2, 2]]  # beyond the table its last row counts
    torch.testing.assert_close(added[0], expected)
    torch.testing.assert_close(embedding(ids[:, 1], torch.tensor([1.0, 1.0])), embedding(ids)[:, 1])


def test_positional_embeddings_share_only_what_can_be_shared():
    source, target = positional.build(**SIZES, shared_vocabulary=True)
    assert source is not target
    source, target = positional.build(**SIZES, shared_vocabulary=True, shared=True)
    assert source is target
    with pytest.raises(RequestError, match=r"embedding\.shared is true, but source and target have vocabularies"):
        positional.build(**SIZES, shared_vocabulary=False, shared=True)

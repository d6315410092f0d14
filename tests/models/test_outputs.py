"""Outputs equal torch's cross-entropy of their logits, in value and gradient."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings import shared
from s2s_lab.models.embeddings.token import TokenEmbedding
from s2s_lab.models.outputs import cross_entropy
from s2s_lab.models.outputs.adaptive import AdaptiveOutput
from s2s_lab.models.outputs.base import Output, linear_among
from s2s_lab.models.outputs.cross_entropy import aligned, linear_cross_entropy, pieces
from s2s_lab.models.outputs.linear import LinearOutput
from s2s_lab.models.outputs.mixture import MixtureOutput
from s2s_lab.models.outputs.tied import TiedOutput

TOKENS, SIZE, VOCAB = 13, 4, 7


def operands(dtype=torch.float64) -> list[torch.Tensor]:
    shapes = ((TOKENS, SIZE), (VOCAB, SIZE), (VOCAB,))
    return [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("alignment", [1, 2, 64])
@pytest.mark.parametrize("chunk, block", [(1 << 24, 1 << 22), (6 * VOCAB, 2 * VOCAB), (1 << 24, 1), (1, 1)])
def test_loss_equals_torchs_in_value_and_gradient_however_it_is_cut(
    chunk, block, alignment, label_smoothing, monkeypatch
):
    monkeypatch.setattr(cross_entropy, "CHUNK_ENTRIES", chunk)
    monkeypatch.setattr(cross_entropy, "BLOCK_ENTRIES", block)
    monkeypatch.setattr(cross_entropy, "ALIGNMENT", alignment)
    features, weight, bias = parts = operands()
    targets = torch.randint(VOCAB, (TOKENS,))
    loss, nll = linear_cross_entropy(features, weight, bias, targets, label_smoothing)
    logits = functional.linear(features, weight, bias)
    expected = functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=label_smoothing)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(nll, functional.cross_entropy(logits, targets, reduction="sum").detach())
    assert not nll.requires_grad
    for mine, theirs in zip(
        torch.autograd.grad(3.0 * loss, parts), torch.autograd.grad(3.0 * expected, parts), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_loss_passes_gradcheck():
    targets = torch.randint(VOCAB, (TOKENS,))
    assert torch.autograd.gradcheck(lambda *parts: linear_cross_entropy(*parts, targets, 0.1)[0], operands())


def test_very_unlikely_targets_keep_a_finite_exact_loss():
    weight, targets = torch.zeros(3, 1), torch.tensor([0, 2])
    loss, _ = linear_cross_entropy(torch.zeros(2, 1), weight, torch.tensor([1000.0, 0.0, -1000.0]), targets)
    assert loss.item() == 2000.0


def test_without_gradient_nothing_is_kept():
    with torch.no_grad():
        loss, nll = linear_cross_entropy(*operands(), torch.randint(VOCAB, (TOKENS,)))
    assert not loss.requires_grad
    torch.testing.assert_close(loss, nll)


def test_no_tokens_lose_nothing():
    _, weight, bias = operands()
    features = torch.zeros(0, SIZE, dtype=torch.float64, requires_grad=True)
    loss, _ = linear_cross_entropy(features, weight, bias, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0.0
    assert weight.grad.eq(0).all() and bias.grad.eq(0).all()


def test_pieces_cover_every_row_once_within_their_limit():
    for start, stop in ((0, 0), (0, 1), (0, 5), (64, 1000)):
        for columns in (1, 7, 1 << 10):
            for entries in (1, 1 << 10, 1 << 17):
                cuts = list(pieces(start, stop, columns, entries))
                assert [row for cut in cuts for row in range(stop)[cut]] == list(range(start, stop))
                assert all(
                    (cut.stop - cut.start) * columns <= max(entries, cross_entropy.ALIGNMENT * columns) for cut in cuts
                )


def test_aligned_numbers_are_the_next_multiples():
    assert [aligned(count) for count in (0, 1, 64, 65)] == [0, 64, 64, 128]


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_bfloat16_loss_is_near_and_summed_in_float32(label_smoothing):
    features, weight, bias = parts = operands(torch.float32)
    targets = torch.randint(VOCAB, (TOKENS,))
    expected, _ = linear_cross_entropy(features, weight, bias, targets, label_smoothing)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, nll = linear_cross_entropy(features, weight, bias, targets, label_smoothing)
    assert loss.dtype == nll.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0.02, atol=0.0)
    for mine, theirs in zip(torch.autograd.grad(loss, parts), torch.autograd.grad(expected, parts), strict=True):
        assert mine.dtype == torch.float32
        assert (mine - theirs).norm() < 0.02 * theirs.norm()


def outputs() -> list:
    embedding = TokenEmbedding(vocabulary_size=VOCAB, embedding_size=SIZE)
    sizes = {"feature_size": SIZE, "vocabulary_size": VOCAB, "target_embedding": embedding}
    return [LinearOutput(**sizes), TiedOutput(**sizes)]


@pytest.mark.parametrize("output", outputs())
def test_loss_agrees_with_log_probs(output):
    features, targets = torch.randn(TOKENS, SIZE), torch.randint(VOCAB, (TOKENS,))
    log_probs = output.log_probs(features)
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(TOKENS))
    torch.testing.assert_close(log_probs, output.scores(features).log_softmax(1))
    loss, _ = output.loss(features, targets)
    torch.testing.assert_close(loss, -log_probs.gather(1, targets.unsqueeze(1)).sum())


def test_tied_weights_share_their_storage_and_their_gradient():
    embedding = TokenEmbedding(vocabulary_size=VOCAB, embedding_size=SIZE)
    output = TiedOutput(feature_size=SIZE, vocabulary_size=VOCAB, target_embedding=embedding)
    assert output.weight is embedding.weight
    output.double()
    assert output.weight.data_ptr() == embedding.weight.data_ptr()
    output.float()
    loss, _ = output.loss(embedding(torch.arange(VOCAB)), torch.arange(VOCAB))
    loss.backward()
    assert embedding.weight.grad is output.weight.grad


def test_tied_refuses_other_widths():
    embedding = TokenEmbedding(vocabulary_size=VOCAB, embedding_size=SIZE)
    with pytest.raises(RequestError, match=r"the decoder gives 5 and embedding\.embedding_size is 4"):
        TiedOutput(feature_size=5, vocabulary_size=VOCAB, target_embedding=embedding)


@pytest.mark.parametrize("kind", [LinearOutput, TiedOutput])
def test_scores_among_some_ids_are_columns_of_all_scores(kind: type[Output]) -> None:
    embedding = TokenEmbedding(vocabulary_size=VOCAB, embedding_size=SIZE)
    output = kind(feature_size=SIZE, vocabulary_size=VOCAB, target_embedding=embedding).double()
    for parameter in output.parameters():
        torch.nn.init.normal_(parameter)
    features, ids = torch.randn(2, 3, SIZE, dtype=torch.float64), torch.tensor([0, 3, 4, 6])
    expected = output.scores(features)[..., ids]
    torch.testing.assert_close(output.scores_among(ids)(features), expected)
    torch.testing.assert_close(Output.scores_among(output, ids)(features), expected)


def test_rows_of_a_weight_without_a_bias():
    features, weight, _ = operands()
    ids = torch.tensor([1, 5])
    torch.testing.assert_close(linear_among(weight, None, ids)(features), (features @ weight.t())[:, ids])


def test_tied_output_over_a_shared_embedding_ties_three_ways():
    source, target = shared.build(
        source_vocabulary_size=VOCAB,
        target_vocabulary_size=VOCAB,
        shared_vocabulary=True,
        padding_id=0,
        embedding_size=SIZE,
    )
    output = TiedOutput(feature_size=SIZE, vocabulary_size=VOCAB, target_embedding=target)
    assert output.weight is source.weight is target.weight


def unfitted(size: int, vocabulary: int) -> dict:
    embedding = TokenEmbedding(vocabulary_size=vocabulary, embedding_size=size)
    return {"feature_size": size, "vocabulary_size": vocabulary, "target_embedding": embedding}


def test_adaptive_equals_torchs_in_value_and_gradient():
    size, vocabulary = 8, 20
    output = AdaptiveOutput(**unfitted(size, vocabulary), shares=[0.2, 0.5], divisor=2).double()
    reference = nn.AdaptiveLogSoftmaxWithLoss(size, vocabulary, [4, 10], div_value=2.0, head_bias=True).double()
    reference.load_state_dict(
        {name.replace("tails", "tail"): value for name, value in output.state_dict().items()}, strict=True
    )
    features = torch.randn(TOKENS, size, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(output.log_probs(features), reference.log_prob(features))
    for targets in (torch.randint(vocabulary, (TOKENS,)), torch.full((TOKENS,), 3)):  # the second fills no cluster
        loss, nll = output.loss(features, targets)
        found, expected = reference(features, targets)
        torch.testing.assert_close(loss, -found.sum())
        torch.testing.assert_close(loss, TOKENS * expected)
        torch.testing.assert_close(nll, loss.detach())
        mine = torch.autograd.grad(loss, (features, *output.parameters()))
        theirs = torch.autograd.grad(-found.sum(), (features, *reference.parameters()), materialize_grads=True)
        by_name = dict(zip((name for name, _ in reference.named_parameters()), theirs[1:], strict=True))
        torch.testing.assert_close(mine[0], theirs[0])
        for (name, _), gradient in zip(output.named_parameters(), mine[1:], strict=True):
            torch.testing.assert_close(gradient, by_name[name.replace("tails", "tail")])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"shares": []}, r"output\.shares is \[\], expected ascending numbers between 0 and 1"),
        ({"shares": [0.5, 0.2]}, "ascending"),
        ({"shares": [0.5, 1.0]}, "between 0 and 1"),
        ({"shares": ["x"]}, "numbers"),
        ({"divisor": 0}, r"output\.divisor is 0, expected a whole number above 0"),
    ],
)
def test_impossible_clusters_are_refused(settings, reason):
    with pytest.raises(RequestError, match=reason):
        AdaptiveOutput(**unfitted(SIZE, VOCAB), **settings)


def test_clusters_that_begin_at_the_same_id_are_one():
    output = AdaptiveOutput(**unfitted(SIZE, VOCAB), shares=[0.01, 0.02, 0.98, 0.99])
    assert output.bounds == (1, VOCAB - 1, VOCAB)
    torch.testing.assert_close(output.scores(torch.randn(2, SIZE)).exp().sum(1), torch.ones(2))


def test_mixture_equals_the_papers_equations():
    output = MixtureOutput(**unfitted(SIZE, VOCAB), softmaxes=3).double()
    features = torch.randn(TOKENS, SIZE, dtype=torch.float64)
    found = output.log_probs(features).exp()
    for feature, probabilities in zip(features, found, strict=True):
        priors = (output.prior.weight @ feature).exp()
        expected = torch.zeros(VOCAB, dtype=torch.float64)
        for place in range(3):
            rows = slice(place * SIZE, (place + 1) * SIZE)
            latent = torch.tanh(output.latent.weight[rows] @ feature + output.latent.bias[rows])
            powers = (output.projection.weight @ latent + output.projection.bias).exp()
            expected += priors[place] / priors.sum() * powers / powers.sum()
        torch.testing.assert_close(probabilities, expected)


def test_a_mixture_of_one_is_no_mixture_and_one_of_several_passes_the_rank_of_its_features():
    features = torch.randn(50, 2, dtype=torch.float64)
    for softmaxes, full in ((1, False), (4, True)):
        output = MixtureOutput(**unfitted(2, 30), softmaxes=softmaxes).double()
        for parameter in output.parameters():
            nn.init.normal_(parameter)
        rank = torch.linalg.matrix_rank(output.log_probs(features), rtol=1e-9)
        assert (rank > 2 + 2) == full  # one softmax: the features, the bias, and the normalizing constant

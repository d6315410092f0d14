"""Outputs that look at the source equal the papers' equations, and keep nothing from the decoder's parts."""

import pytest
import torch
from torch import Tensor

from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings.token import TokenEmbedding
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.outputs.base import Output, id_fault, log_mixture, safe_log
from s2s_lab.models.outputs.copynet import CopyNetOutput
from s2s_lab.models.outputs.lexicon_prior import LexiconPriorOutput
from s2s_lab.models.outputs.pointer_generator import PointerGeneratorOutput

SIZE, VOCAB, SOURCE_VOCAB, MEMORY, BATCH, POSITIONS, SOURCE_LEN, ENTRIES = 4, 7, 6, 3, 2, 3, 5, 2
SOURCE = torch.tensor([[4, 5, 4, 1, 3], [5, 3, 0, 0, 0]])
MATCHES = torch.tensor([0, 1, 2, 3, 6, 1])


def sizes() -> dict:
    embedding = TokenEmbedding(vocabulary_size=VOCAB, embedding_size=SIZE)
    return {
        "feature_size": SIZE,
        "vocabulary_size": VOCAB,
        "target_embedding": embedding,
        "source_vocabulary_size": SOURCE_VOCAB,
        "memory_size": MEMORY,
    }


def filled(kind: type[Output], **settings) -> Output:
    output = kind(**sizes(), **settings)
    if "lexicon" in output.learned:
        ids = torch.randint(VOCAB, (SOURCE_VOCAB, ENTRIES))
        output.fill(lexicon_ids=ids, lexicon_probabilities=torch.rand(SOURCE_VOCAB, ENTRIES) / ENTRIES)
    else:
        output.fill(matches=MATCHES)
    return output.double()


def parts() -> tuple[Tensor, Tensor, EncoderOutput]:
    features = torch.randn(BATCH, POSITIONS, SIZE, dtype=torch.float64, requires_grad=True)
    mask = SOURCE != 0
    weights = torch.randn(BATCH, POSITIONS, SOURCE_LEN, dtype=torch.float64)
    weights = weights.masked_fill(~mask.unsqueeze(1), float("-inf")).softmax(dim=2).requires_grad_()
    memory = torch.randn(BATCH, SOURCE_LEN, MEMORY, dtype=torch.float64).masked_fill(~mask.unsqueeze(2), 0.0)
    return features, weights, EncoderOutput(memory.requires_grad_(), mask, (), memory.sum(1))


def probabilities(output: Output, features: Tensor, weights: Tensor, encoded: EncoderOutput) -> Tensor:
    return output.log_probs(output.read(features, weights, output.prepare(SOURCE, encoded))).exp()


def of_lexicon(output: LexiconPriorOutput, weights: Tensor, row: int, position: int) -> Tensor:
    prior = torch.zeros(VOCAB, dtype=torch.float64)
    for place, word in enumerate(SOURCE[row].tolist()):
        for id_, probability in zip(output.lexicon_ids[word], output.lexicon_probabilities[word], strict=True):
            prior[id_] += weights[row, position, place] * probability
    return prior


@pytest.mark.parametrize("way", ["bias", "linear"])
def test_lexicon_prior_equals_the_papers_equations(way):
    output = filled(LexiconPriorOutput, way=way, epsilon=0.01, translations=ENTRIES)
    if way == "linear":
        torch.nn.init.constant_(output.mixing, 0.7)
    features, weights, encoded = parts()
    found = probabilities(output, features, weights, encoded)
    weight, bias = output.projection.weight, output.projection.bias
    for row in range(BATCH):
        for position in range(POSITIONS):
            prior = of_lexicon(output, weights, row, position)
            logits = weight @ features[row, position] + bias
            if way == "bias":
                expected = (logits + (prior + 0.01).log()).exp()
                expected = expected / expected.sum()
            else:
                share = 1.0 / (1.0 + torch.exp(torch.tensor(-0.7, dtype=torch.float64)))
                expected = share * prior + (1.0 - share) * logits.exp() / logits.exp().sum()
                expected = expected / expected.sum()  # of each source word some translations are left out
            torch.testing.assert_close(found[row, position], expected)


def test_an_untrained_lexicon_prior_translates_what_is_attended_to():
    output = LexiconPriorOutput(**sizes(), translations=1)
    torch.nn.init.zeros_(output.projection.weight)
    torch.nn.init.zeros_(output.projection.bias)
    output.fill(lexicon_ids=MATCHES.unsqueeze(1), lexicon_probabilities=torch.ones(SOURCE_VOCAB, 1))
    encoded = EncoderOutput(torch.zeros(BATCH, SOURCE_LEN, MEMORY), SOURCE != 0, (), torch.zeros(BATCH, MEMORY))
    weights = torch.eye(SOURCE_LEN)[:2].expand(BATCH, 2, SOURCE_LEN)
    found = probabilities(output, torch.zeros(BATCH, 2, SIZE), weights, encoded)
    assert found.argmax(dim=2).tolist() == [[MATCHES[word].item() for word in row[:2]] for row in SOURCE]


def test_pointer_generator_equals_the_papers_equations():
    output = filled(PointerGeneratorOutput)
    features, weights, encoded = parts()
    found = probabilities(output, features, weights, encoded)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(BATCH, POSITIONS, dtype=torch.float64))
    for row in range(BATCH):
        for position in range(POSITIONS):
            feature = features[row, position]
            generated = (output.projection.weight @ feature + output.projection.bias).softmax(dim=0)
            share = torch.sigmoid(output.gate.weight[0] @ feature + output.gate.bias[0])
            expected = share * generated
            for place, word in enumerate(SOURCE[row].tolist()):
                copied = torch.zeros(VOCAB, dtype=torch.float64)
                copied[MATCHES[word]] = 1.0
                expected = expected + (1.0 - share) * weights[row, position, place] * copied
            torch.testing.assert_close(found[row, position], expected)


def test_weights_that_do_not_sum_to_1_are_pointed_with_by_their_shares():
    output = filled(PointerGeneratorOutput)
    features, weights, encoded = parts()
    expected = probabilities(output, features, weights, encoded)
    torch.testing.assert_close(probabilities(output, features, 0.3 * weights, encoded), expected)
    torch.testing.assert_close(expected.sum(2), torch.ones_like(expected[..., 0]))


def test_unknown_words_are_pointed_at_one_by_one_in_eval_mode_and_as_unk_in_training():
    output = filled(PointerGeneratorOutput).eval()
    features, weights, encoded = parts()
    source = SOURCE.clone()
    source[0, 0] = source[0, 2] = SOURCE_VOCAB + 9  # one word, twice
    source[1, 0] = SOURCE_VOCAB + 4
    prepared = output.prepare(source, encoded)
    assert prepared.words.tolist() == [[4, 9], [4, 9]]
    found = output.log_probs(output.read(features, weights, prepared)).exp()
    share = 1.0 - torch.sigmoid(output.gate(features)).squeeze(2)
    torch.testing.assert_close(found[0, :, VOCAB + 1], share[0] * (weights[0, :, 0] + weights[0, :, 2]))
    torch.testing.assert_close(found[1, :, VOCAB], share[1] * weights[1, :, 0])
    assert found[0, :, VOCAB].eq(0).all() and found[1, :, VOCAB + 1].eq(0).all()
    assert output.known(torch.tensor([6, 7, 8])).tolist() == [6, 1, 1]
    output.train()
    as_unk = source.masked_fill(source >= SOURCE_VOCAB, 1)
    together = output.log_probs(output.read(features, weights, output.prepare(as_unk, encoded))).exp()
    torch.testing.assert_close(together[..., 1], found[..., 1] + found[..., VOCAB:].sum(2))


def test_copynet_scores_unknown_words_one_by_one_in_eval_mode_and_as_unk_in_training():
    output = filled(CopyNetOutput).eval()
    features, weights, encoded = parts()
    source = SOURCE.clone()
    source[0, 0], source[1, 0] = SOURCE_VOCAB + 9, SOURCE_VOCAB + 4
    found = output.log_probs(output.read(features, weights, output.prepare(source, encoded))).exp()
    assert found.shape == (BATCH, POSITIONS, VOCAB + 2)
    assert found[0, :, VOCAB].eq(0).all() and found[0, :, VOCAB + 1].gt(0).all() and found[1, :, VOCAB].gt(0).all()
    output.train()
    as_unk = source.masked_fill(source >= SOURCE_VOCAB, 1)
    together = output.log_probs(output.read(features, weights, output.prepare(as_unk, encoded))).exp()
    torch.testing.assert_close(together[..., 1], found[..., 1] + found[..., VOCAB:].sum(2))
    torch.testing.assert_close(together[..., 2:], found[..., 2:VOCAB])


def test_copynet_equals_the_papers_equations():
    output = filled(CopyNetOutput)
    features, weights, encoded = parts()
    found = probabilities(output, features, weights, encoded)
    for row in range(BATCH):
        for position in range(POSITIONS):
            feature = features[row, position]
            expected = (output.projection.weight @ feature + output.projection.bias).exp()
            for place, word in enumerate(SOURCE[row].tolist()):
                if word:
                    key = torch.tanh(output.copying.weight @ encoded.memory[row, place])
                    copied = torch.zeros(VOCAB, dtype=torch.float64)
                    copied[MATCHES[word]] = 1.0
                    expected = expected + torch.exp(key @ feature) * copied
            torch.testing.assert_close(found[row, position], expected / expected.sum())


EVERY = {
    "bias": lambda: filled(LexiconPriorOutput, translations=ENTRIES),
    "linear": lambda: filled(LexiconPriorOutput, way="linear", translations=ENTRIES),
    "pointer_generator": lambda: filled(PointerGeneratorOutput),
    "copynet": lambda: filled(CopyNetOutput),
}
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())


@every
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_passes_gradcheck_and_reaches_weights_and_parameters(make, smoothing):
    output = make()
    features, _, encoded = parts()
    energies = torch.randn(BATCH, POSITIONS, SOURCE_LEN, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(VOCAB, (BATCH * POSITIONS,))

    def loss(features: Tensor, energies: Tensor, memory: Tensor) -> Tensor:
        weights = energies.masked_fill(~encoded.memory_mask.unsqueeze(1), float("-inf")).softmax(dim=2)
        prepared = output.prepare(SOURCE, encoded._replace(memory=memory))
        return output.loss(output.read(features, weights, prepared).flatten(0, 1), targets, smoothing)[0]

    assert torch.autograd.gradcheck(loss, (features, energies, encoded.memory))
    loss(features, energies, encoded.memory).backward()
    for tensor in (*output.parameters(), features, energies if output.reads_weights else encoded.memory):
        assert tensor.grad is not None and tensor.grad.ne(0).any()


@every
@pytest.mark.parametrize("training", [True, False])
def test_the_loss_is_that_of_the_scores(make, training):
    output = make().train(training)
    features, weights, encoded = parts()
    read = output.read(features, weights, output.prepare(SOURCE, encoded)).flatten(0, 1)
    for targets in (torch.randint(VOCAB, (BATCH * POSITIONS,)), MATCHES[SOURCE[:, :POSITIONS]].flatten()):
        expected = -output.log_probs(read).gather(1, targets.unsqueeze(1)).sum()
        torch.testing.assert_close(output.loss(read, targets), (expected, expected))


@every
def test_scores_among_are_columns_of_scores(make):
    output = make()
    features, weights, encoded = parts()
    read = output.read(features, weights, output.prepare(SOURCE, encoded))
    ids = torch.tensor([0, 1, 3, 6])
    torch.testing.assert_close(output.scores_among(ids)(read), output.scores(read)[..., ids])


@every
def test_a_memory_with_fewer_entries_than_tokens_is_refused(make):
    output = make()
    features, weights, encoded = parts()
    shorter = encoded._replace(memory=encoded.memory[:, :4], memory_mask=encoded.memory_mask[:, :4])
    with pytest.raises(RequestError, match="one memory entry for each source token, but the encoder made 4 of 5"):
        output.read(features, weights[:, :, :4], output.prepare(SOURCE, shorter))


@every
def test_tables_with_ids_beyond_the_vocabulary_are_a_fault(make):
    output = make()
    assert output.fault() is None
    name = "lexicon_ids" if "lexicon" in output.learned else "matches"
    output.get_buffer(name).fill_(1)[0] = VOCAB
    assert output.fault() == f"output.{name} holds ids from 1 to {VOCAB}, expected 0 to {VOCAB - 1}"


def test_an_epsilon_that_is_not_above_0_is_refused():
    for epsilon in (0.0, -1.0, True, "much", float("nan")):
        with pytest.raises(RequestError, match=r"^output\.epsilon is .*, expected a number above 0$"):
            LexiconPriorOutput(**sizes(), epsilon=epsilon)


def test_log_mixture_keeps_finite_gradients_where_a_part_is_0():
    log_probs = torch.randn(3, 4).log_softmax(1).requires_grad_()
    others = torch.tensor([0.0, 0.5, 0.5, 0.0]).expand(3, 4).clone().requires_grad_()
    logit = torch.zeros(1, requires_grad=True)
    mixed = log_mixture(log_probs, others, logit)
    torch.testing.assert_close(mixed.exp(), 0.5 * log_probs.exp() + 0.5 * others)
    mixed.sum().backward()
    assert all(part.grad.isfinite().all() for part in (log_probs, others, logit))
    assert safe_log(torch.tensor([0.0, 1.0])).tolist() == [float("-inf"), 0.0]


def test_id_fault_names_the_bounds():
    assert id_fault("t", torch.tensor([0, 3]), 4) is None
    assert id_fault("t", torch.zeros(0, dtype=torch.int64), 4) is None
    assert id_fault("t", torch.tensor([-1, 4]), 4) == "t holds ids from -1 to 4, expected 0 to 3"

"""The network feeds what it is told to feed, and its gradients are right."""

import itertools

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.bridges.projected import ProjectedBridge
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.decoders.attend_first import AttendFirstDecoder
from s2s_lab.models.decoders.attend_last import AttendLastDecoder
from s2s_lab.models.embeddings.separate import build
from s2s_lab.models.encoders.recurrent import RecurrentEncoder
from s2s_lab.models.outputs.linear import LinearOutput
from s2s_lab.models.seq2seq import Seq2Seq

SOURCES = ((torch.tensor([[4, 5, 6, 3], [6, 3, 0, 0]]), torch.tensor([4, 2])),)
INPUTS = torch.tensor([[2, 5, 4, 6], [2, 6, 6, 4]])
VOCAB = 7


def network(*, attention=AdditiveAttention, cell=GRUCell, decoder=AttendLastDecoder, size=4, **options) -> Seq2Seq:
    source, target = build(
        source_vocabulary_size=VOCAB,
        target_vocabulary_size=VOCAB,
        shared_vocabulary=False,
        padding_id=0,
        embedding_size=2,
    )
    encoder = RecurrentEncoder(input_size=2, cell=cell, hidden_size=size)
    built = decoder(
        input_size=2, memory_size=size, summary_size=size, attention=attention, cell=cell, hidden_size=size, **options
    )
    bridge = ProjectedBridge(encoder_state_sizes=encoder.state_sizes, decoder_state_sizes=built.state_sizes)
    output = LinearOutput(feature_size=built.feature_size, vocabulary_size=VOCAB, target_embedding=target)
    return Seq2Seq(
        source_embedding=source, target_embedding=target, encoder=encoder, bridge=bridge, decoder=built, output=output
    )


@pytest.mark.parametrize("attention", [AdditiveAttention, NoAttention])
def test_coins_that_are_all_true_give_forward(attention):
    built = network(attention=attention)
    features, weights = built(SOURCES, INPUTS)
    for given in ({"ratio": 1.0}, {"ratio": 0.0, "coins": torch.ones_like(INPUTS, dtype=torch.bool)}):
        sampled, sampled_weights = built.forward_sampled(SOURCES, INPUTS, **given)
        torch.testing.assert_close(sampled, features)
        torch.testing.assert_close(sampled_weights, weights)


def test_coins_that_are_all_false_feed_the_networks_own_best_guesses():
    built = network(input_feeding=True)
    features, _ = built.forward_sampled(SOURCES, INPUTS, ratio=0.0)
    fed = INPUTS.clone()
    for position in range(1, INPUTS.shape[1]):
        reference, _ = built(SOURCES, fed)
        fed[:, position] = built.output.scores(reference[:, position - 1]).argmax(1)
    torch.testing.assert_close(features, built(SOURCES, fed)[0])


def test_each_token_has_its_own_coin():
    built = network()
    coins = torch.tensor([[True, False, True, True], [False, True, True, False]])
    features, _ = built.forward_sampled(SOURCES, INPUTS, ratio=0.5, coins=coins)
    fed = INPUTS.clone()
    for position in range(1, INPUTS.shape[1]):
        guess = built.output.scores(built(SOURCES, fed)[0][:, position - 1]).argmax(1)
        fed[:, position] = torch.where(coins[:, position], INPUTS[:, position], guess)
    torch.testing.assert_close(features, built(SOURCES, fed)[0])


@pytest.mark.parametrize(
    ("cell", "decoder", "options"),
    [
        (GRUCell, AttendFirstDecoder, {"readout": "maxout"}),
        (LSTMCell, AttendLastDecoder, {"input_feeding": True}),
        (LSTMCell, AttendLastDecoder, {"input_feeding": False}),
    ],
)
def test_gradients_pass_gradcheck(cell, decoder, options):
    built = network(cell=cell, decoder=decoder, size=2, **options).double()
    names, values = zip(*built.named_parameters(), strict=True)

    def run(*parameters):
        features, _ = torch.func.functional_call(built, dict(zip(names, parameters, strict=True)), (SOURCES, INPUTS))
        return features

    for value in values:
        torch.nn.init.uniform_(value, -1.0, 1.0)
    assert torch.autograd.gradcheck(run, values, fast_mode=True)


def test_several_sources_are_refused():
    with pytest.raises(RequestError, match="reads 1 source, but the batch holds 2"):
        network().start(SOURCES * 2)


@pytest.mark.parametrize("options", [{}, {"input_feeding": True}, {"attention": NoAttention}])
def test_each_sentence_has_its_own_coin(options):
    built = network(**options)
    for coins in itertools.product([True, False], repeat=len(INPUTS)):
        by_token = torch.tensor(coins).unsqueeze(1).expand(INPUTS.shape)
        wanted, wanted_weights = built.forward_sampled(SOURCES, INPUTS, ratio=0.5, coins=by_token)
        features, weights = built.forward_sampled_sequences(SOURCES, INPUTS, ratio=0.5, coins=torch.tensor(coins))
        torch.testing.assert_close(features, wanted)
        torch.testing.assert_close(weights, wanted_weights)


def test_a_sentences_coin_shows_the_reference_with_the_given_probability():
    torch.manual_seed(1)
    built = network()
    sources = tuple((values.repeat(200, 1), lengths.repeat(200)) for values, lengths in SOURCES)
    inputs = INPUTS.repeat(200, 1)
    forced, _ = built(sources, inputs)
    sampled, _ = built.forward_sampled_sequences(sources, inputs, ratio=0.75)
    own, _ = built.forward_sampled(SOURCES, INPUTS, ratio=0.0)
    differs = ~torch.isclose(own, built(SOURCES, INPUTS)[0]).flatten(1).all(1)  # sentences that tell the two apart
    assert differs.any()
    share = torch.isclose(sampled, forced).flatten(1).all(1)[differs.repeat(200)].double().mean()
    assert share == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / (200 * int(differs.sum()))) ** 0.5)

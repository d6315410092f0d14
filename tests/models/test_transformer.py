"""The parts of the Transformer equal those of torch.nn; positions follow their papers; steps keep what they need."""

import math

import pytest
import torch
from torch import nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.attentions.none import NoAttention
from s2s_lab.models.attentions.normalizers.softmax import SoftmaxNormalizer
from s2s_lab.models.attentions.normalizers.sparsemax import SparsemaxNormalizer
from s2s_lab.models.attentions.transformer import TransformerAttention
from s2s_lab.models.decoders.transformer import TransformerDecoder
from s2s_lab.models.encoders.base import EncoderOutput
from s2s_lab.models.encoders.transformer import TransformerEncoder
from s2s_lab.models.layers.positions import Positions, rotated, sinusoids
from s2s_lab.models.layers.self_attention import SelfAttention

BATCH, SOURCE_LEN, TARGET_LEN, SIZE, HEADS, INNER, LAYERS = 3, 5, 4, 8, 2, 12, 2
LENGTHS = torch.tensor([5, 2, 4])
MASK = torch.arange(SOURCE_LEN) < LENGTHS.unsqueeze(1)
SHARED = {"hidden_size": SIZE, "num_layers": LAYERS, "num_heads": HEADS, "feedforward_size": INNER}


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def heads_of(query_size: int, memory_size: int, summary_size: int) -> TransformerAttention:
    return TransformerAttention(
        query_size=query_size, memory_size=memory_size, summary_size=summary_size, num_heads=HEADS
    )


def encoder(**options) -> TransformerEncoder:
    return perturbed(TransformerEncoder(**{"input_size": SIZE, **SHARED, **options}))


def decoder(attention=heads_of, **options) -> TransformerDecoder:
    sizes = {"input_size": SIZE, "memory_size": SIZE, "summary_size": SIZE}
    return perturbed(TransformerDecoder(**{**sizes, "attention": attention, **SHARED, **options}))


def perturbed(module):
    """In float64 and eval mode, with gains and biases that are neither 1 nor 0."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.double().eval()


def copy(theirs: nn.Module, **ours: nn.Module | torch.Tensor) -> None:
    """Give a torch module our weights."""
    with torch.no_grad():
        for name, value in ours.items():
            place = theirs.get_parameter(name) if isinstance(value, torch.Tensor) else theirs.get_submodule(name)
            if isinstance(place, nn.Parameter):
                place.copy_(value)
            else:
                place.load_state_dict(value.state_dict())


def torchs_encoder(ours: TransformerEncoder, pre_norm: bool) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(SIZE, HEADS, INNER, 0.0, batch_first=True, norm_first=pre_norm)
    norm = nn.LayerNorm(SIZE) if pre_norm else None
    theirs = nn.TransformerEncoder(layer, LAYERS, norm, enable_nested_tensor=False).double().eval()
    for mine, reference in zip(ours.layers, theirs.layers, strict=True):
        copy(reference.self_attn, in_proj_weight=mine.attention.projection.weight)
        copy(reference.self_attn, in_proj_bias=mine.attention.projection.bias, out_proj=mine.attention.combination)
        copy(reference, linear1=mine.feed_forward.inner, linear2=mine.feed_forward.outer)
        copy(reference, norm1=mine.residual.norm, norm2=mine.feed_forward.residual.norm)
    if pre_norm:
        copy(theirs, norm=ours.norm)
    return theirs


def torchs_decoder(ours: TransformerDecoder, pre_norm: bool) -> nn.TransformerDecoder:
    layer = nn.TransformerDecoderLayer(SIZE, HEADS, INNER, 0.0, batch_first=True, norm_first=pre_norm)
    theirs = nn.TransformerDecoder(layer, LAYERS, nn.LayerNorm(SIZE) if pre_norm else None).double().eval()
    for mine, reference in zip(ours.layers, theirs.layers, strict=True):
        copy(reference.self_attn, in_proj_weight=mine.self_attention.projection.weight)
        copy(reference.self_attn, in_proj_bias=mine.self_attention.projection.bias)
        copy(reference.self_attn, out_proj=mine.self_attention.combination)
        ins = (mine.attention.query_projection, mine.attention.memory_projection)
        copy(reference.multihead_attn, in_proj_weight=torch.cat([part.weight for part in ins]))
        copy(reference.multihead_attn, in_proj_bias=torch.cat([part.bias for part in ins]), out_proj=mine.combination)
        copy(reference, linear1=mine.feed_forward.inner, linear2=mine.feed_forward.outer)
        copy(reference, norm1=mine.self_residual.norm, norm2=mine.residual.norm)
        copy(reference, norm3=mine.feed_forward.residual.norm)
    if pre_norm:
        copy(theirs, norm=ours.norm)
    return theirs


def papers_sinusoids(length: int, size: int) -> torch.Tensor:
    table = torch.zeros(length, size, dtype=torch.float64)
    for position in range(length):
        for place in range(size):
            angle = position / 10000 ** ((place - place % 2) / size)
            table[position, place] = math.cos(angle) if place % 2 else math.sin(angle)
    return table


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "none"])
def test_the_encoder_equals_torchs(pre_norm, positions):
    ours, embedded = encoder(pre_norm=pre_norm, positions=positions), random(BATCH, SOURCE_LEN, SIZE)
    added = {
        "sinusoidal": papers_sinusoids(SOURCE_LEN, SIZE),
        "learned": 0.0 if ours.positions.table is None else ours.positions.table[:SOURCE_LEN],
        "none": 0.0,
    }[positions]
    memory, mask, ((final,),), summary, *_ = ours(embedded, LENGTHS)
    expected = torchs_encoder(ours, pre_norm)(embedded * SIZE**0.5 + added, src_key_padding_mask=~MASK)
    torch.testing.assert_close(memory[MASK], expected[MASK])
    assert memory[~MASK].eq(0.0).all() and torch.equal(mask, MASK)
    means = torch.stack([row[:length].mean(0) for row, length in zip(memory, LENGTHS, strict=True)])
    torch.testing.assert_close(final, means)
    torch.testing.assert_close(summary, means)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_the_decoder_equals_torchs(pre_norm):
    ours, embedded = decoder(pre_norm=pre_norm), random(BATCH, TARGET_LEN, SIZE)
    memory = random(BATCH, SOURCE_LEN, SIZE).masked_fill(~MASK.unsqueeze(2), 0.0)
    prepared = ours.prepare(EncoderOutput(memory, MASK, (), memory[:, 0]))
    start = random(BATCH, SIZE)
    features, weights = ours(embedded, ours.initial_state(((start,),), prepared), prepared)
    theirs = torchs_decoder(ours, pre_norm)
    inputs = embedded * SIZE**0.5 + papers_sinusoids(TARGET_LEN, SIZE)
    inputs[:, 0] += start
    causal = torch.ones(TARGET_LEN, TARGET_LEN).triu(1).bool()
    expected = theirs(inputs, memory, tgt_mask=causal, memory_key_padding_mask=~MASK)
    torch.testing.assert_close(features, expected)
    attention = TransformerAttention(query_size=SIZE, memory_size=SIZE, summary_size=SIZE, num_heads=HEADS).double()
    reference = nn.MultiheadAttention(SIZE, HEADS, batch_first=True).double()
    projections = attention.query_projection, attention.memory_projection
    copy(reference, in_proj_weight=torch.cat([part.weight for part in projections]))
    copy(reference, in_proj_bias=torch.cat([part.bias for part in projections]))
    _, expected = reference(embedded, memory, memory, key_padding_mask=~MASK, average_attn_weights=True)
    _, weights = attention(embedded, attention.prepare(EncoderOutput(memory, MASK, (), memory[:, 0])))
    torch.testing.assert_close(weights, expected)


def test_contexts_without_weights_are_the_same():
    attention = heads_of(SIZE, SIZE, SIZE).double()
    memory = random(BATCH, SOURCE_LEN, SIZE)
    prepared = attention.prepare(EncoderOutput(memory, MASK, (), memory[:, 0]))
    query = random(BATCH, 2, SIZE)
    torch.testing.assert_close(attention.contexts(query, prepared), attention(query, prepared)[0])
    keys = attention.split(attention.keys(memory))
    torch.testing.assert_close(keys, prepared.keys)
    energies = torch.einsum("bhqs,bhks->bqk", attention.split(attention.query_projection(query)), keys)
    torch.testing.assert_close(
        attention.energies(query, attention.keys(memory)), energies / HEADS / (SIZE // HEADS) ** 0.5
    )


@pytest.mark.parametrize("normalizer", [SparsemaxNormalizer(temperature=0.7), SoftmaxNormalizer(temperature=3.0)])
def test_every_head_weighs_with_the_normalizer(normalizer):
    attention = heads_of(SIZE, SIZE, SIZE).double()
    attention.normalizer = normalizer
    memory, query = random(BATCH, SOURCE_LEN, SIZE), random(BATCH, 2, SIZE)
    prepared = attention.prepare(EncoderOutput(memory, MASK, (), memory[:, 0]))
    contexts, weights = attention(query, prepared)
    torch.testing.assert_close(attention.contexts(query, prepared), contexts)
    queries = attention.split(attention.query_projection(query))
    for row in range(BATCH):
        means, found = 0.0, []
        real = MASK[row].sum()
        for head in range(HEADS):
            energies = queries[row, head] @ prepared.keys[row, head, :real].T / (SIZE // HEADS) ** 0.5
            of_head = normalizer.project(energies / normalizer.temperature)
            means = means + of_head / HEADS
            found.append(of_head @ prepared.values[row, head, :real])
        torch.testing.assert_close(contexts[row], torch.cat(found, 1))
        torch.testing.assert_close(weights[row, :, :real], means)


@pytest.mark.parametrize("size", [6, 7])
def test_sinusoids_are_the_papers_wherever_they_begin(size):
    whole = papers_sinusoids(80, size)
    for first, length in ((0, 80), (63, 2), (70, 1)):
        torch.testing.assert_close(sinusoids(first, length, size, whole), whole[first : first + length])


def test_rotated_pairs_turn_by_the_position_and_products_depend_on_distance_alone():
    heads = random(1, 1, 6, 4)
    turned = rotated(heads)
    for position in range(6):
        for pair in range(2):
            value = torch.view_as_complex(heads[0, 0, position, 2 * pair : 2 * pair + 2])
            angle = torch.tensor(position / 10000 ** (2 * pair / 4), dtype=torch.float64)
            expected = torch.view_as_real(value * torch.polar(torch.ones_like(angle), angle))
            torch.testing.assert_close(turned[0, 0, position, 2 * pair : 2 * pair + 2], expected)
    torch.testing.assert_close(rotated(heads, 2)[:, :, :3], rotated(torch.cat((heads[:, :, :2], heads), 2))[:, :, 2:5])
    shifted = rotated(heads, 9)
    torch.testing.assert_close(shifted @ shifted.mT, turned @ turned.mT)


def test_a_rotary_layer_sees_distances_and_no_absolute_position():
    attention = SelfAttention(size=SIZE, num_heads=HEADS, rotary=True).double()
    entry = random(1, 1, SIZE).expand(1, 5, SIZE)
    torch.testing.assert_close(attention(entry, None), attention(entry, None)[:, :1].expand(-1, 5, -1))
    inputs = random(1, 5, SIZE)
    swapped = inputs[:, [1, 0, 2, 3, 4]]
    assert (attention(inputs, None)[:, 4] - attention(swapped, None)[:, 4]).abs().max() > 1e-6


def test_without_positions_the_order_of_the_source_changes_nothing():
    built, embedded = encoder(positions="none"), random(1, SOURCE_LEN, SIZE)
    order = [3, 1, 4, 0, 2]
    lengths = torch.tensor([SOURCE_LEN])
    torch.testing.assert_close(built(embedded[:, order], lengths).memory, built(embedded, lengths).memory[:, order])


def test_a_target_sees_nothing_of_what_follows():
    built, embedded = decoder(), random(1, TARGET_LEN, SIZE)
    memory = random(1, SOURCE_LEN, SIZE)
    prepared = built.prepare(EncoderOutput(memory, torch.ones(1, SOURCE_LEN, dtype=torch.bool), (), memory[:, 0]))
    state = built.initial_state(((torch.zeros(1, SIZE, dtype=torch.float64),),), prepared)
    features, _ = built(embedded, state, prepared)
    changed = torch.cat((embedded[:, :2], random(1, TARGET_LEN - 2, SIZE)), dim=1)
    torch.testing.assert_close(built(changed, state, prepared)[0][:, :2], features[:, :2])


def test_the_memory_is_prepared_once_for_all_hypotheses_and_the_start_is_kept_for_one_step():
    built = decoder()
    memory = random(BATCH, SOURCE_LEN, SIZE)
    prepared = built.prepare(EncoderOutput(memory, MASK, (), memory[:, 0]))
    assert [part.keys.shape for part in prepared] == [(BATCH, HEADS, SOURCE_LEN, SIZE // HEADS)] * LAYERS
    state = built.initial_state(((random(BATCH, SIZE),),), prepared)
    for steps in range(1, 4):
        _, state, weights = built.step(random(BATCH, SIZE), state, prepared)
        assert state.start.shape == (BATCH, 0) and weights.shape == (BATCH, SOURCE_LEN)
        assert state.layers[0].cache.keys.shape == (BATCH, HEADS, steps, SIZE // HEADS)


@pytest.mark.parametrize("attention", [AdditiveAttention, NoAttention])
def test_any_attention_looks_at_the_source_in_every_layer(attention):
    built = decoder(attention=attention)
    assert [type(layer.attention) for layer in built.layers] == [attention] * LAYERS
    assert built.attention is built.layers[-1].attention


def test_an_empty_context_leaves_the_sublayer_out():
    built = decoder(attention=lambda **sizes: NoAttention(**sizes, context="empty"))
    assert not any(name.startswith(("layers.0.combination", "layers.0.residual")) for name in built.state_dict())


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        (encoder, {"num_heads": 3}, "encoder.num_heads is 3, expected a divisor of encoder.hidden_size, 8"),
        (decoder, {"num_heads": 3}, "decoder.num_heads is 3, expected a divisor of decoder.hidden_size, 8"),
        (encoder, {"positions": "absolute"}, "encoder.positions is 'absolute', expected one of sinusoidal, learned"),
        (encoder, {"positions": "rotary", "num_heads": 8}, "encoder.positions=rotary turns pairs, but .* is 1, expec"),
        (decoder, {"positions": "rotary", "num_heads": 8}, "decoder.positions=rotary turns pairs, but .* is 1, expec"),
        (decoder, {"feedforward_size": 0}, "decoder.feedforward_size is 0, expected a whole number above 0"),
        (encoder, {"max_length": 0}, "encoder.max_length is 0, expected a whole number above 0"),
    ],
)
def test_impossible_options_are_refused(build, options, message):
    with pytest.raises(RequestError, match=f"^{message}"):
        build(**options)


def test_heads_that_do_not_share_a_query_evenly_are_refused():
    with pytest.raises(RequestError, match=r"^attention\.num_heads is 3, expected a divisor of the query's 8"):
        TransformerAttention(query_size=SIZE, memory_size=SIZE, summary_size=SIZE, num_heads=3)


def test_a_sequence_longer_than_its_learned_positions_is_refused():
    positions = Positions(kind="learned", size=SIZE, max_length=4, part="encoder")
    assert positions(torch.zeros(1, 3, SIZE), 1).shape == (1, 3, SIZE)
    with pytest.raises(RequestError, match=r"^a sequence is 5 tokens long, but encoder\.max_length is 4"):
        positions(torch.zeros(1, 3, SIZE), 2)

"""The GNMT, pyramidal, alternating and bag encoders equal plain transcriptions, one source at a time, step by step."""

import pytest
import torch

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.additive import AdditiveAttention
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.decoders.attend_last import AttendLastDecoder
from s2s_lab.models.decoders.spreading import SpreadingDecoder
from s2s_lab.models.encoders.alternating import AlternatingEncoder
from s2s_lab.models.encoders.bag import BagEncoder
from s2s_lab.models.encoders.gnmt import GNMTEncoder
from s2s_lab.models.encoders.pyramidal import PyramidalEncoder

BATCH, SOURCE_LEN, EMBEDDING, HIDDEN = 4, 5, 3, 6
LENGTHS = torch.tensor([5, 2, 4, 1])


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def unrolled(cell, inputs, backwards=False):
    """The outputs of a cell for one source (length, size), and its last state."""
    state, outputs = tuple(part.double() for part in cell.initial_state(1)), []
    for entry in inputs.flip(0) if backwards else inputs:
        output, state = cell.step(entry.unsqueeze(0), state)
        outputs.append(output[0])
    outputs = torch.stack(outputs)
    return outputs.flip(0) if backwards else outputs, state


def both(forward, backward, inputs):
    one, one_state = unrolled(forward, inputs)
    other, other_state = unrolled(backward, inputs, backwards=True)
    return torch.cat((one, other), 1), tuple(torch.cat(parts, 1) for parts in zip(one_state, other_state, strict=True))


def each(built, expect):
    """Compare what an encoder gives for a batch with what a function expects of each source alone."""
    embedded = random(BATCH, SOURCE_LEN, EMBEDDING)
    memory, mask, final_state, summary, *_ = built(embedded, LENGTHS)
    assert built.state_sizes == tuple(tuple(part.shape[1] for part in layer) for layer in final_state)
    assert memory.shape[2] == built.memory_size and summary.shape == (BATCH, built.summary_size)
    for row, length in enumerate(LENGTHS.tolist()):
        expected, states, of_all = expect(embedded[row, :length])
        assert mask[row].sum() == len(expected) and mask[row, : len(expected)].all()
        torch.testing.assert_close(memory[row, : len(expected)], expected)
        assert memory[row, len(expected) :].eq(0.0).all()
        torch.testing.assert_close(summary[row], of_all)
        for layer, parts in zip(final_state, states, strict=True):
            torch.testing.assert_close(tuple(part[row] for part in layer), tuple(part[0] for part in parts))


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
def test_gnmt_reads_both_ways_below_and_adds_from_the_third_layer_on(cell):
    built = GNMTEncoder(input_size=EMBEDDING, cell=cell, hidden_size=HIDDEN, num_layers=4).double()

    def expect(source):
        outputs, state = both(built.forward_cell, built.backward_cell, source)
        states = [state]
        for layer, upper in enumerate(built.upper_cells, 2):
            found, state = unrolled(upper, outputs)
            outputs = found + outputs if layer >= 3 else found
            states.append(state)
        return outputs, states, states[-1][0][0]

    each(built, expect)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_each_layer_of_a_pyramid_reads_pairs_of_the_one_below(cell, num_layers):
    built = PyramidalEncoder(input_size=EMBEDDING, cell=cell, hidden_size=HIDDEN, num_layers=num_layers).double()

    def expect(source):
        outputs, states = source, []
        for layer in range(num_layers):
            if layer:
                whole = torch.cat((outputs, torch.zeros(len(outputs) % 2, HIDDEN, dtype=torch.float64)))
                outputs = torch.stack([torch.cat((whole[i], whole[i + 1])) for i in range(0, len(whole), 2)])
            outputs, state = both(built.forward_cells[layer], built.backward_cells[layer], outputs)
            states.append(state)
        return outputs, states, states[-1][0][0]

    each(built, expect)
    assert built.reduction == 2 ** (num_layers - 1)


def test_weights_over_a_pyramid_are_spread_over_the_source():
    """The entries of a source of 5 tokens hold 2, 2 and 1 of them; each token has its share."""
    built = SpreadingDecoder(
        decoder=AttendLastDecoder(
            input_size=EMBEDDING, memory_size=HIDDEN, summary_size=HIDDEN, attention=AdditiveAttention, cell=GRUCell,
            hidden_size=HIDDEN,
        ),
        reduction=2,
    ).double()  # fmt: skip
    encoder = PyramidalEncoder(input_size=EMBEDDING, cell=GRUCell, hidden_size=HIDDEN, num_layers=2).double()
    encoded = encoder(random(BATCH, SOURCE_LEN, EMBEDDING), LENGTHS)
    prepared, start = built.prepare(encoded), ((random(BATCH, HIDDEN),),)
    tokens = random(BATCH, 2, EMBEDDING)
    _, weights = built(tokens, built.initial_state(start, prepared), prepared)
    within = built.decoder.prepare(encoded)
    _, of_entries = built.decoder(tokens, built.decoder.initial_state(start, within), within)
    for row, length in enumerate(LENGTHS.tolist()):
        for place in range(SOURCE_LEN):
            held = min(2, length - place // 2 * 2)
            expected = of_entries[row, :, place // 2] / held if place < length else torch.zeros_like(weights[row, :, 0])
            torch.testing.assert_close(weights[row, :, place], expected)


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell])
@pytest.mark.parametrize("fast_forward", [False, True])
def test_layers_take_turns_in_direction(cell, fast_forward):
    built = AlternatingEncoder(
        input_size=EMBEDDING, cell=cell, hidden_size=HIDDEN, num_layers=3, fast_forward=fast_forward
    ).double()

    def expect(source):
        forwarded, outputs, states = None, source, []
        for layer, upper in enumerate(built.cells):
            if built.connections is not None:
                read = outputs if forwarded is None else torch.cat((forwarded, outputs), 1)
                forwarded = read @ built.connections[layer].weight.T + built.connections[layer].bias
            outputs, state = unrolled(upper, outputs if forwarded is None else forwarded, backwards=layer % 2 == 1)
            states.append(state)
        return outputs, states, states[-1][0][0]

    each(built, expect)


@pytest.mark.parametrize("positions", ["none", "learned"])
def test_a_bag_looks_at_every_token_alone(positions):
    built = BagEncoder(input_size=EMBEDDING, hidden_size=HIDDEN, num_layers=2, positions=positions).double()

    def expect(source):
        outputs = source if built.positions.table is None else source + built.positions.table[: len(source)]
        for layer in built.layers:
            outputs = torch.tanh(outputs @ layer.weight.T + layer.bias)
        return outputs, [[outputs.mean(0, keepdim=True)]], outputs.mean(0)

    each(built, expect)


def test_the_order_of_a_bag_without_positions_changes_nothing():
    built = BagEncoder(input_size=EMBEDDING, hidden_size=HIDDEN).double()
    embedded, lengths = random(1, SOURCE_LEN, EMBEDDING), torch.tensor([SOURCE_LEN])
    order = [4, 2, 0, 1, 3]
    one, other = built(embedded, lengths), built(embedded[:, order], lengths)
    torch.testing.assert_close(other.summary, one.summary)
    torch.testing.assert_close(other.memory, one.memory[:, order])


@pytest.mark.parametrize(
    ("encoder", "options", "message"),
    [
        (GNMTEncoder, {"hidden_size": 5}, "encoder.hidden_size is 5, expected an even number for two directions"),
        (PyramidalEncoder, {"hidden_size": 5}, "encoder.hidden_size is 5, expected an even number for two directions"),
        (PyramidalEncoder, {"hidden_size": 6, "num_layers": 18}, "encoder.num_layers is 18, expected at most 17"),
    ],
)
def test_impossible_options_are_refused(encoder, options, message):
    with pytest.raises(RequestError, match=f"^{message}"):
        encoder(input_size=EMBEDDING, cell=GRUCell, **options)

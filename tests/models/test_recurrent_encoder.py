"""The recurrent encoder equals torch's packed layers, in every direction."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from s2s_lab.faults import RequestError
from s2s_lab.models.cells.elman import ElmanCell
from s2s_lab.models.cells.gru import GRUCell
from s2s_lab.models.cells.lstm import LSTMCell
from s2s_lab.models.encoders.recurrent import RecurrentEncoder, reorder

LENGTHS = torch.tensor([3, 7, 1, 5])


@pytest.mark.parametrize(("cell", "reference"), [(ElmanCell, nn.RNN), (GRUCell, nn.GRU), (LSTMCell, nn.LSTM)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_encoder_equals_torchs_packed_layers(cell, reference, bidirectional):
    encoder = RecurrentEncoder(input_size=3, cell=cell, hidden_size=4, num_layers=2, bidirectional=bidirectional)
    theirs = reference(3, 2 if bidirectional else 4, num_layers=2, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for layer in range(2):
            for cells, suffix in ((encoder.forward_cells, ""), (encoder.backward_cells, "_reverse")):
                if len(cells):
                    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                    for mine, name in zip(cells[layer].parameters(), names, strict=True):
                        getattr(theirs, f"{name}_l{layer}{suffix}").copy_(mine)
    embedded = torch.randn(4, 7, 3)
    encoded = encoder(embedded, LENGTHS)
    packed, final = theirs(pack_padded_sequence(embedded, LENGTHS, batch_first=True, enforce_sorted=False))
    memory, _ = pad_packed_sequence(packed, batch_first=True)
    torch.testing.assert_close(encoded.memory, memory)
    parts = final if isinstance(final, tuple) else (final,)
    directions = 2 if bidirectional else 1
    for layer in range(2):
        for part, tensor in enumerate(parts):
            expected = torch.cat(tuple(tensor[layer * directions : (layer + 1) * directions]), dim=1)
            torch.testing.assert_close(encoded.final_state[layer][part], expected)
    torch.testing.assert_close(encoded.summary, encoded.final_state[-1][0])
    assert encoder.state_sizes == tuple(tuple(part.shape[1] for part in layer) for layer in encoded.final_state)
    assert (encoder.memory_size, encoder.summary_size) == (memory.shape[2], encoded.summary.shape[1])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_reversed_source_is_read_last_token_first_and_kept_in_order(bidirectional):
    encoder = RecurrentEncoder(input_size=3, cell=LSTMCell, hidden_size=4, bidirectional=bidirectional)
    embedded = torch.randn(4, 7, 3)
    encoder.reverse_source = True
    reversed_source = encoder(embedded, LENGTHS)
    encoder.reverse_source = False
    for row, length in enumerate(LENGTHS.tolist()):
        alone = encoder(embedded[row : row + 1, :length].flip(1), LENGTHS[row : row + 1])
        torch.testing.assert_close(reversed_source.memory[row, :length], alone.memory[0].flip(0))
        torch.testing.assert_close(reversed_source.summary[row], alone.summary[0])
        assert reversed_source.memory[row, length:].eq(0).all()


def test_memory_is_zero_and_mask_false_exactly_on_padding():
    encoder = RecurrentEncoder(input_size=3, cell=GRUCell, hidden_size=4, num_layers=2, dropout=0.5)
    encoded = encoder(torch.randn(4, 7, 3), LENGTHS)
    assert torch.equal(encoded.memory_mask.sum(1), LENGTHS)
    assert encoded.memory[~encoded.memory_mask].eq(0).all()
    assert encoded.memory[encoded.memory_mask].ne(0).all()


def test_reorder_passes_gradcheck_twice():
    order = torch.tensor([[2, 1, 0], [1, 0, 2]])
    values = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(reorder(values, order), values.gather(1, order.unsqueeze(2).expand(-1, -1, 2)))
    assert torch.autograd.gradcheck(reorder, (values, order))
    assert torch.autograd.gradgradcheck(reorder, (values, order))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 5}, "encoder.hidden_size is 5, expected an even number"),
        ({"hidden_size": 0}, "encoder.hidden_size is 0, expected a whole number above 0"),
        ({"hidden_size": 4, "num_layers": 0}, "encoder.num_layers is 0"),
        ({"hidden_size": 4, "dropout": -0.1}, "encoder.dropout is -0.1, expected a probability"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(RequestError, match=message):
        RecurrentEncoder(input_size=3, cell=GRUCell, **options)

"""A padded batch of sources for tests of attentions, and the sizes that fit it."""

import torch

from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.encoders.base import EncoderOutput

SIZES = {"query_size": 4, "memory_size": 4, "summary_size": 3}
BATCH, STEPS, SOURCE_LEN = 3, 6, 5
LENGTHS = torch.tensor([5, 1, 3])


def encoded(dtype: torch.dtype = torch.float64, memory_size: int = 4) -> EncoderOutput:
    """Give sources of LENGTHS, random and 0 on padding."""
    mask = torch.arange(SOURCE_LEN) < LENGTHS.unsqueeze(1)
    memory = torch.randn(BATCH, SOURCE_LEN, memory_size, dtype=dtype) * mask.unsqueeze(2)
    return EncoderOutput(memory, mask, (), torch.randn(BATCH, 3, dtype=dtype))


def queries(steps: int = STEPS, size: int = 4) -> torch.Tensor:
    """Give random queries (batch, steps, size) in float64."""
    return torch.randn(BATCH, steps, size, dtype=torch.float64)


def unroll(attention: Attention, query: torch.Tensor, source: EncoderOutput) -> tuple[torch.Tensor, torch.Tensor]:
    """Give contexts and weights of all steps, one `step` after the other."""
    prepared = attention.prepare(source)
    state, contexts, weights = attention.initial_state(prepared), [], []
    for one in query.unbind(1):
        context, weight, state = attention.step(one, prepared, state)
        contexts.append(context)
        weights.append(weight)
    return torch.stack(contexts, 1), torch.stack(weights, 1)


def assert_weights(weights: torch.Tensor, source: EncoderOutput) -> None:
    """Weights are exactly 0 on padding, nowhere below 0, and each row sums to 1."""
    assert weights.masked_select(~source.memory_mask.unsqueeze(1)).eq(0).all()
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(2), torch.ones_like(weights[:, :, 0]))

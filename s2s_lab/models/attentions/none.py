"""No attention: the same context for every query."""

from torch import Tensor

from s2s_lab.models.attentions.base import Attention, Prepared
from s2s_lab.models.checks import require_choice
from s2s_lab.models.encoders.base import EncoderOutput


class NoAttention(Attention):
    """A constant context: the encoder's summary at every step, or an empty vector.

    Paper: Cho et al. 2014, arXiv 1406.1078 ("summary"); Sutskever et al. 2014, arXiv 1409.3215, section 2 ("empty":
    only the decoder's first state sees the source).

    Args:
        query_size: unused.
        memory_size: unused.
        summary_size: width of the encoder's summary.
        context: "summary" or "empty".

    Raises:
        RequestError: `context` is neither.
    """

    constant = True
    sums_memory = False

    def __init__(self, *, query_size: int, memory_size: int, summary_size: int, context: str = "summary") -> None:
        super().__init__(query_size=query_size, memory_size=memory_size, summary_size=summary_size)
        require_choice("attention.context", context, ("summary", "empty"))
        self.context_size = summary_size if context == "summary" else 0

    def keys(self, memory: Tensor) -> Tensor:
        """Give keys of no width: there is nothing to compare; see Attention."""
        return memory[:, :, :0]

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Give equal energies for all; see Attention."""
        return query.new_zeros(query.shape[0], query.shape[1], keys.shape[1])

    def prepare(self, encoded: EncoderOutput) -> Prepared:
        """Keep the context alone: one tensor (batch, context_size); see Attention."""
        return (encoded.summary[:, : self.context_size],)

    def forward(self, query: Tensor, prepared: Prepared) -> tuple[Tensor, None]:
        """Give the constant context to every query; see Attention."""
        (context,) = prepared
        return context.unsqueeze(1).expand(-1, query.shape[1], -1), None

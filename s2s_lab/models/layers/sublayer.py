"""What a Transformer's layers are made of: a residual connection with its normalisation, and the feed-forward net."""

from torch import Tensor, nn

from s2s_lab.models.checks import require_positive
from s2s_lab.models.layers.dropout import Dropout


class Residual(nn.Module):
    """The way round a sublayer f: norm(x + f(x)), or x + f(norm(x)) where the normalisation comes first.

    `before` gives what f reads, `after` adds what it gave.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, section 3.1 (after); Xiong et al. 2020, arXiv 2002.04745 (before).

    Args:
        size: width of x.
        dropout: probability of zeroing an entry of f's output.
        pre_norm: whether the normalisation comes first.
    """

    def __init__(self, *, size: int, dropout: float, pre_norm: bool) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.norm: nn.Module = nn.LayerNorm(size)
        self.dropout = Dropout(dropout)

    def before(self, inputs: Tensor) -> Tensor:
        """Give what the sublayer reads of x (..., size)."""
        return self.norm(inputs) if self.pre_norm else inputs

    def after(self, inputs: Tensor, output: Tensor) -> Tensor:
        """Add the sublayer's output (..., size) to x (..., size)."""
        total = inputs + self.dropout(output)
        return total if self.pre_norm else self.norm(total)


class FeedForward(nn.Module):
    """W_2 relu(W_1 x + b_1) + b_2, with the way round it.

    Paper: Vaswani et al. 2017, arXiv 1706.03762, equation 2.

    Args:
        size: width of x.
        inner_size: width of the hidden layer.
        dropout: probability of zeroing an entry of the output.
        pre_norm: see Residual.
    """

    def __init__(self, *, size: int, inner_size: int, dropout: float, pre_norm: bool) -> None:
        super().__init__()
        self.residual = Residual(size=size, dropout=dropout, pre_norm=pre_norm)
        self.inner = nn.Linear(size, inner_size)
        self.outer = nn.Linear(inner_size, size)

    def forward(self, inputs: Tensor) -> Tensor:
        """Give x (..., size) with the net's output added."""
        return self.residual.after(inputs, self.outer(self.inner(self.residual.before(inputs)).relu()))


def feedforward_width(part: str, hidden_size: int, feedforward_size: int | None) -> int:
    """Give the width inside a feed-forward net: what `feedforward_size` says, or 4 x `hidden_size`.

    Raises:
        RequestError: it is no whole number above 0; `part` is where the key is.
    """
    width = 4 * hidden_size if feedforward_size is None else feedforward_size
    require_positive(f"{part}.feedforward_size", width)
    return width

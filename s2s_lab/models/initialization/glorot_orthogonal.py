"""Glorot matrices, orthogonal recurrences, small embeddings."""

from torch import nn

from s2s_lab.models.cells.base import Cell
from s2s_lab.models.checks import require_above_zero
from s2s_lab.models.initialization.base import Initialization


class GlorotOrthogonalInitialization(Initialization):
    """Matrices Glorot uniform, recurrent ones orthogonal, gate by gate; biases 0; embeddings normal.

    A parameter of a cell with `weight_hh` in its name is recurrent. Other matrices that are stored side by side count
    as one, as in torch.nn.MultiheadAttention.

    Paper: Glorot and Bengio, AISTATS 2010; Saxe et al. 2014, arXiv 1312.6120.

    Args:
        embedding_deviation: standard deviation of the embeddings' entries; None means 1 / sqrt(their width), as in
            Vaswani et al. 2017, arXiv 1706.03762, where they are multiplied by that root.

    Raises:
        RequestError: `embedding_deviation` is not above 0.
    """

    def __init__(self, *, embedding_deviation: float | None = 0.01) -> None:
        if embedding_deviation is not None:
            require_above_zero("initialization.embedding_deviation", embedding_deviation, ", or null")
        self.embedding_deviation = embedding_deviation

    def fill(self, network: nn.Module) -> None:
        """Give every parameter its kind's first value; see Initialization."""
        for parameter in network.parameters():
            if parameter.ndim < 2:
                nn.init.zeros_(parameter)
            else:
                nn.init.xavier_uniform_(parameter)
        for module in network.modules():
            if isinstance(module, nn.Embedding):
                width = module.weight.shape[1]
                nn.init.normal_(module.weight, std=self.embedding_deviation or width**-0.5)
            elif isinstance(module, Cell):
                self.fill_cell(module)

    def fill_cell(self, cell: Cell) -> None:
        """Give each gate of a cell its own matrices: orthogonal from the state, Glorot from the input."""
        for name, parameter in cell.named_parameters():
            if parameter.ndim < 2:
                continue
            for gate in parameter.split(cell.hidden_size):
                (nn.init.orthogonal_ if "weight_hh" in name else nn.init.xavier_uniform_)(gate)

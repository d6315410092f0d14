"""Weights of a frozen network in the layout, or in the 8-bit integers, that a processor multiplies by fastest."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from types import BuiltinFunctionType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_map

from s2s_lab.models.encoders.base import Encoder, EncoderOutput
from s2s_lab.models.seq2seq import Seq2Seq

LEVELS = 127  # integers of either sign
BLOCK_ROWS = 128  # rescaled at once: few enough that a processor's cache holds their products
EXPECTED_ROWS = 128  # what the layout is chosen for


class PackedWeight(Tensor):
    """A weight (out, in) that `functional.linear` multiplies by in a way of its own.

    A stored weight is brought into the layout of the kernel at every product, which costs as much as a product with
    some 80 rows; here that is done once. Everywhere else the weight stands for its float values. CPU only.

    Args:
        weight: (out, in), float.
    """

    def __new__(cls, weight: Tensor) -> Self:
        """Make a tensor of the weight's shape and type without memory of its own."""
        return Tensor._make_wrapper_subclass(cls, weight.shape, dtype=weight.dtype, device=weight.device)  # type: ignore[attr-defined]

    @abstractmethod
    def linear(self, inputs: Tensor, bias: Tensor | None = None) -> Tensor:
        """Give inputs (..., in) times this weight's transpose, plus bias (out,): (..., out), in the inputs' type."""

    @abstractmethod
    def rows(self, ids: Tensor) -> "PackedWeight":
        """Give some rows (ids) as a packed weight (len(ids), in) of the same values; what `index_select` gives."""

    @abstractmethod
    def unpack(self) -> Tensor:
        """Give the float values (out, in) that this weight multiplies by."""

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.linear and isinstance(args[1], PackedWeight) and args[0].numel():
            return args[1].linear(args[0], *args[2:], **kwargs)
        if func is Tensor.index_select and isinstance(args[0], PackedWeight) and len(args) == 3 and args[1] == 0:
            return args[0].rows(args[2])
        if func is Tensor.__getitem__ or isinstance(func, BuiltinFunctionType):  # torch's functions; not properties
            args = tree_map(_unpacked, args)
        with torch._C.DisableTorchFunctionSubclass():  # results are plain tensors
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(
        cls, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten.detach.default:
            return args[0]
        return func(*tree_map(_unpacked, args), **(kwargs or {}))


def _unpacked(part: Any) -> Any:
    return part.unpack() if isinstance(part, PackedWeight) else part


class FloatWeight(PackedWeight):
    """A weight in its own float type, float32 or bfloat16, reordered for the kernel."""

    def __init__(self, weight: Tensor) -> None:
        self.original = weight
        self.reordered = torch.ops.mkldnn._reorder_linear_weight(weight, EXPECTED_ROWS)

    def linear(self, inputs: Tensor, bias: Tensor | None = None) -> Tensor:
        """Multiply; see PackedWeight."""
        return torch.ops.mkldnn._linear_pointwise(inputs, self.reordered, bias, "none", [], "")

    def rows(self, ids: Tensor) -> "FloatWeight":
        """Give some rows; see PackedWeight."""
        return FloatWeight(self.original.index_select(0, ids))

    def unpack(self) -> Tensor:
        """Give the values; see PackedWeight."""
        return self.original


class Int8Weight(PackedWeight):
    """A weight as 8-bit integers with one scale for each of its rows.

    The other factor is rounded to integers with one scale for each of its rows, so that no row's result depends on
    which others are beside it. Sums are exact, in 32 bits.

    Source: dynamic quantization with symmetric scales, one for each token and one for each output channel; Dettmers
    et al. 2022, arXiv 2208.07339, section 2.1 ("vector-wise").
    """

    def __init__(self, weight: Tensor) -> None:
        integers, scales = to_integers(weight)
        self._prepare(integers, scales.squeeze(1).float())

    def _prepare(self, integers: Tensor, scales: Tensor) -> None:
        self.integers, self.scales = integers, scales
        self.reordered = torch.ops.onednn.qlinear_prepack(integers, [EXPECTED_ROWS, integers.shape[1]])
        self.zero_points = torch.zeros(len(integers), dtype=torch.int64)
        self.unit, self.middle = torch.ones(()), torch.full((), LEVELS + 1)

    def linear(self, inputs: Tensor, bias: Tensor | None = None) -> Tensor:
        """Multiply; see PackedWeight."""
        rows = inputs.flatten(0, -2)
        products = torch.empty((len(rows), self.shape[0]), dtype=inputs.dtype)
        for begin in range(0, len(rows), BLOCK_ROWS):
            block = slice(begin, begin + BLOCK_ROWS)
            integers, scales = to_integers(rows[block])
            shifted = integers.view(torch.uint8).bitwise_xor_(LEVELS + 1)  # the kernel wants them unsigned
            result = torch.ops.onednn.qlinear_pointwise(
                shifted, self.unit, self.middle, self.reordered, self.scales, self.zero_points,
                None, 1.0, 0, torch.float32, "none", [], "",
            )  # fmt: skip
            if bias is None:
                torch.mul(result, scales, out=products[block])
            else:
                torch.addcmul(bias.to(result.dtype), result, scales, out=products[block])
        return products.unflatten(0, inputs.shape[:-1])

    def rows(self, ids: Tensor) -> "Int8Weight":
        """Give some rows, their integers and scales as they are; see PackedWeight."""
        integers = self.integers.index_select(0, ids)
        chosen = Int8Weight.__new__(Int8Weight, integers.new_empty(integers.shape, dtype=self.dtype))
        chosen._prepare(integers, self.scales.index_select(0, ids))
        return chosen

    def unpack(self) -> Tensor:
        """Give the values; see PackedWeight."""
        return (self.scales.unsqueeze(1) * self.integers).to(self.dtype)


def to_integers(values: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to multiples of its largest magnitude / LEVELS.

    Args:
        values: (rows, size), float.

    Returns:
        The multiples (rows, size) int8 and the rows' scales (rows, 1), float32.
    """
    largest = values.abs().amax(dim=1, keepdim=True).float()
    scales = largest.clamp_(min=torch.finfo(torch.float32).tiny * LEVELS).div_(LEVELS)
    return (values / scales).round_().to(torch.int8), scales


class ConvertedEncoder(Encoder):
    """An encoder that computes in another float type than the rest of its network.

    Args:
        encoder: converted in place.
        dtype: the type it computes in.
    """

    def __init__(self, encoder: Encoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.encoder = encoder.to(dtype)
        self.dtype = dtype
        self.memory_size, self.summary_size = encoder.memory_size, encoder.summary_size
        self.state_sizes, self.reduction = encoder.state_sizes, encoder.reduction
        self.num_sources = encoder.num_sources

    def forward(self, embedded: Any, lengths: Any) -> EncoderOutput:
        """Read the sources; see Encoder."""
        if isinstance(embedded, Tensor):
            return _converted(self.encoder(embedded.to(self.dtype), lengths), embedded.dtype)
        encoded = self.encoder(tuple(source.to(self.dtype) for source in embedded), lengths)
        return _converted(encoded, embedded[0].dtype)


def _converted(encoded: EncoderOutput, dtype: torch.dtype) -> EncoderOutput:
    final_state = tuple(tuple(part.to(dtype) for part in layer) for layer in encoded.final_state)
    memory, summary = encoded.memory.to(dtype), encoded.summary.to(dtype)
    parts = tuple(_converted(part, dtype) for part in encoded.parts)
    return encoded._replace(memory=memory, final_state=final_state, summary=summary, parts=parts)


def pack(network: Seq2Seq) -> Seq2Seq:
    """Reorders the weights that decoding multiplies by at each step, those of decoder and output.

    Args:
        network: in eval mode, on the CPU, float32 or bfloat16; changed in place, after which it cannot be trained.
    """
    return _replace(network, FloatWeight)


def quantize(network: Seq2Seq) -> Seq2Seq:
    """Turns the weights of decoder and output into 8-bit integers; the encoder computes in bfloat16.

    A sentence's scores then depend on its batch in the third digit, for torch's recurrences multiply several rows
    otherwise than one.

    Args:
        network: in eval mode, on the CPU, float32; changed in place, after which it cannot be trained.
    """
    network.encoder = ConvertedEncoder(network.encoder, torch.bfloat16)
    return _replace(network, Int8Weight)


def _replace(network: Seq2Seq, kind: type[PackedWeight]) -> Seq2Seq:
    for part in (network.decoder, network.output):
        for module in part.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                if parameter.ndim == 2 and parameter.shape[0] > 1:
                    setattr(module, name, nn.Parameter(kind(parameter.detach()), requires_grad=False))
    return network

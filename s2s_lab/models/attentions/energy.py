"""Attentions that are made of another."""

import inspect
from collections.abc import Callable

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Attention
from s2s_lab.models.attentions.normalizers.base import Normalizer

EnergyFactory = Callable[..., Attention]


def build_energy(
    factory: EnergyFactory, *, query_size: int, memory_size: int, summary_size: int, normalizer: Normalizer | None
) -> Attention:
    """Build the attention whose `keys`, `energies` and `weigh` another one uses.

    Args:
        factory: the option `attention.energy`.
        query_size: width of a query.
        memory_size: width of a memory entry.
        summary_size: width of the encoder's summary.
        normalizer: replaces the attention's own, unless None.

    Raises:
        RequestError: it is no attention, or one whose keys and energies do not say all.
    """
    expected = "expected an attention whose energies say all, such as dot, scaled_dot, general, additive or concat"
    built = _built(factory, expected, query_size=query_size, memory_size=memory_size, summary_size=summary_size)
    own = ("prepare", "forward", "step")
    if any(getattr(type(built), name) is not getattr(Attention, name) for name in own):
        raise RequestError(f"attention.energy is {type(built).__name__}, {expected}")
    replace_normalizer(built, normalizer, "attention.energy")
    return built


def build_head(
    factory: EnergyFactory, *, query_size: int, memory_size: int, summary_size: int, normalizer: Normalizer | None
) -> Attention:
    """Build the attention that is one of several heads; arguments as of `build_energy`.

    Raises:
        RequestError: it is no attention, or one that sums no memory by its weights.
    """
    expected = "expected an attention that sums a memory by its weights, such as scaled_dot, additive or coverage"
    built = _built(factory, expected, query_size=query_size, memory_size=memory_size, summary_size=summary_size)
    if not built.sums_memory:
        raise RequestError(f"attention.energy is {type(built).__name__}, {expected}")
    replace_normalizer(built, normalizer, "attention.energy")
    return built


def replace_normalizer(attention: Attention, normalizer: Normalizer | None, place: str) -> None:
    """Give an attention within another one the normalizer of that one, unless it is None.

    Args:
        attention: the inner one.
        normalizer: of the outer one.
        place: what the inner one is called, for messages.

    Raises:
        RequestError: the inner one normalises nothing.
    """
    if normalizer is None:
        return
    if "normalizer" not in inspect.signature(type(attention)).parameters:
        raise RequestError(f"attention.normalizer is set, but {place}, {type(attention).__name__}, has none")
    attention.normalizer = normalizer


def _built(factory: EnergyFactory, expected: str, **sizes: int) -> Attention:
    if not callable(factory):
        raise RequestError(f"attention.energy is {factory!r}, {expected}")
    built = factory(**sizes)
    if not isinstance(built, Attention):
        raise RequestError(f"attention.energy is {type(built).__name__}, {expected}")
    return built

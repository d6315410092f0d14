"""Attentions that take their energies from another."""

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
    if not callable(factory):
        raise RequestError(f"attention.energy is {factory!r}, {expected}")
    built = factory(query_size=query_size, memory_size=memory_size, summary_size=summary_size)
    own = ("prepare", "forward", "step")
    says_all = isinstance(built, Attention) and all(getattr(type(built), n) is getattr(Attention, n) for n in own)
    if not says_all:
        raise RequestError(f"attention.energy is {type(built).__name__}, {expected}")
    if normalizer is not None:
        built.normalizer = normalizer
    return built

"""Random numbers that are a function of what they are for, and of no generator's past."""

from __future__ import annotations

import torch
from torch import Tensor

_INCREMENT = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def _signed(number: int) -> int:
    """Returns the signed 64-bit integer with the same low 64 bits."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def _shifted_xor(values: Tensor, bits: int) -> Tensor:
    """Returns values ^ (values >> bits) with zeros shifted in."""
    return values ^ ((values >> bits) & ((1 << (64 - bits)) - 1))


def mix(values: Tensor) -> Tensor:
    """Scrambles 64-bit integers one to one.

    Paper: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", the output function of
    SplitMix64. Deviation: none; arithmetic wraps in signed integers.

    Args:
        values: any shape, int64.

    Returns:
        The same shape, int64.
    """
    values = values + _signed(_INCREMENT)
    values = _shifted_xor(values, 30) * _signed(_FIRST)
    values = _shifted_xor(values, 27) * _signed(_SECOND)
    return _shifted_xor(values, 31)


def sample_keys(seed: int, sentence_index: Tensor, num_samples: int) -> Tensor:
    """Gives every sample of every sentence a key of its own.

    Args:
        seed: any whole number.
        sentence_index: (batch,) int64, the sentence's place in its split.
        num_samples: samples of each sentence.

    Returns:
        (batch, num_samples) int64.
    """
    seeded = mix(torch.full_like(sentence_index, _signed(seed)))
    samples = torch.arange(num_samples, device=sentence_index.device)
    return mix(mix(seeded + sentence_index).unsqueeze(1) + samples)


def uniform(keys: Tensor, step: int) -> Tensor:
    """Draws one number in [0, 1) for each key and step.

    Args:
        keys: any shape, int64, as `sample_keys` gives them.
        step: from 0.

    Returns:
        The same shape, float64, multiples of 2 ** -53.
    """
    return ((mix(keys + step) >> 11) & ((1 << 53) - 1)).double() * 2.0**-53


def child_keys(keys: Tensor, ids: Tensor) -> Tensor:
    """Gives a hypothesis that one symbol was added to a key of its own: a function of seed, sentence and its symbols.

    Args:
        keys: any shape, int64, of the hypotheses before; those of the empty ones are `sample_keys`.
        ids: the same shape, int64, the symbols added.

    Returns:
        The same shape, int64.
    """
    return mix(keys + ids)


def gumbel(keys: Tensor, places: Tensor) -> Tensor:
    """Draws numbers of the standard Gumbel distribution for each key.

    Args:
        keys: any shape, int64, as `sample_keys` or `child_keys` gives them.
        places: (count,) int64; a number is a function of key and place alone.

    Returns:
        The shape of the keys with one dimension more, float64, finite.
    """
    numbers = uniform(keys.unsqueeze(-1) + places, 0)
    return numbers.clamp_(min=2.0**-54).log_().neg_().log_().neg_()

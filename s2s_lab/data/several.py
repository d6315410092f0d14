"""Several sources of one target: as a line of text, separated by tabs, and as ids, each source ending with eos."""

import numpy as np

from s2s_lab.data.vocabulary import EOS
from s2s_lab.faults import RequestError

SEPARATOR = "\t"


def split_sources(line: str, num_sources: int) -> list[str]:
    """Gives the sources that a line holds; one is the whole line, whatever is in it.

    Raises:
        RequestError: there are more or fewer than `num_sources`.
    """
    if num_sources == 1:
        return [line]
    found = line.split(SEPARATOR)
    if len(found) != num_sources:
        raise RequestError(f"{len(found)} source{'s' * (len(found) > 1)} separated by tabs, expected {num_sources}")
    return found


def join_sources(lines: list[str]) -> str:
    """Gives the line that holds these sources."""
    return SEPARATOR.join(lines)


def lengths_of(ids: np.ndarray) -> np.ndarray:
    """Gives the length of each source in a sentence's ids (source_len,), eos included: (sources,) int64."""
    return np.diff(np.flatnonzero(ids == EOS), prepend=-1)

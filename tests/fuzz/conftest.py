"""How much is tried: a small, repeatable share in every run of the tests, S2S_LAB_FUZZ times as much in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("S2S_LAB_FUZZ", "0"))


def budget(examples: int) -> settings:
    """Settings of a property test: `examples` always the same ones, or that many times more and new ones each time."""
    return settings(
        max_examples=examples * max(TIMES, 1),
        derandomize=not TIMES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

"""Which way the monitored score of a job is better, from its configuration alone."""

from typing import Any

from s2s_lab.assemble.instantiation import locate


def higher_is_better(settings: dict[str, Any]) -> bool:
    """Whether more of the monitored score is better.

    Args:
        settings: a plain and checked training configuration.
    """
    monitor = settings["metrics"]["monitor"]
    if monitor == "loss":
        return False
    place = f"metrics.scores.{monitor}"
    return bool(locate(settings["metrics"]["scores"][monitor]["_target_"], place).higher_is_better)

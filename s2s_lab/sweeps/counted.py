"""Numbers of things in words."""


def counted(number: int, thing: str) -> str:
    """Write a number with its noun: 1 job, 2 jobs."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

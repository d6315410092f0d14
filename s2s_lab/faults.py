"""The faults that every room may raise: a wrong request, a run that cannot go on, and a rank left alone."""


class RequestError(ValueError):
    """The request was wrong; the message is one line that names the place, the value and what was expected.

    Entry points print it alone and exit with code 2.

    Attributes:
        told: whether the process that met it has printed why.
    """

    told = False


class RunError(RuntimeError):
    """A run that cannot go on for a reason known to the laboratory; the message is one line.

    Entry points print it alone and exit with code 1.

    Attributes:
        told: whether the process that met it has printed why.
    """

    told = False


class RankLostError(RunError):
    """A rank that cannot go on because another one has ended; why that was is known there.

    Entry points exit with code 3.
    """


def was_told(error: BaseException) -> bool:
    """Says whether the process that met an error has printed why."""
    return isinstance(error, RequestError | RunError) and error.told


def os_fault(error: OSError) -> str:
    """One line for an error of the operating system: its file, and what is wrong with it."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"

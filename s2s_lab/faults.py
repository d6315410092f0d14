"""The two faults that every room may raise: a wrong request and a run that cannot go on."""


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

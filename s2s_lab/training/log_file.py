"""The log file of a run, whose own faults are faults of the run."""

import logging
import sys
import threading
from pathlib import Path


class LogFile(logging.FileHandler):
    """Writes log records; where the file cannot be written, the training is told instead of standard error.

    Args:
        path: the file, appended to.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """Raises the error of the disk in the main thread; the threads of libraries go on without their line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif threading.current_thread() is threading.main_thread():
            error.filename = error.filename or self.baseFilename
            raise error

"""A folder of the cache: made under a temporary name, renamed when whole, safe for several processes at once."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from s2s_lab.faults import RequestError


class CacheFolder:
    """A folder that is either whole or absent.

    Args:
        parent: where it lies; made if need be.
        name: of the folder.

    Raises:
        RequestError: if the parent cannot be made.
    """

    def __init__(self, parent: Path, name: str) -> None:
        self.parent, self.path, self._alone = parent, parent / name, False
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(f"paths.cache={parent}: cannot be made ({error.strerror or error})") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Waits until no other process makes this folder, and keeps others waiting meanwhile.

        Where locks are not supported, or the parent is only to be read, the rename alone keeps readers from half-made
        folders.
        """
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                stream = stack.enter_context((self.parent / f".{self.path.name}.lock").open("a"))
                fcntl.flock(stream, fcntl.LOCK_EX)
                self._alone = True
            try:
                yield
            finally:
                if self._alone:
                    self._alone = False
                    fcntl.flock(stream, fcntl.LOCK_UN)  # closing alone leaves it to children forked meanwhile

    @contextlib.contextmanager
    def rebuilding(self) -> Iterator[Path]:
        """Gives an empty folder to fill, which takes this one's place at the end; nothing stays after an error.

        Raises:
            RequestError: if none can be made.
        """
        if self._alone:  # else another process may be filling one of these
            for leftover in self.parent.glob(f".{self.path.name}.making-*"):
                shutil.rmtree(leftover, ignore_errors=True)
        try:
            fresh = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.making-", dir=self.parent))
        except OSError as error:
            reason = error.strerror or error
            raise RequestError(f"paths.cache={self.parent}: cannot be written to ({reason})") from error
        try:
            yield fresh
            if self.path.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.making-", dir=self.parent))
                os.replace(self.path, old / "old")
                shutil.rmtree(old, ignore_errors=True)
            fresh.chmod(0o755)
            os.replace(fresh, self.path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

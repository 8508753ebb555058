# SPDX-License-Identifier: GPL-2.0-only
"""Where reports are written: what is wrong with a place, before the work and after it."""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.cache import is_straight, replacing
from harness.errors import HostError, UsageError

ADVICE = {
    errno.EEXIST: "a part of the path is a file, not a folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder: name a file in it",
    errno.EACCES: "give a place where you may write",
    errno.EPERM: "give a place where you may write",
    errno.EROFS: "give a place where you may write",
    errno.ENOENT: "the folder cannot be made there: give another place",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EFBIG: "the file may not become so large: see ulimit -f",
}
"""What a person can do, by what the system said."""


@dataclass(frozen=True)
class Output:
    """A report's place.

    Attributes:
        asked: what asked for it, such as ``--format tap=FILE``.
        path: the file.
        kind: what is written there, such as ``tap``.
        own: in the run folder, which is seen to elsewhere, or in a file that is written on.
    """

    asked: str
    path: Path
    kind: str
    own: bool = False


def check_outputs(outputs: Sequence[Output], inputs: Sequence[Path] = ()) -> None:
    """Refuses places that nothing can be written to, or that must keep what they have.

    Args:
        outputs: what will be written.
        inputs: what it is made from, such as the run's journal.

    Raises:
        UsageError: a place is one of ``inputs``, two have the same, or one cannot be written.
    """
    taken: dict[str, Output] = {}
    for one in outputs:
        try:
            if any(_same(one.path, source) for source in inputs):
                raise UsageError(
                    f"{one.asked}: {one.path} is what the report is made from", "give another file"
                )
            if is_straight(one.path):
                if not os.access(one.path, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                continue
            other = taken.setdefault(os.path.realpath(one.path), one)
            if other.kind != one.kind:
                raise UsageError(
                    f"{other.asked} and {one.asked} are one file, {one.path}", "give each its own"
                )
            if not one.own:
                _try(Path(os.path.realpath(one.path)))
        except OSError as error:
            advice = ADVICE.get(error.errno or 0, "")
            raise UsageError(f"cannot write {one.path}: {error.strerror}", advice) from error


def cannot_write(path: Path, error: OSError) -> HostError:
    """What to say of a file that could not be written, with what can be done about it."""
    return HostError(f"cannot write {path}: {error.strerror}", ADVICE.get(error.errno or 0, ""))


def write_whole(path: Path, pieces: Iterable[str], *, durable: bool = True) -> None:
    """Writes a text, whole or not at all; see :func:`harness.cache.replacing`.

    Raises:
        HostError: it cannot be written.
    """
    try:
        with (
            replacing(path, durable=durable) as temporary,
            temporary.open("w", encoding="utf-8") as stream,
        ):
            stream.writelines(pieces)
    except OSError as error:
        raise cannot_write(path, error) from error


class Failures:
    """Errors of what is done one after the other, whatever becomes of each."""

    def __init__(self) -> None:
        self._errors: list[HostError] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A block after whose error the next is done all the same."""
        try:
            yield
        except HostError as error:
            self._errors.append(error)

    def tell(self) -> None:
        """Raises one error that says what all say, in a line, with the first one's advice.

        Raises:
            HostError: there was one.
        """
        if not self._errors:
            return
        first = self._errors[0]
        words = "; ".join(dict.fromkeys(error.what for error in self._errors))
        raise HostError(words, first.hint, first.detail) from first


def _same(path: Path, other: Path) -> bool:
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    return path.exists() and other.exists() and path.samefile(other)


def _try(path: Path) -> None:
    """Makes a file without a name where this one would be made."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass

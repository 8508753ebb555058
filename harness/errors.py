# SPDX-License-Identifier: GPL-2.0-only
"""Errors that a person can cause or cure: one line each, and what to do about it.

An error that nobody outside the code can cause is an ordinary exception and keeps its traceback.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of ``kharness run``."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    HOST = 3
    USAGE = 4
    NO_CASES = 5


class KharnessError(Exception):
    """Something that the user should know, in one line.

    Args:
        what: what is wrong and where; one line, no full stop at the end.
        hint: what to do about it; one line, may be empty.
        detail: evidence of any length, such as the last lines of a console; shown below the line.
    """

    exit_code = ExitCode.HOST

    def __init__(self, what: str, hint: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.what}: {self.hint}" if self.hint else self.what

    @property
    def whole(self) -> str:
        """The line, and the evidence below it."""
        return "\n".join(part for part in (str(self), self.detail) if part)

    def __reduce__(self) -> tuple[type["KharnessError"], tuple[str, str, str]]:
        return type(self), (self.what, self.hint, self.detail)


class UsageError(KharnessError):
    """Wrong arguments or configuration (exit 4)."""

    exit_code = ExitCode.USAGE


@contextmanager
def names_fit() -> Iterator[None]:
    """A name that is longer than any file's can be is wrong usage, wherever it is noticed.

    Raises:
        UsageError: there was one.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise UsageError(f"{error.filename}: {error.strerror}") from error


class HostError(KharnessError):
    """The host cannot do its part: no QEMU, no compiler, no space (exit 3)."""


class QemuEndedError(HostError):
    """QEMU was ended by a signal, or hangs, while a guest was to come up (exit 3)."""


class KernelError(KharnessError):
    """A kernel that cannot be had, is not one, or does not come up (exit 3)."""


class BootPanicError(KernelError):
    """A kernel that panicked, or reset, while it booted (exit 3)."""


class BootStallError(KernelError):
    """A kernel that began to boot, and did not come up (exit 3)."""


class GuestError(KharnessError):
    """A guest that came up and is lost: QEMU gone, protocol broken, agent silent (exit 3)."""


class HostMemoryError(HostError):
    """The host gave kharness itself no more memory."""

    def __init__(self) -> None:
        super().__init__(
            "out of memory: the host gives kharness no more",
            "make room; what is in a journal is kept, and kharness resume goes on from it",
        )

# SPDX-License-Identifier: GPL-2.0-only
"""How a program in a guest ended, and the errors that a Python test may catch."""

import os
import shlex
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from harness.errors import GuestError, KharnessError
from harness.verdict.text import decode, one_line, shorten_middle
from harness.vm.agent import RunReport

SHOWN = 4000
"""Characters of each output that an error shows."""


@dataclass(frozen=True)
class Ran:
    """A program that has ended.

    Attributes:
        argv: the program and its arguments.
        exit_code: what it exited with, 0 to 255; None when a signal killed it.
        signal: number of the signal that killed it, or None.
        stdout: what it wrote, as text that a terminal can take; see ``raw_stdout``.
        stderr: the same for standard error.
        raw_stdout: the bytes; of what is longer than 576 KiB the middle is missing.
        raw_stderr: the same for standard error.
        truncated: some of the output is missing.
        duration_s: seconds, as the host saw it.
        user_s: CPU time in user space, seconds.
        system_s: CPU time in the kernel, seconds.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    signal: int | None
    stdout: str
    stderr: str
    raw_stdout: bytes
    raw_stderr: bytes
    truncated: bool
    duration_s: float
    user_s: float
    system_s: float

    @classmethod
    def of(cls, argv: tuple[str, ...], report: RunReport, duration_s: float) -> "Ran":
        """What the agent reported, for people."""
        status = report.exited.status
        killed = os.WIFSIGNALED(status)
        return cls(
            argv,
            None if killed else os.WEXITSTATUS(status),
            os.WTERMSIG(status) if killed else None,
            decode(report.stdout),
            decode(report.stderr),
            report.stdout,
            report.stderr,
            report.truncated,
            round(duration_s, 6),
            report.exited.user_s,
            report.exited.system_s,
        )

    @property
    def ok(self) -> bool:
        """It exited with 0."""
        return self.exit_code == 0

    @property
    def how(self) -> str:
        """How it ended, in words: ``exit code 3``, ``killed by SIGSEGV``."""
        if self.signal is None:
            return f"exit code {self.exit_code}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"

    def check(self) -> "Ran":
        """The same, if it exited with 0.

        Raises:
            CommandFailed: it did not.
        """
        __tracebackhide__ = True
        if not self.ok:
            raise CommandFailed(self)
        return self

    def __repr__(self) -> str:
        out, err = one_line(self.stdout, 120), one_line(self.stderr, 120)
        return f"<Ran {command_words(self.argv)}: {self.how}, stdout {out!r}, stderr {err!r}>"


class CommandFailed(AssertionError):  # noqa: N818 - an assertion about a program
    """A program did not exit with 0.

    Attributes:
        ran: how it ended.
    """

    def __init__(self, ran: Ran) -> None:
        super().__init__(f"`{command_words(ran.argv)}`: {ran.how}{output_words(ran)}")
        self.ran = ran


class TimedOut(TimeoutError):  # noqa: N818 - as in subprocess.TimeoutExpired
    """Something did not happen in time; a program was killed then.

    Attributes:
        ran: how the program ended, None when no program was waited for.
    """

    def __init__(self, words: str, ran: Ran | None = None) -> None:
        super().__init__(f"{words}{output_words(ran) if ran else ''}")
        self.ran = ran


class Death(StrEnum):
    """Of what a guest died."""

    REPORT = "report"
    """The kernel reported something before."""
    KNOWN = "known"
    """What the kernel reported before is in ``[[expect_splat]]`` of harness.toml."""
    ENDED = "ended"
    """It reset itself or switched itself off, without a report."""
    HANGS = "hangs"
    """It does not answer."""
    QEMU = "qemu"
    """QEMU ended or broke."""
    TEST = "test"
    """The test closed or killed it."""


class GuestDied(GuestError):  # noqa: N818 - what happened
    """The guest is gone: crashed, reset, switched off, or it does not answer.

    Attributes:
        death: of what.
        tail: the last lines of its console.
    """

    def __init__(self, words: str, death: Death, tail: str = "") -> None:
        super().__init__(words, detail=tail)
        self.death = death
        self.tail = tail

    def __reduce__(self) -> Any:
        return type(self), (self.what, self.death, self.tail)

    def __str__(self) -> str:
        lines = "".join(f"\n  | {line}" for line in self.tail.splitlines())
        return f"{self.what}{lines}"


class GuestRefusal(KharnessError):  # noqa: N818 - a refusal, not a defect
    """QEMU or the kernel cannot do what was asked; the guest goes on."""


def command_words(argv: tuple[str, ...]) -> str:
    """A command in one line of at most 120 characters."""
    return one_line(shlex.join(argv), 120)


def output_words(ran: Ran) -> str:
    """What a program wrote, for the lines below an error."""
    parts = []
    for name, text in (("stdout", ran.stdout), ("stderr", ran.stderr)):
        if text.strip():
            lines = shorten_middle(text.rstrip("\n"), SHOWN).splitlines()
            parts.append(f"\n{name}:" + "".join(f"\n  | {line}" for line in lines))
    return "".join(parts)

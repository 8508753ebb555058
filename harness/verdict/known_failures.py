# SPDX-License-Identifier: GPL-2.0-only
"""Known failures: what is expected of a case on a kernel, and what a result is in that light."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from harness.verdict.outcome import Outcome, Result
from harness.versions import KernelRange

SOMETIMES = (Outcome.FAIL, Outcome.CRASH, Outcome.TIMEOUT, Outcome.FLAKY)
"""What an entry with the outcome ``flaky`` allows, beside a pass."""


class KernelPattern:
    """Which kernels an entry is about: a version range, or a pattern over kernels' names.

    Args:
        text: what :class:`KernelRange` takes, or a name with wildcards, ``debian-*``.

    Raises:
        ValueError: it looks like a range and is none.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        if not self.text:
            raise ValueError("is empty: a range such as '>=6.1,<6.12', or a kernel's name")
        is_range = self.text[0] in "<>=!" or self.text[0].isdigit()
        self._range = KernelRange.parse(self.text) if is_range else None

    def covers(self, name: str, version: tuple[int, ...]) -> bool:
        """Whether a kernel is meant.

        Args:
            name: the kernel's name, ``debian-6.12``.
            version: its numbers, ``(6, 12, 117)``; without any it is in no range.
        """
        if self._range is None:
            return fnmatchcase(name, self.text)
        return bool(version) and version in self._range


@dataclass(frozen=True)
class KnownFailure:
    """A known failure.

    Attributes:
        case: pattern over node ids, or over names: ``cases/pidfd/*::wait_*``, ``wait_*``.
        outcomes: what is expected; ``flaky`` stands for a case that fails sometimes.
        reason: why; one line.
        kernel: which kernels, None for all.
        link: where more is to be read.
        until: last day on which it counts.
    """

    case: str
    outcomes: tuple[Outcome, ...]
    reason: str
    kernel: KernelPattern | None = None
    link: str = ""
    until: date | None = None

    def covers(self, node: str, kernel: str, version: tuple[int, ...]) -> bool:
        """Whether it is about a case on a kernel, whatever the day."""
        names = (node, node.rpartition("::")[2])
        # A parametrised test is called test_x[1], which is a pattern for "test_x1" as well.
        if self.case not in names and not any(fnmatchcase(name, self.case) for name in names):
            return False
        return self.kernel is None or self.kernel.covers(kernel, version)

    def expired(self, today: date) -> bool:
        """Its last day is over."""
        return self.until is not None and today > self.until

    def words(self) -> str:
        """For the reader of a report."""
        return f"{self.reason} ({self.link})" if self.link else self.reason


def known_failure_of(
    entries: Iterable[KnownFailure],
    node: str,
    kernel: str,
    version: tuple[int, ...],
    today: date,
) -> KnownFailure | None:
    """The first entry that counts for a case on a kernel, or None."""
    for entry in entries:
        if entry.covers(node, kernel, version) and not entry.expired(today):
            return entry
    return None


def in_the_light_of(entry: KnownFailure | None, result: Result) -> Result:
    """The result, judged by what was expected.

    What happened as expected is ``xfail``; a pass where a failure was expected is ``xpass``; any
    other outcome stays what it is, since nobody knew of it.
    """
    if entry is None or result.outcome in (Outcome.XFAIL, Outcome.XPASS):
        return result
    sometimes = Outcome.FLAKY in entry.outcomes
    if result.outcome in entry.outcomes or (sometimes and result.outcome in SOMETIMES):
        was = f"{result.outcome.value}: {result.message}"
        return replace(
            result,
            outcome=Outcome.XFAIL,
            message=f"expected: {entry.words()}",
            detail=f"{was}\n{result.detail}".strip(),
        )
    if result.outcome is Outcome.PASS and not sometimes:
        expected = " or ".join(outcome.value for outcome in entry.outcomes)
        return replace(
            result,
            outcome=Outcome.XPASS,
            message=f"passes, but {expected} was expected: {entry.words()}",
            detail=f"[[expect]] case = {entry.case!r}: take it out, or narrow it",
        )
    return result


def notes_on(
    entries: Iterable[KnownFailure],
    cases: Iterable[tuple[str, str]],
    versions: dict[str, tuple[int, ...]],
    today: date,
    *,
    whole: bool,
) -> list[str]:
    """What the reader of a report should know of the entries themselves.

    Args:
        entries: all of harness.toml.
        cases: node id and kernel of every case that was found.
        versions: kernel's name to its version.
        today: the day of the run.
        whole: everything that harness.toml names was looked at, so that an entry that matches
            nothing is out of date and not only out of sight.
    """
    found = list(cases)
    notes = []
    for entry in entries:
        matched = any(entry.covers(node, k, versions.get(k, ())) for node, k in found)
        if not matched and whole:
            where = f" on {entry.kernel.text}" if entry.kernel else ""
            notes.append(f"[[expect]] {entry.case!r}{where} matches no case ({entry.reason})")
        elif matched and entry.expired(today):
            notes.append(
                f"[[expect]] {entry.case!r} expired on {entry.until}, and counts no more"
                f" ({entry.words()})"
            )
    return notes

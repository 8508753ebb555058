# SPDX-License-Identifier: GPL-2.0-only
"""What can become of a case, and the record of it that every report is made from."""

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """The eight outcomes.

    ``crash`` is the kernel's, ``error`` is the harness's or the host's; everything else is the
    case's own.
    """

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    XFAIL = "xfail"
    XPASS = "xpass"
    CRASH = "crash"
    TIMEOUT = "timeout"
    ERROR = "error"

    @property
    def good(self) -> bool:
        """True when the outcome leaves the run's exit code at 0."""
        return self in (Outcome.PASS, Outcome.SKIP, Outcome.XFAIL)


@dataclass(frozen=True)
class Verdict:
    """What a case's output says.

    Attributes:
        outcome: see :class:`Outcome`.
        message: one line, never empty unless the case passed.
        detail: everything that helps to understand it: place, expectation, what came.
        file: source file that ``line`` is in, as the case printed it; empty when unknown.
        line: line of the first failed check, from 1; 0 when unknown.
    """

    outcome: Outcome
    message: str = ""
    detail: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Result:
    """One finished case on one kernel, as it stands in the journal.

    Attributes:
        case: node id without the kernel, ``cases/pidfd/open.c::rejects_negative_pid``.
        classname: ``pidfd.open``.
        name: ``rejects_negative_pid``.
        kernel: the kernel's name, ``debian-6.12``.
        outcome: see :class:`Outcome`.
        message: one line; empty only for a pass.
        detail: place, expectation, what came; may have many lines.
        file: source file of the failed check, else of the case.
        line: line in ``file``, from 1; 0 when unknown.
        started: when the case started on the host, ISO 8601 with offset.
        duration_s: from start to end as the host saw it, seconds.
        user_s: CPU time in user space, seconds.
        system_s: CPU time in the kernel, seconds.
        maxrss_kib: peak memory of the case's largest process, KiB.
        stdout: what the case printed (KTAP), decoded, possibly cut in the middle.
        stderr: the same for standard error.
        console: what the kernel's console printed between the case's start and end, decoded.
        console_file: path of the console's raw file in the run folder, relative to it.
        isolation: ``fork``, ``boot`` or ``shared``.
        accel: ``kvm`` or ``tcg``.
        reproduce: the command that runs this case alone on this kernel.
        worker: name of the worker that ran it.
    """

    case: str
    classname: str
    name: str
    kernel: str
    outcome: Outcome
    message: str = ""
    detail: str = ""
    file: str = ""
    line: int = 0
    started: str = ""
    duration_s: float = 0.0
    user_s: float = 0.0
    system_s: float = 0.0
    maxrss_kib: int = 0
    stdout: str = ""
    stderr: str = ""
    console: str = ""
    console_file: str = ""
    isolation: str = ""
    accel: str = ""
    reproduce: str = ""
    worker: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it goes into the journal and between xdist workers."""
        return {**asdict(self), "outcome": self.outcome.value}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Result":
        """The result that :meth:`to_json` made.

        Fields that this version does not know are left out, so that an older kharness reads a
        newer journal.

        Raises:
            ValueError: the data is no result.
        """
        known = {f.name for f in fields(cls)}
        try:
            values = {key: value for key, value in data.items() if key in known}
            return cls(**{**values, "outcome": Outcome(values["outcome"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a result: {error}") from error

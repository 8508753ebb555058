# SPDX-License-Identifier: GPL-2.0-only
"""What can become of a case, and the record of it that every report is made from."""

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from harness.verdict.splat import Splat

HOST = "host"
"""What stands for the kernel of a test without a guest."""


class Outcome(StrEnum):
    """What can become of a case.

    ``crash`` is the kernel's, ``error`` is the harness's or the host's; everything else is the
    case's own. ``flaky`` is what fails in one
    fresh guest and passes in another; only with reruns is it ever seen.
    """

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    XFAIL = "xfail"
    XPASS = "xpass"
    CRASH = "crash"
    TIMEOUT = "timeout"
    ERROR = "error"
    FLAKY = "flaky"

    @property
    def good(self) -> bool:
        """True when the outcome leaves the run's exit code at 0."""
        return self in (Outcome.PASS, Outcome.SKIP, Outcome.XFAIL, Outcome.FLAKY)


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
class Attempt:
    """Another try of a case that was tried more than once.

    Attributes:
        outcome: of that try.
        message: one line; empty only for a pass.
        detail: place, expectation, what came.
        started: ISO 8601 with offset.
        duration_s: seconds.
        stdout: what it printed.
        console: what the kernel's console printed during it.
        worker: name of the worker that ran it.
        number: which of the case's tries it was, from 1; 0 in journals that do not number them.
        console_file: path of the console's raw file in the run folder, relative to it.
    """

    outcome: Outcome
    message: str = ""
    detail: str = ""
    started: str = ""
    duration_s: float = 0.0
    stdout: str = ""
    console: str = ""
    worker: str = ""
    number: int = 0
    console_file: str = ""


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
        splats: what the console reported, in order, expected reports among them.
        attempts: of a case that was tried more than once the other tries that failed, in the
            order in which they ended; ``outcome`` is what all tries come to, and
            ``extra["try"]`` the number of the one that everything else here is of.
        evidence: what was gathered of a guest in trouble, by name: ``blocked tasks``,
            ``backtraces``, ``registers`` ...
        files: further files in the run folder, by name, relative to it: ``dump`` ...
        parent: node id of the program of whose output this is a subtest; empty for most.
        extra: further facts by name.
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
    splats: tuple[Splat, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    evidence: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as it goes into the journal and between xdist workers."""
        # asdict() copies every value deeply, which takes longer than all else that a result costs.
        return {
            **vars(self),
            "outcome": self.outcome.value,
            "splats": [splat.to_json() for splat in self.splats],
            "attempts": [{**vars(a), "outcome": a.outcome.value} for a in self.attempts],
            "evidence": dict(self.evidence),
            "files": dict(self.files),
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Result":
        """The result that :meth:`to_json` made.

        Fields that this version does not know are left out, so that an older kharness reads a
        newer journal.

        Raises:
            ValueError: the data is no result.
        """
        try:
            values = {key: value for key, value in data.items() if key in RESULT_FIELDS}
            values["outcome"] = Outcome(values["outcome"])
            values["splats"] = tuple(map(Splat.from_json, values.get("splats", ())))
            values["attempts"] = tuple(map(_attempt, values.get("attempts", ())))
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a result: {error}") from error


RESULT_FIELDS = frozenset(f.name for f in fields(Result))
ATTEMPT_FIELDS = frozenset(f.name for f in fields(Attempt))


def _attempt(data: dict[str, Any]) -> Attempt:
    values = {key: value for key, value in data.items() if key in ATTEMPT_FIELDS}
    return Attempt(**{**values, "outcome": Outcome(values["outcome"])})

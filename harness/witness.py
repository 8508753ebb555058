# SPDX-License-Identifier: GPL-2.0-only
"""What notices a defect: a case that does worse than without it, a splat, or no boot."""

from dataclasses import dataclass
from enum import StrEnum

from harness.report.compare import new_splats
from harness.subrun import KernelRun
from harness.verdict.outcome import Outcome, Result

INCONCLUSIVE = "inconclusive"
"""A case that skips with this word could not be made certain, and says nothing of the kernel."""


class How(StrEnum):
    """What noticed it."""

    FAILURE = "failure"
    SPLAT = "splat"
    TIMEOUT = "timeout"
    BOOT = "does not boot"


HOW = {
    Outcome.FAIL: How.FAILURE,
    Outcome.XPASS: How.FAILURE,
    Outcome.CRASH: How.SPLAT,
    Outcome.TIMEOUT: How.TIMEOUT,
}


@dataclass(frozen=True)
class Witness:
    """A case that noticed a mutant.

    Attributes:
        case: its node id without the kernel; empty for the boot.
        how: what it saw.
        message: in one line.
    """

    case: str
    how: How
    message: str


def witnesses(ran: KernelRun, reference: KernelRun) -> list[Witness]:
    """What noticed a defect.

    Args:
        ran: the cases with it.
        reference: the cases without.
    """
    if ran.broken:
        return [Witness("", How.BOOT, ran.broken)]
    splats = new_splats(reference.boot, ran.boot)
    found = [Witness("", How.SPLAT, f"while booting: {title}") for title in splats]
    before = {r.case: r for r in reference.results}
    return found + [w for r in ran.results if (w := _witness(r, before.get(r.case)))]


def in_doubt(ran: KernelRun) -> Result | None:
    """A case that the host kept from saying anything; None when there is none."""
    return next((r for r in ran.results if r.outcome is Outcome.ERROR and not _unbooted(r)), None)


def _witness(result: Result, before: Result | None) -> Witness | None:
    """A case that fails; or one that says it cannot run here, where it could without the defect."""
    if _unbooted(result):
        return Witness(result.case, How.BOOT, result.message)
    if result.outcome in HOW:
        return Witness(result.case, HOW[result.outcome], result.message)
    skipped = result.outcome is Outcome.SKIP and not result.message.startswith(INCONCLUSIVE)
    if skipped and before and before.outcome is Outcome.PASS:
        return Witness(result.case, How.FAILURE, f"skipped here only: {result.message}")
    return None


def _unbooted(result: Result) -> bool:
    """The kernel did not come up in the guest that this case asked for, which others need not."""
    return result.outcome is Outcome.ERROR and result.extra.get("cause") == "kernel"

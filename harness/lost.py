# SPDX-License-Identifier: GPL-2.0-only
"""A guest that was lost: what is known of its end, and whether it is the kernel's doing."""

from dataclasses import replace

from harness.attempt import StoppedByReport, Trial
from harness.errors import GuestError
from harness.verdict.outcome import Outcome, Result
from harness.verdict.text import decode
from harness.vm.machine import Machine

TAIL_LINES = 15


def with_evidence(result: Result, trial: Trial, machine: Machine) -> Result:
    """The result of a case, with the evidence when its guest was lost without a word.

    Then ``cause`` is ``guest``: it is trouble of the host, and the case has another try. A guest
    whose hang has a diagnosis, or that reset itself, is no such trouble.

    Args:
        result: as it was judged.
        trial: what came of running the case.
        machine: its QEMU.
    """
    lost = isinstance(trial.report, GuestError) and not isinstance(trial.report, StoppedByReport)
    silent = result.outcome is Outcome.TIMEOUT and trial.diagnosis is None
    if not lost or not (result.outcome is Outcome.ERROR or silent):
        return result
    tail = decode(trial.printed).splitlines()[-TAIL_LINES:]
    evidence = {
        "guest": str(trial.report),
        "QEMU": trial.exit_words or "still running, not answering",
        "QEMU's words": machine.stderr(),
        "end of the console": "\n".join(tail),
    }
    evidence = {name: text for name, text in evidence.items() if text}
    shown = "\n".join(f"{name}: {text}" for name, text in evidence.items())
    return replace(
        result,
        detail=f"{result.detail}\n{shown}".strip(),
        evidence={**result.evidence, **evidence},
        extra={**result.extra, "cause": "guest"},
    )

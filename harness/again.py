# SPDX-License-Identifier: GPL-2.0-only
"""Cases whose xdist worker died: each is run once more, in a process of its own.

In a process of its own, since what killed the worker may have been the case's doing (memory that
ran out on the host), and the controller has everybody's results.
"""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from harness.cases.discover import classname
from harness.report.journal import NAME, read_journal
from harness.verdict.outcome import Outcome, Result

TAIL = 2000
"""Characters of the last words of a process."""


def run_again(lost: Result, spec: str, options: list[str], folder: Path) -> Result:
    """Runs a case once more whose worker died.

    Args:
        lost: what :func:`lost_result` made of it.
        spec: of its kernel.
        options: further options of ``kharness run``.
        folder: run folder to make, inside that of the run.

    Returns:
        The result; an ``error`` with the evidence when there is none this time either.
    """
    command = [sys.executable, "-m", "harness.cli", "run", "-q", "--kernel", spec]
    command += ["-n", "1", "--run-dir", str(folder), *options, lost.case]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    journal = folder / NAME
    results = read_journal(journal).results if journal.is_file() else []
    worker = lost.extra["worker_died"]
    if not results:
        how = (
            f"killed by {signal.Signals(-done.returncode).name}"
            if done.returncode < 0
            else f"exit {done.returncode}"
        )
        return replace(
            lost,
            message=f"{lost.message}, and the process that tried it again as well ({how})",
            evidence={**lost.evidence, "second try": done.stdout[-TAIL:].strip() or how},
        )
    result = results[-1]
    if result.console_file:
        place = f"{folder.name}/{result.console_file}"
        result = replace(result, console_file=f"{folder.parent.name}/{place}")
    return replace(
        result,
        case=lost.case,
        kernel=lost.kernel,
        extra={**result.extra, "first_guest": f"its worker died: {worker}"},
    )


def lost_result(nodeid: str, words: str) -> Result:
    """What is known of a case whose worker died.

    Args:
        nodeid: of the pytest item, with the kernel in brackets.
        words: what xdist says of it.
    """
    case, _, kernel = nodeid.rpartition("[")
    source, _, name = case.partition("::")
    return Result(
        case=case,
        classname=classname(Path(source)),
        name=name,
        kernel=kernel.rstrip("]"),
        outcome=Outcome.ERROR,
        message="the worker that ran it died",
        detail=words,
        file=source,
        evidence={"worker": words},
        extra={"cause": "guest", "worker_died": words.splitlines()[-1] if words else "?"},
    )

# SPDX-License-Identifier: GPL-2.0-only
"""A ``kharness run`` of one kernel as a process of its own: what that kernel does stays there."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostError
from harness.report.journal import NAME, Journal, read_journal
from harness.verdict.judge import signal_name
from harness.verdict.outcome import Outcome, Result


@dataclass(frozen=True)
class KernelRun:
    """What the cases came to on one kernel.

    Attributes:
        results: of its cases.
        boot: what it printed while booting.
        broken: why it does not come up; empty when it does.
        detail: its last words then.
        image: the kernel.
    """

    results: tuple[Result, ...]
    boot: str
    broken: str = ""
    detail: str = ""
    image: Path | None = None


def run_on(image: Path, folder: Path, cases: Sequence[str], options: Sequence[str]) -> KernelRun:
    """Runs cases on a kernel.

    Args:
        image: the kernel: an image, or the folder of one that was built.
        folder: run folder to make; the run's words go into ``<folder>.log`` beside it.
        cases: paths or node ids; those of harness.toml when empty.
        options: further options of ``kharness run``.

    Raises:
        HostError: no case ran, or the run was cut off: what was to come is unknown.
    """
    command = [sys.executable, "-m", "harness.cli", "run", "--kernel", str(image), "-q"]
    command += ["--run-dir", str(folder), *options, *cases]
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as stream:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    path = folder / NAME
    journal = read_journal(path) if path.is_file() else Journal()
    results = tuple(journal.results)
    if not results or not journal.ended:
        what = f"the run on {image} was cut off" if results else f"no case ran on {image}"
        raise HostError(f"{what}: {_last_words(log, done.returncode)}", f"see {log}")
    boot = "".join(
        path.read_text("utf-8", "replace")
        for path in sorted((folder / "consoles").glob("*/boot-*.log"))
    )
    dead = [r for r in results if r.extra.get("cause") == "kernel"]
    if dead and len(dead) == sum(r.outcome is not Outcome.SKIP for r in results):
        return KernelRun(results, boot, dead[0].message, dead[0].detail, image)
    return KernelRun(results, boot, image=image)


def _last_words(log: Path, returncode: int) -> str:
    """What a run said last; one that was killed cannot say so."""
    if returncode < 0:
        return f"killed by {signal_name(-returncode)}"
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"exit {returncode}"

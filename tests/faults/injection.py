# SPDX-License-Identifier: GPL-2.0-only
"""Injecting faults at a stage of a run, what is left over, and the figures of all tests together.

A stage of a run is observed, never waited for by time: who does the work is stopped (SIGSTOP) as
soon as the stage is seen, and only a stage that is still there then counts as reached.
"""

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from harness.leftovers import MARK
from scripts.faults import Judged, Process, processes

PROPERTY = "figures of faults"
"""Property of a test that injected faults: what came of it, as numbers."""


def processes_with(words: str) -> list[Process]:
    """Processes that have some words in their command line or environment, but for this one."""
    mark = os.fsencode(words)
    return [
        p
        for p in processes()
        if p.pid != os.getpid() and (mark in p.read("cmdline") or mark in p.read("environ"))
    ]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process does nothing in the block; it may be killed there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    while any(state not in "TtZX" for state in _thread_states(pid)):
        os.sched_yield()
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _thread_states(pid: int) -> list[str]:
    states = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                states.append((task / "stat").read_text().rpartition(") ")[2][0])
    return states


# What is left over


def leftovers(folders: Collection[Path]) -> list[str]:
    """Temporary files, and tickets of guests, below some folders."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            if MARK.search(path.name) or path.suffix == ".guest":
                found.append(str(path.relative_to(folder.parent)))
    return found


# Figures


@dataclass(frozen=True)
class Figures:
    """What came of injecting faults, in numbers."""

    injected: int = 0
    expected: int = 0
    lost: int = 0
    doubled: int = 0
    misjudged: int = 0

    @classmethod
    def of(cls, injected: int, expected: int, judged: Judged) -> "Figures":
        """So many faults, so many cases, and what became of them."""
        return cls(injected, expected, judged.lost, judged.doubled, judged.misjudged)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __str__(self) -> str:
        return (
            f"faults injected {self.injected}, results expected {self.expected},"
            f" lost {self.lost}, doubled {self.doubled}, misjudged {self.misjudged}"
        )


def print_figures(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures of all tests together, also when xdist spread them."""
    found: list[Figures] = [
        Figures(*map(int, str(value).split()))
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if found:
        terminalreporter.write_line(str(sum(found, Figures())))

# SPDX-License-Identifier: GPL-2.0-only
"""Injecting faults into runs that go on: whom to kill, and whether every case is judged right.

For scripts/soak, which kills by chance and for hours, and for tests/faults, which kills at every
stage of a run.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.tries import is_trouble
from harness.verdict.outcome import Outcome, Result

# Processes, as /proc shows them


@dataclass(frozen=True)
class Process:
    """A process: its id, its parent's, its name, its state's letter, and when it was started."""

    pid: int
    parent: int
    name: str
    state: str
    started: int

    def read(self, what: str) -> bytes:
        """A file of its folder in /proc; empty when it has gone."""
        try:
            return Path(f"/proc/{self.pid}/{what}").read_bytes()
        except OSError:
            return b""

    @property
    def is_guest(self) -> bool:
        """A QEMU with a guest, and not one that is asked for its version."""
        command = self.read("cmdline")
        return b"qemu-system" in command and b"memory-backend" in command

    @property
    def is_template(self) -> bool:
        """A guest that boots to become a template: its memory is a file that forks are to share."""
        return self.is_guest and b"share=on" in self.read("cmdline")

    @property
    def is_worker(self) -> bool:
        """A worker of xdist (execnet starts it with this program)."""
        return b"exec(eval(sys.stdin" in self.read("cmdline")


def processes() -> list[Process]:
    """All processes that live, those that were started first at the front."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().rpartition(") ")
            except OSError:
                continue
            words = rest.split()  # proc_pid_stat(5): state is field 3, ppid 4, starttime 22
            if words[0] not in "ZX":
                name = name.partition("(")[2]
                found.append(
                    Process(int(entry.name), int(words[1]), name, words[0], int(words[19]))
                )
    return sorted(found, key=lambda process: (process.started, process.pid))


def descendants(pid: int) -> list[Process]:
    """Processes below one, those that were started first at the front."""
    everybody = processes()
    below = {pid}
    while True:
        more = {p.pid for p in everybody if p.parent in below} - below
        if not more:
            return [p for p in everybody if p.pid in below and p.pid != pid]
        below |= more


# Judging


@dataclass(frozen=True)
class Judged:
    """What became of cases whose outcome was known beforehand, in numbers.

    Attributes:
        right: results that are as expected.
        excused: errors that are right, since the case's guests were killed, twice.
        lost: cases without a result.
        doubled: cases with more than one.
        misjudged: every other result.
        wrong: a line for each case that is not right.
    """

    right: int
    excused: int
    lost: int
    doubled: int
    misjudged: int
    wrong: tuple[str, ...]


def judge(
    results: Iterable[Result],
    expected: Mapping[str, Outcome],
    may_be_error: Callable[[Result], bool] = lambda _: True,
) -> Judged:
    """Compares what came with what had to come.

    Args:
        results: of the journal.
        expected: name of each case to its outcome.
        may_be_error: whether a case may have lost its guests; an ``error`` that says so is right
            then.
    """
    times: Counter[str] = Counter()
    right = excused = 0
    misjudged = []
    for r in results:
        times[r.name] += 1
        if r.outcome is expected.get(r.name):
            right += 1
        elif r.outcome is Outcome.ERROR and is_trouble(r) and may_be_error(r):
            excused += 1
        else:
            misjudged.append(f"{r.name}: {r.outcome} for {expected.get(r.name)}: {r.message}")
    lost = [f"{name}: lost" for name in expected if not times[name]]
    doubled = [f"{name}: {n} results" for name, n in times.items() if n > 1]
    counts = (len(lost), len(doubled), len(misjudged))
    return Judged(right, excused, *counts, (*lost, *doubled, *misjudged))

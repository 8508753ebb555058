# SPDX-License-Identifier: GPL-2.0-only
"""The memory of a process that writes results, beside how many it has written.

For scripts/soak. What a process takes to start is no growth: a series begins when the process has
written so many results that all of its code has run and its allocator has what it needs.
"""

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PER_RESULT_KIB = 1.0
"""More than this for every result is a leak."""
SMALL_KIB = 1024
"""Less than this in all is the allocator's noise."""
RESULT = b'{"kind": "result"'
"""How a line of the journal begins that tells of one (harness/report/journal.py)."""
WARM = 800
"""Results of a process that do not count. One controller, with guests killed all the time: 81.8 MiB
after 137 results, 83.7 after 627, 83.8 after 2,685."""
FEWEST = 200
"""Results after those that a process must have written, so that anything can be said of growth."""


@dataclass(frozen=True)
class Sample:
    """Results in the journal, and anonymous memory of the process in KiB at that moment."""

    results: int
    kib: int


@dataclass(frozen=True)
class Series:
    """A process's samples, oldest first, after its first :data:`WARM` results.

    Attributes:
        name: which process it was.
        samples: what was seen.
        per_result_kib: what it may keep of each result.
    """

    name: str
    samples: Sequence[Sample]
    per_result_kib: float = PER_RESULT_KIB

    @property
    def results(self) -> int:
        """How many results came while it was watched."""
        return self.samples[-1].results - self.samples[0].results if self.samples else 0

    @property
    def grown_kib(self) -> float:
        """From the first quarter of the samples to the last, by their medians."""
        return self._of(-1) - self._of(0)

    @property
    def leaks(self) -> bool:
        """Whether it grew with its results."""
        between = self.results * 3 / 4  # from the middle of a quarter to that of another
        return self.results >= FEWEST and self.grown_kib > max(
            SMALL_KIB, self.per_result_kib * between
        )

    def __str__(self) -> str:
        if self.results < FEWEST:
            return f"{self.name}: {self.results} results, too few to tell"
        first, last = self._of(0) / 1024, self._of(-1) / 1024
        most = max(sample.kib for sample in self.samples) / 1024
        return (
            f"{self.name}: {self.results} results, {first:.1f} MiB in the first quarter,"
            f" {last:.1f} MiB in the last, {most:.1f} MiB at most"
        )

    def _of(self, quarter: int) -> float:
        size = max(1, len(self.samples) // 4)
        part = self.samples[:size] if quarter == 0 else self.samples[-size:]
        return median(sample.kib for sample in part)


class Watch(threading.Thread):
    """Samples a process, until it is stopped or the process has gone.

    Args:
        process: the process.
        journal: where its results go; need not be there yet.
        every_s: seconds between two samples.

    Attributes:
        written: results that came since it began.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", journal: Path, every_s: float = 0.5
    ) -> None:
        super().__init__(daemon=True)
        self._pid, self._journal, self._every = process.pid, journal, every_s
        self._over = threading.Event()
        self._read = self._results = 0
        self._samples: list[Sample] = []
        self.written = 0

    def run(self) -> None:
        """Until it is stopped."""
        before = self._count()
        while not self._over.wait(self._every):
            results, kib = self._count(), self._anonymous_kib()
            self.written = results - before
            if self.written > WARM and kib:
                self._samples.append(Sample(results, kib))

    def stop(self, name: str, per_result_kib: float = PER_RESULT_KIB) -> Series:
        """Ends it; gives what it saw."""
        self._over.set()
        self.join()
        return Series(name, self._samples, per_result_kib)

    def _count(self) -> int:
        """Lines that tell of results, without reading any twice."""
        try:
            with self._journal.open("rb") as stream:
                stream.seek(self._read)
                new = stream.read()
        except OSError:
            return self._results
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._results += sum(line.startswith(RESULT) for line in whole.splitlines())
        return self._results

    def _anonymous_kib(self) -> int:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text()
        except OSError:
            return 0
        for line in status.splitlines():
            if line.startswith("RssAnon:"):  # proc_pid_status(5)
                return int(line.split()[1])
        return 0  # a zombie has none

# SPDX-License-Identifier: GPL-2.0-only
"""What a case is: plain facts that the host reads from a compiled program."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Needs:
    """What a case requires of the kernel and the guest, as its source states it.

    Attributes:
        kernel: lowest kernel version, ``(major, minor)``, or None.
        config: options that must be ``y``, without ``CONFIG_``.
        probes: names of feature probes that the program runs itself, each with the version since
            which mainline has the feature, or None where it never had it.
        root: needs to run as root (cases do so unless told otherwise).
        cpus: virtual CPUs.
        memory_mib: guest memory in MiB, 0 for the default.
        isolate: ``fork`` or ``boot``: the least that it wants for itself; empty leaves it.
    """

    kernel: tuple[int, int] | None = None
    config: tuple[str, ...] = ()
    probes: tuple[tuple[str, tuple[int, int] | None], ...] = ()
    root: bool = False
    cpus: int = 1
    memory_mib: int = 0
    isolate: str = ""


@dataclass(frozen=True)
class Case:
    """One ``TEST`` of a C file.

    Attributes:
        source: the C file, relative to the folder that the run started in where it lies below it.
        name: as in ``TEST(name)``.
        line: where ``TEST`` stands, from 1.
        program: the compiled program on the host.
        needs: what it requires.
        timeout_s: its own time limit, or None for the run's.
        description: one line, may be empty.
        classname: for JUnit, folder and file: ``pidfd.open``.
    """

    source: Path
    name: str
    line: int
    program: Path
    needs: Needs
    timeout_s: float | None
    description: str
    classname: str

    @property
    def node(self) -> str:
        """Node id without the kernel: ``cases/pidfd/open.c::rejects_negative_pid``."""
        return f"{self.source.as_posix()}::{self.name}"

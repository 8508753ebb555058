# SPDX-License-Identifier: GPL-2.0-only
"""What a case is: plain facts that the host reads from a compiled program."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Abi(StrEnum):
    """What a program is compiled for."""

    NATIVE = "native"
    COMPAT32 = "compat32"


class CaseKind(StrEnum):
    """Whose conventions a case follows: how its program is called and how it says what it found."""

    KCASE = "kcase"
    KSELFTEST = "kselftest"
    LTP = "ltp"
    PROGRAM = "exec"
    KUNIT = "kunit"


USUAL_ENV = ("PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/tmp", "TERM=dumb")
"""Environment of a program of somebody else's."""


@dataclass(frozen=True)
class Call:
    """How somebody else's program is called in a guest.

    Attributes:
        argv: the program's absolute path in the guest, and its arguments.
        cwd: folder that it starts in.
        env: ``NAME=value``; :data:`USUAL_ENV` when empty.
        suite: the suite's spec, as the user gave it.
        rootfs: the guest's root, as the user gave it; empty for none.
        problem: why it cannot be called at all, in one line; empty when it can.
        told: ``NAME=value`` of kharness's own environment that made it so, to have it again.
    """

    argv: tuple[str, ...]
    cwd: str = "/tmp"
    env: tuple[str, ...] = ()
    suite: str = ""
    rootfs: str = ""
    problem: str = ""
    told: tuple[str, ...] = ()


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
        expect_splat: patterns of splats that the case makes the kernel print.
    """

    kernel: tuple[int, int] | None = None
    config: tuple[str, ...] = ()
    probes: tuple[tuple[str, tuple[int, int] | None], ...] = ()
    root: bool = False
    cpus: int = 1
    memory_mib: int = 0
    isolate: str = ""
    expect_splat: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The options that must be ``y``, by their whole names."""
        return tuple(f"CONFIG_{option.removeprefix('CONFIG_')}" for option in self.config)


@dataclass(frozen=True)
class Case:
    """One ``TEST`` of a C file, or one program of somebody else's suite.

    Attributes:
        source: the C file, relative to the folder that the run started in where it lies below it.
        name: as in ``TEST(name)``.
        line: where ``TEST`` stands, from 1.
        program: the compiled program on the host; None where it cannot be compiled so.
        needs: what it requires.
        timeout_s: its own time limit, or None for the run's.
        description: one line, may be empty.
        promised: where the promise stands that it checks; may be empty.
        slow: takes longer than three seconds on an idle machine.
        classname: for JUnit, folder and file: ``pidfd.open``; not native, ``pidfd.open.compat32``.
        abi: what its program was compiled for.
        settle_s: seconds that the kernel has to report something after its end, or None for the
            run's.
        kind: whose conventions it follows.
        call: how its program is called; None for a ``TEST``.
        place: node id without the kernel, where it is not made of source and name.
    """

    source: Path
    name: str
    line: int
    program: Path | None
    needs: Needs
    timeout_s: float | None
    description: str
    promised: str
    slow: bool
    classname: str
    abi: Abi = Abi.NATIVE
    settle_s: float | None = None
    kind: CaseKind = CaseKind.KCASE
    call: Call | None = None
    place: str = ""

    @property
    def title(self) -> str:
        """Its name, which says when it is not native: ``rejects_negative_pid@compat32``."""
        if self.place:
            return self.place.partition("::")[2]
        return self.name if self.abi is Abi.NATIVE else f"{self.name}@{self.abi.value}"

    @property
    def node(self) -> str:
        """Node id without the kernel: ``cases/pidfd/open.c::rejects_negative_pid``."""
        return self.place or f"{self.source.as_posix()}::{self.title}"

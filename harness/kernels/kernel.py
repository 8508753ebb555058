# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel is to the rest of kharness: plain facts, all read from the kernel itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Arch(StrEnum):
    """Architectures, by the names that QEMU's system emulators use."""

    X86_64 = "x86_64"
    AARCH64 = "aarch64"


@dataclass(frozen=True)
class Kconfig:
    """A kernel's configuration.

    Attributes:
        values: option (with ``CONFIG_``) to value as in ``.config`` (``y``, ``m``, a number or a
            string without its quotes); an option that is not set has no entry.
        known: False when no configuration was found at all; then nothing can be said about any
            option.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    known: bool = True

    def built_in(self, option: str) -> bool:
        """True when ``option`` is ``y``. The ``CONFIG_`` may be left out."""
        return self.get(option) == "y"

    def get(self, option: str) -> str:
        """Value of ``option``, ``n`` when it is not set."""
        name = option if option.startswith("CONFIG_") else f"CONFIG_{option}"
        return self.values.get(name, "n")


@dataclass(frozen=True)
class Kernel:
    """A bootable kernel.

    Attributes:
        spec: how the user named it, e.g. ``debian:6.12``.
        name: short and usable in node ids and file names, e.g. ``debian-6.12``.
        image: what was given: bzImage, vmlinux or Image.
        boot: what QEMU is given as ``-kernel``: the uncompressed vmlinux where the kernel has a
            PVH entry, else ``image``.
        release: as ``uname -r`` will say, e.g. ``6.12.117+deb12-cloud-amd64``.
        version: the numbers that ``release`` starts with, e.g. ``(6, 12, 117)``.
        arch: the architecture.
        config: its configuration.
        sha256: of ``image``, in hex: the kernel's identity.
        modules: folder that holds ``lib/modules/<release>``, where there is one.
        provides: probes of cases that this kernel must say yes to, beside what its version has.
        memory_mib: what a guest of it needs at least, in MiB; 0 when nothing special.
        vmlinux: the ELF file with symbols, where there is one.
        options: further options of ``kharness run`` that it takes to get it again.
        append: further words for its command line.
    """

    spec: str
    name: str
    image: Path
    boot: Path
    release: str
    version: tuple[int, int, int]
    arch: Arch
    config: Kconfig
    sha256: str
    modules: Path | None = None
    provides: tuple[str, ...] = ()
    memory_mib: int = 0
    vmlinux: Path | None = None
    options: str = ""
    append: tuple[str, ...] = ()

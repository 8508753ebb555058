# SPDX-License-Identifier: GPL-2.0-only
"""Debian's cloud kernels: the newest of a series, from the archive, through apt, without root."""

import re
import shutil
from pathlib import Path

from harness.cache import cache_root
from harness.errors import KernelError, UsageError
from harness.kernels.apt import Wanted, newest, unpack_deb
from harness.kernels.kernel import Kernel
from harness.kernels.read import read_kernel

PATTERN = r"^linux-image-{series}\.[0-9].*-cloud-amd64$"
"""``linux-image-6.12.117+deb12-cloud-amd64``, ``linux-image-6.1.0-56-cloud-amd64``."""


def debian_kernel(series: str) -> Kernel:
    """The newest cloud kernel of a series.

    Args:
        series: two numbers, ``6.12``.

    Raises:
        UsageError: not a series.
        KernelError: the archive has none, or cannot be reached and none was fetched before.
    """
    if not re.fullmatch(r"\d+\.\d+", series):
        raise UsageError(f"debian:{series} is no series", "two numbers, such as debian:6.12")
    wanted = Wanted(
        spec=f"cloud kernel {series}",
        pattern=PATTERN.format(series=re.escape(series)),
        name=series,
        folder=_folder(),
        missing="try debian:6.12 or debian:6.1",
    )
    return _read(series, newest(wanted, lambda: fetched(series), _unpack))


def fetched(series: str | None = None) -> list[str]:
    """Names of the packages in the cache, oldest first."""
    found = [p for p in _folder().glob("linux-image-*") if (p / "boot").is_dir()]
    names = [p.name for p in sorted(found, key=lambda p: p.stat().st_mtime)]
    return [n for n in names if series is None or n.startswith(f"linux-image-{series}.")]


def _folder() -> Path:
    return cache_root() / "kernels" / "debian"


def _unpack(package: Path, folder: Path) -> None:
    unpack_deb(package, folder)
    shutil.rmtree(folder / "usr", ignore_errors=True)


def _read(series: str, package: Path) -> Kernel:
    images = sorted((package / "boot").glob("vmlinuz-*"))
    if not images:
        raise KernelError(f"{package.name} has no kernel in it", f"rm -r {package}")
    modules = package if (package / "lib" / "modules").is_dir() else None
    return read_kernel(images[0], spec=f"debian:{series}", name=f"debian-{series}", modules=modules)

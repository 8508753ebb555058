# SPDX-License-Identifier: GPL-2.0-only
"""Debian's cloud kernels: the newest of a series, from the archive, through apt, without root.

Version numbers move with every security update, so none is pinned. The archive is asked once a
day at most; without a network the newest kernel that was fetched before is used.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness.cache import cache_root, locked, private_folder, replacing
from harness.errors import KernelError, UsageError
from harness.kernels.kernel import Kernel
from harness.kernels.read import read_kernel

ASK_AGAIN_S = 24 * 3600
COMMAND_TIMEOUT_S = 600
ARCH = "amd64"
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
    folder = private_folder(cache_root() / "kernels" / "debian")
    stamp = folder / f"{series}.newest"
    package = _fresh(stamp, folder)
    if package is None:
        with locked(stamp):
            package = _fresh(stamp, folder) or _fetch_newest(series, folder, stamp)
    return _read(series, folder / package)


def fetched(series: str | None = None) -> list[str]:
    """Names of the packages in the cache, oldest first."""
    folder = cache_root() / "kernels" / "debian"
    found = [p for p in folder.glob("linux-image-*") if (p / "boot").is_dir()]
    names = [p.name for p in sorted(found, key=lambda p: p.stat().st_mtime)]
    return [n for n in names if series is None or n.startswith(f"linux-image-{series}.")]


def _read(series: str, package: Path) -> Kernel:
    images = sorted((package / "boot").glob("vmlinuz-*"))
    if not images:
        raise KernelError(f"{package.name} has no kernel in it", f"rm -r {package}")
    modules = package if (package / "lib" / "modules").is_dir() else None
    return read_kernel(images[0], spec=f"debian:{series}", name=f"debian-{series}", modules=modules)


def _fresh(stamp: Path, folder: Path) -> str | None:
    """The package that the stamp names, if the archive was asked not long ago."""
    try:
        age = time.time() - stamp.stat().st_mtime
        package = stamp.read_text().strip()
    except OSError:
        return None
    known = bool(package) and (folder / package / "boot").is_dir()
    return package if known and 0 <= age < ASK_AGAIN_S else None


def _fetch_newest(series: str, folder: Path, stamp: Path) -> str:
    try:
        try:
            package = _fetch(_Apt(), series, folder)
        except KernelError:
            # The system's lists may be missing, old, or those of some of its sources only.
            package = _fetch(_own_apt(), series, folder)
    except KernelError as error:
        before = fetched(series)
        if not before:
            raise
        _note_offline(series, before[-1], error)
        package = before[-1]
    with replacing(stamp) as temporary:
        temporary.write_text(package)
    return package


def _fetch(apt: "_Apt", series: str, folder: Path) -> str:
    package = _newest(apt, series)
    if not (folder / package / "boot").is_dir():
        _download(apt, package, folder)
    return package


def _note_offline(series: str, package: str, error: KernelError) -> None:
    import warnings  # noqa: PLC0415 - only where something is to be said

    warnings.warn(f"debian:{series}: using {package} from the cache; {error.what}", stacklevel=2)


def _newest(apt: "_Apt", series: str) -> str:
    pattern = PATTERN.format(series=re.escape(series))
    listed = apt.run("apt-cache", "search", "--names-only", pattern).stdout
    names = [line.split(" - ")[0].strip() for line in listed.splitlines()]
    names = [name for name in names if re.match(pattern, name)]
    if not names:
        raise KernelError(
            f"the Debian archive has no cloud kernel {series}", "try debian:6.12 or debian:6.1"
        )
    # The numbers in the name order packages of one series as their versions do.
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def _download(apt: "_Apt", package: str, folder: Path) -> None:
    """Into a folder beside the target, which gets its name when it is complete."""
    for old in folder.glob(".new-*"):
        shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        apt.run("apt-get", "download", package, cwd=work)
        debs = list(work.glob("*.deb"))
        if len(debs) != 1:
            raise KernelError(f"apt-get download {package} brought {len(debs)} files, not one")
        tree = work / "tree"
        apt.run("dpkg-deb", "-x", str(debs[0]), str(tree))
        shutil.rmtree(tree / "usr", ignore_errors=True)
        tree.rename(folder / package)
    except OSError as error:
        raise KernelError(
            f"cannot store {package} in {folder}: {error.strerror}", "make room there"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Apt:
    """apt with the system's package lists, or with lists of its own."""

    def __init__(self, options: tuple[str, ...] = ()) -> None:
        self._options = options

    def run(self, command: str, *args: str, cwd: Path | None = None) -> "_Done":
        """Runs apt or dpkg; raises KernelError with its first line of complaint."""
        options = self._options if command.startswith("apt") else ()
        if shutil.which(command) is None:
            raise KernelError(
                f"debian: kernels need {command}, which is not here", "give a path to a kernel"
            )
        try:
            done = subprocess.run(
                [command, *options, *args],
                cwd=cwd,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            )
        except subprocess.TimeoutExpired as error:
            raise KernelError(f"{command} {args[0]} took over {COMMAND_TIMEOUT_S} s") from error
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "dpkg"))]
            why = lines[0] if lines else f"exit {done.returncode}"
            raise KernelError(
                f"{command} {' '.join(args[:2])} failed: {why}",
                "check the network, or give a path to a kernel",
                done.stderr,
            )
        return done


_Done = subprocess.CompletedProcess[str]


def _own_apt() -> _Apt:
    """apt with the system's sources, and package lists fetched for us; no root is needed."""
    state = private_folder(cache_root() / "apt")
    for sub in ("lists/partial", "cache/archives/partial"):
        (state / sub).mkdir(parents=True, exist_ok=True)
    own = _Apt(
        (
            *("-o", f"Dir::State::Lists={state}/lists"),
            *("-o", f"Dir::Cache={state}/cache"),
            *("-o", "APT::Sandbox::User="),
            *("-o", "Debug::NoLocking=1"),
        )
    )
    own.run("apt-get", "update", "-q")
    return own

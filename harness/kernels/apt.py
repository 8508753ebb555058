# SPDX-License-Identifier: GPL-2.0-only
"""apt without root: asking an archive for packages, fetching and unpacking them.

Version numbers move with every security update, so none is pinned. The archive is asked once a day
at most; without a network the newest package that was fetched before is used.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, locked, owned, private_folder, replacing
from harness.errors import KernelError
from harness.leftovers import sweep

ASK_AGAIN_S = 24 * 3600
COMMAND_TIMEOUT_S = 600

_Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Wanted:
    """Packages of which the newest is wanted.

    Attributes:
        spec: how the user named it, for messages.
        pattern: regular expression for ``apt-cache search --names-only`` and for names.
        name: what to call the newest in the cache.
        folder: where unpacked packages lie, each in a folder of its own.
        missing: hint when the archive has none.
        versioned: a new version has the old name, so the folder is named with its version.
    """

    spec: str
    pattern: str
    name: str
    folder: Path
    missing: str
    versioned: bool = False


def newest(
    wanted: Wanted, before: Callable[[], list[str]], unpack: Callable[[Path, Path], None]
) -> Path:
    """Folder of the newest package; fetched when it must be.

    Args:
        wanted: which.
        before: names of what is in the cache already, oldest first.
        unpack: takes a package file and a folder to fill.

    Raises:
        KernelError: the archive has none, or cannot be reached and none was fetched before.
    """
    folder = private_folder(wanted.folder)
    stamp = folder / f"{wanted.name}.newest"
    name = _fresh(stamp, folder)
    if name is None:
        with locked(stamp):
            name = _fresh(stamp, folder) or _fetch_newest(wanted, stamp, before, unpack)
    return folder / name


def _fresh(stamp: Path, folder: Path) -> str | None:
    """The package that the stamp names, if the archive was asked not long ago."""
    try:
        age = time.time() - stamp.stat().st_mtime
        name = stamp.read_text().strip()
    except OSError:
        return None
    known = bool(name) and (folder / name).is_dir()
    return name if known and 0 <= age < ASK_AGAIN_S else None


def _fetch_newest(
    wanted: Wanted,
    stamp: Path,
    before: Callable[[], list[str]],
    unpack: Callable[[Path, Path], None],
) -> str:
    try:
        try:
            name = _fetch(Apt(), wanted, unpack)
        except KernelError:
            # The system's lists may be missing, old, or those of some of its sources only.
            name = _fetch(own_apt(), wanted, unpack)
    except KernelError as error:
        here = before()
        if not here:
            raise
        warnings.warn(f"{wanted.spec}: using {here[-1]} from the cache; {error.what}", stacklevel=2)
        name = here[-1]
    with replacing(stamp) as temporary:
        temporary.write_text(name)
    return name


def _fetch(apt: "Apt", wanted: Wanted, unpack: Callable[[Path, Path], None]) -> str:
    package = _newest_package(apt, wanted)
    name = package
    if wanted.versioned:
        name = f"{package}_{apt.version(package)}"
    if not (wanted.folder / name).is_dir():
        _download(apt, package, wanted.folder, name, unpack)
    return name


def _newest_package(apt: "Apt", wanted: Wanted) -> str:
    listed = apt.run("apt-cache", "search", "--names-only", wanted.pattern).stdout
    names = [line.split(" - ")[0].strip() for line in listed.splitlines()]
    names = [name for name in names if re.match(wanted.pattern, name)]
    if not names:
        raise KernelError(f"the Debian archive has no {wanted.spec}", wanted.missing)
    # The numbers in the name order packages of one series as their versions do.
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def _download(
    apt: "Apt", package: str, folder: Path, name: str, unpack: Callable[[Path, Path], None]
) -> None:
    """Into a folder beside the target, which gets its name when it is complete."""
    sweep(cache_root())  # downloads that were killed; others of this folder go on
    work = Path(tempfile.mkdtemp(prefix=owned(".new-"), dir=folder))
    try:
        apt.run("apt-get", "download", package, cwd=work)
        debs = list(work.glob("*.deb"))
        if len(debs) != 1:
            raise KernelError(f"apt-get download {package} brought {len(debs)} files, not one")
        tree = work / "tree"
        tree.mkdir()
        unpack(debs[0], tree)
        tree.rename(folder / name)
    except OSError as error:
        raise KernelError(
            f"cannot store {package} in {folder}: {error.strerror}", "make room there"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def unpack_deb(package: Path, folder: Path) -> None:
    """Unpacks a package's files into a folder.

    Raises:
        KernelError: it is no package, or there is no room.
    """
    Apt().run("dpkg-deb", "-x", str(package), str(folder))


class Apt:
    """apt with the system's package lists, or with lists of its own."""

    def __init__(self, options: tuple[str, ...] = ()) -> None:
        self._options = options

    def version(self, package: str) -> str:
        """The version that would be fetched.

        Raises:
            KernelError: there is none.
        """
        listed = self.run("apt-cache", "policy", package).stdout
        found = re.search(r"Candidate: (\S+)", listed)
        if found is None or found[1] == "(none)":
            raise KernelError(f"the Debian archive has no {package}")
        return found[1]

    def run(self, command: str, *args: str, cwd: Path | None = None) -> _Done:
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


def own_apt() -> Apt:
    """apt with the system's sources, and package lists fetched for us; no root is needed."""
    state = private_folder(cache_root() / "apt")
    for sub in ("lists/partial", "cache/archives/partial"):
        (state / sub).mkdir(parents=True, exist_ok=True)
    own = Apt(
        (
            *("-o", f"Dir::State::Lists={state}/lists"),
            *("-o", f"Dir::Cache={state}/cache"),
            *("-o", "APT::Sandbox::User="),
            *("-o", "Debug::NoLocking=1"),
        )
    )
    own.run("apt-get", "update", "-q")
    return own

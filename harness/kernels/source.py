# SPDX-License-Identifier: GPL-2.0-only
"""Where kernel sources come from: Debian's linux-source package, a tarball, a folder or git tree.

Whatever it is, a source is a folder that nobody writes to. Builds happen in a copy of it
(:mod:`harness.kernels.mirror`).
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_root, digest, file_digest, locked, owned, private_folder
from harness.errors import HostError, KernelError, UsageError
from harness.kernels.apt import Wanted, newest, unpack_deb

PACKAGE = r"(?:debian:|linux-source-)(\d+\.\d+)"
TARBALL = re.compile(r".*\.(tar|tgz|tar\.(gz|xz|zst|bz2))$")
UNPACK_TIMEOUT_S = 1800
OURS = ".kharness/"
"""Where runs that are started in a tree leave their folders."""
BUILT = re.compile(
    r"(.*/)?(\.(config|config\.old|version|missing-syscalls\.d|tmp_.*)|.*\.(o|a|ko|cmd|mod|order)|"
    r"\.vmlinux\..*|vmlinux(\.(map|unstripped|symvers|objs|lds|relocs|gz|bin(\..*)?))?|"
    r"System\.map|Module\.symvers|modules\.builtin.*)$"
    r"|vmlinux-gdb\.py$|(include/(config|generated)|arch/[^/]+/include/generated|.*/\.tmp_versions)/.*"
)
"""What make leaves in a tree that was built in place; no part of the source (Makefile, clean).

What else begins with vmlinux is source: vmlinux.lds.S, vmlinux.lds.h."""


@dataclass(frozen=True)
class Source:
    """A kernel source tree.

    Attributes:
        spec: how the user named it.
        folder: the tree. Never written to.
        identity: changes when a file of it does.
        lineage: stays the same for one package series, tarball name or folder: what is built of
            one lineage is built in the same place, so that little has to be built again.
        version: the numbers in its Makefile, e.g. ``(6, 12, 117)``.
        ours: it lies in the cache, so copies may be hard links.
    """

    spec: str
    folder: Path
    identity: str
    lineage: str
    version: tuple[int, int, int]
    ours: bool

    def files(self) -> Iterator[str]:
        """Paths of its files and symbolic links, relative to it."""
        if not self.ours and (self.folder / ".git").exists():
            listed = _git(self.folder, "ls-files", "-z", "-c", "-o", "--exclude-standard")
            for name in dict.fromkeys(listed.split("\0")):
                path = self.folder / name
                if name and not name.startswith(OURS) and (path.is_symlink() or path.is_file()):
                    yield name
            return
        yield from walk(self.folder) if self.ours else _unbuilt(self.folder)


def open_source(spec: str) -> Source:
    """The source that ``spec`` names; fetched and unpacked when it must be.

    Args:
        spec: ``debian:6.12`` or ``linux-source-6.12``, a path to a linux-source package, to a
            tarball, or to a folder, which may be a git tree.

    Raises:
        UsageError: it names nothing.
        KernelError: it cannot be had, or is no kernel source.
    """
    package = re.fullmatch(PACKAGE, spec)
    if package:
        return _package(spec, package[1])
    path = Path(spec).expanduser().absolute()
    if path.is_dir():
        return _folder(spec, path)
    if path.is_file() and (path.suffix == ".deb" or TARBALL.match(path.name)):
        folder = _unpacked(path)
        return _kept(spec, folder, path.name)
    if path.exists():
        raise UsageError(f"{spec} is no kernel source", "give a folder, a tarball or a package")
    raise UsageError(
        f"no kernel source {spec!r}", "give debian:SERIES (debian:6.12), a tarball, or a folder"
    )


def _package(spec: str, series: str) -> Source:
    folder = cache_root() / "sources"

    def before() -> list[str]:
        found = [p for p in folder.glob(f"linux-source-{series}_*") if p.is_dir()]
        return [p.name for p in sorted(found, key=lambda p: p.stat().st_mtime)]

    wanted = Wanted(
        spec=f"linux-source-{series}",
        pattern=rf"^linux-source-{re.escape(series)}$",
        name=f"linux-source-{series}",
        folder=folder,
        missing="try debian:6.12 or debian:6.1",
        versioned=True,
    )
    return _kept(spec, newest(wanted, before, _unpack), f"debian-{series}")


def _kept(spec: str, folder: Path, lineage: str) -> Source:
    return Source(spec, folder, folder.name, lineage, source_version(folder), ours=True)


def _folder(spec: str, path: Path) -> Source:
    version = source_version(path)
    lineage = f"{path.name}-{digest(str(path))[:8]}"
    if (path / ".git").exists():
        identity = _git_identity(path)
    else:
        about = (
            f"{name} {entry.st_size} {entry.st_mtime_ns}"
            for name in sorted(_unbuilt(path))
            for entry in [(path / name).lstat()]
        )
        identity = digest(*about)
    return Source(spec, path, identity, lineage, version, ours=False)


def source_version(folder: Path) -> tuple[int, int, int]:
    """The numbers that a tree's Makefile starts with.

    Raises:
        KernelError: it is no kernel source.
    """
    try:
        head = (folder / "Makefile").read_text("utf-8", "replace")[:2000]
    except OSError:
        head = ""
    numbers = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) *= *(\d+)", head, re.MULTILINE))
    if "VERSION" not in numbers or not (folder / "Kconfig").exists():
        raise KernelError(f"{folder} is no kernel source", "give a folder with Makefile, Kconfig")
    return (
        int(numbers["VERSION"]),
        int(numbers.get("PATCHLEVEL", 0)),
        int(numbers.get("SUBLEVEL", 0)),
    )


def _git_identity(path: Path) -> str:
    """The commit, and the content of every file that differs from it."""
    commit = _git(path, "rev-parse", "HEAD").strip()
    listed = _git(path, "status", "--porcelain=v1", "-z", "--untracked-files=all")
    changed = []
    for name in listed.split("\0"):
        file = path / name[3:]
        if name[3:].startswith(OURS):
            continue
        if len(name) > 3 and file.is_file() and not file.is_symlink():
            changed.append(f"{name} {file_digest(file)}")
        else:
            changed.append(name)
    return digest(commit, *changed)


def _git(folder: Path, *words: str) -> str:
    """Runs git so that it writes nothing: ``status`` would refresh the index."""
    if shutil.which("git") is None:
        raise HostError(f"{folder} is a git tree, and there is no git", "apt-get install git")
    done = subprocess.run(
        # A tree of another user is only read.
        ["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", str(folder), *words],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        env={k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
    )
    if done.returncode != 0:
        words_ = done.stderr.strip().splitlines()
        raise KernelError(f"git {words[0]} in {folder} failed: {words_[-1] if words_ else ''}")
    return done.stdout


def _unbuilt(folder: Path) -> Iterator[str]:
    """What is below a folder but for what make left there."""
    return (name for name in walk(folder) if not BUILT.match(name))


def walk(folder: Path, prefix: str = "") -> Iterator[str]:
    """Paths of the files and symbolic links below a folder, but for git's own and ours."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in (".git", ".kharness"):
                        yield from walk(Path(entry.path), f"{prefix}{entry.name}/")
                elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                    yield prefix + entry.name
    except OSError as error:
        raise KernelError(f"cannot read {folder}: {error.strerror}") from error


def _unpacked(path: Path) -> Path:
    """A file's content in the cache, named by its bytes."""
    target = private_folder(cache_root() / "sources") / f"{file_digest(path)[:24]}"
    if not target.is_dir():
        with locked(target):
            if not target.is_dir():
                for old in target.parent.glob(f".new-{target.name}-*"):
                    shutil.rmtree(old, ignore_errors=True)
                work = Path(
                    tempfile.mkdtemp(prefix=owned(f".new-{target.name}-"), dir=target.parent)
                )
                try:
                    _unpack(path, work)
                    source_version(work)
                    work.rename(target)
                except BaseException:
                    shutil.rmtree(work, ignore_errors=True)
                    raise
    return target


def _unpack(path: Path, folder: Path) -> None:
    """Unpacks a tarball, or the tarball in a linux-source package, without its outermost folder."""
    if path.suffix != ".deb":
        _untar(path, folder)
        return
    with tempfile.TemporaryDirectory(prefix=owned(".deb-"), dir=folder.parent) as work:
        unpack_deb(path, Path(work))
        inside = [p for p in Path(work).glob("usr/src/*") if TARBALL.match(p.name)]
        if len(inside) != 1:
            raise KernelError(f"{path} has no kernel source in it", "give a linux-source package")
        _untar(inside[0], folder)


def _untar(path: Path, folder: Path) -> None:
    command = ["tar", "-xf", str(path), "-C", str(folder), "--strip-components=1"]
    # The owner is the user, whoever made the tarball.
    command += ["--no-same-owner"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=UNPACK_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"cannot unpack {path}: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["tar failed"]
        raise KernelError(f"cannot unpack {path}: {lines[0]}", "is it whole, and is there room?")

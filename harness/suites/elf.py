# SPDX-License-Identifier: GPL-2.0-only
"""What an ELF program needs to be loaded: its interpreter and its shared libraries.

The search is ld.so(8)'s: DT_RPATH, DT_RUNPATH, then the folders of /etc/ld.so.conf and the usual
ones. LD_LIBRARY_PATH is not heeded: it is not set in a guest.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

CONF = Path("/etc/ld.so.conf")
USUAL = {
    64: ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"),
    32: ("/lib", "/usr/lib", "/lib32", "/usr/lib32", "/usr/local/lib"),
}
TRIPLETS = {"x64": "x86_64-linux-gnu", "x86": "i386-linux-gnu", "AArch64": "aarch64-linux-gnu"}


@dataclass(frozen=True)
class Loading:
    """What an ELF file says of how it is loaded.

    Attributes:
        machine: architecture, as pyelftools names it: ``x64``, ``AArch64``.
        bits: 32 or 64.
        interpreter: absolute path, empty for a static program or a library.
        needed: names of the libraries that it asks for.
        rpath: folders that libraries of it, and of what it loads, are looked for in.
        runpath: folders that its own libraries are looked for in; then ``rpath`` does not count.
    """

    machine: str
    bits: int
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, int]:
        """Machine and bits: only what is of one kind can be loaded together."""
        return self.machine, self.bits


@lru_cache(maxsize=4096)
def read_loading(path: Path) -> Loading | None:
    """Reads the headers of an ELF file; None for what is none, or is broken."""
    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"\x7fELF":
                return None
            stream.seek(0)
            elf = ELFFile(stream)
            interpreter, tags = "", dict[str, list[str]]()
            for segment in elf.iter_segments():
                if isinstance(segment, InterpSegment):
                    interpreter = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        _add(tags, tag)
            return Loading(
                *(elf.get_machine_arch(), elf.elfclass, interpreter),
                *(tuple(tags.get("DT_NEEDED", ())), _folders(tags, "DT_RPATH")),
                _folders(tags, "DT_RUNPATH"),
            )
    except (ELFError, OSError, ValueError, KeyError):
        return None


def _add(tags: dict[str, list[str]], tag: Any) -> None:
    value = {"DT_NEEDED": "needed", "DT_RPATH": "rpath", "DT_RUNPATH": "runpath"}
    name = tag.entry.d_tag
    if name in value:
        tags.setdefault(name, []).append(getattr(tag, value[name]))


def _folders(tags: dict[str, list[str]], name: str) -> tuple[str, ...]:
    return tuple(folder for text in tags.get(name, ()) for folder in text.split(":") if folder)


@dataclass(frozen=True)
class Library:
    """A library that a program loads.

    Attributes:
        guest: its absolute path in the guest, where the guest's ld.so finds it.
        host: the file.
    """

    guest: str
    host: Path


def libraries(guest: str, program: Path) -> tuple[list[Library], list[str]]:
    """All libraries that a program loads, and the names of those that are not on this host.

    Args:
        guest: the program's absolute path in the guest, which ``$ORIGIN`` is made of.
        program: the file.
    """
    about = read_loading(program)
    if about is None or not (about.needed or about.interpreter):
        return [], []
    found: dict[str, Library] = {}
    missing: list[str] = []
    waiting = [(about, guest, program)]
    while waiting:
        loading, place, file = waiting.pop()
        own = loading.runpath or (*loading.rpath, *(about.rpath if not about.runpath else ()))
        for name in loading.needed:
            if name in found or name in missing:
                continue
            library = _find(name, about, own, place, file)
            if library is None:
                missing.append(name)
                continue
            found[name] = library
            further = read_loading(library.host)
            if further:
                waiting.append((further, library.guest, library.host))
    return list(found.values()), missing


def _find(
    name: str, about: Loading, own: tuple[str, ...], place: str, file: Path
) -> Library | None:
    if "/" in name:
        return Library(name, Path(name)) if _fits(Path(name), about) else None
    for folder in own:
        there = _origin(folder, posixpath.dirname(place))
        here = Path(_origin(folder, str(file.parent)))
        if _fits(here / name, about):
            return Library(posixpath.normpath(posixpath.join(there, name)), here / name)
    for usual in system_folders(about.machine, about.bits):
        if _fits(usual / name, about):
            return Library(_where_found(usual, about, name), usual / name)
    return None


def _where_found(folder: Path, about: Loading, name: str) -> str:
    """A guest has no ld.so.cache: what lies in an unusual folder goes beside the C library."""
    if str(folder).startswith(("/lib", "/usr/lib")):
        return f"{folder}/{name}"
    for usual in system_folders(about.machine, about.bits):
        if str(usual).startswith(("/lib", "/usr/lib")) and (usual / "libc.so.6").exists():
            return f"{usual}/{name}"
    return f"/lib/{name}"


def _origin(folder: str, origin: str) -> str:
    return folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _fits(path: Path, about: Loading) -> bool:
    other = read_loading(path) if path.is_file() else None
    return other is not None and other.kind == about.kind


@lru_cache(maxsize=8)
def system_folders(machine: str, bits: int) -> tuple[Path, ...]:
    """Where libraries lie on this host, first those that every ld.so looks into."""
    triplet = TRIPLETS.get(machine)
    usual = [f"/lib/{triplet}", f"/usr/lib/{triplet}"] if triplet else []
    return tuple(map(Path, dict.fromkeys([*usual, *USUAL.get(bits, ()), *_conf(CONF)])))


def _conf(path: Path, depth: int = 0) -> Iterator[str]:
    """The folders of an ld.so.conf: one a line, ``include`` with a pattern, ``#`` comments."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for raw in lines:
        line = raw.partition("#")[0].strip()
        word, _, rest = line.partition(" ")
        if word == "include" and depth < 4:
            pattern = Path("/") / path.parent / rest.strip()
            for file in sorted(Path("/").glob(str(pattern).lstrip("/"))):
                yield from _conf(file, depth + 1)
        elif line.startswith("/"):
            yield line

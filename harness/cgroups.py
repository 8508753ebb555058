# SPDX-License-Identifier: GPL-2.0-only
"""How much memory the cgroups of this process leave: its own and those above it.

Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class _Names:
    """Files of a version's memory controller, and the lines of memory.stat with the page cache.

    Shared memory and tmpfs are not among these: their pages are not given up without swap.
    """

    limit: str
    used: str
    cache: tuple[str, str]


V2 = _Names("memory.max", "memory.current", ("inactive_file", "active_file"))
V1 = _Names(
    *("memory.limit_in_bytes", "memory.usage_in_bytes"),
    cache=("total_inactive_file", "total_active_file"),
)


def memory_left(available: int, root: Path = Path("/")) -> int:
    """What of ``available`` bytes the process may take, in bytes.

    What a group uses includes the page cache of the files that its processes read and wrote, which
    the kernel gives up when the limit is met.

    Args:
        available: what the host has.
        root: the folder with ``proc`` and ``sys``.
    """
    for folder, names in _groups(root):
        limit, used = text_of(folder / names.limit), text_of(folder / names.used)
        if not limit.isdigit() or not used.isdigit():
            continue
        left = int(limit) - int(used)
        if left < available:
            available = min(available, left + _page_cache(folder, names))
    return available


def text_of(path: Path) -> str:
    """What a file has, without white space around it; empty when it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _groups(root: Path) -> Iterator[tuple[Path, _Names]]:
    """The process's memory cgroups: its own, and those above it as far as they are seen here."""
    mounted = root / "sys/fs/cgroup"
    for line in (text_of(root / "proc/self/cgroup") or "0::/").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            yield from ((folder, V2) for folder in _upwards(mounted, path))
        elif "memory" in controllers.split(","):
            yield from ((folder, V1) for folder in _upwards(mounted / "memory", path))


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """The folders from a group's up to ``top``.

    In a container the path may be that of the host, of which only the end, or nothing, is there.
    """
    inner = PurePosixPath(path.lstrip("/"))
    if ".." not in inner.parts:  # of a group outside of this cgroup namespace
        yield from (top / part for part in (inner, *inner.parents) if part != PurePosixPath())
    yield top


def _page_cache(folder: Path, names: _Names) -> int:
    lines = (line.partition(" ") for line in text_of(folder / "memory.stat").splitlines())
    return sum(int(value) for key, _, value in lines if key in names.cache and value.isdigit())

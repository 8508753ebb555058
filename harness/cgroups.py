# SPDX-License-Identifier: GPL-2.0-only
"""Memory and CPUs that the cgroups of this process leave: its own and those above it.

Source: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst.
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
    for folder, version in _groups(root, "memory"):
        names = V2 if version == 2 else V1
        limit, used = text_of(folder / names.limit), text_of(folder / names.used)
        if not limit.isdigit() or not used.isdigit():
            continue
        left = int(limit) - int(used)
        if left < available:
            available = min(available, left + _page_cache(folder, names))
    return available


def cpus_left(count: int, root: Path = Path("/")) -> int:
    """What of ``count`` CPUs the process may use in the long run, rounded up; 1 at least.

    Args:
        count: what its affinity allows.
        root: the folder with ``proc`` and ``sys``.
    """
    for folder, version in _groups(root, "cpu"):
        if version == 2:
            words = text_of(folder / "cpu.max").split()
        else:
            words = [text_of(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]):
            count = min(count, -(-int(words[0]) // int(words[1])))
    return max(1, count)


def text_of(path: Path) -> str:
    """What a file has, without white space around it; empty when it cannot be read."""
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _groups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """The process's groups of a controller: its own, and those above it as far as they are seen.

    Yields:
        their folders, each with the version of cgroups.
    """
    mounted = root / "sys/fs/cgroup"
    for line in (text_of(root / "proc/self/cgroup") or "0::/").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            yield from ((folder, 2) for folder in _upwards(mounted, path))
        elif controller in controllers.split(","):
            yield from ((folder, 1) for folder in _upwards(mounted / controller, path))


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

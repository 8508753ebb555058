# SPDX-License-Identifier: GPL-2.0-only
"""What a process leaves that is killed in the middle: temporary files that say whose they are.

Every process that makes some has a token, in the name of each of them, and holds a lock on the
token's file for as long as it lives. The lock goes with the process, also across containers that
share a cache and do not see each other's processes. So the next run knows what nobody will finish.
"""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

MARK = re.compile(r"~([0-9a-f]{16})~")
DEPTH = 3
"""Folders of the cache that have temporary files lie so deep at most: builds/<work>/.patched-..."""

_mine: dict[Path, tuple[str, int]] = {}


def temporary_prefix(prefix: str, root: Path) -> str:
    """What a temporary file or folder of this process starts with.

    Args:
        prefix: what it is for.
        root: of the cache, where the tokens lie.
    """
    return f"{prefix}~{_token(root)}~"


def sweep(root: Path, others: Iterable[Path] = ()) -> list[Path]:
    """Removes temporary files whose owner is dead.

    Args:
        root: of the cache; looked through three folders deep.
        others: further folders, each looked at without those in it.

    Returns:
        What was removed.
    """
    tokens = root / "owners"
    removed = []
    alive: dict[str, bool] = {}
    places = [*_walk(root, DEPTH), *(path for folder in others for path in _walk(folder, 1))]
    for path in places:
        match = MARK.search(path.name)
        if match is None:
            continue
        token = match[1]
        if token not in alive:
            alive[token] = _lives(tokens / token)
        if alive[token]:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed.append(path)
    with contextlib.suppress(OSError):
        for path in tokens.iterdir():
            if not _lives(path):
                path.unlink(missing_ok=True)
    return removed


def _token(root: Path) -> str:
    known = _mine.get(root)
    if known is not None and known[1] == os.getpid():
        return known[0]
    folder = root / "owners"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        token = secrets.token_hex(8)
        path = folder / token
        # Open for as long as the process lives, and never inherited: the lock is the token.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        # A sweep may have taken it for a dead one's before it was locked.
        with contextlib.suppress(OSError):
            if path.stat().st_ino == os.fstat(fd).st_ino:
                break
        os.close(fd)
    _mine[root] = (token, os.getpid())
    return token


def _lives(path: Path) -> bool:
    """Whether somebody holds the lock of a token."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # not ours to judge
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        yield path
        if depth > 1 and not MARK.search(entry.name) and entry.is_dir(follow_symlinks=False):
            yield from _walk(path, depth - 1)

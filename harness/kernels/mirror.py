# SPDX-License-Identifier: GPL-2.0-only
"""A tree to build in: a source's files with patches applied, kept in step by touching little.

make rebuilds what is newer than its object. So a file of the mirror is written only when its
content changes, and then its time is now, whatever time it has in the source.
"""

import filecmp
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.cache import replacing
from harness.errors import HostError
from harness.kernels.source import Source, walk

PATCHED = "patched"


def mirror(source: Source, folder: Path, patched: Mapping[str, Path | None]) -> int:
    """Makes ``folder`` hold the files of ``source``, some of them replaced.

    The caller holds a lock on the folder. When it is interrupted, the next one compares contents.

    Args:
        source: the source.
        folder: the tree; made when it is missing.
        patched: path relative to the tree to the file that stands for it; None where patches
            removed it.

    Returns:
        Number of files that were written or removed.

    Raises:
        HostError: no room, or no permission.
    """
    try:
        return _mirror(source, folder, patched)
    except OSError as error:
        raise HostError(
            f"cannot copy {source.spec} to {folder}: {error.strerror}", "make room there"
        ) from error


def _mirror(source: Source, folder: Path, patched: Mapping[str, Path | None]) -> int:
    record = folder.with_name(f"{folder.name}.json")
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    before = _load(record)
    record.unlink(missing_ok=True)
    wanted = {name: _signature(source.folder / name) for name in source.files()}
    wanted.update({name: PATCHED for name, file in patched.items() if file is not None})
    for name, file in patched.items():
        if file is None:
            wanted.pop(name, None)
    written = 0
    for name, signature in wanted.items():
        if signature == PATCHED:
            file = patched[name]
            assert file is not None
            written += _place(file, folder / name, link=False)
        elif before is None or before.get(name) != signature:
            written += _place(source.folder / name, folder / name, link=source.ours and fresh)
    for name in walk(folder) if before is None else before:
        if name not in wanted:
            (folder / name).unlink(missing_ok=True)
            written += 1
    with replacing(record) as temporary:
        temporary.write_text(json.dumps(wanted))
    return written


def _load(record: Path) -> dict[str, str] | None:
    """What each file was made of; None when that is not known."""
    try:
        known = json.loads(record.read_text())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) else None


def _signature(path: Path) -> str:
    about = path.lstat()
    return f"{about.st_size} {about.st_mtime_ns} {about.st_ino} {about.st_mode:o}"


def _place(file: Path, target: Path, *, link: bool) -> int:
    """Puts a file's content in its place; 0 when it is there already."""
    if _same(file, target):
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.kharness")
    temporary.unlink(missing_ok=True)
    if file.is_symlink():
        temporary.symlink_to(file.readlink())
    elif link:
        os.link(file, temporary)
    else:
        shutil.copyfile(file, temporary)
        temporary.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
    temporary.replace(target)
    return 1


def _same(file: Path, target: Path) -> bool:
    if file.is_symlink() or target.is_symlink():
        both = file.is_symlink() and target.is_symlink()
        return both and file.readlink() == target.readlink()
    if not target.exists():
        return False
    executable = [p.stat().st_mode & 0o100 for p in (file, target)]
    return executable[0] == executable[1] and filecmp.cmp(file, target, shallow=False)

# SPDX-License-Identifier: GPL-2.0-only
"""Any program as a case: ``exec:PROGRAM [ARGUMENTS]``."""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from harness.cases.case import Call, Case, CaseKind
from harness.errors import UsageError
from harness.suites.rootfs import GuestRoot
from harness.suites.suite import program_case
from harness.vm.initramfs import File

GUEST = "/suite/exec"


def load_program(
    text: str, start: Path, root: GuestRoot, spec: str, rootfs: Mapping[str, File] | None = None
) -> Case:
    """One program.

    Args:
        text: program and arguments, quoted as for a shell.
        start: folder that a relative path is relative to.
        root: takes the files that it needs.
        spec: the suite's, as the user gave it.
        rootfs: the user's root; an absolute path that it has is a program of it.

    Raises:
        UsageError: there is no such program, or it cannot be started in a guest.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{spec}: {error}") from error
    if not words:
        raise UsageError(f"{spec} names no program", "exec:PROGRAM [ARGUMENTS]")
    name = Path(words[0]).name
    if rootfs is not None and words[0].startswith("/") and root.has(words[0]):
        guest = words[0]
    else:
        host = _find(words[0], start)
        if host is None:
            raise UsageError(f"{spec}: no program {words[0]}", "give its path")
        guest = f"{GUEST}/{name}"
        root.add(guest, host, executable=True)
        problem = root.require(guest, host)
        if problem:
            raise UsageError(f"{spec}: {problem}")
    shown = " ".join([name, *words[1:]])
    return program_case(
        CaseKind.PROGRAM,
        "",
        shown,
        Call((guest, *words[1:]), suite=spec),
        source=Path(words[0]),
        timeout_s=None,
    )


def _find(word: str, start: Path) -> Path | None:
    path = start / Path(word).expanduser()
    if path.is_file():
        return path
    found = shutil.which(word) if "/" not in word else None
    return Path(found) if found else None

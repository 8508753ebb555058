# SPDX-License-Identifier: GPL-2.0-only
"""An installed Linux Test Project: runtest files say what is called.

Source of the conventions: LTP's runltp and kirk; a runtest file has a name and a command a line.
"""

import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.cases.case import Call, Case, CaseKind
from harness.errors import UsageError
from harness.suites.rootfs import GuestRoot, read_folder
from harness.suites.suite import program_case
from harness.vm.initramfs import File

GUEST = "/opt/ltp"
TIMEOUT_S = 300.0
"""LTP's library ends a test by itself (30 s, or what it asks for); this is for what does not."""
ALL_MIB = 100
"""Up to this all of testcases/bin goes into the guest, else what the commands name."""
SHELL = re.compile(r"[;&|<>$`(){}*?~\"'\\]")
"""A command with one of these is a shell's to read."""


def load_ltp(folder: Path, names: Sequence[str], root: GuestRoot, spec: str) -> list[Case]:
    """The tests of an installed folder.

    Args:
        folder: has ``runtest`` and ``testcases/bin``.
        names: of runtest files; empty for those of ``scenario_groups/default``, else for all.
        root: takes the files that they need.
        spec: the suite's, as the user gave it.

    Raises:
        UsageError: it is no LTP, or has no such runtest file.
    """
    runtest, programs = folder / "runtest", folder / "testcases" / "bin"
    if not runtest.is_dir() or not programs.is_dir():
        raise UsageError(
            f"{folder} is no installed LTP: no runtest and testcases/bin in it",
            "make install prefix=DIR in LTP, then give DIR",
        )
    known = sorted(p.name for p in runtest.iterdir() if p.is_file())
    for name in names:
        if name not in known:
            raise UsageError(f"{runtest} has no file {name}", f"known: {', '.join(known)}")
    chosen = names or _default(folder, known)
    entries = [(group, *entry) for group in chosen for entry in _entries(runtest / group)]
    entries = list(_each_its_own_name(entries))
    if not entries:
        raise UsageError(f"no test in {runtest}: {', '.join(names or known)}")
    _bring(folder, [command for _, _, command in entries], root)
    return [_case(folder, entry, root, spec) for entry in entries]


def _default(folder: Path, known: list[str]) -> list[str]:
    groups = folder / "scenario_groups" / "default"
    if not groups.is_file():
        return known
    listed = groups.read_text("utf-8", "replace").split()
    return [name for name in known if name in listed]


def _entries(file: Path) -> Iterator[tuple[str, str]]:
    """``name command``, a line each, apart by blanks or tabs; ``#`` comments."""
    for line in file.read_text("utf-8", "replace").splitlines():
        name, *command = line.split(None, 1)[:2] or [""]
        if name and not name.startswith("#"):
            yield name, command[0].strip() if command else name


def _each_its_own_name(
    entries: Iterable[tuple[str, str, str]],
) -> Iterator[tuple[str, str, str]]:
    """The second line of a name in a runtest file is ``name (2)``: it is a test of its own."""
    seen: Counter[tuple[str, str]] = Counter()
    for group, name, command in entries:
        seen[group, name] += 1
        number = seen[group, name]
        yield group, f"{name} ({number})" if number > 1 else name, command


def _bring(folder: Path, commands: Sequence[str], root: GuestRoot) -> None:
    """The programs: all of them, or where that is too much, those that the commands name."""
    files = read_folder(folder / "testcases", f"{GUEST}/testcases")
    if sum(file.size for file in files.values()) > ALL_MIB << 20:
        words = {posixpath.basename(word) for command in commands for word in command.split()}
        files = {path: file for path, file in files.items() if _wanted(path, file, words)}
    root.files.update(files)
    root.require_all(GUEST)
    if (folder / "Version").is_file():
        root.add(f"{GUEST}/Version", folder / "Version")


def _wanted(path: str, file: File, words: set[str]) -> bool:
    """What a command names, its helpers (``execve01_child``) and data, and all that is sourced."""
    name = posixpath.basename(path)
    if file.link or file.folder or name in words or name.endswith(".sh"):
        return True
    return any(
        name.startswith(f"{word}_") or f"/{word}/" in path
        for word in (name.partition("_")[0], *path.split("/")[4:-1])
        if word in words
    )


def _case(folder: Path, entry: tuple[str, str, str], root: GuestRoot, spec: str) -> Case:
    """A line of a runtest file: the file, the name, the command."""
    group, name, command = entry
    env = (
        f"PATH={GUEST}/testcases/bin:/bin:/sbin:/usr/bin:/usr/sbin",
        *("HOME=/tmp", "TERM=dumb", "TMPDIR=/tmp"),
        *(f"LTPROOT={GUEST}", "LTP_COLORIZE_OUTPUT=n"),
    )
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    program = words[0] if words else ""
    host = folder / "testcases" / "bin" / program
    argv: tuple[str, ...] = tuple(words)
    if SHELL.search(command) or not words:
        argv = ("/bin/sh", "-c", command)
        problem = _shell(root, words, folder)
    elif host.is_file():
        argv = (f"{GUEST}/testcases/bin/{program}", *words[1:])
        problem = root.require(argv[0], host)
    elif root.has(f"/bin/{program}"):
        argv, problem = (f"/bin/{program}", *words[1:]), ""
    else:
        problem = f"{name}: {program} is not in testcases/bin"
    return program_case(
        CaseKind.LTP,
        group,
        name,
        Call(argv, "/tmp", env, suite=spec, problem=problem),
        source=Path("runtest") / group,
        timeout_s=TIMEOUT_S,
    )


def _shell(root: GuestRoot, words: Sequence[str], folder: Path) -> str:
    """A command of the shell's needs what the programs in it need."""
    for word in words:
        host = folder / "testcases" / "bin" / word.strip(";")
        if word and host.is_file():
            problem = root.require(f"{GUEST}/testcases/bin/{host.name}", host)
            if problem:
                return problem
    return ""

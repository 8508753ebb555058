# SPDX-License-Identifier: GPL-2.0-only
"""Small projects, and kharness as a user starts it in them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.report.journal import Journal, read_journal
from harness.verdict.outcome import Result

COMMAND = (sys.executable, "-m", "harness.cli")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
SETTINGS = '[run]\nkernels = ["debian:6.12"]\naccel = "tcg"\n'


def make_project(folder: Path, tests: str, settings: str = "") -> Path:
    (folder / "cases").mkdir(parents=True)
    (folder / "cases" / "a.c").write_text(f'#include "kcase.h"\n{tests}\nKCASE_MAIN\n')
    (folder / "harness.toml").write_text(SETTINGS + settings)
    return folder


def kharness(project: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return ran(COMMAND, project, *words, **more)


def run_pytest(project: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return ran(PYTEST, project, *words, **more)


def ran(
    command: Sequence[str], project: Path, *words: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *words],
        cwd=project,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
        **more,
    )


def start(project: Path, *words: str, **more: Any) -> subprocess.Popen[str]:
    # Signals are ignored when the tests run in the background of a shell, and children inherit it.
    return subprocess.Popen(
        ["env", "--default-signal=INT,TERM,HUP", *COMMAND, *words],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **more,
    )


def journal_of(folder: Path) -> Journal:
    return read_journal(folder / "journal.jsonl")


def by_name(folder: Path) -> dict[str, Result]:
    return {r.name: r for r in journal_of(folder).results}


def each_once(folder: Path) -> list[str]:
    """Names of what has a result, every one as often as it has one."""
    return sorted(r.name for r in journal_of(folder).results)


def guests_of(pid: int) -> list[int]:
    """Process ids of the QEMUs that a process started."""
    return [child for child in children_of(pid) if _is_guest(child)]


def the_guest_of(process: subprocess.Popen[str], but: int = 0) -> int:
    """The QEMU that a process has now, and that is not one known already."""
    while True:
        # `env` has become kharness: the process id stays.
        found = [pid for pid in guests_of(process.pid) if pid != but]
        if found:
            return found[0]
        assert process.poll() is None


def children_of(pid: int) -> list[int]:
    """Process ids of what the threads of a process started."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _is_guest(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"qemu-system" in command and b"-nodefaults" in command  # and not --version


def lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """The next line of a process's output that has some words in it."""
    assert process.stdout is not None
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r}")


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def own_cache(folder: Path, kernels: Path) -> dict[str, str]:
    """The environment for a cache of its own, with the kernels of another, which may have none."""
    folder.mkdir()
    kernels.mkdir(parents=True, exist_ok=True)
    (folder / "kernels").symlink_to(kernels)
    return {**os.environ, "KHARNESS_CACHE": str(folder)}

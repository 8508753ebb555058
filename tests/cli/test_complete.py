# SPDX-License-Identifier: GPL-2.0-only
"""Completion in real shells: a key at the end of a line, and what the shell then has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.complete import script

SOURCE = '#include "kcase.h"\nTEST(rejects_pid_zero) {}\nTEST(rejects_flags, TIMEOUT(1)) {}\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with cases and a run, and kharness in bin/."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "kharness"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m harness.cli "$@"\n')
    command.chmod(0o755)
    (tmp_path / "cases" / "x").mkdir(parents=True)
    (tmp_path / "cases" / "x" / "open.c").write_text(SOURCE)
    (tmp_path / "cases" / "x" / "test_py.py").write_text("def test_it(guest):\n    pass\n")
    (tmp_path / ".kharness" / "runs" / "20260101-1").mkdir(parents=True)
    for shell in ("bash", "zsh", "fish"):
        (tmp_path / f"script.{shell}").write_text(script(main, shell))
    return tmp_path


def run_shell(project: Path, *words: str) -> list[str]:
    path = f"{project / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path.cwd()), "HOME": str(project)}
    done = subprocess.run(
        words, cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    assert not done.stderr, done.stderr
    return done.stdout.split("\n")[:-1]


def in_bash(project: Path, line: str) -> list[str]:
    """What readline would put at the cursor: what follows the last of COMP_WORDBREAKS."""
    program = """
    source script.bash
    COMP_LINE="$1" COMP_POINT=${#1}
    _kharness_completion kharness
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    return run_shell(project, "bash", "--norc", "-c", program, "bash", line)


def in_fish(project: Path, line: str) -> list[str]:
    program = 'source script.fish; complete -C "$argv[1]"'
    return run_shell(project, "fish", "--no-config", "-c", program, line)


def in_zsh(project: Path, line: str) -> list[str]:
    """zsh completes at a terminal only; what it would offer is told by its compadd."""
    program = """
    emulate zsh
    compdef() { :; }
    _describe() { local -a all; all=("${(@P)3}"); print -rl -- "${(@)all%%:[^:]*}"; }
    compadd() { print -rl -- "${(@P)argv[-1]}"; }
    _path_files() { print -r -- "files"; }
    source ./script.zsh
    words=("${(@Q)${(z)1}}")
    [[ $1 == *' ' ]] && words+=("")
    CURRENT=$#words
    _kharness_completion
    """
    return run_shell(project, "zsh", "-f", "-c", program, "zsh", line)


LINES = [
    ("kharness ser", ["series"]),
    ("kharness run --iso", ["--isolate"]),
    ("kharness run --isolate b", ["boot"]),
    ("kharness run --kernel debian:6.1", ["debian:6.12", "debian:6.1"]),
    ("kharness run --kernel recipe:pro", ["recipe:procfd"]),
    ("kharness run cases/x/open.c::rejects_p", ["cases/x/open.c::rejects_pid_zero"]),
    ("kharness run cases/x/o", ["cases/x/open.c"]),
    ("kharness run --format markd", ["markdown"]),
    ("kharness run --format tap,kci", ["tap,kcidb"]),
    ("kharness kernels build proc", ["procfd"]),
    ("kharness compare .kharness/runs/2", [".kharness/runs/20260101-1"]),
    ("kharness completion fi", ["fish"]),
    ("kharness run cases/x/t", ["cases/x/test_py.py"]),
    ("kharness run cases/x/test_py.py::", ["cases/x/test_py.py::test_it"]),
    ("kharness report .kharness/runs/2", [".kharness/runs/20260101-1"]),
    ("kharness resume .kharness/runs/2", [".kharness/runs/20260101-1"]),
    ("kharness run --suite kself", ["kselftest:"]),
    ("kharness run --suite exec:cases/x/o", ["exec:cases/x/open.c"]),
    ("kharness run --suite ltp:ca", ["ltp:cases/"]),
]


@pytest.mark.parametrize(("line", "words"), LINES)
def test_bash_completes(project: Path, line: str, words: list[str]) -> None:
    # Of a word with a colon bash keeps what is before it.
    kept = line.rsplit(" ", 1)[1]
    kept = kept[: kept.rfind(":") + 1]
    assert set(in_bash(project, line)) >= {word.removeprefix(kept) for word in words}


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
@pytest.mark.parametrize(("line", "words"), LINES)
def test_fish_completes(project: Path, line: str, words: list[str]) -> None:
    assert {found.split("\t")[0] for found in in_fish(project, line)} >= set(words)


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here")
@pytest.mark.parametrize(("line", "words"), LINES)
def test_zsh_completes(project: Path, line: str, words: list[str]) -> None:
    found = {word.replace("\\:", ":") for word in in_zsh(project, line)}
    assert found >= set(words)


@pytest.mark.parametrize("words", ["parse", "splats", "run --rootfs"])
def test_a_file_is_the_shell_s_to_complete(project: Path, words: str) -> None:
    """bash's own completion of file names is asked for, and fish's."""
    environment = {"_KHARNESS_COMPLETE": "bash_complete", "COMP_LINE": f"kharness {words} c"}
    done = subprocess.run(
        [str(project / "bin" / "kharness")],
        env={**os.environ, **environment, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["file,c"]


def test_bash_offers_nothing_where_nothing_fits(project: Path) -> None:
    assert in_bash(project, "kharness run cases/x/nix.c::") == [""]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_the_script(project: Path, shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "completion", shell],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == script(main, shell)
    checker = shutil.which(shell)
    if checker:
        subprocess.run([checker, "-n", f"script.{shell}"], cwd=project, check=True)


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["completion", "bash"]])
def test_help_and_completion_import_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys, contextlib, io\n"
        "from harness.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    main.main(sys.argv[1:], standalone_mode=False)\n"
        "print([n for n in ('pytest', 'pydantic', 'rich', 'asyncio', 'elftools', 'lxml')"
        " if n in sys.modules])"
    )
    command = [sys.executable, "-c", program, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

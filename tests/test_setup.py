# SPDX-License-Identifier: GPL-2.0-only
"""scripts/setup with programs that stand in for the system's."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.resources import resource

NEEDED = ("bash", "dirname", "id", "sha256sum", "readlink", "cat", "flock", "rm", "tail", "env")
BUILDING = ("make", "flex", "bison", "bc", "patch", "tar", "xz", "perl", "rsync")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(resource("scripts/setup"), folder / "scripts" / "setup")
    (folder / "pyproject.toml").write_text("[project]\n")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    tool(folder, "uname", "echo x86_64")
    return folder


def tool(checkout: Path, name: str, script: str) -> None:
    path = checkout.parent / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)


def all_there(checkout: Path) -> None:
    for name in ("qemu-system-x86_64", "gcc", "busybox", *BUILDING):
        tool(checkout, name, "cat >/dev/null")
    # "python -m venv" makes a python that notes each call of pip.
    tool(
        checkout,
        "python3",
        'case "$*" in --version) echo Python 3.11.0;; "-m venv .venv")'
        f" mkdir -p .venv/bin; echo 'echo pip >>{checkout}/calls' >.venv/bin/python;"
        " chmod +x .venv/bin/python; sed -i '1i #!/bin/bash' .venv/bin/python;; *) cat >/dev/null;;"
        " esac",
    )
    for name in ("mkdir", "chmod", "sed"):
        path = checkout.parent / "bin" / name
        if not path.exists():
            path.symlink_to(str(shutil.which(name)))


def setup(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "setup", *words],
        env={"PATH": str(checkout.parent / "bin"), "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_is_missing_is_one_line_with_the_command(checkout: Path) -> None:
    tool(checkout, "id", "echo 1000")
    tool(checkout, "apt-get", "exit 1")
    tool(checkout, "sudo", "exit 1")
    done = setup(checkout)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert (
        "sudo apt-get install qemu-system-x86 gcc libc6-dev gcc-multilib python3-venv"
        in done.stderr
    )


def test_a_second_run_does_nothing(checkout: Path) -> None:
    all_there(checkout)
    assert setup(checkout).returncode == 0
    assert (checkout / "calls").read_text() == "pip\n"
    second = setup(checkout)
    assert (second.returncode, second.stdout) == (0, "")
    assert (checkout / "calls").read_text() == "pip\n"


def test_tests_do_without_a_browser_where_none_can_be_installed(checkout: Path) -> None:
    all_there(checkout)
    tool(checkout, "id", "echo 1000")
    tool(checkout, "sudo", "exit 1")
    done = setup(checkout, "--dev")
    assert done.returncode == 0
    assert done.stderr == (
        "tests of the page and of shells are skipped:"
        " sudo apt-get install fish zsh cpio mandoc chromium chromium-driver\n"
    )
    assert setup(checkout).stderr == ""


def test_half_an_environment_is_made_anew(checkout: Path) -> None:
    all_there(checkout)
    setup(checkout)
    (checkout / ".venv" / "stamp").unlink()
    assert setup(checkout).returncode == 0
    assert (checkout / "calls").read_text() == "pip\npip\n"


def test_a_changed_project_file_is_noticed(checkout: Path) -> None:
    all_there(checkout)
    setup(checkout)
    (checkout / "pyproject.toml").write_text("[project]\nname='x'\n")
    setup(checkout)
    assert (checkout / "calls").read_text() == "pip\npip\n"


def test_no_network_says_so(checkout: Path) -> None:
    all_there(checkout)
    tool(
        checkout,
        "python3",
        'case "$*" in *venv*) echo no route >&2; exit 1;; *) cat >/dev/null;; esac',
    )
    done = setup(checkout)
    assert done.returncode == 3
    assert "is the network there?" in done.stderr
    assert os.path.lexists(checkout / ".venv" / "stamp") is False

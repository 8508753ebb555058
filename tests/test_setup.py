# SPDX-License-Identifier: GPL-2.0-only
"""scripts/setup with programs that stand in for the system's."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.resources import resource

NEEDED = (
    "bash",
    "dirname",
    "id",
    "sha256sum",
    "readlink",
    "cat",
    "flock",
    "rm",
    "tail",
    "env",
    "grep",
    "tr",
    "sed",
)
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


def setup(checkout: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "scripts" / "setup", *words],
        stdin=subprocess.DEVNULL,
        env={"PATH": str(checkout.parent / "bin"), "HOME": str(checkout), **more},
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
    assert "sudo apt-get install qemu-system-x86 gcc libc6-dev python3-venv" in done.stderr


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
    tool(checkout, "apt-get", "exit 1")
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


NO_32_BIT = 'cat >/dev/null; case "$*" in *-m32*) exit 1; esac'
SKIPPED = "cases with --abi compat32 are skipped: "
CONFLICT = """
cat >/dev/null
echo "$*" >>calls
case "$*" in
*--no-remove*gcc-multilib*)
	echo "The following packages will be REMOVED:"
	echo "  gcc-12-aarch64-linux-gnu"
	echo "  gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
	echo "The following NEW packages will be installed:"
	echo "  gcc-multilib"
	echo "E: Packages need to be removed but remove is disabled."
	exit 100
esac
"""


def as_root(checkout: Path, apt: str) -> None:
    all_there(checkout)
    tool(checkout, "id", "echo 0")
    tool(checkout, "apt-get", apt)


def test_no_package_is_removed_for_32_bit_programs_which_are_left_out(checkout: Path) -> None:
    tools = checkout.parent / "bin"
    as_root(checkout, f"{CONFLICT}\nln -sf make {tools}/flex")
    tool(checkout, "gcc", NO_32_BIT)
    (tools / "flex").unlink()
    (tools / "ln").symlink_to(str(shutil.which("ln")))
    done = setup(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        f"{SKIPPED}apt-get install gcc-multilib would remove gcc-12-aarch64-linux-gnu"
        " gcc-aarch64-linux-gnu libc6-dev-arm64-cross\n"
    )
    called = (checkout / "calls").read_text().splitlines()
    installs = [line for line in called if " install " in f" {line} "]
    assert [line.rpartition(" ")[2] for line in installs] == ["flex", "gcc-multilib"]
    assert all("--no-remove" in line for line in installs)
    # It has been said.
    assert setup(checkout).stderr == ""


def test_32_bit_programs_are_seen_to_where_nothing_stands_against_it(checkout: Path) -> None:
    as_root(checkout, 'echo "$*" >>calls')
    tool(checkout, "gcc", NO_32_BIT)
    done = setup(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (checkout / "calls").read_text().splitlines()[0].endswith(" gcc-multilib")


def test_32_bit_programs_are_no_condition(checkout: Path) -> None:
    all_there(checkout)
    tool(checkout, "gcc", NO_32_BIT)
    tool(checkout, "id", "echo 1000")
    tool(checkout, "sudo", "exit 1")
    tool(checkout, "apt-get", "exit 1")
    done = setup(checkout)
    assert (done.returncode, done.stderr) == (0, f"{SKIPPED}sudo apt-get install gcc-multilib\n")


def test_a_python_that_is_too_old_is_called_so(checkout: Path) -> None:
    as_root(checkout, "exit 1")
    tool(
        checkout,
        "python3",
        'case "$*" in *python_version*) echo 3.9.2;; *) cat >/dev/null; exit 1; esac',
    )
    done = setup(checkout)
    assert done.returncode == 3
    assert done.stderr == "kharness: Python 3.11 or later is needed, this is 3.9.2\n"


@pytest.mark.parametrize("compiler", ["ccache gcc", "gcc -O2", " "])
def test_a_compiler_may_have_words_before_and_behind_it(checkout: Path, compiler: str) -> None:
    all_there(checkout)
    tool(checkout, "ccache", 'exec "$@"')
    done = setup(checkout, CC=compiler)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_compiler_that_is_not_there_is_named(checkout: Path) -> None:
    as_root(checkout, "exit 1")
    done = setup(checkout, CC="gcc-99 -O2")
    assert done.returncode == 3
    assert done.stderr == 'kharness: CC="gcc-99 -O2": there is no gcc-99\n'


@pytest.mark.parametrize(
    ("manager", "words"),
    [
        ("dnf", "sudo dnf install qemu-system-x86 gcc glibc-static python3 busybox make"),
        (
            "",
            "install qemu-system-x86_64, gcc, a static C library, Python's venv, a static busybox",
        ),
    ],
)
def test_without_apt_what_is_missing_has_no_name_of_debian_s(
    checkout: Path, manager: str, words: str
) -> None:
    if manager:
        tool(checkout, manager, "exit 1")
    done = setup(checkout)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert words in done.stderr

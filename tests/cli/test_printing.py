# SPDX-License-Identifier: GPL-2.0-only
"""Commands whose standard output is full, closed, or read no further."""

import subprocess
from pathlib import Path

import pytest

from harness.cli_common import print_error, printing
from harness.errors import HostError
from harness.report.junit import write_junit
from tests.judging import COMMAND
from tests.report.example_run import passing

LOG = "[    1.0] WARNING: CPU: 0 PID: 9 at kernel/pid.c:9 alloc_pid+0x1/0x2\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_junit(passing(400), tmp_path / "a.xml")
    (tmp_path / "log").write_text(LOG * 200)
    (tmp_path / "bad.xml").write_text("<testsuites><testsuite><testcase/></testsuite></testsuites>")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("junit", "merge", "a.xml"),
        ("junit", "validate", "bad.xml"),
        ("splats", "--json", "log"),
        ("compare", "a.xml", "a.xml"),
    ],
    ids=" ".join,
)
def test_a_full_output_is_one_line_and_exit_3(words: tuple[str, ...], files: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=files,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == "kharness: cannot print: No space left on device: make room\n"
    assert done.returncode == 3


def merged_into(where: str, files: Path) -> subprocess.CompletedProcess[str]:
    """What a shell with these words behind the command prints."""
    line = f"{' '.join(COMMAND)} junit merge a.xml {where}"
    return subprocess.run(
        ["sh", "-c", line], cwd=files, capture_output=True, text=True, check=False
    )


def test_a_closed_output_is_one_line_and_exit_3(files: Path) -> None:
    done = merged_into(">&-", files)
    assert done.stderr == "kharness: cannot print: standard output is closed\n"
    assert done.returncode == 3


def test_a_reader_that_has_seen_enough_is_no_error(files: Path) -> None:
    done = merged_into("| head -n 1", files)
    assert done.stderr == ""
    assert done.stdout.startswith("<?xml")


def test_an_error_that_has_a_file_is_not_of_what_is_printed() -> None:
    with pytest.raises(FileNotFoundError), printing():
        Path("/none/there").read_text()
    with pytest.raises(HostError), printing():
        raise HostError("as it was")


def test_an_error_is_printed_for_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What a guest said is in it."""
    print_error(HostError("it\x1b[2J says", "so\x07", "one\x1b]0;title\x07\r\ntwo\0"))
    assert capsys.readouterr().err == "kharness: it says: so#x07\none\ntwo#x00\n"

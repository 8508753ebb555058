# SPDX-License-Identifier: GPL-2.0-only
"""A host whose memory is just enough: no guest waits for one that nobody will end."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.verdict.outcome import Outcome
from tests.judging import SETTINGS, by_name, each_once, make_project, ran

pytestmark = [pytest.mark.guest, pytest.mark.long]

SHORT = (
    "import sys; from pathlib import Path; from harness.vm.admission import Admission\n"
    "Admission.__init__.__defaults__ = (Path(sys.argv.pop(1)), lambda: 1300, 512)\n"
    "from harness.cli import entry; entry()"
)
"""kharness where 1300 MiB can be had: for a guest of 600 MiB, and for one of 128 MiB, not both."""
CASES = """
TEST(a) { EXPECT_EQ(1, 1); }
TEST(b, NEEDS_MEMORY(600)) { EXPECT_EQ(1, 1); }
TEST(c) { EXPECT_EQ(1, 1); }
"""
BOTH = '["debian:6.12", "debian:6.1"]'


def on_a_short_host(folder: Path, project: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    tickets = folder / "tickets"
    command = (sys.executable, "-c", SHORT, str(tickets), "run", "--run-dir", "run")
    done = ran(command, project, *words)
    assert list(tickets.iterdir()) == [tickets / "lock"]
    return done


@pytest.mark.parametrize("how", [(), ("--isolate", "shared")])
def test_guests_of_two_sizes_take_turns(tmp_path: Path, how: tuple[str, ...]) -> None:
    """A fork that was made ahead, and a guest that is shared, go when another size is wanted."""
    project = make_project(tmp_path / "p", CASES)
    if how:  # what other kernels have goes as well
        (project / "harness.toml").write_text(SETTINGS.replace('["debian:6.12"]', BOTH))
    done = on_a_short_host(tmp_path, project, "-n", "1", *how)
    assert done.returncode == 0, done.stdout + done.stderr
    assert each_once(project / "run") == sorted("abc" * (2 if how else 1))


def test_a_guest_that_finds_no_room_beside_those_of_its_test_is_an_error(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p", "TEST(a) { EXPECT_EQ(1, 1); }")
    (project / "cases" / "test_p.py").write_text(
        "def test_fits(fork):\n    with fork(), fork() as two:\n"
        "        assert two.run('true').exit_code == 0\n"
        "def test_does_not_fit(fork):\n    with fork():\n        fork(memory_mib=600)\n"
    )
    done = on_a_short_host(tmp_path, project, "-n", "1")
    got = by_name(project / "run")
    assert done.returncode == 3, done.stdout + done.stderr
    assert (got["a"].outcome, got["test_fits"].outcome) == (Outcome.PASS, Outcome.PASS)
    assert got["test_does_not_fit"].outcome is Outcome.ERROR
    words = "no memory for a guest of 600 MiB, beside the 1 that the test has: 1"
    assert words in got["test_does_not_fit"].message

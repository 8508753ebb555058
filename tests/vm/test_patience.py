# SPDX-License-Identifier: GPL-2.0-only
"""A busy host takes nothing from a guest's time."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.verdict.outcome import Outcome
from harness.vm.patience import MOST, Patience, queued_ns
from harness.vm.schedstat import ThreadTimes, thread_times
from tests.judging import COMMAND, by_name, make_project, ran

SPIN = "import os; os.sched_setaffinity(0, {int(%d)})\nwhile True: pass"


@pytest.fixture
def crowd() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Three processes that share one CPU, and never rest; a session is a group (autogroup)."""
    cpu = min(os.sched_getaffinity(0))
    spin = [sys.executable, "-c", SPIN % cpu]
    found = [subprocess.Popen(spin, start_new_session=True) for _ in range(3)]
    yield found
    for process in found:
        process.kill()
        process.wait()


def until_over(patience: Patience) -> float:
    start = time.monotonic()
    while (left_s := patience.left_s()) > 0:
        time.sleep(min(left_s, 0.05))
    return time.monotonic() - start


def test_who_waits_for_a_cpu_has_more_time(crowd: list[subprocess.Popen[bytes]]) -> None:
    """It has about a third of a CPU, so two thirds of its time do not count."""
    time.sleep(1)
    patience = Patience(crowd[0].pid, 1.0)
    took_s = until_over(patience)
    assert took_s > 1.3
    assert patience.queued_s() > 0.3


def test_who_sleeps_has_no_more(crowd: list[subprocess.Popen[bytes]]) -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        time.sleep(0.5)
        patience = Patience(sleeper.pid, 1.0)
        until_over(patience)
        assert patience.queued_s() == 0
    finally:
        sleeper.kill()
        sleeper.wait()


def test_nobody_waits_for_ever() -> None:
    """A guest that never gets a CPU is given up in the end."""
    patience = Patience(1, 0.05, lambda _: {"1": time.monotonic_ns()})
    assert 0.05 * MOST <= until_over(patience) < 10


def test_the_longest_wait_counts_and_new_threads_do() -> None:
    told = iter([{"1": 5_000_000_000, "2": 0}, {"1": 6_000_000_000, "2": 2_000_000_000, "3": 9}])
    assert Patience(1, 1.0, lambda _: next(told)).queued_s() == 2.0


def test_a_process_that_is_gone_has_no_more() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert queued_ns(process.pid) == {}
    patience = Patience(process.pid, 0.05)
    until_over(patience)
    assert patience.queued_s() == 0


def test_a_thread_that_ends_meanwhile_takes_no_time_from_the_others(tmp_path: Path) -> None:
    for tid in ("7", "8"):
        (tmp_path / "7" / "task" / tid).mkdir(parents=True)
    (tmp_path / "7" / "task" / "8" / "schedstat").write_text("1000 2000 3\n")
    assert thread_times(7, tmp_path) == {"8": ThreadTimes(1000, 2000)}


CASES = """
static volatile unsigned long done;
TEST(works, TIMEOUT(3))
{
	while (done < 100000000)
		done++;
	EXPECT_TRUE(done);
}
TEST(spins, TIMEOUT(3)) { for (;;) done++; }
"""


@pytest.mark.guest
def test_a_busy_host_is_no_timeout(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A guest that has a part of a CPU: its limit moves on, and the result says so."""
    project = make_project(tmp_path / "p", CASES)
    cpu = min(os.sched_getaffinity(0))
    pinned = ("taskset", "--cpu-list", str(cpu), *COMMAND)
    # The template is made while there is room.
    assert ran(COMMAND, project, "run", "-k", "works", "--run-dir", "idle").returncode == 0
    request.getfixturevalue("crowd")
    done = ran(pinned, project, "run", "-n", "1", "--run-dir", "run")
    results = by_name(project / "run")
    assert results["works"].outcome is Outcome.PASS, done.stdout
    assert results["spins"].outcome is Outcome.TIMEOUT
    assert results["spins"].message.startswith("no end after 3 s: ")
    assert "it waited for a CPU of this host for " in results["spins"].detail

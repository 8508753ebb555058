# SPDX-License-Identifier: GPL-2.0-only
"""Runs that end while guests are started, boot and run: nothing of them is left, nor said."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cache import cache_root
from tests.faults.injection import leftovers, processes_with
from tests.judging import (
    COMMAND,
    by_name,
    each_once,
    journal_of,
    kharness,
    make_project,
    own_cache,
    start,
)

pytestmark = pytest.mark.guest

# Every number of CPUs has a template of its own, which takes longer to boot than the run lasts.
CASES = (
    "TEST(a) { EXPECT_EQ(1, 2); }\n"
    + "".join(f"TEST(b{n}) {{ sleep(30); }}\n" for n in range(6))
    + "".join(f"TEST(c{n}, NEEDS_CPUS({n})) {{ sleep(30); }}\n" for n in (2, 3, 4))
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    own = own_cache(tmp_path_factory.mktemp("early") / "cache", cache_root() / "kernels")
    yield own
    subprocess.run([*COMMAND, "cache", "prune"], env=own, check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("early") / "p", CASES)


@pytest.mark.parametrize(
    "words",
    [
        ("-n", "1"),
        ("-n", "9"),
        ("-n", "4", "--isolate", "boot"),
        ("-n", "4", "--isolate", "shared"),
        ("-n", "4", "--repeat", "4"),
    ],
    ids=" ".join,
)
def test_the_first_failure_ends_the_run_without_a_word_too_much(
    project: Path, environment: dict[str, str], words: tuple[str, ...]
) -> None:
    folder = "run" + "".join(words)
    done = kharness(project, "run", "-v", "-x", *words, "--run-dir", folder, env=environment)
    assert done.stderr == ""
    assert done.returncode == 1, done.stdout
    assert "a" in by_name(project / folder)
    assert len(by_name(project / folder)) < 10
    assert processes_with(environment["KHARNESS_CACHE"]) == []
    assert leftovers([Path(environment["KHARNESS_CACHE"])]) == []


AGAIN = """\
import os
import signal


def pytest_runtest_logfinish():
    os.kill(os.getpid(), signal.SIGINT)  # the first one, while the next cases run


def HOOK():
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("hook", ["pytest_keyboard_interrupt", "pytest_sessionfinish"])
def test_ctrl_c_at_the_session_s_end_costs_no_report(
    tmp_path: Path, environment: dict[str, str], hook: str
) -> None:
    project = make_project(tmp_path / "p", CASES)
    (project / "cases" / "conftest.py").write_text(AGAIN.replace("HOOK", hook))
    with start(project, "run", "-v", "-n", "2", "--run-dir", "run", env=environment) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 2, said
    assert "once more to stop at once" in said
    assert "Traceback" not in said
    assert each_once(project / "run") == ["a"]
    assert not journal_of(project / "run").ended
    assert (project / "run" / "junit.xml").exists()
    assert (project / "run" / "report.html").exists()
    assert processes_with(environment["KHARNESS_CACHE"]) == []


LATE = """
import os, signal, pytest


@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_behind_the_session_s_end_changes_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    project = make_project(tmp_path / "p", "TEST(a) { EXPECT_EQ(1, 1); }\n")
    (project / "cases" / "conftest.py").write_text(LATE)
    with start(project, "run", "--run-dir", "run", env=environment) as process:
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert journal_of(project / "run").ended

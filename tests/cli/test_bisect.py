# SPDX-License-Identifier: GPL-2.0-only
"""kharness run --bisect: what judges nothing is neither good nor bad for git."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.bisect import codes_for_bisect
from tests.judging import COMMAND, kharness, make_project

SKIPS = "TEST(skips, NEEDS_KERNEL(99, 0)) {}\nTEST(skips_too, NEEDS_KERNEL(99, 0)) {}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path, SKIPS)


@pytest.mark.guest
def test_a_run_that_only_skips_is_not_good(project: Path) -> None:
    assert kharness(project, "run").returncode == 0
    done = kharness(project, "run", "--bisect")
    assert done.returncode == 125
    assert done.stderr == "kharness: every case was skipped, which judges nothing\n"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--bisect", "--no-such-option"),
        ("run", "--timeout", "soon", "--bisect"),
        ("run", "--bisect", "--kernel", "/nowhere"),
        ("run", "--bisect", "--config", "nowhere.toml"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_not_bad(project: Path, words: tuple[str, ...]) -> None:
    done = kharness(project, *words)
    assert done.returncode == 125
    assert "Traceback" not in done.stderr


@pytest.mark.guest
def test_what_cannot_be_printed_is_not_bad(project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "run", "--bisect"], cwd=project, stdout=full, check=False)
    assert done.returncode == 125


@pytest.mark.parametrize(("code", "for_git"), [(0, 0), (1, 1), (2, 130), (3, 125), (5, 125)])
def test_codes(code: int, for_git: int) -> None:
    with pytest.raises(SystemExit) as ended, codes_for_bisect(["run", "--bisect"]):
        sys.exit(code)
    assert ended.value.code == for_git
    with pytest.raises(SystemExit) as ended, codes_for_bisect(["run"]):
        sys.exit(code)
    assert ended.value.code == code


def test_a_defect_of_the_harness_is_not_bad(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, codes_for_bisect(["run", "--bisect"]):
        raise ZeroDivisionError
    assert ended.value.code == 125
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_reader_that_went_away_is_not_bad() -> None:
    with pytest.raises(SystemExit) as ended, codes_for_bisect(["run", "--bisect"]):
        try:
            raise BrokenPipeError
        except BrokenPipeError:
            sys.exit(1)
    assert ended.value.code == 125

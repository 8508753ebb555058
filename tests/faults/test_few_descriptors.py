# SPDX-License-Identifier: GPL-2.0-only
"""More guests than the limit of open files is made for."""

from pathlib import Path

import pytest

from tests.judging import COMMAND, each_once, make_project, ran

pytestmark = pytest.mark.long

CASES = "".join(f"TEST(t{n}) {{ sleep(3); EXPECT_EQ(1, 1); }}\n" for n in range(8))


@pytest.mark.guest
@pytest.mark.parametrize(("limit", "told"), [("-S -n", False), ("-n", True)])
def test_a_low_limit_costs_no_case(tmp_path: Path, limit: str, told: bool) -> None:
    """A soft one is raised; under a hard one there are fewer guests, and a word of it."""
    project = make_project(tmp_path / "p", CASES)
    shell = ("sh", "-c", f'ulimit {limit} 60; exec "$@"', "sh")
    done = ran((*shell, *COMMAND), project, "run", "-n", "8", "--run-dir", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert each_once(project / "run") == [f"t{n}" for n in range(8)]
    assert ("1 guest at a time, not 8: too few open files" in done.stdout) == told

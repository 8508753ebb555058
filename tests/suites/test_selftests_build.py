# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own selftests, built of its source and run."""

from pathlib import Path

import pytest

from harness.errors import KernelError, UsageError
from harness.kernels.source import open_source
from harness.suites.selftests_build import build_selftests
from harness.suites.spec import load_suites
from harness.verdict.outcome import Outcome
from tests.suites.test_suite_run import kharness, results

PIDFD = {
    *("pidfd_test", "pidfd_fdinfo_test", "pidfd_open_test", "pidfd_poll_test"),
    *("pidfd_wait", "pidfd_getfd_test", "pidfd_setns_test"),
}
"""tools/testing/selftests/pidfd/Makefile of 6.12."""


def test_a_target_is_built_and_the_source_is_not_written_to() -> None:
    source = open_source("debian:6.12")
    said: list[str] = []
    folder = build_selftests("debian:6.12", ["pidfd"], said.append)
    assert {path.name for path in (folder / "pidfd").iterdir()} >= PIDFD
    # `make headers` and the programs would be here.
    assert not (source.folder / "usr/include/linux").exists()
    assert not (source.folder / "tools/testing/selftests/pidfd/pidfd_wait").exists()
    said.clear()
    assert build_selftests("debian:6.12", ["pidfd"], said.append) == folder
    assert said == []


@pytest.mark.guest
def test_pidfd_s_selftests_pass_on_their_kernel(tmp_path: Path) -> None:
    words = ["--suite=kselftest:debian:6.12:pidfd", "-k", "open_test or getfd_test or setns_test"]
    done = kharness(tmp_path, "run", *words, "--timeout-factor", "10")
    assert done.returncode == 0, done.stdout
    programs = {r.name for r in results(tmp_path).values() if not r.parent}
    assert programs == {"pidfd_open_test", "pidfd_getfd_test", "pidfd_setns_test"}
    invalid = results(tmp_path)[
        "kselftest::pidfd:pidfd_open_test::do not allow invalid pid test: passed"
    ]
    assert invalid.outcome is Outcome.PASS
    assert invalid.classname == "kselftest.pidfd.pidfd_open_test"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no selftests nosuch"):
        load_suites(["kselftest:debian:6.12:nosuch"], tmp_path)
    (tmp_path / "tree").mkdir()
    with pytest.raises(KernelError, match="is no kernel source"):
        load_suites(["kselftest:tree:pidfd"], tmp_path)

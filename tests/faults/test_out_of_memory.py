# SPDX-License-Identifier: GPL-2.0-only
"""kharness itself gets no more memory in the middle of a run."""

import re
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.report.journal import NAME, read_journal
from tests.judging import COMMAND, by_name, kharness, make_project

pytestmark = pytest.mark.guest

CASES = "\n".join(f"TEST(c{n:02}) {{ EXPECT_EQ(1, {1 + n % 3}); }}" for n in range(12))
LINES = re.compile(r"Traceback|MemoryError|INTERNALERROR")


@pytest.mark.parametrize("more_kib", [0, 256, 1024, 4096])
def test_what_has_a_result_keeps_it_and_the_rest_is_run(tmp_path: Path, more_kib: int) -> None:
    project = make_project(tmp_path / "p", CASES)
    journal = project / "run" / NAME
    with subprocess.Popen(
        [*COMMAND, "run", "-n", "1", "--run-dir", "run"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        while not (journal.exists() and '{"kind": "result"' in journal.read_text()):
            assert process.poll() is None
            time.sleep(0.01)
        status = Path(f"/proc/{process.pid}/status").read_text()
        has = int(status.partition("VmSize:")[2].split()[0])
        limit = (has + more_kib) * 1024
        resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, limit))
        assert process.stdout is not None
        said = process.stdout.read()
    assert LINES.search(said) is None, said
    assert process.returncode in (1, 3, -signal.SIGKILL), said
    before = read_journal(journal).results
    # A whole run by the time that memory was short, or a word of what is missing.
    assert process.returncode != 3 or "kharness: " in said.splitlines()[-1]
    done = kharness(project, "resume", "run")
    assert done.returncode in (1, 3), done.stdout + done.stderr
    after = read_journal(journal)
    assert after.results[: len(before)] == before
    assert after.missing() == []
    assert after.ended
    assert len(after.results) == 12
    errors = [r for r in after.results if r.outcome == "error"]
    assert errors or process.returncode == 3  # QEMU's translated code alone takes a GiB
    # A guest that found no room is the host's doing.
    assert all("memory" in r.message or "QEMU ended before" in r.message for r in errors)
    for name, result in by_name(project / "run").items():
        wanted = "pass" if int(name[1:]) % 3 == 0 else "fail"
        assert result.outcome in (wanted, "error")

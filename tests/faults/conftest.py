# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels that break on request (``recipe:trouble``), as ``kharness run`` sees them."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.report.journal import read_journal
from harness.verdict.outcome import Result

CASES = """
#include "kcase.h"
#include <sys/reboot.h>
static void trouble(const char *word)
{
	int fd = open("/dev/kharness-trouble", O_WRONLY);

	ASSERT_OK(fd);
	ASSERT_OK(write(fd, word, strlen(word)));
}
/* A long time limit: what is not seen while it runs takes half a minute. */
#define DIES(name, word) TEST(name, TIMEOUT(30)) { trouble(word); for (;;) pause(); }
#define HANGS(name, word) TEST(name, TIMEOUT(3)) { trouble(word); for (;;) pause(); }
TEST(passes) { EXPECT_EQ(1, 1); }
DIES(panics, "panic")
DIES(oopses, "oops")
DIES(bugs, "bug")
DIES(oopses_in_a_timer, "oops-later 100")
DIES(triple_faults, "triple-fault")
TEST(restarts, TIMEOUT(30)) { reboot(RB_AUTOBOOT); }
TEST(warns) { trouble("warn"); }
TEST(warns_and_goes_on) { trouble("warn"); usleep(700000); EXPECT_EQ(1, 1); }
TEST(warns_unseen) { trouble("quiet-warn"); }
TEST(warns_after_its_time) { trouble("warn-later 60000"); }
TEST(warns_late) { trouble("warn-later 300"); }
TEST(warns_late_settled, SETTLE(900)) { trouble("warn-later 300"); }
TEST(panics_late_settled, SETTLE(900)) { trouble("panic-later 300"); }
TEST(escapes) { trouble("escape"); EXPECT_EQ(1, 2); }
TEST(floods) { trouble("flood"); }
TEST(reports_and_goes_on, TIMEOUT(30))
{
	int fd = open("/dev/kmsg", O_WRONLY);

	printf("# said before\\n");
	fflush(stdout);
	ASSERT_OK(write(fd, "<4>BUG: KASAN: use-after-free in try+0x1/0x2\\n", 45));
	for (;;)
		pause();
}
TEST(sleeps, TIMEOUT(3)) { for (;;) pause(); }
TEST(spins, TIMEOUT(3)) { for (;;); }
HANGS(blocks, "sleep")
HANGS(deadlocks, "deadlock")
HANGS(spins_in_the_kernel, "spin")
HANGS(spins_deaf, "spin-irqs-off")
HANGS(wedges_the_console, "wedge-console")
KCASE_MAIN
"""


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose cases break their kernel."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "cases" / "try").mkdir(parents=True)
    (folder / "cases" / "try" / "trouble.c").write_text(CASES)
    (folder / "harness.toml").write_text('[run]\nkernels = ["recipe:trouble"]\naccel = "tcg"\n')
    return folder


class Outcomes:
    """A run of kharness, and what came of it."""

    def __init__(self, project: Path, *words: str) -> None:
        self.folder = project / f"run-{abs(hash(words)):x}"
        self.done = subprocess.run(
            [sys.executable, "-m", "harness.cli", "run", "--run-dir", str(self.folder), *words],
            cwd=project,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=1500,
        )
        journal = self.folder / "journal.jsonl"
        assert journal.exists(), self.done.stdout + self.done.stderr
        self.results: dict[str, Result] = {r.name: r for r in read_journal(journal).results}

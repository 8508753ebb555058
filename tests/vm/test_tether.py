# SPDX-License-Identifier: GPL-2.0-only
import os
import select
import signal
import subprocess
import sys

from harness.resources import resource
from harness.toolchain import compile_program

TETHER = str(compile_program(resource("images/tether/tether.c")))


def test_the_program_dies_with_a_parent_that_is_killed() -> None:
    script = (
        "import os, subprocess, sys, time\n"
        f"p = subprocess.Popen([{TETHER!r}, str(os.getpid()), 'sleep', '1000'])\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    # Readable once the process has ended.
    try:
        assert select.select([child], [], [], 10)[0]
    finally:
        os.close(child)


def test_a_parent_that_is_gone_already_is_noticed() -> None:
    assert subprocess.run([TETHER, "1", "true"], check=False).returncode == 125


def test_a_program_that_is_missing_is_named() -> None:
    done = subprocess.run(
        [TETHER, str(os.getpid()), "/no/such/program"], capture_output=True, check=False
    )
    assert done.returncode == 127
    assert b"/no/such/program" in done.stderr

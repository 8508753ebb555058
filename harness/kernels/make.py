# SPDX-License-Identifier: GPL-2.0-only
"""make in a kernel tree: its progress, its end, and what the compiler said when it failed.

make and all that it starts hold the lock of the work folder and end with kharness.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HostError, KernelError
from harness.kernels.stop import Stop
from harness.locks import Lock
from harness.resources import resource
from harness.toolchain import compile_program

STEP = re.compile(r"^  (?:\[[A-Z]\] )?[A-Z][A-Z0-9_/-]*(?: \[[A-Z]\])? +(\S+)")
"""``  CC      kernel/pid.o``, as make without V=1 prints each step (scripts/Kbuild.include)."""
ERROR = re.compile(
    r"(?:^|: )(?:fatal )?error: |undefined reference|^ERROR: |^(?:\S*[/-])?(?:ld|as)(?:\.\w+)?: "
)
MAKE_ERROR = re.compile(r"^make(?:\[\d+\])?: \*\*\* (.*)")
MAKE_FOLDER = re.compile(r"^make(?:\[\d+\])?: (?:Entering|Leaving) directory ")
SHOWN_LINES = 20
CONTEXT_LINES = 3
END_S = 10.0
REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "kharness",
    "KBUILD_BUILD_HOST": "kharness",
    "KBUILD_BUILD_VERSION": "1",
}
"""One input, one image (Documentation/kbuild/reproducible-builds.rst)."""
OWN = ("MAKE", "MFLAGS", "KBUILD_", "KCONFIG_", "INSTALL_")
"""What a make that started kharness, or a user's shell, would tell the kernel's make."""


@dataclass(frozen=True)
class BuildProgress:
    """How far a build is.

    Attributes:
        name: the kernel that is built.
        what: what is being done, such as a file's name.
        done: steps done.
        total: steps that there will be, estimated; 0 when nobody knows.
        elapsed_s: since make was started.
    """

    name: str
    what: str
    done: int = 0
    total: int = 0
    elapsed_s: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds left, as the steps so far took; None when that cannot be said."""
        if not self.total or self.done < 10:
            return None
        return self.elapsed_s / self.done * max(0, self.total - self.done)


@dataclass(frozen=True)
class Make:
    """make for one tree.

    Attributes:
        tree: the source.
        out: where objects go (``O=``).
        log: takes everything that make prints.
        lock: lock of the work folder, held.
        name: what is built, for messages.
        stop: ends it from another thread.
    """

    tree: Path
    out: Path
    log: Path
    lock: Lock
    name: str
    stop: Stop = field(default_factory=Stop)

    def run(
        self,
        targets: Sequence[str],
        *,
        jobs: int,
        total: int = 0,
        progress: Callable[[BuildProgress], None] | None = None,
    ) -> int:
        """Runs make; returns the number of steps that it took.

        Raises:
            KernelError: it fails; the compiler's lines are in ``detail``.
            HostError: no make.
        """
        command = ["make", "-C", str(self.tree), f"O={self.out}", f"-j{jobs}"]
        command += [f"{key}={value}" for key, value in REPRODUCIBLE.items()] + list(targets)
        start, steps, lines = time.monotonic(), 0, []
        with (
            self.log.open("a", buffering=1, encoding="utf-8") as log,
            make_started(command, self.lock, self.stop) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                lines.append(line)
                step = STEP.match(line)
                if step:
                    steps += 1
                    if progress:
                        elapsed = time.monotonic() - start
                        progress(
                            BuildProgress(self.name, step[1], steps, max(total, steps), elapsed)
                        )
            status = process.wait()
        if status != 0:
            raise make_failure(f"{self.name} does not build", lines, self.log)
        return steps


@contextmanager
def make_started(
    command: Sequence[str], lock: Lock, stop: Stop | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """make, as it runs in a block; at the block's end it has ended, or is ended.

    Args:
        command: ``make`` and its words.
        lock: of the folder that it works in, held; all that it starts holds it too.
        stop: ends it from another thread.

    Raises:
        HostError: no make.
    """
    tether = [str(compile_program(resource("images/tether/tether.c"))), str(os.getpid())]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(OWN)}
    try:
        process = subprocess.Popen(
            [*tether, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**environment, "LC_ALL": "C"},
            process_group=0,
            pass_fds=(lock.fileno(),),
        )
    except OSError as error:
        raise HostError(f"cannot start make: {error.strerror}", "apt-get install make") from error
    try:
        with (stop or Stop()).ends(process, _end):
            yield process
    finally:
        _end(process)
        if process.stdout:
            process.stdout.close()


def _end(process: "subprocess.Popen[str]") -> None:
    """Ends make and all that it started, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def make_failure(what: str, lines: Sequence[str], log: Path) -> KernelError:
    """Says what a make that failed complained about.

    Args:
        what: does not build.
        lines: everything that make printed.
        log: where that is kept.
    """
    found = error_lines(lines)
    # Where nothing looks like a complaint, make's own is the last.
    first = next((line for line in found if ERROR.search(line)), found[-1] if found else "")
    hint = f"all of make's output is in {log}"
    return KernelError(f"{what}: {first.strip()}", hint, "\n".join(found))


def error_lines(lines: Sequence[str]) -> list[str]:
    """What a compiler, a linker or a script complained about, out of make's output.

    Args:
        lines: everything that make printed.

    Returns:
        Each complaint with the lines of source below it; make's own last words when there is none.
    """
    found: list[str] = []
    context = 0
    for line in (raw.rstrip("\n") for raw in lines):
        if ERROR.search(line):
            found.append(line)
            context = CONTEXT_LINES
        elif context and re.match(r"\s+(\d+ )?\|", line):
            found.append(line)
            context -= 1
        else:
            context = 0
    if not found:
        found = [line.rstrip() for line in lines if MAKE_ERROR.match(line)]
        passed_over = (STEP, MAKE_FOLDER)
        before = [
            line.rstrip()
            for line in lines
            if line.strip() and not any(pattern.match(line) for pattern in passed_over)
        ]
        found = [line for line in before if line not in found][-5:] + found[:1]
    return found[:SHOWN_LINES]

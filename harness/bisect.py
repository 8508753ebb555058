# SPDX-License-Identifier: GPL-2.0-only
"""Exit codes for `git bisect run`, which takes every code that it does not know for bad.

Source: git-bisect(1), "bisect run": 0 good, 125 skip, else up to 127 bad; more ends the bisection.
"""

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.errors import ExitCode

OPTION = "--bisect"
SKIP = 125
STOP = 130
"""128 and SIGINT: who interrupts a run ends the bisection."""
CODES: dict[int, int] = {
    ExitCode.INTERRUPTED: STOP,
    ExitCode.HOST: SKIP,
    ExitCode.USAGE: SKIP,
    ExitCode.NO_CASES: SKIP,
}


@contextmanager
def codes_for_bisect(words: Sequence[str]) -> Iterator[None]:
    """The exit code of the block is one for git where the command line asks for it.

    Args:
        words: the command line, without the program. It need not be one that can be parsed.
    """
    if OPTION not in words:
        yield
        return
    try:
        yield
    except SystemExit as ended:
        # A reader that goes away leaves no word of what the run came to.
        unread = isinstance(ended.__context__, OSError)
        code = ended.code if isinstance(ended.code, int) else ExitCode.OK
        sys.exit(SKIP if unread else CODES.get(code, code))
    except Exception:
        # A defect of ours is none of the kernel's.
        traceback.print_exc()
        sys.exit(SKIP)

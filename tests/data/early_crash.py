# SPDX-License-Identifier: GPL-2.0-only
"""A pytest plugin: the kernels of the first forks panic before their agent is asked to act."""

import os
from functools import wraps
from typing import Any

from harness import runner
from harness.attempt import Trial, attempt_case
from harness.cases.case import Case
from harness.vm.console import Capture
from harness.vm.guest import Guest

crashes = iter(range(int(os.environ["EARLY_CRASHES"])))


@wraps(attempt_case)
async def attempt(guest: Guest, case: Case, capture: Capture, **words: Any) -> Trial:
    if next(crashes, None) is not None:
        await guest.machine.sysrq("c")
        assert await guest.machine.console.until(capture, b"Kernel panic", 60)
    return await attempt_case(guest, case, capture, **words)


vars(runner)["attempt_case"] = attempt

# SPDX-License-Identifier: GPL-2.0-only
"""A plugin that tells what a session holds of the results of its cases; see test_run_memory.py.

After every tenth case (in a controller of xdist: every tenth report) it writes a line into the file
that HELD_OUT names: how many results there are in memory, and of how many cases the words that
they printed.
"""

import gc
import json
import os
import re
from pathlib import Path

import pytest

from harness.verdict.outcome import Result

EVERY = 10
WORDS = re.compile(r"\bprinted-by-(\d+)\b")
finished = 0


def held() -> tuple[int, int]:
    """Results in memory, and cases of whose output there is a text."""
    gc.collect()
    todo = gc.get_objects()
    seen = set(map(id, todo))
    results, cases = 0, set()
    while todo:
        one = todo.pop()
        results += isinstance(one, Result)
        if isinstance(one, str):
            cases.update(WORDS.findall(one))
        for other in gc.get_referents(one):
            if id(other) not in seen:
                seen.add(id(other))
                todo.append(other)
    return results, len(cases)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logfinish() -> None:
    global finished  # noqa: PLW0603 - a plugin is a module
    finished += 1
    if finished % EVERY == 0 and not os.environ.get("PYTEST_XDIST_WORKER"):
        results, cases = held()
        line = json.dumps({"finished": finished, "results": results, "cases": cases})
        with Path(os.environ["HELD_OUT"]).open("a") as out:
            out.write(f"{line}\n")

# SPDX-License-Identifier: GPL-2.0-only
"""Reads logs with the kernel's own parser and with ours, and prints where they differ.

``python -m tests.verdict.compare_with_kunit LINUX/tools/testing/kunit [LOG ...]``; without logs,
those of kunit.py's own tests.
"""

import importlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.parse import parse_log
from harness.report.terminal import exit_code
from harness.verdict.ktap import counted, parse

STATUSES = {
    "SUCCESS": "pass",
    "FAILURE": "fail",
    "SKIPPED": "skip",
    "TEST_CRASHED": "error",
    "NO_TESTS": "error",
}


@dataclass(frozen=True)
class Compared:
    """One log: whether each finds it good, and the results that only one of them has."""

    log: str
    kunit_good: bool
    our_good: bool
    only_kunit: tuple[str, ...]
    only_ours: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.kunit_good == self.our_good and not (self.only_kunit or self.only_ours)


def load_kunit(folder: Path) -> Any:
    """The module kunit_parser of a kernel tree."""
    sys.path.insert(0, str(folder))
    try:
        kunit: Any = importlib.import_module("kunit_parser")
        # It prints while it reads.
        kunit.stdout = type(kunit.stdout)(output=io.StringIO())
        return kunit
    finally:
        sys.path.remove(str(folder))


def compare(kunit: Any, path: Path) -> Compared:
    text = path.read_bytes().decode("utf-8", "backslashreplace")
    test = kunit.parse_run_tests(text.split("\n"))
    theirs = _kunit_leaves(test, ())
    # A result that did not come has no name there.
    ours = [
        f"{r.status} {'/'.join((*r.path[:-1], r.name if r.line else '?'))}"
        for r in counted(parse(text))
    ]
    code = exit_code(r.outcome for r in parse_log(text, name=path.name).results)
    return Compared(
        path.name,
        test.ok_status(),
        code == 0,
        tuple(x for x in theirs if x not in ours),
        tuple(x for x in ours if x not in theirs),
    )


def _kunit_leaves(test: Any, above: tuple[str, ...]) -> list[str]:
    found = []
    for sub in test.subtests:
        path = (*above, sub.name or "?")
        if sub.subtests:
            found += _kunit_leaves(sub, path)
        else:
            found.append(f"{STATUSES[sub.status.name]} {'/'.join(path)}")
    return found


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0])
    logs = [Path(log) for log in arguments[1:]] or sorted((folder / "test_data").glob("*.log"))
    kunit = load_kunit(folder)
    for path in logs:
        c = compare(kunit, path)
        words = {True: "good", False: "bad"}
        verdicts = f"kunit.py {words[c.kunit_good]}, kharness {words[c.our_good]}"
        print(f"{c.log}: {'the same' if c.same else 'DIFFERS'}: {verdicts}")
        for mark, results in (("kunit.py", c.only_kunit), ("kharness", c.only_ours)):
            for result in results:
                print(f"    only {mark}: {result}")


if __name__ == "__main__":
    main(sys.argv[1:])

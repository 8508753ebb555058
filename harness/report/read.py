# SPDX-License-Identifier: GPL-2.0-only
"""Reading results back: from a run folder's journal, or from a JUnit file of any tool."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from harness.errors import UsageError
from harness.report.facts import missing_of
from harness.report.journal import NAME
from harness.report.junit_outcome import outcome_of, seconds_of
from harness.report.junit_read import (
    OWN_NAME,
    OWN_PROPERTY,
    Closed,
    Lined,
    Opened,
    read_junit,
)
from harness.report.namesakes import numbered, shared_name
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Result


class Read(NamedTuple):
    """What was read of a run.

    Attributes:
        results: all that there are.
        missing: what is missing of the run, in a few words; empty where nothing is. A JUnit file
            says so itself: what has no result is an error in it.
    """

    results: list[Result]
    missing: str = ""


def read_run(path: Path) -> Read:
    """The results of a run, and what is missing of it.

    Args:
        path: a run folder, or a JUnit file.

    Raises:
        UsageError: it is neither, or has no result.
    """
    missing = ""
    if (path / NAME).is_file():
        with JournalIndex.open(path / NAME) as index:
            results = list(index.results())
            missing = next(iter(missing_of(index).sentences()), "")
    elif path.is_file():
        results = _junit(path)
    elif path.is_dir():
        raise UsageError(
            f"{path} is no run folder: it has no journal.jsonl", "give .kharness/runs/..."
        )
    else:
        raise UsageError(f"no run at {path}", "give a run folder or a JUnit file")
    if not results:
        raise UsageError(f"{path} has no result in it", "did the run come to its first case?")
    return Read(results, missing)


def read_results(path: Path) -> list[Result]:
    """The results of :func:`read_run`."""
    return read_run(path).results


def _junit(path: Path) -> list[Result]:
    """The testcases of a JUnit file; a testsuite stands for the kernel.

    Testcases of one name are numbered as kharness's own JUnit numbers them.
    """
    suites: list[_Suite] = []
    results: dict[str, list[Result]] = {}
    for event in read_junit(path):
        if isinstance(event, Opened):
            suites.append(_Suite.of(event.element, suites[-1] if suites else None))
        elif isinstance(event, Closed):
            suites.pop()
        elif event.element.tag == "properties":
            names = {one.get("name") for one in event.element.iter("property")}
            suites[-1] = replace(suites[-1], ours=suites[-1].ours or OWN_PROPERTY in names)
        elif event.element.tag == "testcase":
            found = _result(event.element, suites[-1])
            results.setdefault(found.kernel, []).append(found)
    return [result for suite in results.values() for result in _numbered(suite)]


@dataclass(frozen=True)
class _Suite:
    """A testsuite that is being read; ``ours`` when it is kharness's own."""

    name: str
    ours: bool

    @classmethod
    def of(cls, element: Lined, outer: "_Suite | None") -> "_Suite":
        """The suite that begins; nested ones are called as ``kharness junit merge`` calls them."""
        name = element.get("name", "")
        if outer is None:
            return cls(name if element.tag == "testsuite" else "", ours=name == OWN_NAME)
        return cls(".".join(filter(None, (outer.name, name))), ours=outer.ours)


def _numbered(results: list[Result]) -> list[Result]:
    names = [shared_name(r.classname, r.name) for r in results]
    numbers = numbered(list(enumerate(names)), names)
    return [
        r if number == 1 else replace(r, case=f"{r.case} ({number})", name=f"{r.name} ({number})")
        for r, number in zip(results, numbers.values(), strict=True)
    ]


def _result(case: Lined, suite: _Suite) -> Result:
    outcome, message, detail = outcome_of(case, ours=suite.ours)
    classname, name = case.get("classname", ""), case.get("name", "")
    return Result(
        case=f"{classname}::{name}" if classname else name,
        classname=classname,
        name=name,
        kernel=suite.name,
        outcome=outcome,
        message=message,
        detail=detail,
        duration_s=seconds_of(case.get("time", "")) or 0.0,
        stdout=case.findtext("system-out", ""),
    )

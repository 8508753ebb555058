# SPDX-License-Identifier: GPL-2.0-only
"""Reading results back: from a run folder's journal, or from a JUnit file of any tool."""

from pathlib import Path
from typing import NamedTuple

from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from harness.errors import UsageError
from harness.report.facts import missing_of
from harness.report.journal import NAME
from harness.report.junit_read import not_run
from harness.report.stream import JournalIndex
from harness.verdict.outcome import Outcome, Result


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
    try:
        xml = JUnitXml.fromfile(str(path))
    except (OSError, SyntaxError, ValueError, JUnitXmlError) as error:
        raise UsageError(f"{path} is no JUnit file: {error}") from error
    suites = [xml] if isinstance(xml, TestSuite) else list(xml)
    return [
        _result(case, suite.name or path.stem)
        for suite in suites
        for case in suite
        if isinstance(case, TestCase)
    ]


def _result(case: TestCase, suite: str) -> Result:
    outcome, message, detail = Outcome.PASS, "", ""
    for entry in case.result:
        message, detail = entry.message or "", entry.text or ""
        if isinstance(entry, Failure):
            named = entry.type if entry.type in set(Outcome) else Outcome.FAIL
            outcome = Outcome(named)
        elif isinstance(entry, Error):
            outcome = Outcome.ERROR
        elif isinstance(entry, Skipped):
            outcome = Outcome.SKIP
    if outcome is Outcome.PASS and (said := not_run(case._elem)):
        outcome, message = Outcome.SKIP, said
    classname, name = case.classname or "", case.name or ""
    return Result(
        case=f"{classname}::{name}" if classname else name,
        classname=classname,
        name=name,
        kernel=suite,
        outcome=outcome,
        message=message,
        detail=detail,
        duration_s=float(case.time or 0),
        stdout=case.system_out or "",
    )

# SPDX-License-Identifier: GPL-2.0-only
"""A Python test's turn: pytest runs it as often as it has tries, and shows what they come to."""

from dataclasses import replace

import pytest
from _pytest.runner import runtestprotocol

from harness.fixtures import GUESTS_KEY, TRY_KEY, Try
from harness.python_names import kernel_of, key_of
from harness.run import Run
from harness.verdict.outcome import Outcome, Result

REPORT_ATTRIBUTE = "kharness_python"
"""Of the last report of a test: its result."""
RESULT_KEY = pytest.StashKey[Result]()
"""Of a test: the result of the try that ran last."""


class PythonTurn:
    """The turn of one test.

    Args:
        run: the run.
        item: the test.
        nextitem: what pytest runs after it.
    """

    def __init__(self, run: Run, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        self._run = run
        self._item = item
        self._nextitem = nextitem
        self._properties = list(item.user_properties)
        self._reports: dict[Outcome, list[pytest.TestReport]] = {}

    def reports(self) -> list[pytest.TestReport]:
        """Runs the test; pytest's reports of one try, which say what all of them came to.

        Raises:
            KeyboardInterrupt: the run was stopped before the test was through.
        """
        node, _ = key_of(self._item, self._run.options.start)
        result, chosen = self._run.python_turn(self._once, node, kernel_of(self._item))
        reports = self._reports[chosen.outcome]
        _show(reports, result, chosen)
        setattr(reports[-1], REPORT_ATTRIBUTE, result.to_json())
        return reports

    def _once(self, number: int, doubt: bool) -> Result:
        item = self._item
        item.stash[TRY_KEY] = Try(number, doubt)
        # What pytest and we keep of a test's run is that of the try before.
        if GUESTS_KEY in item.stash:
            del item.stash[GUESTS_KEY]
        item.user_properties[:] = self._properties
        item._report_sections.clear()
        reports = runtestprotocol(item, log=False, nextitem=self._nextitem)
        result = item.stash[RESULT_KEY]
        # The try that is chosen is the first with its outcome.
        self._reports.setdefault(result.outcome, reports)
        if self._run.options.rules.hunts and number > 1 and result.outcome is Outcome.PASS:
            result = self._without_consoles(result)
        return result

    def _without_consoles(self, result: Result) -> Result:
        """Of a hundred tries that pass one console is enough."""
        files = [file for file in (result.console_file, *result.files.values()) if file]
        if files:
            _, runner = self._run.guests_of(result.kernel)
            for file in files:
                runner.consoles.forget(replace(result, console_file=file))
        return replace(result, console_file="", files={})


def _show(reports: list[pytest.TestReport], result: Result, chosen: Result) -> None:
    """Makes the reports of a try say what the test came to.

    Args:
        reports: of the try that was chosen, one for each phase.
        result: of the test.
        chosen: of the try.
    """
    bad = next((report for report in reports if not report.passed), None)
    if result.outcome is Outcome.XFAIL and chosen.outcome is not Outcome.XFAIL:
        report = _only(reports, bad)
        report.outcome = "skipped"
        report.wasxfail = result.message
    elif result.outcome is Outcome.XPASS and chosen.outcome is not Outcome.XPASS:
        report = _only(reports, bad)
        report.outcome = "failed"
        report.longrepr = f"{result.message}\n{result.detail}"
    elif bad is not None and result.message != chosen.message:
        more = result.detail.removeprefix(chosen.detail).strip()
        bad.sections.append(("tries", f"{result.message}\n{more}".strip()))


def _only(reports: list[pytest.TestReport], bad: pytest.TestReport | None) -> pytest.TestReport:
    """The report of the test itself, with what was bad; the others say that all is well."""
    shown = next((report for report in reports if report.when == "call"), reports[0])
    if bad is not None:
        shown.longrepr = bad.longrepr
    for report in reports:
        if report is not shown and not report.passed:
            report.outcome, report.longrepr = "passed", None
        if hasattr(report, "wasxfail"):
            del report.wasxfail
    return shown

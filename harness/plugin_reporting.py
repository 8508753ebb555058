# SPDX-License-Identifier: GPL-2.0-only
"""What the controller does with results; with kharness's own display, instead of pytest's."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from harness.again import lost_result
from harness.errors import ExitCode, HostMemoryError, KharnessError
from harness.interrupt import Interrupts
from harness.plugin_cases import CaseItem
from harness.plugin_keys import keyed
from harness.plugin_xdist import CRASHED, Workers
from harness.run import Run
from harness.suites.suite import is_suite_node
from harness.verdict.outcome import Result

REPORT_ATTRIBUTE = "kharness"
"""Of a report: the case's result, and those of its subtests."""


class Reporting:
    """Results, signals and the session's end.

    Attributes:
        interrupts: the signals that end the run.
        exit_code: of the run, when it has ended.

    Args:
        run: the run.
        workers: those of xdist, if any.
    """

    def __init__(self, run: Run, workers: Workers) -> None:
        self._run = run
        self._workers = workers
        self._controller = not run.options.worker
        self._interrupted = False
        self._session: pytest.Session | None = None
        self._lost: list[Result] = []
        self.interrupts = Interrupts(self._ask_to_end)
        self.exit_code: int | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keeps the session, to be able to stop it."""
        self._session = session
        if self._run.display:
            self._take_signals()
        if self._run.options.shuffle and self._controller:
            self._run.note(f"shuffled: --shuffle={self._run.seed} gives this order again")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Under plain pytest signals are left alone until there is a case of ours to run."""
        if any(isinstance(item, CaseItem) for item in session.items):
            self._take_signals()

    def _take_signals(self) -> None:
        # With xdist it is the workers that have to end, and xdist sees to that.
        if self._controller and not self._workers.are_there:
            self.interrupts.install()

    def _ask_to_end(self) -> int:
        running = self._run.stop_soon()
        if running and self._session is not None:
            self._session.shouldstop = "interrupted"
        return running

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keeps what there is, before ``-k`` and others take away."""
        self._run.found(list(keyed(items)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes what is in a report of a C case."""
        if not self._controller:
            return
        # Taken out, since pytest's own display keeps every report.
        data = report.__dict__.pop(REPORT_ATTRIBUTE, None)
        if data is not None:
            for one in data:
                self.take(Result.from_json(one))
        elif report.failed and _is_ours(report.nodeid):
            lost = lost_result(report.nodeid, str(report.longrepr))
            if report.when == CRASHED:
                # A worker may have died after the result of its case had come.
                if not self._run.has_result(lost.case, lost.kernel):
                    self._lost.append(lost)
            else:
                self.take(replace(lost, message="the harness lost this case", evidence={}))

    def take(self, result: Result) -> None:
        """Takes a result: journal first, then the display."""
        try:
            with self.interrupts.held():
                self._run.take(result)
        except (KharnessError, MemoryError) as raised:
            # A result that cannot be kept: more of them would be lost in the same way.
            error = self._is_the_problem(raised)
            if self._session is not None:
                self._session.shouldstop = error.what

    def _is_the_problem(self, raised: BaseException) -> KharnessError:
        error = raised if isinstance(raised, KharnessError) else HostMemoryError()
        self._run.problem = self._run.problem or error
        return self._run.problem

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Shows what could not be collected; the problem that ends the run is said then."""
        words = str(report.longrepr).strip()
        said = self._run.problem.whole.strip() if self._run.problem else ""
        if report.failed and self._run.display and words != said:
            self._run.display.note(words)

    def pytest_internalerror(
        self, excrepr: Any, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> bool | None:
        """Shows a defect of ours, since pytest's display is away; want of memory is none."""
        if isinstance(excinfo.value, MemoryError):
            self._is_the_problem(excinfo.value)
            return True
        if self._run.display:
            self._run.console.print(str(excrepr), markup=False)
        return None

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C."""
        self._interrupted = True

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Under plain pytest: what the user should know."""
        for note in self._run.notes:
            terminalreporter.write_line(f"kharness: {note}")
        if self._run.problem is not None:
            terminalreporter.write_line(f"kharness: {self._run.problem}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        """Writes the reports, also when a second Ctrl-C ends what others do here."""
        try:
            yield
        finally:
            self.interrupts.settle()
            if self._controller:
                self._finish()

    def _finish(self) -> None:
        interrupted = self._interrupted or self.interrupts.asked
        try:
            if not interrupted:
                for lost in self._lost:
                    self.take(self._run.once_more(lost))
            self.exit_code = self._run.finish(
                interrupted=interrupted, wait=lambda: self.interrupts.patient
            )
        except (KharnessError, MemoryError) as error:
            self._is_the_problem(error)
        if self.interrupts.came and self.exit_code is not None:
            # Whoever interrupts a run is told so, even when only the reports were still to come.
            self.exit_code = ExitCode.INTERRUPTED


def _is_ours(nodeid: str) -> bool:
    return ".c::" in nodeid or is_suite_node(nodeid)

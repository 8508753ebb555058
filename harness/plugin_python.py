# SPDX-License-Identifier: GPL-2.0-only
"""Python tests in a run: what the kernel says counts as well, and results go where those of C go.

A test that uses a guest is in the journal and in every report. ``kharness run`` takes every Python
test in, also one without a guest.
"""

from collections.abc import Generator
from typing import Any

import pytest

from harness import fixtures
from harness.errors import KharnessError, UsageError
from harness.fixtures import GUESTS_KEY
from harness.guests import GuestDied, GuestHandle
from harness.guests.outcome import Death
from harness.judging import Warn
from harness.plugin_keys import is_python_test, python_tests
from harness.plugin_reporting import Reporting
from harness.plugin_xdist import CRASHED, Workers
from harness.python_names import kernel_of
from harness.python_result import About, Phase, lost_result, python_result, warn_of
from harness.python_turn import REPORT_ATTRIBUTE, RESULT_KEY, PythonTurn
from harness.run import Run
from harness.verdict.console import Severity, Splat
from harness.verdict.outcome import Result
from harness.verdict.text import one_line, shorten_middle

PHASES_KEY = pytest.StashKey[list[Phase]]()
SECTION = "guest console"
SECTION_LIMIT = 20_000
"""Characters of the console that a failing test's report shows."""


def register_python_tests(
    config: pytest.Config, run: Run, workers: Workers, reporting: Reporting
) -> None:
    """Gives a session the fixtures, and Python tests their place in the run."""
    config.pluginmanager.register(fixtures, "kharness-fixtures")
    config.pluginmanager.register(PythonTests(run, workers, reporting), "kharness-python")


class PythonTests:
    """Hooks around Python tests.

    Args:
        run: the run.
        workers: those of xdist, if any.
        reporting: takes the results.
    """

    def __init__(self, run: Run, workers: Workers, reporting: Reporting) -> None:
        self._run = run
        self._workers = workers
        self._reporting = reporting

    def _takes(self, item: pytest.Item) -> bool:
        """Whether its result is the run's: also that of a test that asked for a guest late."""
        return is_python_test(item) or GUESTS_KEY in item.stash

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tells the run which there are."""
        self._run.python_plan = list(python_tests(session.items))

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        """Gives a test its turn: all its tries, and one set of reports for them."""
        if not is_python_test(item):
            return None
        where = {"nodeid": item.nodeid, "location": item.location}
        item.ihook.pytest_runtest_logstart(**where)
        for report in PythonTurn(self._run, item, nextitem).reports():
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(**where)
        _forget(item)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A report of the kernel that nobody asked for makes a test fail that has not failed."""
        guests = item.stash.get(GUESTS_KEY, [])
        outcome = None
        try:
            outcome = yield
        except pytest.skip.Exception:
            self._nothing_unexpected(guests)
            raise
        except (KeyboardInterrupt, pytest.exit.Exception):
            raise
        except GuestDied as error:
            if error.death is not Death.KNOWN:
                self._settle(guests)
                raise
            # As for C cases: what ends its guest by what is known cannot come to its own end.
        except BaseException:
            self._settle(guests)
            raise
        self._nothing_unexpected(guests)
        return outcome

    def _settle(self, guests: list[GuestHandle]) -> None:
        asked = self._run.options.settle_s
        settle_s = self._run.settings.run.settle_s if asked is None else asked
        for guest in guests:
            guest.settle(settle_s)

    def _nothing_unexpected(self, guests: list[GuestHandle]) -> None:
        self._settle(guests)
        unexpected = self._unexpected(guests)
        if unexpected:
            pytest.fail(
                "the kernel reported what the test did not ask for:\n"
                + "\n".join(one_line(splat.title) for splat in unexpected),
                pytrace=False,
            )

    def _unexpected(self, guests: list[GuestHandle]) -> list[Splat]:
        ignored = warn_of(self._run) is Warn.IGNORE
        return [
            splat
            for guest in guests
            for splat in guest.splats()
            if not splat.expected and not (ignored and splat.severity is Severity.WARNING)
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds the console to the report of a failure, and the result to the last report."""
        report = yield
        if not self._takes(item):
            return report
        guests = item.stash.get(GUESTS_KEY, [])
        error = call.excinfo.value if call.excinfo else None
        if report.when == "setup":
            item.stash[PHASES_KEY] = []
            if isinstance(error, KharnessError):
                report.longrepr = error.whole
        if report.when == "teardown" and report.passed:
            self._late(item, report, guests)
        phases = item.stash.setdefault(PHASES_KEY, [])
        phases.append(Phase(report, error))
        console = console_of(guests)
        if report.failed and console.strip():
            report.sections.append((SECTION, shorten_middle(console, SECTION_LIMIT).rstrip()))
        if report.when == "teardown":
            about = About(self._run, item, kernel_of(item), guests, console)
            result = item.stash[RESULT_KEY] = python_result(about, phases)
            setattr(report, REPORT_ATTRIBUTE, result.to_json())
        return report

    def _late(
        self, item: pytest.Item, report: pytest.TestReport, guests: list[GuestHandle]
    ) -> None:
        """What a kernel reported between the test's end and its guest's."""
        earlier = item.stash.get(PHASES_KEY, [])
        unexpected = self._unexpected(guests)
        if unexpected and all(phase.report.passed for phase in earlier):
            report.outcome = "failed"
            report.longrepr = (
                "the kernel reported at the test's end what it did not ask for:\n"
                + "\n".join(one_line(splat.title) for splat in unexpected)
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hands results to the run, in the controller."""
        if self._run.options.worker:
            return
        # Taken out, since pytest's own display keeps every report.
        data = report.__dict__.pop(REPORT_ATTRIBUTE, None)
        if data is not None:
            self._reporting.take(Result.from_json(data))
        elif report.when == CRASHED and report.failed and ".py::" in report.nodeid:
            key = self._workers.found.get(report.nodeid)
            # It may have died after the result had come, or in a test that is none of ours.
            if key and not self._run.has_result(*key):
                self._reporting.take(lost_result(key, str(report.longrepr), self._run))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Under ``kharness run`` a file that cannot be imported is wrong usage."""
        if report.failed and self._run.display and report.nodeid.endswith(".py"):
            last = [line for line in str(report.longrepr).splitlines() if line.strip()][-1:]
            error = UsageError(f"{report.nodeid} cannot be collected", one_line("".join(last)))
            self._run.problem = self._run.problem or error


def console_of(guests: list[GuestHandle]) -> str:
    """What the consoles of a test's guests printed."""
    if len(guests) == 1:
        return guests[0].console()
    parts = []
    for number, guest in enumerate(guests, start=1):
        text = guest.console()
        if not text.strip():
            continue
        end = "" if text.endswith("\n") or not text else "\n"
        parts.append(f"--- guest {number} ---\n{text}{end}")
    return "".join(parts)


def _forget(item: pytest.Item) -> None:
    """Guests, results, errors and reports of a test that has run do not stay in its item."""
    item.stash = item._store = pytest.Stash()  # two names of one thing (_pytest/nodes.py)
    item._report_sections.clear()  # what it printed, which its reports have

# SPDX-License-Identifier: GPL-2.0-only
"""The pytest plugin: C cases become items, one for each kernel; results go to the journal.

With xdist every worker runs its own guests; results travel in the reports, and only the controller
writes the journal and the reports made from it.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from harness.cases.discover import is_case_source, of_abis
from harness.choice import shuffled
from harness.errors import KharnessError, UsageError
from harness.last_failed import LastFailed
from harness.plugin_cases import CaseFile, CaseItem
from harness.plugin_keys import keyed
from harness.plugin_options import RUN_KEY, add_options, options_of
from harness.plugin_python import register_python_tests
from harness.plugin_reporting import REPORT_ATTRIBUTE, Reporting
from harness.plugin_suites import SuiteItems
from harness.plugin_xdist import Workers
from harness.run import Run


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of ``kharness run``, for plain pytest."""
    add_options(parser)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Reads the options; nothing is started before a case is collected."""
    config.addinivalue_line("markers", "guest: boots a real guest kernel")
    try:
        run = Run(options_of(config))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[RUN_KEY] = run
    config.args[:] = [node for words in config.args for node in of_abis(words, run.abis)]
    workers = Workers(config, run)
    reporting = Reporting(run, workers)
    config.pluginmanager.register(workers, "kharness-xdist")
    config.pluginmanager.register(reporting, "kharness-reporting")
    register_python_tests(config, run, workers, reporting)
    if run.options.suites or run.options.kunit:
        config.pluginmanager.register(SuiteItems(run, CaseItem.from_parent), "kharness-suites")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if run.display and reporter is not None:
        config.pluginmanager.unregister(reporter)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drops every guest, whatever ended the session."""
    run = config.stash.get(RUN_KEY, None)
    if run is not None:
        run.close()
    reporting = config.pluginmanager.get_plugin("kharness-reporting")
    if isinstance(reporting, Reporting):
        if run is not None and run.display:
            # Of kharness's own process nothing is left but its end: its exit code is settled.
            reporting.interrupts.settle()
        else:
            reporting.interrupts.restore()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CaseFile | None:
    """A C file with ``KCASE_MAIN`` holds cases."""
    return CaseFile.from_parent(parent, path=file_path) if is_case_source(file_path) else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Nothing of a case that has run stays in its item."""
    done = yield
    if isinstance(item, CaseItem):
        item.forget()
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts the result into the report, so that it reaches the controller."""
    report = yield
    results = item.results() if isinstance(item, CaseItem) and call.when == "call" else []
    if results:
        setattr(report, REPORT_ATTRIBUTE, [result.to_json() for result in results])
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Kernel by kernel, in the order in which they were given; shuffled if that was asked for."""
    run = config.stash[RUN_KEY]
    if run.problem is not None:
        return
    if any(isinstance(item, CaseItem) for item in items):
        if run.options.shuffle:
            # By name, so that every xdist worker comes to the same order.
            items[:] = shuffled(items, lambda item: item.nodeid, run.seed)
        order = {name: number for number, name in enumerate(k.name for k in run.kernels())}
        items.sort(key=lambda i: order.get(i.kernel, -1) if isinstance(i, CaseItem) else -1)
    if run.last_failed:
        _only_failed(config, run, run.last_failed, items)
    if run.earlier:
        try:
            items[:] = run.earlier.still_to_run(keyed(items))
        except KharnessError as error:
            run.problem = error
            items.clear()


def _only_failed(
    config: pytest.Config, run: Run, failed: LastFailed, items: list[pytest.Item]
) -> None:
    chosen, words = failed.among(keyed(items))
    run.note(words)
    wanted = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = [item for item in items if item in wanted]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tells the run what is to come, so that guests can be started ahead."""
    cases = [(i.case, i.kernel) for i in session.items if isinstance(i, CaseItem)]
    run = session.config.stash[RUN_KEY]
    try:
        run.plan(cases)
    except KharnessError as error:
        run.problem = run.problem or error
        session.items.clear()

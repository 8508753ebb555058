# SPDX-License-Identifier: GPL-2.0-only
"""The pytest plugin: C cases become items, one for each kernel; results go to the journal.

With xdist every worker runs its own guests; results travel in the reports, and only the controller
writes the journal and the reports made from it.
"""

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.cases.case import Case
from harness.cases.discover import classname, is_case_source, load
from harness.errors import KharnessError, UsageError
from harness.run import Run, RunOptions
from harness.verdict.outcome import Outcome, Result

RUN_KEY = pytest.StashKey[Run]()
REPORT_ATTRIBUTE = "kharness"
FOLDER_INPUT = "kharness_run_dir"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of ``kharness run``, for plain pytest."""
    group = parser.getgroup("kharness", "kernel selftests")
    group.addoption(
        "--kernel", action="append", default=[], metavar="SPEC", help="kernel to run on; repeatable"
    )
    group.addoption("--accel", choices=["auto", "kvm", "tcg"], help="accelerator (default: auto)")
    group.addoption(
        "--isolate",
        choices=["fork", "boot", "shared"],
        help="what a case shares with those before it (default: fork)",
    )
    group.addoption(
        "--case-timeout", type=float, metavar="S", help="a case's time limit in seconds"
    )
    group.addoption("--build", action="store_true", help="build what is a kernel tree first")
    group.addoption("--jobs", metavar="N", help="guests at a time (default: as many as pay)")
    group.addoption("--junit", metavar="FILE", help="write JUnit here as well")
    group.addoption("--run-dir", metavar="DIR", help="run folder (default: .kharness/runs/<time>)")
    group.addoption("--kharness-config", metavar="FILE", help="harness.toml to use")
    group.addoption(
        "--kharness-ui",
        choices=["normal", "quiet", "verbose"],
        default="",
        help="kharness's own display instead of pytest's (kharness run sets it)",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Reads the options; nothing is started before a case is collected."""
    config.addinivalue_line("markers", "guest: boots a real guest kernel")
    option = config.getoption
    worker_input = getattr(config, "workerinput", {})
    worker = worker_input.get("workerid", "")
    run_dir = worker_input.get(FOLDER_INPUT) or option("--run-dir")
    try:
        run = Run(
            RunOptions(
                kernels=tuple(option("--kernel")),
                accel=option("--accel"),
                isolate=option("--isolate"),
                timeout_s=option("--case-timeout"),
                jobs=option("--jobs"),
                build=option("--build"),
                junit=Path(option("--junit")) if option("--junit") else None,
                run_dir=Path(run_dir) if run_dir else None,
                config=Path(option("--kharness-config")) if option("--kharness-config") else None,
                start=config.invocation_params.dir,
                worker=worker,
                ui="" if worker else option("--kharness-ui"),
            )
        )
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[RUN_KEY] = run
    config.pluginmanager.register(Reporting(config, run), "kharness-reporting")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if run.display and reporter is not None:
        config.pluginmanager.unregister(reporter)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drops every guest, whatever ended the session."""
    run = config.stash.get(RUN_KEY, None)
    if run is not None:
        run.close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "CaseFile | None":
    """A C file with ``KCASE_MAIN`` holds cases."""
    return CaseFile.from_parent(parent, path=file_path) if is_case_source(file_path) else None


class CaseFile(pytest.File):
    """A C file with cases."""

    def collect(self) -> Iterable["CaseItem"]:
        """An item for each case and kernel."""
        run = self.config.stash[RUN_KEY]
        try:
            cases = load(self.path, self.config.invocation_params.dir)
            kernels = run.kernels()
            run.add_programs(cases)
        except KharnessError as error:
            run.problem = run.problem or error
            raise self.CollectError(_words(error)) from None
        for case in cases:
            for kernel in kernels:
                yield CaseItem.from_parent(
                    self, name=f"{case.name}[{kernel.name}]", case=case, kernel=kernel.name
                )


class CaseFailedError(Exception):
    """A case did not pass; carries its result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.message)
        self.result = result


class CaseItem(pytest.Item):
    """One case on one kernel."""

    def __init__(self, *, case: Case, kernel: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.kernel = kernel
        self.result: Result | None = None

    def runtest(self) -> None:
        """Waits for the case's result."""
        run = self.config.stash[RUN_KEY]
        result = self.result = run.result(self.case, self.kernel)
        if result.outcome is Outcome.SKIP:
            pytest.skip(result.message)
        if result.outcome is Outcome.XFAIL:
            pytest.xfail(result.message)
        if result.outcome is not Outcome.PASS:
            raise CaseFailedError(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a person sees of a failed case under plain pytest."""
        if isinstance(excinfo.value, CaseFailedError):
            r = excinfo.value.result
            parts = [f"{r.file}:{r.line}: {r.outcome.value}: {r.message}", r.detail]
            if r.console.strip():
                parts += ["console:", r.console.rstrip()]
            parts.append(f"reproduce: {r.reproduce}")
            return "\n".join(part for part in parts if part)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands in its source."""
        return self.path, self.case.line - 1, self.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Puts the result into the report, so that it reaches the controller."""
    report = yield
    if isinstance(item, CaseItem) and call.when == "call" and item.result is not None:
        setattr(report, REPORT_ATTRIBUTE, item.result.to_json())
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Kernel by kernel, in the order in which they were given."""
    run = config.stash[RUN_KEY]
    if run.problem is not None or not any(isinstance(item, CaseItem) for item in items):
        return
    order = {name: number for number, name in enumerate(k.name for k in run.kernels())}
    items.sort(key=lambda i: order.get(i.kernel, -1) if isinstance(i, CaseItem) else -1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tells the run what is to come, so that guests can be started ahead."""
    cases = [(i.case, i.kernel) for i in session.items if isinstance(i, CaseItem)]
    session.config.stash[RUN_KEY].plan(cases)


class Reporting:
    """What the controller does with results; with kharness's own display, instead of pytest's.

    Args:
        config: of the session.
        run: the run.
    """

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._config = config
        self._run = run
        self._controller = not hasattr(config, "workerinput")
        self._interrupted = False
        self._session: pytest.Session | None = None
        self.exit_code: int | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keeps the session, to be able to stop it."""
        self._session = session

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tells an xdist worker where the run folder is."""
        node.workerinput[FOLDER_INPUT] = str(self._run.folder())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes a result: journal first, then the display."""
        if not self._controller:
            return
        data = getattr(report, REPORT_ATTRIBUTE, None)
        if data is not None:
            self._take(Result.from_json(data))
        elif report.failed and ".c::" in report.nodeid:
            self._take(_lost(report))

    def _take(self, result: Result) -> None:
        try:
            self._run.take(result)
        except KharnessError as error:
            # A result that cannot be kept: more of them would be lost in the same way.
            self._run.problem = self._run.problem or error
            if self._session is not None:
                self._session.shouldstop = error.what

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Shows what could not be collected."""
        if report.failed and self._run.display:
            self._run.display.note(str(report.longrepr))

    def pytest_internalerror(self, excrepr: Any) -> None:
        """Shows a defect of ours, since pytest's display is away."""
        if self._run.display:
            self._run.console.print(str(excrepr), markup=False)

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C."""
        self._interrupted = True

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Under plain pytest: what the user should know."""
        for note in self._run.notes:
            terminalreporter.write_line(f"kharness: {note}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Writes the reports."""
        if not self._controller:
            return
        try:
            self.exit_code = self._run.finish(interrupted=self._interrupted)
        except KharnessError as error:
            self._run.problem = self._run.problem or error


def _lost(report: pytest.TestReport) -> Result:
    """The result of a case whose worker died."""
    case, _, kernel = report.nodeid.rpartition("[")
    source, _, name = case.partition("::")
    return Result(
        case=case,
        classname=classname(Path(source)),
        name=name,
        kernel=kernel.rstrip("]"),
        outcome=Outcome.ERROR,
        message="the harness lost this case",
        detail=str(report.longrepr),
        file=source,
    )


def _words(error: KharnessError) -> str:
    return "\n".join(part for part in (str(error), error.detail) if part)

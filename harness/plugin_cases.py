# SPDX-License-Identifier: GPL-2.0-only
"""C cases as pytest's items: one for each case and kernel, which waits for the case's result."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.cases.case import Case, CaseKind
from harness.cases.discover import load
from harness.errors import KharnessError
from harness.judging import Rules, weighed
from harness.plugin_options import RUN_KEY
from harness.python_result import warn_of
from harness.report.journal import SUBTESTS
from harness.verdict.outcome import Outcome, Result
from harness.verdict.suites import subtests
from harness.verdict.text import clean

KTAP_KINDS = (CaseKind.KSELFTEST, CaseKind.PROGRAM, CaseKind.KUNIT)


class CaseFile(pytest.File):
    """A C file with cases."""

    def collect(self) -> Iterable["CaseItem"]:
        """An item for each case and kernel."""
        run = self.config.stash[RUN_KEY]
        try:
            root = self.config.invocation_params.dir
            cases = [case for abi in run.abis for case in load(self.path, root, abi)]
            kernels = run.kernels()
            run.add_programs(cases)
        except KharnessError as error:
            run.problem = run.problem or error
            raise self.CollectError(error.whole) from None
        for case in cases:
            for kernel in kernels:
                yield CaseItem.from_parent(
                    self, name=f"{case.title}[{kernel.name}]", case=case, kernel=kernel.name
                )


class CaseFailedError(Exception):
    """A case did not pass; carries its result."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.message)
        self.result = result


class CaseItem(pytest.Item):
    """One case on one kernel."""

    def __init__(self, *, case: Case, kernel: str, **kwargs: Any) -> None:
        # As text: pytest reads the kernel as a parameter, as it will in what it keeps for --lf.
        kwargs.setdefault("nodeid", f"{kwargs['parent'].nodeid}::{kwargs['name']}")
        super().__init__(**kwargs)
        self.case = case
        self.kernel = kernel
        self.result: Result | None = None
        _ = self.location  # pytest would keep it when the case runs

    @property
    def key(self) -> tuple[str, str]:
        """Node id without the kernel, and the kernel."""
        return self.case.node, self.kernel

    def runtest(self) -> None:
        """Waits for the case's result."""
        run = self.config.stash[RUN_KEY]
        result = self.result = run.result(self.case, self.kernel)
        if result.outcome is Outcome.SKIP:
            pytest.skip(result.message)
        if result.outcome is Outcome.XFAIL:
            pytest.xfail(result.message)
        flake = result.outcome is Outcome.FLAKY and run.options.rules.hunts
        if flake or not result.outcome.good:
            raise CaseFailedError(result)

    def results(self) -> list[Result]:
        """The case's result and those of its subtests; none before it ran."""
        if self.result is None:
            return []
        if self.case.kind not in KTAP_KINDS:
            return [self.result]
        rules = Rules(timeout_s=0, warn=warn_of(self.config.stash[RUN_KEY]))
        further = subtests(self.result, weigh=partial(weighed, rules=rules))
        if not further:
            return [self.result]
        # Who reads a journal that was cut knows whether they are all there.
        extra = {**self.result.extra, SUBTESTS: str(len(further))}
        return [replace(self.result, extra=extra), *further]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What a person sees of a failed case under plain pytest."""
        if isinstance(excinfo.value, CaseFailedError):
            r = excinfo.value.result
            parts = [f"{r.file}:{r.line}: {r.outcome.value}: {r.message}", r.detail]
            if r.console.strip():
                parts += ["console:", r.console.rstrip()]
            parts.append(f"reproduce: {r.reproduce}")
            return clean("\n".join(part for part in parts if part))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands in its source."""
        return self.path, self.case.line - 1, self.name

    def forget(self) -> None:
        """It has run, and its reports are made: pytest keeps items until the session's end."""
        self.result = None
        self.stash = self._store = pytest.Stash()  # two names of one thing (_pytest/nodes.py)

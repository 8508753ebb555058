# SPDX-License-Identifier: GPL-2.0-only
"""pytest: programs of suites become items without a file, beside the cases of C files."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from harness.cases.case import Case
from harness.errors import KharnessError
from harness.run import Run

ALONE = "kharness_suites_alone"
"""Attribute of ``config.option``, which xdist hands to its workers: no path was given."""


def finite(text: str) -> float:
    """A number of an option; neither ``nan`` nor ``inf``, which no limit can be.

    Raises:
        ValueError: it is none.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def add_suite_options(group: pytest.OptionGroup) -> None:
    """The options of suites."""
    group.addoption(
        "--suite",
        action="append",
        default=[],
        metavar="SPEC",
        help="programs of others: kselftest:DIR, ltp:DIR, exec:PROGRAM; repeatable",
    )
    group.addoption(
        "--suite-node", action="append", default=[], metavar="NODE", help="only this program"
    )
    group.addoption("--rootfs", metavar="DIR|TARBALL", help="the guest's root, for suites")
    group.addoption(
        "--timeout-factor", type=finite, metavar="F", help="multiply the suites' own time limits"
    )
    group.addoption("--kunit", action="store_true", help="KUnit results of the boot as well")


def suite_options(config: pytest.Config) -> dict[str, Any]:
    """What was asked for, as fields of :class:`harness.run.RunOptions`."""
    option = config.getoption
    if option("--suite") or option("--kunit"):
        no_path = config.args_source is not pytest.Config.ArgsSource.ARGS
        setattr(config.option, ALONE, no_path)
    return {
        "suites": tuple(option("--suite")),
        "suite_nodes": tuple(option("--suite-node")),
        "rootfs": Path(option("--rootfs")).expanduser() if option("--rootfs") else None,
        "timeout_factor": option("--timeout-factor"),
        "kunit": option("--kunit"),
    }


def suites_alone(config: pytest.Config) -> bool:
    """Suites were asked for, and no path; :func:`suite_options` has looked."""
    return bool(getattr(config.option, ALONE, False))


class SuiteNode(pytest.Collector):
    """A suite in the tree of what was collected: ``kselftest``."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Nothing: its items are made by :class:`SuiteItems`."""
        return ()


class SuiteItems:
    """Adds the programs of suites to what pytest collects.

    Args:
        run: the run.
        item: makes an item: parent, ``name``, ``case``, ``kernel``.
    """

    def __init__(self, run: Run, item: Callable[..., pytest.Item]) -> None:
        self._run = run
        self._item = item

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Without a path pytest would collect the folder that it was started in."""
        if suites_alone(session.config):
            session.config.args[:] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        """Adds an item for each program and kernel, before anything selects among them."""
        if self._run.problem is not None:
            return
        try:
            cases = self._run.suites()
            kernels = [kernel.name for kernel in self._run.kernels()]
        except KharnessError as error:
            self._run.problem = self._run.problem or error
            session.shouldfail = error.what
            return
        parents: dict[str, SuiteNode] = {}
        for case in cases:
            for kernel in kernels:
                items.append(self._made(session, parents, case, kernel))

    def _made(
        self, session: pytest.Session, parents: dict[str, SuiteNode], case: Case, kernel: str
    ) -> pytest.Item:
        kind = case.kind.value
        if kind not in parents:
            parents[kind] = SuiteNode.from_parent(session, name=kind, nodeid=kind)
        name = f"{case.title}[{kernel}]"
        return self._item(parents[kind], name=name, case=case, kernel=kernel)

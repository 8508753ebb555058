# SPDX-License-Identifier: GPL-2.0-only
"""Fixtures for Python tests: ``kernel``, ``guest`` and ``fork``; docs/python-cases.md shows them.

A test that uses one of them runs on every kernel of the run.
"""

from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from harness.cases.discover import classname
from harness.errors import KharnessError, UsageError
from harness.guests import GuestHandle
from harness.kernels.kernel import Kernel
from harness.plugin_options import RUN_KEY
from harness.python_names import name_of_test
from harness.run import Run
from harness.vm.pool import Fork

GUESTS_KEY = pytest.StashKey[list[GuestHandle]]()
"""Of a test: its guests, in the order in which they were started."""


@dataclass(frozen=True)
class Try:
    """One try of a test.

    Attributes:
        number: from 1.
        doubt: look at the saved template anew: the try before lost a guest of it.
    """

    number: int = 1
    doubt: bool = False


TRY_KEY = pytest.StashKey[Try]()
"""Of a test: its try that goes on."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with ``kernel``, ``guest`` or ``fork`` is a test for each kernel of the run."""
    if "kernel" not in metafunc.fixturenames or not _is_ours(metafunc):
        return
    run = metafunc.config.stash[RUN_KEY]
    try:
        kernels = run.kernels()
    except KharnessError as error:
        run.problem = run.problem or error
        raise pytest.Collector.CollectError(error.whole) from None
    metafunc.parametrize("kernel", kernels, indirect=True, ids=[k.name for k in kernels])


def _is_ours(metafunc: pytest.Metafunc) -> bool:
    """A project may have a fixture ``kernel`` of its own, or give the argument itself."""
    marks = metafunc.definition.iter_markers("parametrize")
    if any("kernel" in str(mark.args[:1]) for mark in marks):
        return False
    fixtures = metafunc._arg2fixturedefs.get("kernel", ())
    return bool(fixtures) and getattr(fixtures[-1].func, "__module__", "") == __name__


@pytest.fixture(scope="session")
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """The kernel that this test runs on: ``spec``, ``release``, ``version``, ``config`` ..."""
    given: Kernel | None = getattr(request, "param", None)
    return given or request.config.stash[RUN_KEY].kernels()[0]


class Forks:
    """Starts guests for one test; the ``fork`` fixture.

    Args:
        run: the run.
        kernel: what they run.
        name: of the test, for their consoles' files.
        guests: gets every guest.
        attempt: which try of the test they are for.
    """

    def __init__(
        self, run: Run, kernel: Kernel, name: str, guests: list[GuestHandle], attempt: Try
    ) -> None:
        self._run, self._kernel, self._guests = run, kernel, guests
        self._name = name if attempt.number == 1 else f"{name}.try{attempt.number}"
        self._doubt = attempt.doubt

    def __call__(self, *, cpus: int = 1, memory_mib: int = 0, boot: bool = False) -> GuestHandle:
        """A guest of its own; a context manager, and dropped at the test's end at the latest.

        Args:
            cpus: virtual CPUs that it has at least.
            memory_mib: memory in MiB that it has at least.
            boot: boot it instead of forking it from the kernel's template.

        Raises:
            KharnessError: it does not come up.
        """
        __tracebackhide__ = True
        if self._kernel.name not in [k.name for k in self._run.kernels()]:
            raise UsageError(f"{self._kernel.spec} is no kernel of this run", "--kernel names them")
        loop, runner = self._run.guests_of(self._kernel.name)
        number = len(self._guests) + 1
        name = self._name if number == 1 else f"{self._name}-{number}"
        doubt = self._doubt and number == 1

        def opener(boot: bool) -> Coroutine[Any, Any, Fork]:
            return runner.guests.open_guest(name, cpus, memory_mib, boot=boot, doubt=doubt)

        known = tuple(e.expectation() for e in self._run.settings.expect_splat)
        guest = GuestHandle.open(loop, self._kernel, opener, known, boot=boot)
        self._guests.append(guest)
        return guest


@pytest.fixture
def fork(request: pytest.FixtureRequest, kernel: Kernel) -> Iterator[Forks]:
    """Starts guests: ``with fork(cpus=2) as g:``; ``boot=True`` boots one cold."""
    guests: list[GuestHandle] = []
    request.node.stash[GUESTS_KEY] = guests
    name = f"{classname(request.node.path)}.{name_of_test(request.node, kernel)}"
    run = request.config.stash[RUN_KEY]
    try:
        yield Forks(run, kernel, name, guests, request.node.stash.get(TRY_KEY, Try()))
    finally:
        for guest in guests:
            guest.close()


@pytest.fixture
def guest(fork: Forks) -> GuestHandle:
    """A fresh guest of the kernel at hand, dropped at the test's end."""
    return fork()

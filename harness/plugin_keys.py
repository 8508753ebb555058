# SPDX-License-Identifier: GPL-2.0-only
"""Which of pytest's items are the run's, and what their results are found by."""

from collections.abc import Sequence

import pytest

from harness.plugin_cases import CaseItem
from harness.plugin_options import RUN_KEY
from harness.python_names import kernel_of, key_of
from harness.taken import Key


def is_python_test(item: pytest.Item) -> bool:
    """Whether it is a Python test of the run: one with a kernel; ``kharness run`` takes all in."""
    if not isinstance(item, pytest.Function):
        return False
    uses = {"kernel", "guest", "fork"} & set(item.fixturenames)
    everything = bool(item.config.getoption("--kharness-ui"))
    return everything or (bool(uses) and kernel_of(item) is not None)


def python_tests(items: Sequence[pytest.Item]) -> dict[Key, pytest.Item]:
    """The Python tests of the run among ``items``."""
    return {
        key_of(item, item.config.stash[RUN_KEY].options.start): item
        for item in items
        if is_python_test(item)
    }


def keyed(items: Sequence[pytest.Item]) -> dict[Key, pytest.Item]:
    """All of the run's among ``items``, by node id without the kernel, and kernel."""
    cases: dict[Key, pytest.Item] = {i.key: i for i in items if isinstance(i, CaseItem)}
    return {**python_tests(items), **cases}

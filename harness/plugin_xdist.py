# SPDX-License-Identifier: GPL-2.0-only
"""xdist: every worker runs its own guests, and only the controller writes the journal."""

from typing import Any

import pytest

from harness.errors import KharnessError
from harness.plugin_keys import keyed
from harness.plugin_options import FOLDER_INPUT, SEED_INPUT
from harness.run import Run
from harness.taken import Key
from harness.worker_plan import forget, tell, told

CRASHED = "???"
"""What xdist gives as ``when`` for a test whose worker died (xdist/dsession.py)."""


class Workers:
    """What controller and workers tell each other beside the results, which are in the reports.

    Attributes:
        found: key of what the workers found, by pytest's node id; in the controller.

    Args:
        config: of the session.
        run: the run.
    """

    def __init__(self, config: pytest.Config, run: Run) -> None:
        self._run = run
        self._distributes = bool(
            config.getoption("numprocesses", None) or config.getoption("tx", [])
        )
        self.found: dict[str, Key] = {}

    @property
    def are_there(self) -> bool:
        """This is a controller with workers."""
        return self._distributes and not self._run.options.worker

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tells a worker where the run folder is, and the seed."""
        node.workerinput[SEED_INPUT] = self._run.seed
        node.workerinput[FOLDER_INPUT] = str(self._run.place)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tells the controller what there is, before xdist's own hook says that it is all."""
        if self._run.options.worker:
            found = {item.nodeid: key for key, item in keyed(session.items).items()}
            if found:
                tell(self._run.place, self._run.options.worker, found)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """The plan, as a worker found it: the controller collects nothing."""
        found = told(self._run.place, node.workerinput["workerid"])
        if self.found or not found:
            return
        self.found = found
        try:
            self._run.keep_plan([found[nodeid] for nodeid in ids if nodeid in found])
        except KharnessError as error:
            self._run.problem = self._run.problem or error
            pytest.exit(f"kharness: {error}", error.exit_code)

    def pytest_unconfigure(self) -> None:
        """The workers are gone, and xdist asks none that collects when there is nothing left."""
        if self.are_there:
            forget(self._run.place)

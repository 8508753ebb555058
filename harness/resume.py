# SPDX-License-Identifier: GPL-2.0-only
"""Taking up a run again: what of its plan has no result, and whether the rest is still the same."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UsageError
from harness.report.journal import NAME, Plan, RunInfo
from harness.report.stream import JournalIndex
from harness.suites.suite import is_suite_node
from harness.verdict.outcome import Outcome

T = TypeVar("T")
SHOWN = 3


@dataclass(frozen=True)
class Earlier:
    """A run as it was left.

    Attributes:
        folder: the run folder.
        run: what run it is.
        plan: what was to run, None when its line is missing.
        outcomes: of everything that has a result, by node id and kernel.
        done: node id and kernel of what has a result, with all that belong to it.
        missing: node id and kernel of what was to run and is not done, in order.
    """

    folder: Path
    run: RunInfo
    plan: Plan | None
    outcomes: Mapping[tuple[str, str], Outcome]
    done: frozenset[tuple[str, str]]
    missing: tuple[tuple[str, str], ...]

    def still_to_run(self, found: Mapping[tuple[str, str], T]) -> list[T]:
        """Of everything that was found what is missing, in the plan's order.

        Without a plan (it was cut off) that is what has no result.

        Args:
            found: node id and kernel of everything that was found, to what stands for it.

        Raises:
            UsageError: something that is missing is not there any more.
        """
        if self.plan is None:
            return [item for k, item in found.items() if k not in self.done]
        missing = self.missing
        gone = [f"{case} [{kernel}]" for case, kernel in missing if (case, kernel) not in found]
        if gone:
            raise UsageError(
                f"{self.folder.name} cannot be finished: {_some(gone)} not there any more",
                "start a new run",
            )
        return [found[k] for k in missing]


def resume_command(folder: Path, here: Path | None) -> str:
    """The command that finishes a run, wherever its folder is.

    Args:
        folder: the run folder.
        here: the folder that the user is in; None where that is not known.
    """
    path = folder.absolute()
    short = path.relative_to(here) if here and path.is_relative_to(here) else path
    return f"kharness resume {shlex.quote(str(short))}"


def find_run(name: str, start: Path, runs: str) -> Path:
    """The folder of a run.

    Args:
        name: a run folder, a run's name, or ``latest``.
        start: folder to look from.
        runs: folder of all runs, from ``start``.

    Raises:
        UsageError: there is no such run.
    """
    for folder in (start / name, start / runs / name):
        if (folder / NAME).is_file():
            return folder.resolve()
    raise UsageError(f"no run at {name}", f"give a run folder, or the name of one in {runs}")


def read_run(folder: Path) -> Earlier:
    """Reads a run back.

    Raises:
        UsageError: not even its first line is there.
        HostError: it cannot be read.
    """
    with open_run(folder) as index:
        return earlier_of(index, folder)


def earlier_of(index: JournalIndex, folder: Path) -> Earlier:
    """The same, of an index that :func:`open_run` gave."""
    assert index.run is not None
    plan = None
    if index.planned is not None:
        plan = Plan(
            tuple(index.planned_cases()),
            index.plan_kernels,
            index.plan_programs,
            index.plan_inputs,
        )
    outcomes = {(case, kernel): outcome for case, kernel, outcome in index.outcomes()}
    done, missing = frozenset(index.done()), tuple(index.unfinished())
    return Earlier(folder, index.run, plan, outcomes, done, missing)


def open_run(folder: Path) -> JournalIndex:
    """The index of a run's journal, to be closed.

    Raises:
        UsageError: not even its first line is there.
        HostError: it cannot be read.
    """
    index = JournalIndex.open(folder / NAME)
    if index.run is None:
        index.close()
        raise UsageError(
            f"{folder} says nothing of its run: its journal has no first line", "start a new run"
        )
    return index


def options_again(earlier: Earlier) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What to give to ``kharness run`` to finish a run: paths, and options by their names.

    Raises:
        UsageError: the folder that it was started in is gone.
    """
    run = earlier.run
    if not run.start or not Path(run.start).is_dir():
        raise UsageError(f"{earlier.folder.name} was started in {run.start or '?'}: no such folder")
    options = dict(run.options)
    nodes = tuple(options.pop("nodes", ()))
    if earlier.plan is not None:
        # The plan says which cases; everything else would only look for more.
        files = dict.fromkeys(
            case if is_suite_node(case) else case.partition("::")[0] for case, _ in earlier.missing
        )
        nodes, options["keyword"], options["last_failed"] = tuple(files), None, None
    options["run_dir"] = os.fspath(earlier.folder)
    return nodes, options


def what_changed(plan: Plan, now: Plan) -> str:
    """What is not the same as when the run was planned; empty when all is.

    Journals of before have no ``inputs``, and nothing is known of theirs.

    Args:
        plan: as it was.
        now: the same of what there is now; its cases are not looked at.
    """
    changed = [f"kernel {n}" for n in plan.kernels if now.kernels.get(n, "") != plan.kernels[n]]
    changed += [
        f"cases of {n.rpartition('/')[2]}"
        for n, sha256 in now.programs.items()
        if n in plan.programs and sha256 != plan.programs[n]
    ]
    changed += [n for n in plan.inputs if now.inputs.get(n) != plan.inputs[n]]
    return _some(changed) if changed else ""


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more + (" is" if len(names) == 1 else " are")

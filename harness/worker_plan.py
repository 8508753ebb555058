# SPDX-License-Identifier: GPL-2.0-only
"""What an xdist worker found, told to the controller, which collects nothing itself.

A node id does not tell which kernel a test runs on, or whether any: ``test_x[debian-6.12]`` may be
a test without a guest, with a parameter of its own. xdist hands over node ids and nothing beside
them, so each worker leaves a file in the run folder before it says that it has collected.
"""

import contextlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from harness.cache import owned, private_folder
from harness.taken import Key


def tell(folder: Path, worker: str, found: Mapping[str, Key]) -> None:
    """Tells what a worker found.

    Where it cannot be written there is no plan: a run that goes on finds out again what there is.

    Args:
        folder: the run folder.
        worker: its name.
        found: key of each item, by pytest's node id.
    """
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile(
            "w",
            prefix=owned(_prefix(worker)),
            dir=private_folder(folder),
            delete=False,
            encoding="utf-8",
        ) as stream,
    ):
        json.dump(found, stream)


def told(folder: Path, worker: str) -> dict[str, Key]:
    """What a worker told, once: the file goes."""
    found: dict[str, Key] = {}
    with contextlib.suppress(OSError, ValueError):
        for file in folder.glob(f"{_prefix(worker)}*"):
            data = json.loads(file.read_text("utf-8"))
            found |= {node: (case, kernel) for node, (case, kernel) in data.items()}
            file.unlink()
    return found


def forget(folder: Path) -> None:
    """Removes what nobody asked for: of workers that replaced dead ones when all had been run."""
    for file in folder.glob(f"{_PREFIX}*"):
        file.unlink(missing_ok=True)


def _prefix(worker: str) -> str:
    return f"{_PREFIX}{worker}-"


_PREFIX = ".found-by-"

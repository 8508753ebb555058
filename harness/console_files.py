# SPDX-License-Identifier: GPL-2.0-only
"""Where the consoles of one kernel's guests are stored in a run folder."""

import re
from pathlib import Path

from harness.verdict.outcome import Result

NAME_LIMIT = 200
"""Characters of a file's name: 255 bytes are what file systems take."""


class ConsoleFiles:
    """Names and removes console files.

    Args:
        folder: of all kernels' consoles, in the run folder; None to store none.
        kernel: the kernel's name.
    """

    def __init__(self, folder: Path | None, kernel: str) -> None:
        self._folder = folder
        self._kernel = kernel

    def path(self, name: str) -> Path | None:
        """The file for what is called so, None where nothing is stored."""
        if self._folder is None:
            return None
        plain = re.sub(r"[^\w.+@=,-]", "_", name)[:NAME_LIMIT]
        return self._folder / self._kernel / f"{plain}.log"

    def relative(self, path: Path) -> str:
        """A file as results name it: from the run folder."""
        assert self._folder is not None
        return str(path.relative_to(self._folder.parent))

    def forget(self, result: Result) -> None:
        """Removes the files of a result that needs none."""
        if result.console_file and self._folder is not None:
            path = self._folder.parent / result.console_file
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.times").unlink(missing_ok=True)

# SPDX-License-Identifier: GPL-2.0-only
"""What is closed at the end of a ``with`` block."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """A context manager that hands itself over, and whose end is :meth:`close`."""

    @abstractmethod
    def close(self) -> None:
        """Gives back what it holds; once more does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

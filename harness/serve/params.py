# SPDX-License-Identifier: GPL-2.0-only
"""What stands behind the question mark of an address, each with its bounds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from harness.errors import UsageError
from harness.serve.reading import line

TEXT_LIMIT = 300
PARAMETERS = 20
LIMIT = 50
MOST = 500
"""Rows of a page, or of an answer."""


class Params:
    """Parameters of a request; what is not asked for is not looked at.

    Args:
        query: as it came, without the question mark.

    Raises:
        UsageError: too many.
    """

    def __init__(self, query: str) -> None:
        try:
            pairs = parse_qsl(query, max_num_fields=PARAMETERS, errors="replace")
        except ValueError as error:
            raise UsageError(f"more than {PARAMETERS} parameters") from error
        self._texts = dict(pairs)

    def text(self, name: str) -> str:
        """A parameter as one clean line; empty when it is not there.

        Raises:
            UsageError: it is too long.
        """
        text = self._texts.get(name, "")
        if len(text) > TEXT_LIMIT:
            raise UsageError(f"{name}= is longer than {TEXT_LIMIT} characters")
        return line(text, TEXT_LIMIT)

    def number(self, name: str) -> int | None:
        """A number from 0; None when it is not there.

        Raises:
            UsageError: it is no number.
        """
        text = self.text(name)
        return whole_number(text, f"{name}=") if text else None

    @property
    def limit(self) -> int:
        """How many rows are wanted."""
        wanted = self.number("limit")
        if wanted is None:
            return LIMIT
        if not 1 <= wanted <= MOST:
            raise UsageError(f"limit= is not from 1 to {MOST}")
        return wanted


def whole_number(text: str, what: str) -> int:
    """A number as an address has it.

    Raises:
        UsageError: it is none that a database could have.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise UsageError(f"{what} is no number")
    return int(text)


def address(path: str, parameters: Mapping[str, object]) -> str:
    """A path with parameters; what is empty or None is left out."""
    given = {key: value for key, value in parameters.items() if value not in ("", None)}
    return f"{path}?{urlencode(given)}" if given else path


def when(at: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC, to the second."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""

# SPDX-License-Identifier: GPL-2.0-only
"""Random choices of a run: all of them come from one seed, so that they can be made again."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.cache import digest
from harness.errors import UsageError

T = TypeVar("T")
SEED_BITS = 32


def new_seed() -> int:
    """A seed that nobody asked for: 32 bits, so that a person can type it."""
    return secrets.randbits(SEED_BITS)


def parse_seed(text: str, option: str) -> int:
    """The seed that a user gave.

    Args:
        text: decimal digits.
        option: what it was given with, for the error.

    Raises:
        UsageError: it is no number.
    """
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{option} {text}: a seed is a number from 0", f"{option}=12345")
    return int(text)


def shuffled(items: Sequence[T], name: Callable[[T], str], seed: int) -> list[T]:
    """The items in an order that the seed and their names alone decide.

    A part of the items has the order that it has among all of them, so that a selection (``-k``)
    can be run in the order of the run that it came from.

    Args:
        items: what to shuffle.
        name: the name of an item; no two have the same.
        seed: see :func:`new_seed`.
    """
    return sorted(items, key=lambda item: digest("shuffle", str(seed), name(item)))


def random_bytes(seed: int, *names: object) -> bytes:
    """64 bytes for the random number generator of one guest.

    The guest's kernel mixes in its own clock, so what it draws is not the same again.

    Args:
        seed: of the run.
        names: what tells this guest from all others of the run: case, kernel, number of the try.
    """
    return hashlib.sha512(digest("guest", str(seed), *map(str, names)).encode()).digest()

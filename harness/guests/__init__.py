# SPDX-License-Identifier: GPL-2.0-only
"""Guests for Python tests: what a test holds, and what it may catch."""

from harness.guests.handle import GuestHandle
from harness.guests.outcome import CommandFailed, GuestDied, GuestRefusal, Ran, TimedOut
from harness.guests.transcript import Mark

__all__ = [
    "CommandFailed",
    "GuestDied",
    "GuestHandle",
    "GuestRefusal",
    "Mark",
    "Ran",
    "TimedOut",
]

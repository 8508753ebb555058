# SPDX-License-Identifier: GPL-2.0-only
"""The table of what kernels print when they are unwell; one file for each family.

A new kind is a row and a log in tests/verdict/logs. Of several rows that match a line the first
counts, and specific rows stand before general ones.
"""

from harness.verdict.splats.faults import FAULTS
from harness.verdict.splats.locking import LOCKING
from harness.verdict.splats.memory import MEMORY
from harness.verdict.splats.others import OTHERS
from harness.verdict.splats.row import Part, Row
from harness.verdict.splats.stalls import STALLS

TABLE: tuple[Row, ...] = (*MEMORY, *LOCKING, *STALLS, *FAULTS, *OTHERS)

__all__ = ["TABLE", "Part", "Row"]

# SPDX-License-Identifier: GPL-2.0-only
"""Which files hold Python cases; completion asks as well, so nothing is imported for it."""

from pathlib import PurePath

PATTERNS = ("test_*.py", "*_test.py")
"""pytest's own (python_files)."""


def is_python_test(path: PurePath) -> bool:
    """Whether pytest collects a file."""
    return any(path.match(pattern) for pattern in PATTERNS)

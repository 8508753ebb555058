# SPDX-License-Identifier: GPL-2.0-only
"""Reads a kernel's ``.config``."""

import re

from harness.kernels.kernel import Kconfig

HEADER = re.compile(r"^# Linux/\S+ (\d+\.\d+\S*) Kernel Configuration", re.MULTILINE)


def parse_kconfig(text: str) -> Kconfig:
    """The options of a ``.config``; lines that are none are left out.

    Source of the format: Documentation/kbuild/kconfig.rst.
    """
    values = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.startswith("CONFIG_"):
            values[name] = value.strip().strip('"')
    return Kconfig(values, known=bool(values))


def config_version(text: str) -> str:
    """The kernel version that a ``.config`` says it is for, or an empty string."""
    found = HEADER.search(text)
    return found[1] if found else ""

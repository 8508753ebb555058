# SPDX-License-Identifier: GPL-2.0-only
"""kharness: boots guest kernels in QEMU, runs test cases in them, collects results."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("kharness")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+unknown"

# SPDX-License-Identifier: GPL-2.0-only
"""kharness: boots guest kernels in QEMU, runs test cases in them, collects results."""


def __getattr__(name: str) -> str:
    """``__version__``, looked up when it is asked for: that takes 25 ms."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("kharness")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"

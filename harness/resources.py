# SPDX-License-Identifier: GPL-2.0-only
"""The files that come with kharness beside its Python: the agent's C source, kcase.h, the cases."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(relative: str) -> Path:
    """Path of a shipped file or folder, e.g. ``images/agent/agent.c`` or ``cases/include``.

    In a source tree these lie beside the package, in an installed wheel under ``harness/data``.

    Raises:
        FileNotFoundError: the installation is broken.
    """
    for root in (_PACKAGE / "data", _PACKAGE.parent):
        path = root / relative
        if path.exists():
            return path
    raise FileNotFoundError(f"kharness was installed without {relative}")

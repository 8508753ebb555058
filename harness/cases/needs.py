# SPDX-License-Identifier: GPL-2.0-only
"""Whether a kernel has what a case needs, as far as the host can tell without asking it."""

from harness.cases.case import Needs
from harness.kernels.kernel import Kernel


def unmet(needs: Needs, kernel: Kernel) -> str | None:
    """Why a case cannot run on a kernel, or None when it can as far as is known.

    A configuration that is not known decides nothing: the case finds out in the guest. Probes are
    the guest's to run, and a case that needs a larger guest is given one.

    Args:
        needs: what the case states.
        kernel: the kernel.
    """
    if needs.kernel and kernel.version[:2] < needs.kernel:
        major, minor = needs.kernel
        return f"needs kernel {major}.{minor} or later, this is {kernel.release}"
    if kernel.config.known:
        for option in needs.config:
            value = kernel.config.get(option)
            if value != "y":
                state = "is a module" if value == "m" else "is off"
                return f"needs CONFIG_{option.removeprefix('CONFIG_')}=y, which {state} here"
    return None

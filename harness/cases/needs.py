# SPDX-License-Identifier: GPL-2.0-only
"""Whether a kernel has what a case needs, as far as the host can tell without asking it."""

from dataclasses import replace

from harness.cases.case import Abi, Case, CaseKind, Needs
from harness.kernels.kernel import Arch, Kernel

COMPAT32_NEEDS = ("IA32_EMULATION", "COMPAT_32BIT_TIME")
"""To run 32-bit programs, and the calls with 32-bit times that their C library makes."""


def cannot_run(case: Case, kernel: Kernel) -> str | None:
    """Why a case cannot run on a kernel, or None when it can as far as is known.

    Args:
        case: the case.
        kernel: the kernel.
    """
    if case.kind is not CaseKind.KCASE:
        return None
    if case.program is None:
        return f"needs a compiler for {case.abi.value} programs (gcc-multilib)"
    if case.abi is Abi.NATIVE:
        return unmet(case.needs, kernel)
    if kernel.arch is not Arch.X86_64:
        return f"needs an x86-64 kernel for {case.abi.value} programs"
    return unmet(replace(case.needs, config=(*case.needs.config, *COMPAT32_NEEDS)), kernel)


def unmet(needs: Needs, kernel: Kernel) -> str | None:
    """What of its needs a kernel does not meet, or None when all are as far as is known.

    A configuration that is not known decides nothing: the case runs, and says so when it fails.
    Probes are the guest's to run, and a case that needs a larger guest is given one.

    Args:
        needs: what the case states.
        kernel: the kernel.
    """
    if needs.kernel and kernel.version[:2] < needs.kernel:
        major, minor = needs.kernel
        return f"needs kernel {major}.{minor} or later, this is {kernel.release}"
    if kernel.config.known:
        for option in needs.options:
            value = kernel.config.get(option)
            if value != "y":
                state = "is a module" if value == "m" else "is off"
                return f"needs {option}=y, which {state} here"
    return None


def config_unknown(kernel: Kernel) -> str:
    """What to do about a configuration that is not known, in a line."""
    beside = f"put it beside the image as config-{kernel.release}"
    return f"the configuration of {kernel.name} is not known; {beside}, or build with IKCONFIG"

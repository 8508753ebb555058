# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's taint: what it remembers of trouble, also of trouble that no console showed.

Source: Documentation/admin-guide/tainted-kernels.rst. Bits for what a case may do by itself, such
as loading a module, are no trouble.
"""

TROUBLE = {
    4: ("M", "a machine check"),
    5: ("B", "a bad page"),
    7: ("D", "an oops or BUG"),
    9: ("W", "a warning"),
    14: ("L", "a soft lockup"),
}
WARNED = 1 << 9


def troubling(bits: int) -> int:
    """The taint bits that tell of trouble."""
    return sum(1 << bit for bit in TROUBLE if bits & 1 << bit)


def taint_words(bits: int) -> str:
    """The troubling bits in words: ``W (a warning)``."""
    return ", ".join(
        f"{letter} ({what})" for bit, (letter, what) in TROUBLE.items() if bits & 1 << bit
    )

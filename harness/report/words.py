# SPDX-License-Identifier: GPL-2.0-only
"""Words that reports share."""

from harness.verdict.text import one_line

EXPECTED = "expected to fail"


def expected_to_fail(message: str) -> str:
    """What a report says of an xfail where its format has only room for a skip.

    Args:
        message: of the result: ``expected: known (link)`` of ``[[expect]]``, a reason as the case
            has it, or nothing.

    Returns:
        ``expected to fail: known (link)``, one line.
    """
    words = one_line(message)
    for prefix in (f"{EXPECTED}: ", "expected: "):
        words = words.removeprefix(prefix)
    return EXPECTED if words in ("", EXPECTED) else f"{EXPECTED}: {words}"

# SPDX-License-Identifier: GPL-2.0-only
"""What plain pytest shows of a case."""

from typing import cast

import pytest

from harness.plugin_cases import CaseFailedError, CaseItem
from harness.verdict.outcome import Outcome, Result


def test_what_a_guest_said_is_shown_for_a_terminal() -> None:
    failed = Result(
        "a.c::t",
        "a",
        "t",
        "k",
        Outcome.ERROR,
        "panics: \x1b[31mboo\x1b[2J",
        detail="its last lines\x07",
        console="line\x1b]0;title\x07\r\nlast\0",
        file="a.c",
        line=1,
        reproduce="kharness run a.c::t",
    )
    with pytest.raises(CaseFailedError) as error:
        raise CaseFailedError(failed)
    assert CaseItem.repr_failure(cast(CaseItem, None), error) == (
        "a.c:1: error: panics: boo\nits last lines#x07\nconsole:\nline\nlast#x00\n"
        "reproduce: kharness run a.c::t"
    )

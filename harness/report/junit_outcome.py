# SPDX-License-Identifier: GPL-2.0-only
"""What a testcase says became of it, in the JUnit of kharness and of any other tool."""

import xml.etree.ElementTree as ET

from harness.report.words import EXPECTED
from harness.verdict.outcome import Outcome

MARKS = {
    "error": Outcome.ERROR,
    "failure": Outcome.FAIL,
    "skipped": Outcome.SKIP,
    "flakyFailure": Outcome.FLAKY,
}
"""Elements of a testcase, in the order in which they count, and what each says."""
NOT_RUN = {"status": ("notrun", "disabled"), "result": ("suppressed", "skipped")}
"""Attributes of a testcase that did not run and may have no ``skipped``: GoogleTest's disabled ones
(googletest/src/gtest.cc, OutputXmlTestInfo), and CTest's."""
MESSAGE_LIMIT = 300


def outcome_of(case: ET.Element, *, ours: bool) -> tuple[Outcome, str, str]:
    """Outcome, message and detail of a testcase.

    Args:
        case: the testcase.
        ours: kharness wrote it, which tells more outcomes apart than JUnit does.
    """
    for tag, plain in MARKS.items():
        found = case.find(tag)
        if found is None:
            continue
        outcome = plain
        message, detail = found.get("message") or "", found.text or ""
        if tag == "failure" and ours and found.get("type", "") in set(Outcome):
            outcome = Outcome(found.get("type", ""))
        if tag == "skipped" and ours and message.startswith(EXPECTED):
            outcome = Outcome.XFAIL
        return outcome, message or detail.lstrip()[:MESSAGE_LIMIT].partition("\n")[0], detail
    if not ours and (said := _not_run(case)):
        return Outcome.SKIP, said, ""
    return Outcome.PASS, "", ""


def seconds_of(text: str) -> float | None:
    """A time as JUnit writes it, ``1,234.5`` too; None when it is none."""
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _not_run(case: ET.Element) -> str:
    """What a testcase without a mark says of itself when it did not run; empty when it did."""
    said = ((case.get(attribute) or "", words) for attribute, words in NOT_RUN.items())
    return next((text for text, words in said if text.lower() in words), "")

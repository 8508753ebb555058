# SPDX-License-Identifier: GPL-2.0-only
"""A case's verdict in the light of the splats that were expected."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.verdict.console import worst
from harness.verdict.expected import Expectation
from harness.verdict.outcome import Outcome, Verdict
from harness.verdict.splat import Severity, Splat

Weigh = Callable[[Verdict, Sequence[Splat]], Verdict]
"""What a test comes to, that says something and while which the kernel reported something."""


def crashes(verdict: Verdict, splats: Sequence[Splat]) -> Verdict:
    """A crash, whatever the test says, where a report counts."""
    root = worst(splats)
    if root is None:
        return verdict
    said = verdict.message or f"it reported a {verdict.outcome.value}"
    detail = f"beside it: {said}\n{verdict.detail}".strip()
    return replace(verdict, outcome=Outcome.CRASH, message=root.title, detail=detail)


def with_expected(
    verdict: Verdict, splats: Sequence[Splat], missing: Sequence[Expectation]
) -> Verdict:
    """The verdict with what was expected told in it.

    An expected splat changes nothing. One that the case states and that did not come makes a
    pass a failure.

    Args:
        verdict: what the case comes to, but for them.
        splats: of its console, in order, marked where they were expected.
        missing: expectations that did not come.
    """
    notes = "\n".join(f"expected splat: {s.title}: {s.expected}" for s in splats if s.expected)
    detail = "\n".join(part for part in (notes, verdict.detail) if part)
    required = next((e for e in missing if e.required), None)
    if required is not None and verdict.outcome is Outcome.PASS:
        message = f"the splat that it expects did not come: {required.pattern}"
        return replace(verdict, outcome=Outcome.FAIL, message=message, detail=detail)
    return replace(verdict, detail=detail)


def ended_as_said(splats: Sequence[Splat]) -> bool:
    """Did a splat that was expected end the guest, or the task? Then no result can come."""
    return any(splat.expected and splat.severity is Severity.FATAL for splat in splats)


def expected_words(splats: Sequence[Splat]) -> str:
    """The expected splats in one line; empty where there are none."""
    return "; ".join(f"{s.title} ({s.expected})" for s in splats if s.expected)

# SPDX-License-Identifier: GPL-2.0-only
"""Splats that were expected: shown as such, never hidden; one that does not come is reported."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from harness.verdict.splat import Splat
from harness.versions import KernelRange, parse_release


@dataclass(frozen=True)
class Expectation:
    """A splat that may or must come.

    Attributes:
        pattern: regular expression; found anywhere in the title.
        reason: why it is expected.
        kernels: kernel versions that it holds for.
        link: where more stands about it; may be empty.
        required: the case fails without it: ``EXPECT_SPLAT`` of a case.
    """

    pattern: str
    reason: str
    kernels: KernelRange = field(default_factory=KernelRange)
    link: str = ""
    required: bool = False

    @property
    def words(self) -> str:
        """Reason and link in one line."""
        return f"{self.reason} ({self.link})" if self.link else self.reason


def of_case(patterns: Iterable[str]) -> tuple[Expectation, ...]:
    """What a case states with EXPECT_SPLAT."""
    return tuple(
        Expectation(pattern, f"the case says EXPECT_SPLAT({pattern})", required=True)
        for pattern in patterns
    )


def apply_expectations(
    splats: Sequence[Splat], expectations: Sequence[Expectation], release: str
) -> tuple[tuple[Splat, ...], tuple[Expectation, ...]]:
    """Marks the splats that were expected.

    A panic right after an expected splat is what that splat comes to where the kernel was told to
    panic (``panic_on_warn``, ``hardlockup_panic``): it is expected with it.

    Args:
        splats: of one console, in order.
        expectations: those for other kernels are left out.
        release: the kernel's, ``6.12.117``.

    Returns:
        The splats, and the expectations for this kernel that did not come.
    """
    here = [e for e in expectations if _holds(e, release)]
    came: set[int] = set()
    marked: list[Splat] = []
    for splat in splats:
        matching = [n for n, e in enumerate(here) if re.search(e.pattern, splat.title)]
        came.update(matching)
        why = here[matching[0]].words if matching else ""
        if not why and marked and splat.kind == "panic" and CONSEQUENCE.search(splat.title):
            why = marked[-1].expected
        marked.append(replace(splat, expected=why))
    return tuple(marked), tuple(e for n, e in enumerate(here) if n not in came)


CONSEQUENCE = re.compile(
    r"panic_on_(?:warn|taint) set|system warned too often|Oopsed too often"
    r"|kasan\.fault=panic(?:_on_write)? set|kmsan\.panic set"
    r"|Fatal exception|panic_on_oops|RCU Stall|Hard LOCKUP|hung tasks|blocked tasks"
)
"""Panics for the sake of what was reported before: kernel/panic.c, exit.c, watchdog.c, hung_task.c,
kernel/rcu/tree_stall.h, mm/kasan/report.c, mm/kmsan/report.c, arch/*/kernel/traps.c.
"""


def _holds(expectation: Expectation, release: str) -> bool:
    if not expectation.kernels.conditions:
        return True
    try:
        return parse_release(release) in expectation.kernels
    except ValueError:
        return False


def unmet(
    expectations: Sequence[Expectation], seen: Iterable[tuple[str, Sequence[Splat]]]
) -> list[Expectation]:
    """Expectations that nothing in a run matched, of those that hold for a kernel in it.

    Args:
        expectations: those of harness.toml.
        seen: of each result its kernel's release and its splats; results without splats may be
            left out, as long as each release is there.
    """
    left, releases = list(expectations), set()
    for release, splats in seen:
        releases.add(release)
        if splats:
            left = [e for e in left if not (_holds(e, release) and _matches(e, splats))]
    return [e for e in left if any(_holds(e, release) for release in releases)]


def _matches(expectation: Expectation, splats: Sequence[Splat]) -> bool:
    return any(re.search(expectation.pattern, splat.title) for splat in splats)

# SPDX-License-Identifier: GPL-2.0-only
"""Finds splats in a console: what a kernel prints when it is unwell.

A table, from most to least specific; a new kind is a row and a log in the tests.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a splat is; INFO does not change a case's outcome."""

    FATAL = "fatal"
    BUG = "bug"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Splat:
    """One report of the kernel.

    Attributes:
        kind: short name of its kind, e.g. ``oops``.
        title: stable: without addresses, offsets, pids and CPU numbers.
        severity: see :class:`Severity`.
        first: first line in the console, from 1.
    """

    kind: str
    title: str
    severity: Severity
    first: int


PREFIX = re.compile(r"^(?:<\d+>)?(?:\[\s*\d+\.\d+\]\s?)?(?:\[\s*[TC]\d+\]\s?)?")
OFFSET = re.compile(r"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?")
ADDRESS = re.compile(r"\b(?:0x)?[0-9a-f]{12,16}\b")
NUMBER = re.compile(r"\b(CPU|PID|pid|cpu)([#: ]*)\d+")

# kind, severity, pattern. Sources: lib/dump_stack.c, kernel/panic.c, arch/*/mm/fault.c,
# mm/kasan/report.c, mm/kfence/report.c, lib/ubsan.c, kernel/locking/lockdep.c,
# kernel/rcu/tree_stall.h, kernel/watchdog.c, kernel/hung_task.c, kernel/sched/core.c.
TABLE: tuple[tuple[str, Severity, re.Pattern[str]], ...] = tuple(
    (kind, severity, re.compile(pattern))
    for kind, severity, pattern in (
        ("kasan", Severity.BUG, r"^BUG: KASAN: .*"),
        ("kfence", Severity.BUG, r"^BUG: KFENCE: .*"),
        ("kmsan", Severity.BUG, r"^BUG: KMSAN: .*"),
        ("kcsan", Severity.BUG, r"^BUG: KCSAN: .*"),
        ("oops", Severity.FATAL, r"^BUG: unable to handle .*"),
        ("oops", Severity.FATAL, r"^BUG: kernel NULL pointer dereference.*"),
        ("oops", Severity.FATAL, r"^Unable to handle kernel .*"),
        ("bug", Severity.FATAL, r"^kernel BUG at .*"),
        ("gpf", Severity.FATAL, r"^(?:Oops: )?general protection fault.*"),
        ("oops", Severity.FATAL, r"^Oops: .*"),
        ("oops", Severity.FATAL, r"^Internal error: .*"),
        ("stack", Severity.FATAL, r"^BUG: (?:TASK stack guard page|stack guard page) .*"),
        ("double-fault", Severity.FATAL, r"^(?:traps: )?PANIC: double fault.*"),
        ("lockup", Severity.FATAL, r"^watchdog: BUG: soft lockup .*"),
        ("lockup", Severity.FATAL, r"^(?:watchdog: )?Watchdog detected hard LOCKUP .*"),
        ("hung-task", Severity.BUG, r"^INFO: task .* blocked for more than .*"),
        ("rcu-stall", Severity.BUG, r"^rcu: INFO: .* (?:detected|self-detected) .*stall.*"),
        ("workqueue", Severity.BUG, r"^BUG: workqueue lockup .*"),
        ("atomic", Severity.BUG, r"^BUG: scheduling while atomic.*"),
        ("sleep", Severity.BUG, r"^BUG: sleeping function called from invalid context.*"),
        ("slab", Severity.BUG, r"^BUG [\w-]+ .*: .*"),
        ("page", Severity.BUG, r"^BUG: Bad (?:page|rss-counter) .*"),
        ("lockdep", Severity.BUG, r"^WARNING: possible (?:circular|recursive|irq lock) .*"),
        ("lockdep", Severity.BUG, r"^WARNING: (?:inconsistent lock state|bad unlock balance).*"),
        ("lockdep", Severity.BUG, r"^WARNING: .* still has locks held!.*"),
        ("rcu", Severity.BUG, r"^WARNING: suspicious RCU usage.*"),
        ("refcount", Severity.BUG, r"^refcount_t: .*"),
        ("list", Severity.BUG, r"^list_(?:add|del) corruption.*"),
        ("ubsan", Severity.BUG, r"^UBSAN: .*"),
        ("kmemleak", Severity.BUG, r"^kmemleak: \d+ new suspected memory leaks.*"),
        ("bug", Severity.BUG, r"^BUG: .*"),
        ("warning", Severity.WARNING, r"^WARNING: (?:CPU: \d+ PID: \d+ at )?.*"),
        ("panic", Severity.FATAL, r"^Kernel panic - not syncing: .*"),
        ("oom", Severity.INFO, r"^(?:Out of memory|Memory cgroup out of memory): Killed .*"),
    )
)


def find_splats(text: str) -> tuple[Splat, ...]:
    """Every splat in a console, in order; a healthy kernel's log gives none."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        bare = PREFIX.sub("", line)
        for kind, severity, pattern in TABLE:
            if pattern.match(bare):
                found.append(Splat(kind, _title(bare), severity, number))
                break
    return tuple(found)


def _title(line: str) -> str:
    title = re.sub(r"^WARNING: CPU: \d+ PID: \d+ at ", "WARNING at ", line)
    title = ADDRESS.sub("ADDR", OFFSET.sub("", title))
    return NUMBER.sub(r"\1\2N", title).strip()

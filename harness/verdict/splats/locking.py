# SPDX-License-Identifier: GPL-2.0-only
"""Locks, contexts and RCU used wrongly.

Sources: kernel/locking/lockdep.c, spinlock_debug.c, rtmutex_api.c, kernel/sched/core.c,
lib/smp_processor_id.c, include/linux/rcupdate.h, kernel/workqueue.c. Before 4.12 lockdep's lines
were ``[ INFO: ... ]`` and ``[ BUG: ... ]``.
"""

from harness.verdict.splat import Severity
from harness.verdict.splats.row import SYMBOL, Row, row

BUG, WARNING = Severity.BUG, Severity.WARNING
W = r"(?:=*\[ )?(?:WARNING|INFO|BUG): "

LOCKING: tuple[Row, ...] = (
    row(
        "lockdep",
        BUG,
        "possible circular locking dependency detected",
        pattern=rf"{W}possible circular locking dependency detected",
        title="possible circular locking dependency",
    ),
    row(
        "lockdep",
        BUG,
        "possible recursive locking detected",
        pattern=rf"{W}possible recursive locking detected",
        title="possible recursive locking",
    ),
    row(
        "lockdep",
        BUG,
        "possible irq lock inversion dependency detected",
        pattern=rf"{W}possible irq lock inversion dependency detected",
        title="possible irq lock inversion dependency",
    ),
    row(
        "lockdep",
        BUG,
        "inconsistent lock state",
        pattern=rf"{W}inconsistent lock state",
        title="inconsistent lock state",
    ),
    row(
        "lockdep",
        BUG,
        "-unsafe lock order detected",
        pattern=rf"{W}(?P<what>[\w-]+)-safe -> (?P<to>[\w-]+)-unsafe lock order detected",
        title="{what}-safe to {to}-unsafe lock order",
    ),
    row(
        "lockdep",
        BUG,
        "bad unlock balance detected",
        pattern=rf"{W}bad unlock balance detected",
        title="bad unlock balance",
    ),
    row(
        "lockdep",
        BUG,
        "bad contention detected",
        pattern=rf"{W}bad contention detected",
        title="bad lock contention",
    ),
    row("lockdep", BUG, "held lock freed", pattern=rf"{W}held lock freed", title="held lock freed"),
    row(
        "lockdep",
        BUG,
        "still has locks held",
        pattern=rf"{W}.{{1,40}} still has locks held",
        title="task still has locks held",
    ),
    row(
        "lockdep",
        BUG,
        "lock held when returning to user space",
        pattern=rf"{W}lock held when returning to user space",
        title="lock held when returning to user space",
    ),
    row(
        "lockdep",
        BUG,
        "lock held at task exit time",
        pattern=rf"{W}lock held at task exit time",
        title="lock held at task exit",
    ),
    row(
        "lockdep",
        BUG,
        "ested lock was not taken",
        pattern=rf"{W}[Nn]ested lock was not taken",
        title="nested lock was not taken",
    ),
    row(
        "lockdep",
        BUG,
        "Invalid wait context",
        pattern=rf"{W}Invalid wait context",
        title="invalid wait context",
    ),
    row(
        "lockdep",
        BUG,
        "hain_key collision",
        pattern=rf"{W}[Cc]hain_key collision",
        title="chain_key collision",
    ),
    row(
        "lockdep",
        BUG,
        "soft-interrupts disabled",
        sure=False,
        pattern=rf"{W}lock held .*soft-interrupts disabled",
        title="lock held in wrong context",
    ),
    row(
        "lockdep",
        BUG,
        "deadlock detected",
        sure=False,
        pattern=rf"{W}(?:circular locking )?deadlock detected",
        title="deadlock detected",
    ),
    row(
        "lockdep",
        BUG,
        "trying to register non-static key",
        pattern=r"INFO: trying to register non-static key",
        title="non-static lock key",
    ),
    row(
        "lockdep",
        BUG,
        "has not been registered",
        pattern=r"BUG: key \S+ (?:has not been registered|not in \.data)",
        title="BUG: lock key has not been registered",
    ),
    row(
        "lockdep",
        BUG,
        "too low!",
        pattern=r"BUG: (?P<what>MAX_\w+) too low!",
        title="BUG: {what} too low!",
    ),
    row(
        "lockdep",
        BUG,
        "DEBUG_LOCKS_WARN_ON(",
        rank=0,
        pattern=r"DEBUG_LOCKS_WARN_ON\((?P<what>[^\n]+)\)\s*$",
        title="DEBUG_LOCKS_WARN_ON({what})",
    ),
    row(
        "lockdep",
        BUG,
        "Looking for class",
        rank=3,
        sure=False,
        pattern=r"Looking for class \"[^\"]*\" with key",
        title="lock class without a key",
    ),
    row(
        "rcu",
        BUG,
        "suspicious RCU usage",
        pattern=rf"{W}suspicious RCU usage",
        title="suspicious RCU usage",
    ),
    row("rcu", BUG, "illegal RCU", sure=False, pattern=rf"{W}illegal RCU", title="illegal RCU use"),
    row(
        "spinlock",
        BUG,
        "BUG: spinlock ",
        pattern=r"BUG: spinlock (?P<what>[\w ]+?) on CPU#",
        title="BUG: spinlock {what}",
    ),
    row(
        "spinlock",
        BUG,
        "BUG: ",
        sure=False,
        pattern=r"BUG: (?P<lock>rwlock|rwlock-lockup|write-lock|read-lock|raw_spinlock|qrwlock) "
        r"(?P<what>[\w ]+?) on CPU#",
        title="BUG: {lock} {what}",
    ),
    row("atomic", BUG, "BUG: scheduling while atomic", title="BUG: scheduling while atomic"),
    row("atomic", BUG, "BUG: scheduling in a non-blocking section"),
    row("atomic", BUG, "bad: scheduling from the idle thread!"),
    row(
        "sleep",
        BUG,
        "BUG: sleeping function called from invalid context",
        blame=True,
        pattern=r"BUG: sleeping function called from invalid context(?: at (?P<file>[^\s:]+):\d+)?",
        title="BUG: sleeping function called from invalid context ({file})",
    ),
    row(
        "sleep",
        BUG,
        "do not call blocking ops when !TASK_RUNNING",
        rank=0,
        title="do not call blocking ops when !TASK_RUNNING",
    ),
    row(
        "atomic",
        BUG,
        "BUG: assuming ",
        pattern=r"BUG: assuming (?P<what>[\w ]+ context) at (?P<file>[^\s:]+):",
        title="BUG: assuming {what} ({file})",
    ),
    row(
        "preempt",
        BUG,
        "() in preemptible",
        pattern=r"BUG: using (?P<what>\w+)\(\) in preemptible",
        title="BUG: using {what}() in preemptible",
    ),
    row(
        "atomic",
        BUG,
        "BUG: workqueue leaked ",
        pattern=r"BUG: workqueue leaked (?P<what>[\w, ]+):",
        title="BUG: workqueue leaked {what}",
    ),
    row(
        "atomic",
        BUG,
        "with preempt_count ",
        sure=False,
        traced=True,
        pattern=rf"(?:softirq: )?(?:huh, entered|initcall|timer:|note:) ?(?:softirq \d+"
        rf" )?.{{0,80}}?{SYMBOL}(?![\w.$])"
        r".{0,200} with preempt_count",
        title="wrong preempt_count",
    ),
    row(
        "irq",
        WARNING,
        "nobody cared",
        pattern=r"irq (?P<n>\d+): nobody cared",
        title="irq: nobody cared",
        blame=False,
    ),
)

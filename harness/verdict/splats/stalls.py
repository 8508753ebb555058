# SPDX-License-Identifier: GPL-2.0-only
"""What does not go on: lockups, stalls, hung tasks, references that nobody drops.

Sources: kernel/watchdog.c, kernel/rcu/tree_stall.h, tree_exp.h, tasks.h, kernel/hung_task.c,
kernel/workqueue.c, kernel/smp.c, net/core/dev.c, arch/powerpc/kernel/watchdog.c.
"""

from harness.verdict.splat import Severity
from harness.verdict.splats.row import Part, Row, row

FATAL, BUG, WARNING = Severity.FATAL, Severity.BUG, Severity.WARNING
RCU = r"(?:rcu: )?(?:INFO: )"

STALLS: tuple[Row, ...] = (
    row(
        "lockup",
        FATAL,
        "soft lockup",
        pattern=r"(?:NMI )?(?:watchdog: )?(?:BUG: |CPU\d+: )soft lockup",
        title="BUG: soft lockup",
    ),
    row(
        "lockup",
        FATAL,
        "hard LOCKUP",
        pattern=r"(?:NMI )?(?:watchdog: )?(?:CPU ?\d+:? )?(?:Watchdog |self-)?detected hard LOCKUP",
        title="hard lockup",
    ),
    row(
        "lockup",
        FATAL,
        "Hard LOCKUP",
        pattern=r"(?:NMI )?[Ww]atchdog:? (?:CPU:? ?\d+ )?(?:self-detected )?[Hh]ard LOCKUP",
        title="hard lockup",
    ),
    row(
        "lockup",
        FATAL,
        "BUG: CPU",
        sure=False,
        pattern=r"BUG: CPU\d+ (?:is )?stuck",
        title="CPU stuck",
    ),
    row(
        "lockup",
        BUG,
        "non-responsive CSD lock",
        pattern=r"(?:smp: )?csd: (?:Detected|Continued) non-responsive CSD lock",
        title="csd: non-responsive CSD lock",
    ),
    row(
        "rcu-stall",
        BUG,
        "stall",
        pattern=rf"{RCU}(?P<rcu>[a-z_]+) self-detected stall on CPU",
        title="INFO: {rcu} self-detected stall",
    ),
    row(
        "rcu-stall",
        BUG,
        "detected stalls on ",
        pattern=rf"{RCU}(?P<rcu>[a-z_]+) detected stalls on (?:CPUs/tasks|tasks)",
        title="INFO: {rcu} detected stalls",
    ),
    row(
        "rcu-stall",
        BUG,
        "detected expedited stalls",
        pattern=rf"{RCU}(?P<rcu>[a-z_]+) detected expedited stalls",
        title="INFO: {rcu} detected expedited stalls",
    ),
    row(
        "rcu-stall",
        BUG,
        "detected stall",
        sure=False,
        pattern=rf"{RCU}(?P<rcu>[a-z_]+) detected stalls?",
        title="INFO: {rcu} detected stalls",
    ),
    row(
        "rcu-stall",
        BUG,
        "kthread starved for ",
        part=Part.TAIL,
        rank=5,
        pattern=r"(?:rcu: )?(?P<rcu>rcu_?\w*) kthread starved for ",
        title="{rcu} kthread starved",
    ),
    row(
        "rcu-stall",
        BUG,
        "kthread timer wakeup didn't happen",
        part=Part.TAIL,
        rank=5,
        pattern=r"(?:rcu: )?(?P<rcu>rcu_?\w*) kthread timer wakeup",
        title="{rcu} kthread timer wakeup didn't happen",
    ),
    row(
        "hung-task",
        BUG,
        "blocked for more than ",
        pattern=r"INFO: task .{1,40} blocked (?:in I/O wait )?for more than \d+ seconds",
        title="INFO: task hung",
    ),
    row(
        "hung-task",
        BUG,
        "blocked in I/O wait for more than ",
        pattern=r"INFO: task .{1,40} blocked in I/O wait for more than",
        title="INFO: task hung in I/O wait",
    ),
    row(  # a task may have a line break in its name
        "hung-task",
        BUG,
        "blocked for more than ",
        sure=False,
        traced=True,
        pattern=r".{0,15}:\d+ blocked for more than \d+ seconds",
        title="INFO: task hung",
    ),
    row("workqueue", BUG, "BUG: workqueue lockup", blame=False, title="BUG: workqueue lockup"),
    row(
        "workqueue",
        BUG,
        "workqueue: PF_MEMALLOC task",
        part=Part.LEAD,
        rank=0,
        sure=False,
        pattern=r"workqueue: (?:PF_MEMALLOC task|WQ_MEM_RECLAIM)",
        title="workqueue: flushing dependency",
    ),
    row(
        "net",
        BUG,
        "unregister_netdevice: waiting for ",
        blame=False,
        pattern=r"(?:net_namespace: )?unregister_netdevice: waiting for (?P<what>\S+) "
        r"to become free",
        title="unregister_netdevice: waiting for {what} to become free",
    ),
    row(
        "net",
        WARNING,
        "NETDEV WATCHDOG: ",
        part=Part.LEAD,
        rank=0,
        blame=False,
        pattern=r"(?:(?P<driver>[\w-]+) \S+ \S+: )?NETDEV WATCHDOG: "
        r"(?:\S+ \((?P<named>[\w-]+)\)|\S+|CPU: \d+): .*timed out",
        title="NETDEV WATCHDOG: transmit queue timed out: {driver}{named}",
    ),
    row(
        "lockup",
        BUG,
        "waiting for free",
        sure=False,
        traced=True,
        pattern=r"INFO: .* waiting for free",
        title="waiting for free",
    ),
)

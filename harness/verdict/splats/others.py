# SPDX-License-Identifier: GPL-2.0-only
"""WARN() and its like, file systems, and what only begins as a splat begins.

Sources: kernel/panic.c, __warn(); lib/bug.c; fs/super.c, fs/dcache.c; arch/x86/mm/extable.c.
From 6.19 a WARN's line is ``WARNING: file:line at func, CPU#0: comm/pid``.
"""

from harness.verdict.splat import Severity
from harness.verdict.splats.row import SYMBOL, Part, Row, row

FATAL, BUG, WARNING, INFO = Severity.FATAL, Severity.BUG, Severity.WARNING, Severity.INFO
TAIL = Part.TAIL

OTHERS: tuple[Row, ...] = (
    row(
        "warning",
        WARNING,
        "WARNING: CPU: ",
        part=TAIL,
        rank=8,
        pattern=rf"WARNING: CPU: \d+ PID: \d+ at (?P<file>[^\s:]+):\d+ {SYMBOL}",
        title="WARNING",
    ),
    row(
        "warning",
        WARNING,
        "WARNING: CPU: ",
        part=TAIL,
        rank=8,
        pattern=rf"WARNING: CPU: \d+ PID: \d+ at (?:(?P<file>[^\s:]+):\d+|0x|{SYMBOL})",
        title="WARNING",
    ),
    row(
        "warning",
        WARNING,
        "WARNING: ",
        part=TAIL,
        rank=8,
        pattern=rf"WARNING: (?P<file>[^\s:]+):\d+ at {SYMBOL}",
        title="WARNING",
    ),
    row(
        "warning",
        WARNING,
        "WARNING: ",
        part=TAIL,
        rank=8,
        pattern=rf"WARNING: at (?P<file>[^\s:]+):\d+(?: {SYMBOL})?",
        title="WARNING",
    ),
    row(
        "warning",
        WARNING,
        "WARNING: ",
        part=TAIL,
        rank=8,
        pattern=r"WARNING: (?P<file>[^\s:]+):\d+(?: at \S+)?, CPU#\d+",
        title="WARNING",
    ),
    row(
        "warning",
        WARNING,
        "unchecked MSR access error",
        rank=3,
        pattern=r"unchecked MSR access error: (?P<what>RDMSR|WRMSR)",
        title="unchecked MSR access error: {what}",
    ),
    row(
        "unwind",
        WARNING,
        "WARNING: ",
        rank=8,
        traced=True,
        pattern=r"WARNING: (?P<what>kernel stack regs|kernel stack frame pointer|stack recursion)",
        title="WARNING: {what} is bad",
    ),
    row(
        "objtool",
        WARNING,
        "bad value",
        sure=False,
        traced=True,
        pattern=r"WARNING: .* bad value",
        title="WARNING: bad value",
    ),
    row(
        "fs",
        BUG,
        "Busy inodes after unmount",
        blame=False,
        pattern=r"VFS: Busy inodes after unmount",
        title="VFS: Busy inodes after unmount",
    ),
    row(
        "fs",
        BUG,
        "BUG: Dentry ",
        part=Part.LEAD,
        pattern=r"BUG: Dentry \S+ ?still in use",
        title="BUG: Dentry still in use",
    ),
    row(
        "fs",
        BUG,
        "still in use (",
        part=Part.LEAD,
        pattern=r"BUG: Dentry .{1,120} still in use \(",
        title="BUG: Dentry still in use",
    ),
    row(
        "fs",
        INFO,
        "EXT4-fs error (device ",
        blame=False,
        pattern=r"EXT4-fs error \(device [\w-]+\): (?P<fn>\w+)",
        title="EXT4-fs error in {fn}",
    ),
    row(
        "fs",
        INFO,
        "XFS (",
        blame=False,
        pattern=r"XFS \([\w-]+\): (?P<what>Metadata corruption detected|Internal error"
        r"|Corruption of"
        r" "
        r"in-memory data|Corruption detected)",
        title="XFS: {what}",
    ),
    row(
        "fs",
        INFO,
        "BTRFS ",
        blame=False,
        sure=False,
        pattern=r"BTRFS (?:critical|error) \(device [\w-]+[^)]*\): (?P<what>corrupt \w+"
        r"|parent transid"
        r" "
        r"verify failed|forced readonly)",
        title="BTRFS: {what}",
    ),
    row(
        "fs",
        BUG,
        "ssertion failed: ",
        part=Part.LEAD,
        rank=0,
        sure=False,
        traced=True,
        pattern=r"(?:\S+ \([\w-]+\): |BTRFS: |assertion failed|XFS: )*[Aa]ssertion failed: "
        r"(?P<what>.+?)"
        r"(?:, (?:in|file).*)?$",
        title="assertion failed: {what}",
    ),
    row("bug", BUG, "BUG: arch topology borken", blame=False),
    row("bug", BUG, "BUG: Function graph tracer hang"),
    row(
        "bug",
        BUG,
        "BUG: ",
        rank=9,
        sure=False,
        pattern=r"BUG: (?P<what>[A-Za-z].{2,100})",
        title="BUG: {what}",
    ),
    row(
        "warning",
        WARNING,
        "WARNING: ",
        rank=9,
        sure=False,
        traced=True,
        pattern=r"WARNING: (?P<what>[A-Za-z].{2,100})",
        title="WARNING: {what}",
    ),
    row(
        "info",
        WARNING,
        "INFO: ",
        rank=9,
        sure=False,
        traced=True,
        pattern=r"INFO: (?!lockdep is turned off|NMI handler|task "
        r"|0x|Slab |Object |Allocated in |Freed in )"  # of slub's reports
        r"(?P<what>[A-Za-z].{2,100})",
        title="INFO: {what}",
    ),
)

# SPDX-License-Identifier: GPL-2.0-only
"""Faults: what ends a task or the kernel.

Sources: arch/*/kernel/traps.c, arch/*/mm/fault.c, arch/x86/kernel/dumpstack.c, kernel/panic.c.
"""

from harness.verdict.splat import Severity
from harness.verdict.splats.row import SYMBOL, Part, Row, row

FATAL, BUG, WARNING = Severity.FATAL, Severity.BUG, Severity.WARNING
LEAD, TAIL = Part.LEAD, Part.TAIL
WHO = r"(?:CPU \d+ )?[\w/:.-]{1,16}\(\d+\): "
"""sparc and alpha put the task's name and pid first."""
CPU = r"(?:CPU \d+ )?"
AT = r"(?: at virtual address|, era ==|, epc ==| at | \(|$)"
NAMED = (
    r"(?P<what>(?:Kernel bug detected|Break instruction in kernel code|Reserved instruction"
    r" in kernel"
    r" code|Unhandled kernel unaligned access|Bounds check error in kernel code|Integer"
    r" overflow|FP "
    r"exception in kernel code|Kernel (?:ale|ade) access|do_(?:fpu|lsx|lasx) invoked from kernel "
    r"context!|Unaligned FP access in kernel code|bad frame format|Kernel BUG|Kernel bad "
    r"(?:sw )?trap|Kernel unaligned access|Kernel illegal instruction|Unknown exception|Whee[^\[]*|"
    r"BAD KERNEL TRAP|Kernel access of bad area|Illegal instruction|kernel stack overflow))"
)
X86_TRAPS = (
    "divide error|invalid opcode|int3|overflow|bounds|device not available|coprocessor segment "
    "overrun|invalid TSS|segment not present|stack segment|general protection fault|x87 FPU|"
    "alignment check|machine check|simd exception|virtualization exception|control protection "
    "fault|double fault|stack guard page|kernel stack overflow|debug|fpu exception|bounds check|"
    "iret exception|coprocessor error|nmi"
)

FAULTS: tuple[Row, ...] = (
    # Stacks that ran over come first: what follows is their consequence.
    row(
        "stack",
        FATAL,
        "stack guard page was hit",
        part=LEAD,
        rank=0,
        pattern=r"BUG: (?P<what>(?:[\w-]+ )?stack guard page) was hit",
        title="BUG: {what} was hit",
    ),
    row(
        "stack",
        FATAL,
        "Insufficient stack space to handle exception",
        part=LEAD,
        rank=0,
        title="kernel stack overflow",
    ),
    row("stack", FATAL, "kernel stack overflow (", part=LEAD, title="kernel stack overflow"),
    row(
        "stack",
        FATAL,
        "Kernel stack overflow",
        part=LEAD,
        pattern=r"(?:do_IRQ: )?(?:stack overflow|[Kk]ernel stack overflow)(?: in|[:,.!]|$)",
        title="kernel stack overflow",
    ),
    row(
        "double-fault",
        FATAL,
        "PANIC: double fault",
        part=LEAD,
        pattern=r"(?:traps: )?PANIC: double fault",
        title="double fault",
    ),
    row(
        "oops",
        FATAL,
        "PANIC: early exception",
        pattern=r"PANIC: early exception (?P<number>0x[0-9a-f]+|\d+)",
        title="early exception {number}",
    ),
    row(
        "oops",
        FATAL,
        "early exception rip",
        pattern=r"PANIC: early exception rip",
        title="early exception",
    ),
    # Page faults, each architecture in its words.
    row("oops", FATAL, "kernel tried to execute NX-protected page", part=LEAD, rank=3),
    row("oops", FATAL, "unable to execute userspace code (SMEP?)", part=LEAD, rank=3),
    row(
        "oops",
        FATAL,
        "kernel tried to execute ",
        part=LEAD,
        rank=3,
        pattern=r"kernel tried to execute (?P<what>exec-protected|user) page",
        title="kernel tried to execute a {what} page",
    ),
    row(
        "oops",
        FATAL,
        "Kernel attempted to ",
        part=LEAD,
        rank=3,
        pattern=r"Kernel attempted to (?P<what>read|write|execute|access)[\w ]*page",
        title="kernel attempted to {what} a user page",
    ),
    row(
        "oops",
        FATAL,
        "ernel NULL pointer dereference",
        part=LEAD,
        pattern=r"BUG: (?:[Kk]ernel NULL pointer dereference|unable to handle kernel NULL pointer "
        r"dereference)(?P<on> on (?:read|write))?",
        title="BUG: kernel NULL pointer dereference",
    ),
    row(
        "oops",
        FATAL,
        "BUG: ",
        part=LEAD,
        rank=2,
        pattern=r"BUG: [Uu]nable to handle (?P<what>(?!page fault)[\w \[\]-]{3,80}?)"
        r"(?: for address| at| \(|$)",
        title="BUG: unable to handle {what}",
    ),
    row(
        "oops",
        FATAL,
        "unable to handle page fault",
        part=LEAD,
        pattern=r"BUG: unable to handle page fault",
        title="BUG: unable to handle page fault",
    ),
    row(
        "oops",
        FATAL,
        "Unable to handle kernel",
        part=LEAD,
        pattern=rf"{CPU}Unable to handle kernel (?P<what>[\w '/-]{{3,80}}?){AT}",
        title="Unable to handle kernel {what}",
    ),
    row(
        "oops",
        FATAL,
        "Corrupted page table at address",
        part=LEAD,
        pattern=r".{1,20}: Corrupted page table at address",
        title="corrupted page table",
    ),
    row(
        "oops",
        FATAL,
        "bus error, ",
        part=LEAD,
        pattern=r"(?P<what>Data|Instruction) bus error, (?:epc|era) ==",
        title="{what} bus error",
    ),
    row(
        "oops",
        FATAL,
        "Unhandled fault: ",
        part=LEAD,
        pattern=r"Unhandled fault: (?P<what>[^(]{3,60}?) \(",
        title="Unhandled fault: {what}",
    ),
    row("oops", FATAL, "Unhandled prefetch abort", part=LEAD),
    row(
        "oops",
        FATAL,
        "Unhandled ",
        part=LEAD,
        pattern=r"Unhandled (?P<trap>[\w -]{3,40}exception)[ ,:]",
        title="Unhandled {trap}",
        sure=False,
    ),
    row("oops", FATAL, "SError Interrupt on CPU", part=LEAD, title="SError interrupt"),
    row(
        "oops",
        FATAL,
        "Bad mode in ",
        part=LEAD,
        pattern=r"Bad mode in (?P<what>[\w ]{2,40}) (?:handler )?detected",
        title="bad mode in {what}",
    ),
    row(
        "oops",
        FATAL,
        "Kernel Fault: Code=",
        pattern=r"Kernel Fault: Code=\d+ \((?P<what>[^)]+)\)",
        title="Kernel Fault: {what}",
    ),
    row("oops", FATAL, "Kernel data access on", part=LEAD, sure=False),
    row("oops", FATAL, "Bad kernel stack pointer", part=LEAD),
    row(
        "oops",
        FATAL,
        "Unrecoverable ",
        part=LEAD,
        pattern=r"Unrecoverable (?P<what>[\w/ -]*?)\s?[Ee]xception",
        sure=False,
        title="Unrecoverable {what} exception",
    ),
    row(
        "oops",
        FATAL,
        "unavailable (",
        part=LEAD,
        pattern=r"Facility '(?P<what>\w+)' unavailable \(\d+\) exception in kernel mode",
        title="facility {what} unavailable in kernel mode",
    ),
    row("stack", FATAL, "Kernel stack pointer invalid", part=LEAD),  # s390 from 6.18 on
    row("oops", FATAL, "Thread overran stack, or stack corrupted", part=LEAD, rank=3),
    row(
        "oops",
        FATAL,
        "assist exception in kernel mode",
        part=LEAD,
        pattern=r"VMX/Altivec assist exception in kernel mode",
        title="VMX/Altivec assist exception in kernel mode",
    ),
    row("machine-check", FATAL, "Machine check in kernel mode", part=LEAD),
    row(  # arch/powerpc/kernel/mce.c; what was recovered from is no trouble of the kernel
        "machine-check",
        FATAL,
        ": machine check (",
        part=LEAD,
        pattern=r"MCE: CPU\d+: machine check \((?:Severe|Fatal)\)\s+(?:Guest\s*)?"
        r"(?P<what>\S.{0,200}?)\s+(?:DAR: [^\[]*)?\[Not recovered\]",
        title="machine check: {what}",
    ),
    row(  # before 4.17
        "machine-check",
        FATAL,
        "Machine check interrupt [Not recovered",
        pattern=r"(?:Severe|Fatal) Machine check interrupt \[Not recovered",
        title="machine check",
    ),
    row(
        "machine-check",
        FATAL,
        "Terminating task because of machine malfunction",
        pattern=r"mcck: Terminating task because of machine malfunction",
        title="machine malfunction",
        blame=False,
    ),
    row(
        "machine-check",
        FATAL,
        "Machine Check Exception",
        blame=False,
        pattern=r"(?:mce: )?\[Hardware Error\]: CPU \d+: Machine Check Exception: ",
        title="Machine Check Exception",
    ),
    row(
        "machine-check",
        FATAL,
        "Machine Check Exception",
        sure=False,
        pattern=r"(?:mce: )?(?:\[Hardware Error\]: )?CPU \d+: Machine Check Exception: ?(?P<n>\d*)",
        title="Machine Check Exception",
    ),
    row("oops", FATAL, "OOPS: Bogus kernel PC", part=LEAD),
    row(
        "oops",
        FATAL,
        "Fault in ",
        rank=4,
        part=TAIL,
        sure=False,
        pattern=r"Fault in [\w ]+ mode while using kernel ASCE",
        title="fault in kernel address space",
    ),
    row(
        "oops",
        FATAL,
        "Missing ENDBR",
        part=LEAD,
        pattern=rf"(?:traps: )?Missing ENDBR: {SYMBOL}",
        title="Missing ENDBR",
    ),
    row(
        "cfi",
        FATAL,
        "CFI failure",
        part=LEAD,
        pattern=rf"(?:CFI: )?(?:CFI failure \(target|CFI failure at {SYMBOL})",
        title="CFI failure",
    ),
    # BUG(): messages that come before it are in corruption.py.
    row(
        "bug",
        FATAL,
        "ernel BUG at ",
        part=TAIL,
        rank=4,
        pattern=r"(?:kernel|Kernel) BUG at (?P<file>[^\s:]+):\d+",
        title="kernel BUG at {file}",
    ),
    row(
        "bug",
        FATAL,
        "ernel BUG",
        part=TAIL,
        rank=5,
        pattern=rf"(?:[Kk]ernel BUG(?: at {SYMBOL})?(?: \[verbose|!|$| at)|BUG: failure at )",
        title="kernel BUG",
    ),
    # The line that counts them: [#1]. It follows what tells the reason, or stands alone.
    row(
        "gpf",
        FATAL,
        "general protection fault",
        part=TAIL,
        rank=2,
        pattern=r"(?:Oops: )?general protection fault(?:: [0-9a-f]{4}|,? (?:maybe|probably) for"
        r"| error:|, kernel)",
        title="general protection fault",
    ),
    row(
        "oops",
        FATAL,
        "[#",
        part=TAIL,
        rank=6,
        sure=False,
        pattern=rf"(?:Oops: )?(?P<trap>{X86_TRAPS})(?: \(page fault\))?:? [0-9a-f]{{4}} \[#\d+\]",
        title="{trap}",
    ),
    row("oops", FATAL, "BUG [#1]", part=TAIL, rank=6),
    row(
        "ubsan",
        FATAL,
        "Internal error: UBSAN",
        part=TAIL,
        rank=6,
        pattern=r"Internal error: UBSAN: (?P<what>[^:]+):",
        title="UBSAN: {what}",
    ),
    row("oops", FATAL, "Internal error: : ", part=TAIL, rank=6, title="Internal error"),
    row("oops", FATAL, "Division by zero in kernel", title="Division by zero in kernel"),
    row(
        "oops",
        FATAL,
        "Internal error: ",
        part=TAIL,
        rank=6,
        pattern=r"Internal error: (?P<what>[^:\n]{2,60}(?:: (?!0|\d+ \[)[A-Za-z][\w ]{2,40})?)"
        r"(?:: \S{1,16})? \[#\d+\]",
        title="Internal error: {what}",
    ),
    row(
        "oops",
        FATAL,
        "Internal error: ",
        part=TAIL,
        rank=6,
        pattern=r"Internal error: (?P<what>[A-Z][A-Za-z -]{2,60}?):",
        title="Internal error: {what}",
    ),
    row(
        "oops",
        FATAL,
        "[#",
        part=TAIL,
        rank=6,
        pattern=r"(?P<what>[A-Za-z][\w ,/'!()-]{2,60}?)(?::? ?[0-9a-f]{4} ilc:\d)? ?\[#\d+\](?::|\s"
        r"|$)",
        title="{what}",
    ),
    row(
        "oops",
        FATAL,
        "[#",
        part=TAIL,
        rank=6,
        sure=False,
        pattern=rf"(?:{WHO})?(?P<trap>(?!Oops:)[A-Za-z][^\[\]]{{2,70}}?)(?:[:,] sig: \d+"
        r"|: [0-9a-f]{4})?:? ?\[#\d+\](?::|\s|$)",
        title="{trap}",
    ),
    row(  # alpha
        "oops",
        FATAL,
        "): ",
        part=TAIL,
        rank=6,
        sure=False,
        pattern=rf"{WHO}(?P<what>Arithmetic fault|Instruction fault|Kernel Bug) \d+$",
        title="{what}",
    ),
    row(  # parisc; of programs' faults the line has an address as well
        "oops",
        FATAL,
        " (code ",
        part=TAIL,
        rank=6,
        sure=False,
        pattern=r".{1,16} \(pid \d+\): (?P<what>[A-Z][\w ]{3,60}) \(code -?\d+\)$",
        title="{what}",
    ),
    row(  # m68k
        "oops",
        FATAL,
        ": 0000",
        part=TAIL,
        rank=6,
        sure=False,
        pattern=r"(?P<what>bad frame format|BAD KERNEL TRAP): [0-9a-f]{8}$",
        title="{what}",
    ),
    row(  # openrisc
        "oops",
        FATAL,
        "#: ",
        part=TAIL,
        rank=8,
        sure=False,
        pattern=r"(?P<what>Oops|Die:?)#: [0-9a-f]{4}$",
        title="{what}",
    ),
    row(
        "oops",
        FATAL,
        "KERNEL: ",
        part=LEAD,
        sure=False,
        pattern=r"KERNEL: (?P<what>Illegal fpe exception|Illegal trap exception|Unaligned Access|"
        r"Bus error|Illegal instruction)",
        title="KERNEL: {what}",
    ),
    row("oops", FATAL, "Unable to handle exception at EA", part=LEAD),
    row("oops", FATAL, "Unhandled Machine Check Exception", part=TAIL, rank=6, sure=False),  # arc
    row(
        "oops",
        FATAL,
        "[#",
        part=TAIL,
        rank=6,
        pattern=rf"(?:{WHO})?{NAMED}[^\[]*\[#\d+\]",
        title="{what}",
    ),
    row(
        "oops",
        FATAL,
        "Oops",
        part=TAIL,
        rank=7,
        pattern=r"(?:[\w/:.-]{1,16}\(\d+\): )?Oops(?:: (?!sig: )(?P<what>[A-Za-z][\w ,/-]{2,60}?))?"
        r"(?:[:,]? sig: \d+|: [0-9a-f]+| \d+|)(?: \[#|\[#|:?$|: )",
        title="Oops: {what}",
    ),
    row("oops", FATAL, "Fixing recursive fault but reboot is needed"),
    row("oops", FATAL, "Recursive die() failure", pattern=r"Recursive die\(\) failure"),
    # After all else.
    row(
        "panic",
        FATAL,
        "Kernel panic - not syncing: ",
        pattern=r"Kernel panic - not syncing: Attempted to kill (?P<who>\w+)! "
        r"exitcode=(?P<code>0x[0-9a-f]+)",
        title="Kernel panic - not syncing: Attempted to kill {who}! exitcode={code}",
        blame=False,
    ),
    row(
        "panic",
        FATAL,
        "Kernel panic - not syncing: ",
        pattern=r"Kernel panic - not syncing: (?P<what>.+)",
        title="Kernel panic - not syncing: {what}",
        blame=False,
    ),
    row("panic", FATAL, "Kernel panic - not syncing", blame=False),
    row(
        "panic",
        FATAL,
        "Kernel panic:",
        pattern=r"Kernel panic: (?P<what>.+)",
        blame=False,
        title="Kernel panic: {what}",
    ),
)

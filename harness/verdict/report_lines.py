# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of a console belong to a report, and which to others."""

import re

BREAK = re.compile(r"^(?:-{6,}\[ cut here \]-+|8<--- cut here ---|-{6,}\[ cut here)")
RULE = re.compile(r"^\s*={10,}\s*$")
END = re.compile(r"^-{2,}\[ end (?:trace|Kernel panic)")

BODY = re.compile(
    r"^(?:"
    r"\s"  # an indented line: frames, registers, what lockdep draws
    r"|[<>][0-9a-f]{6,}|>|[0-9a-f]{8,16}\b|[0-9a-f]{4}: [ 0-9a-f]{8}|\[<|\[[0-9a-f]{8,16}\]|\(\[<"
    r"|[=*-]{4,}|-> ?#|\$ ?\d+ +:|#PF|#GP|\||\^|\.{3} |\*\*\*|\+->|P\d+: "
    # heads of dumps, x86's registers
    r"|CPU(?::|\d+| \d+|#\d+| PID)|PID:|Tainted:|Not tainted|\d+\.\d+\.\d+\S* #\d+"
    r"|Modules linked in:|Hardware name:"
    r"|Workqueue:|Comm:|Process:? |Task |task:|Thread|Stack(?: traceback)?\s?:?|Call [Tt]race"
    r"|Backtrace|Code:|\(?Code\b|Call Trace"
    r"|[RE]IP\b|RSP\b|ESP\b|[RE][A-D]X:|[RE][SD]I:|[RE]BP:|R\d\d?:|[FCDEGS]S:|CR\d:|DR\d:|PKRU:"
    r"|PGD |IP: (?:\[<|[\w.]+\+0x)"
    r"|Oops\b|note: "
    # arm's, arm64's, riscv's registers
    r"|PC: |SR: |pc ?: |lr ?: |sp ?: |x\d+ ?: |r\d+ ?: |pstate|PC is at|LR is at|epc ?:|ra ?:"
    r"|e?pc\s+:|gp ?:|s\d+ ?:|a\d ?:|t\d ?:|status:|badaddr"
    # anyone's: a name and what is in it, as often as there is room, and nothing else
    r"|(?:[A-Za-z]\w{0,8} *: *(?:(?:0x)?[0-9a-f]{8}(?:[0-9a-f]{8})?(?:[,\s]+|$))+)+$"
    # arc's
    r"|STAT32:|Path: /"
    # alpha's, loongarch's, parisc's and sh's
    r"|[a-z]{1,2}\d{0,2} ?= (?:\[<)?[0-9a-f]{16}|(?:pc|[ast]\d) [0-9a-f]{16} "
    r"|s?r\d\d-\d\d +[0-9a-f]{8}|IASQ: |(?:PC|R\d+|MACH) *: [0-9a-f]{8} "
    # mips's and loongarch's
    r"|Status:|Cause :|BadVA|PrId|Hi +:|Lo +:|Acx|ESTAT|CRMD|PRMD|EUEN|ECFG|ERA|BADV|PRID"
    # powerpc's, s390's, sparc's
    r"|NIP|LR |MSR:|REGS:|CFAR|GPR\d+|DAR|IRQMASK|Instruction dump|MCE: CPU|Faulting instruction"
    r"|BE PAGE|LE PAGE|PAGE_SIZE"
    r"|Krnl |User (?:PSW|GPRS|ACRS|Code)|PSW|Last Breaking|Failing address|Fault in |AS:"
    r"|INFO: lockdep is turned off"
    r"|TSTATE|TPC|PSR:|g\d:|o\d:|i\d:|l\d:|RPC|I7:|Caller\["
    # arm64's and arm's faults; ends of reports
    r"|Mem abort|Data abort|Unwind|Exception stack|Exception|Flags:|Control:|Register "
    r"|Internal error"
    r"|swapper pgtable|user pgtable|swapper|ESR\b|FAR\b|Task stack|IRQ stack|Overflow stack"
    r"|Kernel Offset|Kernel [Oo]ffset|PHYS_OFFSET|CPU features|Memory Limit|SMP: |Rebooting in"
    r"|Dumping ftrace"
    # lockdep
    r"|irq event stamp|hardirqs |softirqs |\d+ locks? held|no locks held|stack backtrace"
    r"|other info|but |which |the |and |to a |May be|turning off|The code is fine|the code is"
    # KASAN, and pages
    r"|Read of|Write of|Read at|Write at|Free of|Allocated by|Freed by|Last potentially"
    r"|Second to last|The buggy|Memory state|located |page:|page last|page_owner|raw:|head:"
    r"|(?:page )?flags:|Pointer tag:|page_type|memcg:|page dumped|anon |aops:|pfn:|addr:|file:|mm:"
    # KFENCE, KMSAN, KCSAN, UBSAN
    r"|kfence-|allocated by|freed by|Out-of-bounds|Use-after-free|Corrupted memory"
    r"|Invalid (?:free|read|write|access)|\(inlined|Uninit |Local variable|Byte|Memory access"
    r"|Data copied|Uninit"
    r"|read |write |read-write|race at|value changed|Reported by|index |shift |division|signed"
    r"|negation|load of|member|load |store|left shift|null pointer|misaligned|assumption"
    # slabs, leaks, stalls
    r"|INFO: (?:Slab|Object|Allocated|Freed|lockdep|0x|task .{1,60}? (?:is )?blocked on an? )"
    r"|Slab |Object |Allocated in|Freed in|FIX "
    r"|Redzone|Padding|Bytes b4|Disabling lock"
    r"|backtrace|comm |hex dump|Sending NMI|NMI backtrace|Showing |rcu: |\(t=|\(detected"
    r"|blocking rcu|workqueue |pool |pending|in-flight|Tasks blocked|RCU grace|Stack dump|NMI"
    r"|Future hung"
    # contexts and locks
    r"|in_atomic|preempt_count|Preemption disabled|RCU nest|caller is|irqs_disabled|lock:"
    r"|rcu_scheduler|usercopy|CSD|csd|smp: csd"
    # memory that ran out
    r"|Mem-Info|active_anon|Node |(?:DMA(?:32)?|Normal|HighMem|Movable)(?:: | free:)"
    r"|lowmem_reserve|Free swap|Total swap|Swap cache|Tasks state"
    r"|\[ +\d+\]|\[ *pid|oom-kill|oom_reaper|Memory cgroup (?:stats|min)|memory: usage"
    r"|swap: usage|\d+ (?:total |pages )|Unreclaimable|Name +Used|\d+ pages"
    # the rest
    r"|handlers:|Disabling IRQ|threaded|Kernel panic|Shutting down|Kernel (?:BUG|Offset)|PKRU|FS:"
    r"|(?:mce: )?\[Hardware Error\]: |bad because of|Function entered at"
    r"|Fixing|systemd-coredump|KASAN: |WARNING: |BUG: |kernel |watchdog: CPU|Possible|CPU PSW"
    r"|Unable"
    r")"
)
"""Begins like a line of a report."""

STRONG = re.compile(
    r"^(?:CPU: \d+ (?:UID: \d+ )?PID: |Call [Tt]race|Backtrace:|stack backtrace:|Modules"
    r" linked in:|RIP: |EIP|pc : |PC is at"
    r"|NIP |Krnl PSW|epc ?: |\s*ERA: |Hardware name: |-{2,}\[ end (?:trace|Kernel panic)"
    r"|Internal error: |Oops|Allocated by task|Mem abort info|CPU \d+ Unable|Workqueue: )"
)
"""Only a report has such a line; without a header one was lost."""

FOREIGN = re.compile(r"^[A-Za-z][\w./@-]{0,40}(?: [\w:./@-]{1,40})?(?:\[\d+\])?: \S")
"""``driver 0000:00:01.0: message``: another's line in between."""

ASKED = re.compile(
    r"^(?:sysrq: |SysRq ?: |FAULT_INJECTION: forcing a failure|fault_injection: |Sending NMI from"
    r"|task:\S+ +state:|Showing (?:all locks|busy workqueues)"
    r"|\S+ +[A-Z] +(?:running task +)?[0-9a-f]+ +\d+ +\d+ 0x"
    r"|.{1,33}: potentially unexpected fatal signal"  # kernel.print-fatal-signals
    r"|kgdb|Entering kdb|rcu-torture|  task  +PC stack)"
)
"""What follows was asked for: SysRq, fault injection, programs' faults; or it is one of a list of
tasks."""
QUIET_S = 20.0
"""A report is over when its console says nothing for so long, in seconds."""
WAIT_S = 120.0
"""So long, in seconds, for CPUs that were asked for a backtrace: the kernel waits ten seconds of
its own (lib/nmi_backtrace.c), which on a busy emulator are more.
"""

# SPDX-License-Identifier: GPL-2.0-only
"""Call traces and registers, as each architecture prints them.

Sources: arch/*/kernel/{stacktrace,dumpstack,traps,process}.c, lib/vsprintf.c (%pS, %pB).
"""

import re
from collections.abc import Iterable

NAME = r"[A-Za-z_$.][\w.$]*"
OFFSET = r"\+0x[0-9a-f]+/0x[0-9a-f]+"
ADDRESS = r"(?:\[?<?(?:0x)?[0-9a-f]{8,16}(?![0-9a-f])>?\]?|\[<\s*\((?:ptrval|null)\)>\])"
FRAME = re.compile(
    rf"^\s*(?:(?:Call [Tt]race:|Backtrace:)\s*)?(?:<{{1,2}}/?[A-Z]{{2,12}}>{{1,2}}\s+)?"
    rf"(?:#\d+:?\s+)?(?:\(?{ADDRESS}\s*(?:,\s*)?"
    rf"|Caller\[[0-9a-f]+\]:\s*)*"
    rf"\(?(?P<unsure>\? )?\(?(?P<fn>{NAME})(?P<offset>{OFFSET})\)?(?P<rest>.*)$"
)
"""``[<addr>] ? func+0x1/0x2 [module]`` with what may stand before; the address may be missing.

s390 puts the caller that it reads out of a register in parentheses: ``([<addr>] func+0x1/0x2)``.
Up to 4.9 x86-64 puts the stack's name in front: `` <IRQ>  [<addr>] func+0x1/0x2``.
"""
ARM_FRAME = re.compile(
    rf"^\s*(?:{ADDRESS}\s*)?\(?(?P<fn>{NAME})(?: \[\w+\])?\)? from "
    rf"(?:{ADDRESS}\s*)?\(?(?P<by>{NAME}){OFFSET}"
)
"""arch/arm: ``[<addr>] (callee) from [<addr>] (caller+0x1/0x2)``, or without addresses."""
DECODED_FRAME = re.compile(
    rf"^\s*(?P<unsure>\? )?(?P<fn>{NAME}) (?:\([^()\s]*\.[chS](?:\.inc)?:\d+"
    r"|[^()\s]+\.[chS](?:\.inc)?:\d+ \[inline\])"
)
"""What decode_stacktrace.sh makes of a frame (who stores it may take the indent away), and what
syzkaller makes of one that was inlined.
"""
BARE_FRAME = re.compile(
    rf"^(?:\s+|\s*(?:\(?{ADDRESS}\s*)+)(?:\? )?0x[0-9a-f]{{1,16}}(?: \(unreliable\)|\))?\s*$"
)
"""A frame of no function: ``[<addr>] 0xaddr``."""

NO_RETURN = re.compile(r"\[<[0-9a-f]{16}>\] [\w.$]+\+0x0/")
"""No call returns to a function's first instruction: s390 finds such where a stack is in use."""

POINTERS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^(?:RIP|EIP): (?:(?:0010|0060|e030|e033|0061):)?(?:\[<[0-9a-f]+>\] +)*"
        rf"(?:\[<[0-9a-f]+>\] )?"
        rf"(?P<fn>{NAME}){OFFSET}",
        rf"^(?:RIP|EIP) +\[<[0-9a-f]+>\] (?P<fn>{NAME}){OFFSET}",
        rf"^(?:RIP|EIP): (?:0010|0060|e030):(?P<fn>{NAME}) \(",
        rf"^(?:RIP|EIP): (?:0010|0060|e030):(?P<fn>{NAME}) [^()\s]+:\d+ \[inline\]",
        rf"^EIP is at (?P<fn>{NAME}){OFFSET}",
        rf"^\s*(?:pc|PC) (?:: |is at |: \[<[0-9a-f]+>\] )(?P<fn>{NAME}){OFFSET}",
        rf"^\s*(?:e?pc|era|ERA|EPC|cp0_epc)\s*: (?:[0-9a-f]+ )?(?P<fn>{NAME}){OFFSET}",
        rf"^NIP \[[0-9a-f]+\] (?P<fn>{NAME}){OFFSET}",
        rf"^Krnl PSW : [0-9a-f ]+ \((?P<fn>{NAME}){OFFSET}\)",
        rf"^\s*Krnl PSW : .*?\((?P<fn>{NAME}){OFFSET}",
        rf"^TPC: <(?P<fn>{NAME}){OFFSET}",
        rf"^\s*IAOQ\[0\]: (?P<fn>{NAME}){OFFSET}",
        rf"^(?:PC|pc): (?:[0-9a-f]+ |\[<[0-9a-f]+>\] )?(?P<fn>{NAME}){OFFSET}",
        rf"^.{{0,80}}\bRET\b.{{0,80}}?(?<![\w.$])(?P<fn>{NAME}){OFFSET}$",
    )
)
TRACE_HEAD = re.compile(
    r"^(?:Call [Tt]race:|Backtrace:|Kernel stack:|Stack dump|\[<[0-9a-f]+>\] \(unwind_backtrace)"
    r"|^stack backtrace:|^\s*Trace:$|^Call Trace\b|^[A-Z].*\([^(]*\bkfence-#\d+\):$"
)
HISTORY = re.compile(r"^(?:Allocated|Freed|allocated|freed) (?:in|by) ")
"""Heads the trace of who had an object before (mm/slub.c, mm/kasan, mm/kfence)."""
GP_KTHREAD = "RCU grace-period kthread stack dump:"
"""Heads the trace of one that waits for whoever stalls (kernel/rcu/tree_stall.h)."""
TRACE_MARK = re.compile(r"^\s*</?[#A-Z0-9_-]{2,16}>$|^\s*(?:---|===)|^[Rr]\d+ ?:|^\s+r\d+:")
TAINTED = re.compile(r"\bTainted: (?P<letters>[A-Z ]{1,40}?)(?=\s+(?:\S*\d|\()|\s*\):)")


PAST, PLAIN, HEADED = range(3)
"""How likely a run of frames is the report's own: of others, without a head, with a head.

riscv loses its ``Call Trace:`` where it goes on with a line that has ended (stacktrace.c, pr_cont).
"""


SUFFIX = re.compile(
    r"\.(?:isra|part|constprop|cold|llvm|lto_priv|localalias|ipa|clone)(?:\.[0-9a-z]+)*"
)

ROOT = (
    r"(?:arch|block|certs|crypto|drivers|fs|include|init|io_uring|ipc|kernel|lib|mm|net|samples"
    r"|security|sound|tools|virt)/"
)
OUTSIDE = re.compile(rf"^(?:(?:\.{{1,2}}/)+(?={ROOT})|(?!{ROOT}).*?/(?={ROOT}))")
"""What stands before a path in the kernel's tree; ``drivers/net/`` has two names of folders."""


def in_tree(path: str) -> str:
    """A source file's path in the kernel's tree, wherever that was compiled, often /usr/src/linux.

    Of a module that is built outside of it the file's name: before 6.13 the path is absolute.
    """
    inside = OUTSIDE.sub("", path)
    return inside.rpartition("/")[2] if inside.startswith("/") else inside


def frame(line: str) -> tuple[str, bool] | None:
    """The function of a line of a call trace, and whether the kernel is sure of it."""
    found = ARM_FRAME.match(line) or FRAME.match(line) or DECODED_FRAME.match(line)
    if found is None:
        return None
    unsure = found.groupdict().get("unsure") or NO_RETURN.search(line)
    return plain(found["fn"]), not unsure


def pointer(line: str) -> str:
    """The function that was running, where the line is the one with the instruction pointer."""
    for pattern in POINTERS:
        found = pattern.match(line)
        if found:
            return plain(found["fn"])
    return ""


def call_trace(lines: Iterable[str]) -> tuple[str, ...]:
    """The functions of a report's first call trace, innermost first; those in doubt left out.

    That is the first run of frames after a head (``Call Trace:``) or registers, else the first run
    at all that is not of somebody else. A kernel without an unwinder is in doubt of every
    frame: then those are the trace.

    Args:
        lines: the report's, without what printk puts before them.
    """
    runs: list[tuple[int, list[tuple[str, bool]]]] = []
    run: list[tuple[str, bool]] | None = None
    headed, last_caller, waits = PLAIN, "", False
    for line in lines:
        if TRACE_HEAD.match(line) and not (run and frame(line)):
            headed, run = (PAST if waits else HEADED), None
            waits = False
        elif line.endswith(GP_KTHREAD):
            waits = True
        elif HISTORY.match(line):
            headed, run = PAST, None
        found = frame(line)
        if found is None or (pointer(line) and line[:1] not in " \t[("):
            if run and not TRACE_MARK.match(line) and not BARE_FRAME.match(line):
                run += [(last_caller, True)] if last_caller else []
                headed, run, last_caller = PLAIN, None, ""
            headed = HEADED if pointer(line) else headed
            continue
        if run is None:
            run = []
            runs.append((headed, run))
        arm = ARM_FRAME.match(line)
        last_caller = plain(arm["by"]) if arm else ""
        run.append(found)
    if run and last_caller:
        run.append((last_caller, True))
    first = max(runs, key=lambda found: found[0], default=(PLAIN, []))[1]
    return tuple(name for name, sure in first if sure) or tuple(name for name, _ in first)


def plain(name: str) -> str:
    """A function's name without what a compiler added: ``f.constprop.0`` is ``f``."""
    return SUFFIX.sub("", name.lstrip("."))


def taint(line: str) -> str:
    """The taint letters in a line, ``GW``; empty where there are none."""
    found = TAINTED.search(line)
    return found["letters"].replace(" ", "") if found else ""

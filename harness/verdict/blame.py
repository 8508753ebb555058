# SPDX-License-Identifier: GPL-2.0-only
"""Whom a report is about: the function that was at fault, not who found it or passed it on.

Sources: as of harness.verdict.trace.
"""

import re
from collections.abc import Sequence

from harness.verdict.trace import NAME, OFFSET, frame, plain, pointer

LINKS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^(?:lr : |(?:LR|PR|ra) is at |LR: )(?P<fn>{NAME}){OFFSET}",  # arm64, arm, sh ...
        rf"^\s*ra\s*: (?:[0-9a-f]+ )?(?P<fn>{NAME}){OFFSET}",  # riscv, loongarch, mips
        rf"^LR \[[0-9a-f]+\] (?P<fn>{NAME}){OFFSET}",  # powerpc
        rf"^RPC: <(?P<fn>{NAME}){OFFSET}",  # sparc64
        rf"^\s*RP\(r2\): (?P<fn>{NAME}){OFFSET}",  # parisc
    )
)
"""Where the function that was running returns to."""
JUMPED = re.compile(
    r"^(?:\s*EC = 0x21: IABT"  # arm64
    r"|#PF: supervisor instruction fetch|kernel tried to execute "  # x86, powerpc
    r"|BUG: Unable to handle kernel instruction fetch"  # powerpc
    r"|.{0,80} virtual address [0-9a-f]+ when execute$"  # arm
    r"|status: .* cause: 0+[1c]$"  # riscv: an access or page fault of an instruction
    r"|\s*ESTAT: [0-9a-f]+ \[P(?:IF|NX)\]"  # loongarch
    r"|Krnl PSW : .*\+0x0/)"  # s390: BUG() was the last of the function before
)
"""The kernel went where it may not run, or is beyond what it ran."""


def _words(text: str) -> list[str]:
    lines = (line for line in text.splitlines() if not line.strip().startswith("#"))
    return [word for line in lines for word in line.split()]


_BEGIN = """
    # printing and trapping
    dump_stack show_stack show_regs show_trace dump_backtrace unwind_backtrace arch_dump_stack
    warn_slowpath warn_thunk WARN report_bug oops_ page_fault_oops no_context bad_area do_trap
    do_error_trap handle_bug invalid_op do_invalid_op exc_ asm_exc_ asm_sysvec_ sysvec_
    do_page_fault do_user_addr_fault do_kern_addr_fault kernelmode_fixup do_mem_abort mem_abort
    do_translation_fault el0_ el0t_ el1_ el1h_ bug_handler call_break_hook brk_handler
    do_debug_exception do_sea die_kernel_fault arm64_notify_die do_DataAbort do_kernel_fault
    dabt_svc sched_show_task handle_exception ret_from_ entry_ do_bp do_ade resume_userspace
    pgm_check
    raw_irqentry irqentry_ arm64_exit_to arm64_enter_from program_check tlb_do_page_fault
    handle_bp handle_ri panic_bad_stack handle_bad_stack
    bad_stack interrupt_return data_access_common
    bad_page_fault fixup_exception ex_handler
    native_read_msr native_write_msr do_read_msr do_write_msr paravirt_ check_panic_on
    # checkers
    sanitizer_ kfence_ kasan_ asan_ hwasan_ kmsan_ msan_ kcsan_ tsan_ ubsan_ check_memory_region
    print_report print_address end_report start_report handle_overflow object_err slab_err
    slab_bug slab_fix slab_pad get_partial get_from_partial get_any_partial set_freepointer
    check_bytes check_object check_slab free_debug_processing
    free_consistency free_to_partial alloc_debug_processing alloc_consistency alloc_from_partial
    print_trailer on_freelist slab_free slab_alloc slab_post_alloc init_object
    kmem_cache_ qlist_free quarantine usercopy
    check_heap_object check_stack_object check_object_size check_copy_size copy_overflow fortify_
    list_add list_del hlist_ refcount_ kref_ ref_tracker debug_print_object debug_object
    debug_check unreferenced kmemleak_ save_stack stack_trace_ set_track stack_depot_
    # strings and copies
    arch_copy_ arch_clear_ copy_page_to copy_page_from csum_partial vsnprintf snprintf vsprintf
    sprintf scnprintf vscnprintf seq_printf seq_vprintf string_nocheck format_decode
    memzero strcpy strncpy strcat strncat strcmp strncmp strlen strnlen strscpy strlcpy
    sized_strscpy
    memcpy memset memmove memcmp copy_to_user copy_from_user copy_user copy_to_iter
    copy_from_iter rep_movs raw_copy clear_user
    # scheduling, locks, waiting
    might_sleep might_resched might_fault might_lock might_alloc cant_sleep schedule io_schedule
    preempt_schedule msleep usleep_range cond_resched context_switch resched preempt_count
    check_preemption_disabled debug_smp_processor_id lock_acquire lock_release lock_acquired
    lock_contended lockdep_ print_circular print_usage print_deadlock print_bad print_irq
    print_lock check_noncircular check_prev check_irq check_usage check_wait check_deadlock
    valid_state lock_sock local_bh_ rt_spin_ rt_read_ rt_write_ ticket_spin wake_up_common
    check_flags check_no_locks check_chain validate_chain mark_lock mark_usage mark_held
    register_lock_class assign_lock_key reacquire_held raw_spin_ raw_read_ raw_write_ do_raw_
    spin_lock spin_unlock spin_bug spin_dump read_lock write_lock queued_ native_queued pv_
    flush_work flush_delayed drain_workqueue cancel_work_sync cancel_delayed_work synchronize_
    rcu_barrier rcu_is_watching prepare_to_wait finish_wait pfx_
    kvm_wait osq_lock mutex_ ww_mutex rt_mutex rtlock rwbase_ down_ up_ rwsem_ percpu_down
    percpu_rwsem wait_for_ wait_on_ do_wait_for out_of_line_wait bit_wait folio_lock folio_wait
    lock_page io_wait smp_call_function generic_exec_single csd_lock on_each_cpu smp_send
    # idling, ticking, watching
    xen_hypercall_ xen_timer_interrupt xen_evtchn evtchn_ xen_do_hypervisor
    secondary_start start_secondary smp_callin rest_init start_kernel
    native_halt native_safe_halt native_irq arch_cpu_idle arch_local_irq default_idle cpu_idle
    do_idle cpuidle_idle cpu_startup_entry delay_ udelay const_udelay watchdog hrtimer_
    sbi_ apic_timer sys_apic_timer smp_apic_timer irq_exit irq_enter irq_work common_interrupt
    handle_irq tick_ update_process_times rcu_check rcu_sched_clock rcu_dump rcu_stall
    rcu_pending rcu_gp_ rcu_lockdep rcu_read_lock rcu_read_unlock rcu_core print_cpu print_other
    print_self nmi_ trigger_all trigger_single arch_trigger default_do_nmi end_repeat_nmi
    perf_event_nmi do_nmi do_ext_irq do_io_irq ext_int_handler io_int_handler
    # pages
    bad_page free_page free_pages free_unref free_frozen get_page_from get_free_page alloc_pages
    alloc_frozen free_large_kmalloc dump_page skb_over_panic skb_under_panic skb_put skb_push
    vunmap remove_vm_area check_new_page rmqueue prep_new warn_alloc out_of_memory oom_kill
    dump_header skb_panic
    free_compound put_compound page_frag_free alloc_skb netdev_alloc_skb napi_alloc_skb
    trace_hardirqs trace_softirqs debug_exception
"""
_WHOLE = """
    kthread wake_up put_page number string pointer
    warn panic die BUG error_code page_fault resched down up delay io_wait cpu_relax rep_nop do_tr
    kobject_put kobject_get kobject_cleanup kobject_release switch_to
"""
# Functions that find, report or pass on; whose fault it is stands below them in the trace.
# Allocators, but not who has such a name in its own: kmalloc_node is one, kmalloc_oob_right is not.
_ALLOCATORS = (
    r"(?:do_)?(?:k[vz]?malloc|k[vz]?zalloc|kv?calloc|kv?realloc|kv?free|vfree|vmalloc)"
    r"(?:_(?:node|noprof|track|trace|large|order|array|cache|sensitive|rcu|bulk|slab)\w*)?$"
)
SKIP = re.compile(
    rf"_*(?:pi_)?(?:(?:{'|'.join(_words(_BEGIN))})|(?:{'|'.join(_words(_WHOLE))})$|{_ALLOCATORS})"
)


def suspects(lines: Sequence[str], trace: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The function that was running, or empty, and then its callers.

    A function that is jumped to and is none (a null pointer) is its caller's fault. So is what an
    instruction pointer shows that is already beyond a trap.

    Args:
        lines: a report's, without what printk puts before them.
        trace: its call trace.
    """
    linked = next(filter(None, map(_link, lines)), "")
    pointed = next(filter(None, map(pointer, lines)), "")
    callers = (linked, *trace)
    if any(map(JUMPED.match, lines)):
        callers = tuple(name for name in callers if name != pointed)
        pointed = ""
    return pointed or linked or _branched(lines), callers


def blamed(pointed: str, trace: Sequence[str]) -> str:
    """The function that a report is about: the first that does not only find or pass on."""
    candidates = [name for name in (pointed, *trace) if name]
    return next((name for name in candidates if not SKIP.match(name)), (candidates or [""])[0])


def only_passes(name: str) -> bool:
    """True for a function that only finds, reports or passes on."""
    return bool(SKIP.match(plain(name)))


def _link(line: str) -> str:
    """The function in the link register, where the line is the one with it.

    Who jumped to where nothing is (a null function pointer) left no frame on an architecture that
    has such a register: the unwinder begins with the caller of the caller.
    """
    for pattern in LINKS:
        found = pattern.match(line)
        if found:
            return plain(found["fn"])
    return ""


def _branched(lines: Sequence[str]) -> str:
    """Who branched last before a fault, on s390, which has no link register.

    Before a BUG() that is who came back last.
    """
    if any(line.startswith("monitor event") for line in lines):
        return ""
    at = next((n for n, line in enumerate(lines) if line.startswith("Last Breaking-Event")), -1)
    found = frame(lines[at + 1]) if 0 <= at < len(lines) - 1 else None
    return found[0] if found else ""

# SPDX-License-Identifier: GPL-2.0-only
"""Times and names that stand before the lines of a log, as parts of regular expressions.

Sources: kernel/printk/printk.c, print_time(); util-linux's sys-utils/dmesg.c; systemd's
src/shared/logs-show.c.
"""

_S = r"\d{1,9}\.\d{1,9}"
_SINCE = rf"< {{0,8}}{_S}[ *]?>"
STAMP = rf"\[(?:\s*{_S}(?:@\d+|,\d+)?(?: {{16}}| {_SINCE})?| {{0,8}}\+{_S}|{_SINCE})\]"
"""printk's time; some vendors add the CPU. dmesg and journald add the time since the line before
(``dmesg -d``, ``journalctl -o short-delta``), or dmesg has that alone (``-e``, ``-H``).
"""
MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
ISO = rf"\d{{4}}-\d\d-\d\d[T ]{CLOCK}(?:Z|[+-]\d\d:?\d\d)?"
CTIME = rf"\[{DAY} {MONTH} +\d{{1,2}} {CLOCK} \d{{4}}(?: {_SINCE})?\]"
"""``dmesg -T``, with ``-d`` as well."""
MINUTE = r"\[\w{2,8}\.? ?\d{1,2} \d\d:\d\d\]"
"""``dmesg -e`` where a minute begins, in any language."""
FULL = rf"{DAY} {ISO} [\w+:-]{{1,10}}"
"""``journalctl -o short-full``; the zone has a name."""
UNIX = r"\d{9,11}\.\d{6}"
"""``journalctl -o short-unix``."""
LEVEL = r"[a-z]{1,8} *:(?:emerg|alert|crit|err|warn|notice|info|debug) *: "
"""``dmesg -x``."""
HOST = r"[\w.-]{1,64} kernel:"
"""Whose line it is, as journald and syslog say it."""

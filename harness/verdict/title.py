# SPDX-License-Identifier: GPL-2.0-only
"""Titles of splats: without what changes from one time to the next."""

import re
from collections.abc import Sequence

from harness.verdict.blame import blamed, only_passes
from harness.verdict.report_lines import BODY, BREAK, END, RULE
from harness.verdict.splats import Row
from harness.verdict.text import clean
from harness.verdict.trace import in_tree, plain

LAST_FUNCTION = re.compile(r"\s+(?:last function: |preempt=.* workfn=)(?P<fn>[A-Za-z_][\w.]*)")
OVERWRITTEN = re.compile(r"\[(?P<what>[\w ]+ overwritten)\] 0x")
OWNERS = {"Poison overwritten": "Freed", "Redzone overwritten": "Allocated"}
MASKS = (
    (re.compile(r"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?"), ""),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "'...'"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{6,16}\b|\b[0-9a-f]{16}\b"), "ADDR"),
    (re.compile(r"\([^()]{0,15}(?:ptrval|null)[^()]{0,8}\)"), "ADDR"),
    (re.compile(r"\b\w{1,15}/\d+(?=\b|$)(?!/)"), "TASK"),
    (re.compile(r"\d+"), "N"),
)


def title_of(
    row: Row, match: re.Match[str], texts: Sequence[str], pointed: str, trace: Sequence[str]
) -> str:
    """The title of a report, the same one each time the same bug shows.

    Args:
        row: the header that gives it.
        match: that header's pattern in its line.
        texts: the report's lines, without what printk puts before them.
        pointed: the function that was running, or empty.
        trace: who is in the link register, and the call trace.
    """
    groups = {name: value or "" for name, value in match.groupdict().items()}
    own = plain(groups.pop("fn", "") or next(filter(None, map(_last_function, texts)), ""))
    values = {name: mask(value) if name == "what" else value for name, value in groups.items()}
    if values.get("what") == "Object corrupt":
        values["what"] = next(filter(None, map(_overwritten, texts)), values["what"])
    if "file" in values:
        values["file"] = in_tree(values["file"])
    if "fn" in row.pattern.groupindex:
        values["fn"] = own
    title = row.title.format(**{"file": "", **values}).replace(" ()", "")
    title = " ".join(title.split()).rstrip(" :.")
    if row.blame:
        if row.kind in ("kasan", "kfence", "kmsan"):
            who = own if own and blamed(own, ()) and not only_passes(own) else blamed(own, trace)
        else:
            who = _owner(values, texts) or blamed(own or pointed, trace)
        if row.kind in ("rcu-stall", "hung-task") and only_passes(who):
            who = ""  # the scheduler is where every task waits
        title += f" in {who}" if who else ""
    if row.kind == "warning":
        place = values.get("file", "")
        title += f" ({place})" if place else ""
        message = _message(texts)
        title += f": {message}" if message else ""
    return clean(title)[:240]


def _overwritten(text: str) -> str:
    """From 6.12 on mm/slub.c says of what is overwritten in a line of its own, before all else."""
    found = OVERWRITTEN.match(text)
    return found["what"] if found else ""


def _owner(values: dict[str, str], texts: Sequence[str]) -> str:
    """Who freed or allocated what was written to afterwards, or beyond its end.

    Where that was noticed says little: a later allocation of the same cache is anybody's.
    """
    verb = next((v for what, v in OWNERS.items() if what in values.get("what", "")), "")
    if "cache" not in values or not verb:
        return ""
    found = (re.match(rf"{verb} in (?P<fn>[A-Za-z_][\w.]*)\+0x", text) for text in texts)
    owners = [plain(owner["fn"]) for owner in found if owner]
    return next((owner for owner in owners if not only_passes(owner)), "")


def _last_function(text: str) -> str:
    """What a worker ran that came back with a lock (kernel/workqueue.c): it left no frame."""
    found = LAST_FUNCTION.match(text)
    return found["fn"] if found else ""


def _message(texts: Sequence[str]) -> str:
    """What a WARN() was told to say: between the cut and the WARNING line, or after that."""
    at = next((n for n, text in enumerate(texts) if "WARNING: " in text), -1)
    if at < 0:
        return ""
    between = [t for t in texts[:at] if not BREAK.match(t) and not RULE.match(t) and t.strip()]
    after = [t for t in texts[at + 1 : at + 2] if not (BODY.match(t) or END.match(t))]
    words = (between if any(map(BREAK.match, texts)) else []) or after
    return mask(words[0]).strip()[:120] if words else ""


def mask(text: str) -> str:
    """What changes from one time to the next as a placeholder."""
    for pattern, words in MASKS:
        text = pattern.sub(words, text)
    return " ".join(text.split())

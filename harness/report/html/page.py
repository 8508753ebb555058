# SPDX-License-Identifier: GPL-2.0-only
"""Data into one file that needs nothing else: style, script and data are in it.

Nothing of a guest can run or load in it: the only script that a browser may run is the one whose
hash the page's policy names, data is JSON without any character that HTML knows, the script writes
text nodes only, and what stands in the markup itself went through ElementTree. string.Template and
ElementTree do what is needed here; a template engine costs 60 ms of import at the end of every run.
"""

import base64
import hashlib
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

from harness.outputs import write_whole
from harness.report.facts import BAD
from harness.report.html.data import PageData
from harness.report.html.history import EarlierRun, read_history
from harness.report.html.strings import tidy
from harness.report.journal import Journal
from harness.report.stream import JournalIndex, opened

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    "data.js",
    "dom.js",
    "detail.js",
    "filter.js",
    "matrix.js",
    "lists.js",
    "table.js",
    "timeline.js",
    "history.js",
    "main.js",
)
WITHOUT_SCRIPT = 200
"""Failures that a reader without scripts is shown."""


def write_html(
    source: JournalIndex | Journal,
    path: Path,
    history: Sequence[Journal | Path] = (),
    *,
    folder: Path | None = None,
) -> None:
    """Writes the page of a run, whole or not at all.

    Args:
        source: the run's journal.
        path: the file.
        history: other runs: journals, run folders, or folders of run folders.
        folder: the run folder, when ``path`` is not in it; links to its files go there.

    Raises:
        HostError: it cannot be written, or a run of the history cannot be read.
        UsageError: a folder of the history has no run.
    """
    base = os.path.relpath(folder, path.parent) if folder else ""
    others = read_history(history)
    with opened(source) as index:
        write_whole(path, html_pieces(index, others, base=base), durable=False)


def html_text(
    source: JournalIndex | Journal, history: Sequence[Journal | Path] = (), *, base: str = ""
) -> str:
    """The page as one text.

    Args:
        source: the run's journal.
        history: other runs, as for :func:`write_html`.
        base: where the run folder is, as the page's reader would go; empty: beside the page.
    """
    with opened(source) as index:
        return "".join(html_pieces(index, read_history(history), base=base))


def html_pieces(
    index: JournalIndex, history: Sequence[EarlierRun] = (), *, base: str = ""
) -> Iterator[str]:
    """The page in pieces.

    Args:
        index: of the run's journal.
        history: other runs.
        base: where the run folder is, as the page's reader would go; empty: beside the page.
    """
    data = PageData(index, history, base)
    verdict = data.head["verdict"]
    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = f"{verdict['word']}: {verdict['sentence']}"
    before, after = (STATIC / "page.html").read_text("utf-8").split("$data")
    yield Template(before).substitute(
        policy=policy,
        title=_markup("title", title),
        style=style,
        verdict=_verdict(verdict),
        facts=_facts(data.head),
        missing=_missing(verdict["missing"]),
        without_script=_without_script(index),
    )
    yield from data.pieces()
    yield Template(after).substitute(script=script)


@cache
def _style() -> str:
    return "\n" + (STATIC / "style.css").read_text("utf-8")


@cache
def _script() -> str:
    parts = [(STATIC / name).read_text("utf-8") for name in SCRIPTS]
    return '\n(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def _hash(text: str) -> str:
    """A source expression for an inline element (Content Security Policy Level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _element(tag: str, *children: "ET.Element | str", **attributes: str) -> ET.Element:
    made = ET.Element(tag, {key.rstrip("_"): value for key, value in attributes.items()})
    for child in children:
        if isinstance(child, ET.Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def _text(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode", method="html")


def _markup(tag: str, text: str, **attributes: str) -> str:
    return _text(_element(tag, text, **attributes))


def _verdict(verdict: Mapping[str, str]) -> str:
    return _text(
        _element(
            "h1",
            _element("span", verdict["word"], class_="word"),
            _element("span", ": ", class_="colon"),
            _element("span", verdict["sentence"], class_="sentence"),
            class_=f"verdict state-{verdict['state']}",
        )
    )


def _facts(data: Mapping[str, Any]) -> str:
    run: dict[str, str] = dict(data["run"])
    rows: list[tuple[str, str]] = []
    names = {"started": "Started", "command": "Command", "seed": "Seed"}
    for key, name in names.items():
        if run.get(key, "0") != "0":
            rows.append((name, run[key].replace("T", " ") if key == "started" else run[key]))
    if data["span_s"]:
        rows.insert(1, ("Cases took", _duration(float(data["span_s"]))))
    for kernel in data["kernels"]:
        words = " ".join(
            filter(None, (kernel.get("release"), kernel.get("arch"), kernel.get("accel")))
        )
        if kernel.get("accel_reason"):
            words += f" ({kernel['accel_reason']})"
        rows.append((f"Kernel {kernel['name']}", words or "nothing known of it"))
    if run.get("shuffled") == "True":
        rows.append(("Order", "shuffled"))
    made = " ".join(
        filter(
            None,
            (
                f"kharness {run['kharness']}" if run.get("kharness") else "",
                f"QEMU {run['qemu']}" if run.get("qemu") else "",
            ),
        )
    )
    if made:
        rows.append(("Made by", made))
    rows += [("Note", note) for note in data["notes"]]
    if data["again"]:
        rows.append(("Ran again", f"{data['again']} earlier results gave way to later ones"))
    if not rows:
        return ""
    entries = (_element("div", _element("dt", name), _element("dd", words)) for name, words in rows)
    summary = _element("summary", "The run")
    return _text(
        _element(
            "details",
            *(summary, _element("dl", *entries, class_="facts")),
            class_="about",
            open="open",
        )
    )


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def _missing(missing: Sequence[str]) -> str:
    if not missing:
        return ""
    return _text(
        _element(
            "section",
            _element("h2", "This report is not whole", id="missing-title"),
            _element("ul", *(_element("li", words) for words in missing)),
            class_="banner",
            **{"aria-labelledby": "missing-title"},
        )
    )


def _without_script(index: JournalIndex) -> str:
    """What a reader sees where scripts may not run: the failures, a line each.

    The page's script removes it. ``noscript`` would not do: a browser that runs scripts does not
    show it where a policy of the server forbids this one.
    """
    items = [
        _element(
            "li",
            f"{r.outcome.value}: {tidy(r.case)} on {tidy(r.kernel)}: {tidy(r.message)[:500]} ",
            _element("code", tidy(r.reproduce)[:500]),
        )
        for r in islice(index.results(outcomes=BAD), WITHOUT_SCRIPT)
    ]
    bad = index.count(outcomes=BAD)
    if bad > WITHOUT_SCRIPT:
        items.append(_element("li", f"{bad - WITHOUT_SCRIPT} more"))
    note = "Matrix, timeline, search and consoles need this page's own script, which did not run."
    return _text(_element("div", _element("p", note), _element("ul", *items), id="unscripted"))

# SPDX-License-Identifier: GPL-2.0-only
"""What pages are built of: trees of elements, so that no text can ever be markup.

They need no script.
"""

import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from harness.serve.params import address, when
from harness.serve.queries import Latest
from harness.serve.store import OUTCOMES

Node = ET.Element | str | None
STYLES = (
    Path(__file__).parents[1] / "report" / "html" / "static" / "style.css",
    Path(__file__).parent / "static" / "serve.css",
)
SHORT = 16
"""Characters of a cell that is a line whatever stands beside it: ``debian-6.12``, ``0.292 s``."""
MENU = (("/", "Latest"), ("/runs", "Runs"), ("/regressions", "Regressions"), ("/cases", "Cases"))


@dataclass(frozen=True)
class Content:
    """What a page shows below its title."""

    title: str
    parts: Sequence[Node]


@cache
def style() -> bytes:
    """The report's own style sheet, and what these pages add to it."""
    return b"\n".join(path.read_bytes() for path in STYLES)


@cache
def style_address() -> str:
    """Where the style sheet is; another one is elsewhere, so that a browser asks for it once."""
    return f"/style.css?{sha256(style()).hexdigest()[:12]}"


def page(path: str, content: Content, *, busy: bool = False) -> bytes:
    """The page as HTML.

    Args:
        path: its address, to mark where the reader is.
        content: what is on it.
        busy: files are being read, so that there may be more in a while.
    """
    menu = [
        h("a", title, href=target, aria_current="page" if target == path else None)
        for target, title in MENU
    ]
    reading = note("Files are being read: there is more in a while.") if busy else None
    parts = [h("h1", content.title), reading, *content.parts]
    html = h(
        "html",
        h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="color-scheme", content="light dark"),
            h("title", f"{content.title} - kharness"),
            h("link", rel="stylesheet", href=style_address()),
            h("link", rel="icon", href="data:,"),
        ),
        h(
            "body",
            h("a", "Skip to the content", class_="skip-link", href="#main"),
            h(
                "header",
                h("span", "kharness", class_="brand"),
                h("nav", *menu, class_="menu", aria_label="Pages"),
                class_="top bar",
            ),
            h("main", *parts, id="main", tabindex="-1"),
        ),
        lang="en",
    )
    return b"<!DOCTYPE html>\n" + bytes(ET.tostring(html, "utf-8", method="html"))


def h(tag: str, *children: Node, **attributes: str | None) -> ET.Element:
    """An element; None is left out, ``class_`` is ``class``, ``aria_label`` is ``aria-label``."""
    element = ET.Element(tag)
    for key, value in attributes.items():
        if value is not None:
            element.set(key.rstrip("_").replace("_", "-"), value)
    for child in children:
        if isinstance(child, ET.Element):
            element.append(child)
        elif child and len(element):
            element[-1].tail = (element[-1].tail or "") + child
        elif child:
            element.text = (element.text or "") + child
    return element


def wrong(title: str, words: str) -> Content:
    """A page that says what is wrong."""
    back = h("p", h("a", "Back to the latest state", href="/"))
    return Content(title, [h("p", words, class_="banner"), back])


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Node]]) -> ET.Element:
    """A table that is a list of cards on a narrow screen: each cell knows its head."""
    body = []
    for row in rows:
        cells = [
            h("td", cell, data_head=head, class_="short" if _is_short(cell) else None)
            for head, cell in zip(heads[1:], row[1:], strict=True)
        ]
        body.append(h("tr", h("th", row[0], scope="row"), *cells))
    head = h("tr", *(h("th", text, scope="col") for text in heads))
    return h(
        "table",
        h("caption", caption, class_="unseen"),
        h("thead", head),
        h("tbody", *body),
        class_="cards",
    )


def _is_short(cell: Node) -> bool:
    """A word or two that are not to be broken; the room is for what is long."""
    return isinstance(cell, str) and len(cell) <= SHORT


def next_link(path: str, after: str, **parameters: object) -> Node:
    """The link to the rows that follow; None after the last."""
    if not after:
        return None
    link = h("a", "Next", href=address(path, {**parameters, "after": after}), rel="next")
    return h("p", link, class_="pager")


def outcome_badge(word: str) -> ET.Element:
    """An outcome's word in its colour."""
    return h("span", word, class_=f"badge o-{word}")


def counts(latest: Latest) -> ET.Element:
    """How many results have which outcome."""
    ordered = sorted(latest.counts.items(), key=lambda item: OUTCOMES.index(item[0]))
    items: list[Node] = []
    for word, number in ordered:
        items += [h("span", f"{number:,} {word}", class_=f"badge o-{word}"), " "]
    if latest.partial:
        items.append(h("span", f"{latest.results:,} of {latest.largest:,} cases", class_="on"))
    return h("span", *items, class_="counts")


def run_link(number: int, name: str) -> ET.Element:
    """A run by its name."""
    return h("a", name or f"run {number}", href=f"/runs/{number}")


def time_of(at: int) -> ET.Element:
    """Milliseconds since 1970, as a person reads them; UTC."""
    text = when(at)
    return h("time", text.replace("T", " ").removesuffix("Z"), datetime=text, class_="time")


def case_link(row: sqlite3.Row, number: int, kernel: str = "") -> ET.Element:
    """A case's name, leading to its history, with its class name beside it."""
    return h(
        "span",
        h("a", row["name"], href=address(f"/cases/{number}", {"kernel": kernel})),
        " ",
        h("span", row["classname"], class_="path"),
    )


def says(row: sqlite3.Row) -> Node:
    """A message, and behind it what more there is."""
    message = row["message"] or ""
    more = [
        h("pre", row["detail"], tabindex="0") if row["detail"] else None,
        h("pre", row["reproduce"], tabindex="0") if row["reproduce"] else None,
    ]
    if not any(part is not None for part in more):
        return message
    return h("details", h("summary", message or "details"), *more)


def note(text: str) -> ET.Element:
    """Small print."""
    return h("p", text, class_="note")


def field(label: str, name: str, value: str, kind: str = "text") -> list[Node]:
    """A labelled field of a form."""
    return [
        h("label", label, for_=name),
        h("input", id=name, name=name, value=value, type=kind, maxlength="300", autocomplete="off"),
    ]


def form(path: str, button: str, *fields: Node) -> ET.Element:
    """A form that asks for another page."""
    return h(
        "form", *fields, h("button", button, type="submit"), class_="filter", action=path,
        method="get",
    )  # fmt: skip


def fact(name: str, value: str) -> ET.Element:
    """A line of a list of facts."""
    return h("div", h("dt", name), h("dd", value))


def verdict(state: Latest) -> ET.Element:
    """The state of a suite on a kernel in a word or two."""
    if state.bad:
        return h("span", "failing", class_="badge o-fail")
    if state.errors:
        return h("span", "not judged", class_="badge o-error")
    if not state.whole:
        return h("span", "incomplete", class_="badge o-timeout")
    if state.partial:
        return h("span", "partial", class_="badge o-timeout")
    return h("span", "good", class_="badge o-pass")

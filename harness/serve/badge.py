# SPDX-License-Identifier: GPL-2.0-only
"""A badge: a small SVG that says how a suite does on a kernel, to stand in other people's pages.

Their pages have their own colours and fonts, so it has its own, and states how wide its text is.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from harness.serve.queries import Latest

HEIGHT = 20
PAD = 6
LABEL_LIMIT = 60
NARROW, WIDE, USUAL = "fijlrt.,:;!|'()[]/ 1", "mwMW@%", 6.6
"""Widths of letters as Verdana at 11 has them, roughly; textLength makes up for the rest."""
GREEN, RED, YELLOW, GREY = "#1a7038", "#b3261e", "#7a5c00", "#5f6873"
"""White on each has a contrast of more than 4.5."""
PREFIX = "{http://www.w3.org/2000/svg}"


def state(found: Sequence[Latest]) -> tuple[str, str]:
    """What a badge says, and its colour."""
    results = sum(latest.results for latest in found)
    bad = sum(latest.bad for latest in found)
    errors = sum(latest.errors for latest in found)
    if not results:
        return "no results", GREY
    if bad:
        return f"{bad} of {results} failing", RED
    doubt = _doubt(found, results, errors)
    if doubt:
        return doubt, YELLOW
    skipped = sum(latest.counts.get("skip", 0) for latest in found)
    if skipped == results:
        return f"all {results} skipped", GREY
    return f"{results - skipped} passing", GREEN


def _doubt(found: Sequence[Latest], results: int, errors: int) -> str:
    """Why nothing bad does not mean that all is well; empty when it does."""
    if errors:
        return f"{errors} of {results} not judged"
    if not all(latest.ended for latest in found):
        return f"incomplete, {results} so far"
    if not all(latest.whole for latest in found):
        return f"incomplete, {results} results"
    if any(latest.partial for latest in found):
        return f"partial, {results} of {sum(latest.largest for latest in found)}"
    return ""


def badge(label: str, found: Sequence[Latest]) -> bytes:
    """The picture.

    Args:
        label: what it is about, clean.
        found: latest states; an empty list is a badge, too.
    """
    label = label if len(label) <= LABEL_LIMIT else f"{label[: LABEL_LIMIT - 3]}..."
    says, colour = state(found)
    left, right = _width(label) + 2 * PAD, _width(says) + 2 * PAD
    ET.register_namespace("", PREFIX[1:-1])
    size = {"width": str(left + right), "height": str(HEIGHT)}
    svg = ET.Element(f"{PREFIX}svg", {**size, "role": "img", "aria-label": f"{label}: {says}"})
    ET.SubElement(svg, f"{PREFIX}title").text = f"{label}: {says}"
    for x, width, fill in ((0, left, "#3b4350"), (left, right, colour)):
        box = {"x": str(x), "width": str(width), "height": str(HEIGHT), "fill": fill}
        ET.SubElement(svg, f"{PREFIX}rect", box)
    font = {"fill": "#fff", "font-family": "Verdana,DejaVu Sans,sans-serif", "font-size": "11"}
    group = ET.SubElement(svg, f"{PREFIX}g", font)
    for x, text in ((PAD, label), (left + PAD, says)):
        place = {"x": str(x), "y": "14", "textLength": str(_width(text))}
        ET.SubElement(group, f"{PREFIX}text", place).text = text
    return bytes(ET.tostring(svg, "utf-8"))


def _width(text: str) -> int:
    widths = (4 if c in NARROW else 10 if c in WIDE else USUAL for c in text)
    # Outside of Latin, letters are often twice as wide.
    return round(sum(w if ord(c) < 0x1100 else 12 for w, c in zip(widths, text, strict=True)))

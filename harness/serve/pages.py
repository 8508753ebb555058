# SPDX-License-Identifier: GPL-2.0-only
"""The pages: each is a function from a database and parameters to what stands on it."""

import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from urllib.parse import quote

from harness.serve import queries
from harness.serve.api import (
    NotFoundError,
    find_case,
    find_kernel,
    find_run,
    head_and_base,
    outcome_word,
)
from harness.serve.markup import (
    Content,
    Node,
    case_link,
    counts,
    fact,
    field,
    form,
    h,
    next_link,
    note,
    outcome_badge,
    run_link,
    says,
    table,
    time_of,
    verdict,
)
from harness.serve.params import Params, address, when, whole_number
from harness.serve.reading import line
from harness.serve.store import OUTCOMES

STRIP = 60
"""Results in the picture of a history."""


def content(db: sqlite3.Connection, path: str, params: Params) -> Content:
    """What stands at an address.

    Raises:
        NotFoundError: nothing does.
        UsageError: a parameter is wrong.
    """
    pages = {
        "": _overview,
        "runs": _runs,
        "regressions": _regressions,
        "cases": _cases,
        "problems": _problems,
    }
    match path.split("/")[1:]:
        case [name] if name in pages:
            return pages[name](db, params)
        case ["runs", number]:
            return _run(db, whole_number(number, "the run"), params)
        case ["cases", number]:
            return _case(db, whole_number(number, "the case"), params)
    raise NotFoundError("no such page")


def _overview(db: sqlite3.Connection, params: Params) -> Content:
    limit = params.limit
    found, after = queries.latest(db, "", "", params.text("after"), limit)
    (meta,) = queries.ask(db, "meta")
    parts: list[Node] = [
        note(
            f"{meta['results']:,} results of {meta['runs']:,} runs. Each suite on each kernel, as"
            " it was when it last ran; a regression is a case that was good, or not there, before."
            f" Partial: an earlier one of its last {queries.RECENT} runs had more cases."
        )
    ]
    if queries.problems(db, "", 1).rows:
        link = h("a", "Some files could not be read", href="/problems")
        parts.append(h("p", link, class_="banner"))
    if not found:
        parts.append(h("p", "No run yet: the folder has no journal.jsonl and no JUnit file."))
        return Content("Latest state", parts)
    rows: list[Sequence[Node]] = []
    for state in found:
        more = "+" if state.regressions == queries.REGRESSIONS_COUNTED else ""
        regressed = h(
            "a", f"{state.regressions:,}{more}", class_="badge o-fail",
            href=address("/regressions", {"head": state.run}),
        )  # fmt: skip
        rows.append(
            [
                h("span", state.suite, h("span", f" on {state.kernel}", class_="on")),
                verdict(state),
                counts(state),
                regressed if state.regressions else "none",
                run_link(state.run, state.name),
                time_of(state.at),
            ]
        )
    heads = ("Suite", "State", "Outcomes", "Regressions", "Run", "Started (UTC)")
    parts += [table("Latest state of each suite on each kernel", heads, rows)]
    parts.append(next_link("/", after, limit=params.number("limit")))
    return Content("Latest state", parts)


def _runs(db: sqlite3.Connection, params: Params) -> Content:
    limit = params.limit
    found = queries.runs(db, params.text("after"), limit)
    rows: list[Sequence[Node]] = [
        [
            run_link(run["id"], run["name"]),
            time_of(run["at"]),
            f"{run['results']:,}",
            h("span", f"{run['bad']:,}", class_="badge o-fail") if run["bad"] else "0",
            f"{run['errors']:,}",
            "yes" if run["whole"] else h("span", _not_whole(run), class_="badge o-timeout"),
        ]
        for run in found.rows
    ]
    heads = ("Run", "Started (UTC)", "Results", "Bad", "Errors", "Whole")
    return Content(
        "Runs",
        [
            table("Runs, newest first", heads, rows),
            next_link("/runs", found.next, limit=params.number("limit")),
        ],
    )


def _not_whole(run: sqlite3.Row) -> str:
    if not run["ended"]:
        return "not ended"
    return f"{run['missing']:,} missing" if run["missing"] else "incomplete"


def _run(db: sqlite3.Connection, number: int, params: Params) -> Content:
    limit, show = params.limit, params.text("show")
    run = find_run(db, number)
    path, everything = f"/runs/{number}", show == "all"
    facts = [
        ("Started (UTC)", when(run["at"])),
        ("Results", f"{run['results']:,}, of them {run['bad']:,} bad, {run['errors']:,} errors"),
        ("Ended", "yes" if run["ended"] else "no: it goes on, or was cut off"),
        ("Without a result", f"{run['missing']:,} of what was to run" if run["missing"] else ""),
        ("Damaged lines", f"{run['damaged']:,}" if run["damaged"] else ""),
        ("Command", run["command"]),
        ("Made with", run["tools"]),
        ("Read from", run["source"]),
        ("Number", str(number)),
    ]
    kernels = [
        row["name"] + (f" ({row['release']})" if row["release"] else "")
        for row in queries.ask(db, "tested", run=number)
    ]
    facts.append(("Kernels", ", ".join(kernels)))
    found = queries.results(db, number, params.text("after"), limit, only_bad=not everything)
    other = (
        h("a", "Only what is bad", href=path)
        if everything
        else h("a", "All results", href=f"{path}?show=all")
    )
    compared = h("a", "Regressions", href=address("/regressions", {"head": number}))
    parts: list[Node] = [
        h("dl", *(fact(key, text) for key, text in facts if text), class_="facts"),
        h("p", other, " · ", compared),
        _results_table("All results" if everything else "Bad results", found.rows),
        next_link(path, found.next, show=show, limit=params.number("limit")),
    ]
    return Content(f"Run {run['name']}", parts)


def _results_table(caption: str, rows: Sequence[sqlite3.Row]) -> ET.Element:
    if not rows:
        return h("p", "Nothing here.")
    cells: list[Sequence[Node]] = [
        [
            case_link(row, row["case_id"], row["kernel"]),
            outcome_badge(OUTCOMES[row["outcome"]].value),
            row["kernel"],
            row["suite"],
            f"{row['ms'] / 1000:.3f} s",
            says(row),
        ]
        for row in rows
    ]
    return table(caption, ("Case", "Outcome", "Kernel", "Suite", "Time", "Message"), cells)


def _regressions(db: sqlite3.Connection, params: Params) -> Content:
    limit = params.limit
    head, base = head_and_base(db, params)
    if head is None:
        return Content("Regressions", [h("p", "No run yet.")])
    found = queries.regressions(db, base, head, params.text("after"), limit)
    run = find_run(db, head)
    against: list[Node] = ["what each case did before"]
    if base is not None:
        against = [run_link(base, find_run(db, base)["name"])]
    rows: list[Sequence[Node]] = []
    for row in found.rows:
        was = outcome_word(row["base_outcome"])
        rows.append(
            [
                case_link(row, row["case_id"], row["kernel"]),
                outcome_badge(was) if was else "not run",
                outcome_badge(OUTCOMES[row["outcome"]].value),
                row["kernel"],
                row["suite"],
                says(row),
            ]
        )
    heads = ("Case", "Before", "Now", "Kernel", "Suite", "Message")
    fields = form(
        "/regressions",
        "Compare",
        *field("Base: number of a run", "base", "" if base is None else str(base)),
        *field("Head", "head", str(head)),
    )
    return Content(
        "Regressions",
        [
            fields,
            h("p", run_link(head, run["name"]), ", compared with ", *against),
            table("Regressions", heads, rows) if rows else h("p", "None."),
            next_link(
                "/regressions", found.next, base=base, head=head, limit=params.number("limit")
            ),
        ],
    )


def _cases(db: sqlite3.Connection, params: Params) -> Content:
    limit, query = params.limit, params.text("query")
    found = queries.cases(db, query, params.text("after"), limit)
    rows: list[Sequence[Node]] = [
        [case_link(row, row["id"]), row["suite"], h("span", row["node"], class_="path")]
        for row in found.rows
    ]
    return Content(
        "Cases",
        [
            form("/cases", "Search", *field("Part of a name", "query", query, "search")),
            table("Cases", ("Case", "Suite", "Node"), rows) if rows else h("p", "None."),
            next_link("/cases", found.next, query=query, limit=params.number("limit")),
        ],
    )


def _case(db: sqlite3.Connection, number: int, params: Params) -> Content:
    limit = params.limit
    case = find_case(db, number)
    kernels = queries.kernels_of(db, case)
    kernel = find_kernel(kernels, params.text("kernel"))
    title = f"{case['classname']} {case['name']}".strip()
    if kernel is None:
        return Content(title, [h("p", "It has no result.")])
    path = f"/cases/{number}"
    links: list[Node] = []
    for row in kernels:
        current = "true" if row["id"] == kernel["id"] else None
        target = address(path, {"kernel": row["name"]})
        links += [h("a", row["name"], href=target, class_="chip", aria_current=current), " "]
    found = queries.history(db, number, kernel["id"], params.text("after"), limit)
    rows: list[Sequence[Node]] = [
        [
            run_link(row["run"], row["run_name"]),
            time_of(row["at"]),
            outcome_badge(OUTCOMES[row["outcome"]].value),
            f"{row['ms'] / 1000:.3f} s",
            says(row),
        ]
        for row in found.rows
    ]
    heads = ("Run", "Started (UTC)", "Outcome", "Time", "Message")
    return Content(
        title,
        [
            h("p", case["node"] or case["suite"], class_="path"),
            h("nav", *links, class_="kernels", aria_label="Kernels"),
            _turn(db, number, kernel["id"]),
            _strip(found.rows) if found.rows else None,
            table(f"History on {kernel['name']}, newest first", heads, rows),
            next_link(path, found.next, kernel=kernel["name"], limit=params.number("limit")),
        ],
    )


def _turn(db: sqlite3.Connection, number: int, kernel: int) -> ET.Element:
    turn = queries.turn(db, number, kernel)

    def named(run: int | None) -> Node:
        found = queries.run(db, run) if run is not None else None
        return run_link(found["id"], found["name"]) if found else None

    if turn.bad and turn.first_bad is not None:
        words: list[Node] = [h("strong", "Bad"), " since ", named(turn.first_bad), "; "]
        good = ["last good in ", named(turn.last_good)]
        words += good if turn.last_good is not None else ["never seen good"]
        return h("p", *words, class_="banner turn")
    if turn.last_good is not None:
        return h("p", "Good when last judged, in ", named(turn.last_good))
    return h("p", "Never judged: it was skipped, or the host failed.")


def _strip(rows: Sequence[sqlite3.Row]) -> ET.Element:
    """Tiles, oldest first; the table below says the same in words."""
    tiles: list[Node] = []
    for row in reversed(rows[:STRIP]):
        outcome = OUTCOMES[row["outcome"]].value
        words = f"{outcome}, {row['run_name']}"
        inside = h("span", words, class_="unseen")
        target = f"/runs/{quote(str(row['run']))}"
        tiles.append(h("a", inside, class_=f"tile o-{outcome}", href=target, title=words))
    return h("div", *tiles, class_="strip")


def _problems(db: sqlite3.Connection, params: Params) -> Content:
    limit = params.limit
    found = queries.problems(db, params.text("after"), limit)
    rows: list[Sequence[Node]] = [[line(row["path"], 5000), row["problem"]] for row in found.rows]
    return Content(
        "Files that could not be read",
        [
            table("Problems", ("File", "Problem"), rows) if rows else h("p", "None."),
            next_link("/problems", found.next, limit=params.number("limit")),
        ],
    )

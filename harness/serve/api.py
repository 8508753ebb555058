# SPDX-License-Identifier: GPL-2.0-only
"""What the database knows as JSON; ``next`` is the address of the following rows, or null."""

import sqlite3
from typing import Any
from urllib.parse import quote

from harness.serve import queries
from harness.serve.params import Params, address, when, whole_number
from harness.serve.store import OUTCOMES

Json = dict[str, Any]


class NotFoundError(Exception):
    """There is nothing at an address; its text says what."""


def answer(db: sqlite3.Connection, path: str, params: Params) -> Json:
    """The answer of an address below ``/api/``.

    Args:
        db: see :meth:`harness.serve.store.Store.reading`.
        path: decoded, begins with ``/api/``.
        params: of the request.

    Raises:
        NotFoundError: there is no such address, or nothing at it.
        UsageError: a parameter is wrong.
    """
    match path.split("/")[2:]:
        case ["runs"]:
            return _runs(db, params)
        case ["runs", number]:
            return _run(db, whole_number(number, "the run"), params)
        case ["latest"]:
            return _latest(db, params)
        case ["regressions"]:
            return _regressions(db, params)
        case ["cases"]:
            return _cases(db, params)
        case ["cases", number, "history"]:
            return _history(db, whole_number(number, "the case"), params)
    raise NotFoundError("no such address; see /api/runs, /api/latest, /api/regressions, /api/cases")


def find_run(db: sqlite3.Connection, number: int) -> sqlite3.Row:
    """A run.

    Raises:
        NotFoundError: there is none of that number.
    """
    run = queries.run(db, number)
    if run is None:
        raise NotFoundError(f"no run {number}")
    return run


def find_case(db: sqlite3.Connection, number: int) -> sqlite3.Row:
    """A case.

    Raises:
        NotFoundError: there is none of that number.
    """
    case = queries.case(db, number)
    if case is None:
        raise NotFoundError(f"no case {number}")
    return case


def head_and_base(db: sqlite3.Connection, params: Params) -> tuple[int | None, int | None]:
    """The runs that are to be compared: head, by default the newest, and base.

    Raises:
        NotFoundError: there is none of that number.
    """
    head, base = params.number("head"), params.number("base")
    for number in (head, base):
        if number is not None:
            find_run(db, number)
    return queries.newest(db) if head is None else head, base


def find_kernel(kernels: list[sqlite3.Row], name: str) -> sqlite3.Row | None:
    """The kernel of that name; without a name, the one of the latest result; None without any.

    Raises:
        NotFoundError: the case has no result on that kernel.
    """
    if not name:
        return max(kernels, key=lambda kernel: kernel["at"], default=None)
    for kernel in kernels:
        if kernel["name"] == name:
            return kernel
    raise NotFoundError(f"the case has no result on {name}")


def _next(path: str, after: str, **parameters: object) -> str | None:
    return address(path, {**parameters, "after": after}) if after else None


def _run_json(run: sqlite3.Row) -> Json:
    return {
        **{key: run[key] for key in ("id", "name", "kind", "source")},
        "started": when(run["at"]),
        **{key: run[key] for key in ("command", "tools")},
        **{key: bool(run[key]) for key in ("ended", "whole")},
        **{key: run[key] for key in ("missing", "damaged", "results", "bad", "errors")},
        "url": f"/api/runs/{run['id']}",
    }


def _result_json(row: sqlite3.Row) -> Json:
    return {
        **{key: row[key] for key in ("case_id", "kernel", "suite", "classname", "name")},
        "case": row["node"],
        "outcome": OUTCOMES[row["outcome"]].value,
        "seconds": row["ms"] / 1000,
        **{key: row[key] or "" for key in ("message", "detail", "reproduce")},
        "history": address(f"/api/cases/{row['case_id']}/history", {"kernel": row["kernel"]}),
    }


def _runs(db: sqlite3.Connection, params: Params) -> Json:
    limit = params.limit
    page = queries.runs(db, params.text("after"), limit)
    return {
        "runs": [_run_json(run) for run in page.rows],
        "next": _next("/api/runs", page.next, limit=limit),
    }


def _run(db: sqlite3.Connection, number: int, params: Params) -> Json:
    limit, show = params.limit, params.text("show")
    run = find_run(db, number)
    page = queries.results(db, number, params.text("after"), limit, only_bad=show == "bad")
    return {
        "run": _run_json(run),
        "kernels": [dict(row) for row in queries.ask(db, "tested", run=number)],
        "results": [_result_json(row) for row in page.rows],
        "next": _next(f"/api/runs/{number}", page.next, limit=limit, show=show),
    }


def _latest(db: sqlite3.Connection, params: Params) -> Json:
    limit = params.limit
    kernel, suite = params.text("kernel"), params.text("suite")
    found, after = queries.latest(db, kernel, suite, params.text("after"), limit)
    return {
        "latest": [
            {
                **{"kernel": state.kernel, "suite": state.suite, "run": state.run},
                **{"name": state.name, "started": when(state.at)},
                **{"ended": state.ended, "whole": state.whole},
                **{"results": state.results, "counts": state.counts, "bad": state.bad},
                **{"errors": state.errors, "regressions": state.regressions},
                **{"largest": state.largest, "partial": state.partial},
                "seconds": state.ms / 1000,
                "badge": address("/badge.svg", {"kernel": state.kernel, "suite": state.suite}),
                "url": f"/api/runs/{state.run}",
            }
            for state in found
        ],
        "next": _next("/api/latest", after, kernel=kernel, suite=suite, limit=limit),
    }


def _regressions(db: sqlite3.Connection, params: Params) -> Json:
    limit = params.limit
    head, base = head_and_base(db, params)
    if head is None:
        return {"base": None, "head": None, "regressions": [], "next": None}
    page = queries.regressions(db, base, head, params.text("after"), limit)
    rows = [
        {
            **_result_json(row),
            "base_run": row["base_run"],
            "base_outcome": outcome_word(row["base_outcome"]),
        }
        for row in page.rows
    ]
    following = _next("/api/regressions", page.next, base=base, head=head, limit=limit)
    return {"base": base, "head": head, "regressions": rows, "next": following}


def outcome_word(number: int | None) -> str | None:
    """An outcome as the database has it; None for none."""
    return None if number is None else OUTCOMES[number].value


def _cases(db: sqlite3.Connection, params: Params) -> Json:
    limit, query = params.limit, params.text("query")
    page = queries.cases(db, query, params.text("after"), limit)
    return {
        "cases": [
            {**dict(row), "history": f"/api/cases/{quote(str(row['id']))}/history"}
            for row in page.rows
        ],
        "next": _next("/api/cases", page.next, query=query, limit=limit),
    }


def _history(db: sqlite3.Connection, number: int, params: Params) -> Json:
    limit = params.limit
    case = find_case(db, number)
    kernels = queries.kernels_of(db, case)
    kernel = find_kernel(kernels, params.text("kernel"))
    found: Json = {"case": dict(case), "kernels": [row["name"] for row in kernels]}
    if kernel is None:
        return {**found, "kernel": None, "history": [], "next": None}
    page = queries.history(db, number, kernel["id"], params.text("after"), limit)
    turn = queries.turn(db, number, kernel["id"])
    rows = [
        {
            **{"run": row["run"], "run_name": row["run_name"], "started": when(row["at"])},
            "outcome": OUTCOMES[row["outcome"]].value,
            "seconds": row["ms"] / 1000,
            **{key: row[key] or "" for key in ("message", "detail", "reproduce")},
        }
        for row in page.rows
    ]
    path = f"/api/cases/{number}/history"
    return {
        **found,
        "kernel": kernel["name"],
        **{"bad": turn.bad, "last_good": turn.last_good, "first_bad": turn.first_bad},
        "history": rows,
        "next": _next(path, page.next, kernel=kernel["name"], limit=limit),
    }

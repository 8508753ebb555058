# SPDX-License-Identifier: GPL-2.0-only
"""Files of runs into the database: each once, again when it has grown, whole or not at all."""

import hashlib
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from harness.errors import UsageError
from harness.report.namesakes import numbered
from harness.serve.reading import Head, Row, journal_rows, junit_rows, line
from harness.serve.store import BAD, OUTCOMES, Store
from harness.verdict.outcome import Outcome

JOURNAL = "journal.jsonl"
SKIPPED = {".git", ".venv", ".tox", "node_modules", "__pycache__"}
"""Folders that have no runs in them and may be large."""
DEPTH = 12
"""Folders below folders; a tree that is deeper is no tree of results."""
BATCH = 1000
OLDEST, NEWEST = -(2**63), 2**63 - 1
"""Nanoseconds that SQLite takes, 1677 to 2262; files can have times beyond."""
STAGED = """
create temp table if not exists staged(
    kernel text, key blob, node text, suite text, classname text, name text, outcome integer,
    ms integer, message text, detail text, reproduce text, digest blob, parent blob,
    subtests integer, primary key(kernel, key));
create index if not exists temp.staged_parent on staged(kernel, parent) where parent is not null;
create temp table if not exists planned(
    kernel text, key blob, primary key(kernel, key)) without rowid;
delete from staged;
delete from planned
"""
LACKING = """
select count(*) from planned p left join staged s on s.kernel = p.kernel and s.key = p.key
where s.key is null or s.subtests > 0 and s.subtests > (
    select count(*) from staged t where t.kernel = s.kernel and t.parent = s.key)
"""
"""How many planned cases have no result, or lack one of a subtest."""


@dataclass(frozen=True)
class Found:
    """A file that may have results, by its path relative to the folder that was looked through."""

    path: str
    kind: str
    size: int
    mtime_ns: int


@dataclass
class Imported:
    """What an import came to.

    Attributes:
        files: files that were read into the database.
        results: results in them.
        unchanged: files that the database had already.
        problems: a line for each file that could not be read this time.
    """

    files: int = 0
    results: int = 0
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


def find(folder: Path) -> Iterator[Found]:
    """Journals of run folders and XML files below a folder, in order; links are not followed.

    A run folder has its results in its journal: other files in it are made from that.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}", "give one with run folders or JUnit files in it")
    yield from _find(folder, "", 0)


def _find(folder: Path, prefix: str, depth: int) -> Iterator[Found]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # gone meanwhile, or somebody else's
    journal = next((e for e in entries if e.name == JOURNAL and _is_file(e)), None)
    for entry in [journal] if journal else entries:
        path = f"{prefix}{entry.name}"
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED and depth < DEPTH:
                    yield from _find(Path(entry.path), f"{path}/", depth + 1)
            elif _is_file(entry):
                kind = "journal" if entry is journal else "junit"
                if kind == "journal" or entry.name.lower().endswith(".xml"):
                    status = entry.stat(follow_symlinks=False)
                    mtime_ns = min(max(OLDEST, status.st_mtime_ns), NEWEST)
                    yield Found(path, kind, status.st_size, mtime_ns)
        except OSError:
            continue


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def import_folder(store: Store, folder: Path) -> Imported:
    """Brings the database up to what lies in a folder.

    Several processes may do so at a time. What is gone from the folder stays in the database.

    Raises:
        UsageError: there is no such folder.
        HostError: the database cannot be written.
    """
    done = Imported()
    with store.writing() as db:
        for found in find(folder):
            # Names that are no UTF-8 come as surrogates, which no database takes.
            path = found.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            known = db.execute(
                "select 1 from file where path = ? and size = ? and mtime = ?",
                (path, found.size, found.mtime_ns),
            ).fetchone()
            if known:
                done.unchanged += 1
                continue
            _import_file(db, folder / found.path, path, found, done)
    return done


def _import_file(
    db: sqlite3.Connection, file: Path, path: str, found: Found, done: Imported
) -> None:
    digest, problem = b"", ""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        if not file.exists():
            return
        problem = f"cannot read it: {error.strerror}"
    db.execute("begin immediate")
    try:
        # Somebody else may have imported it while this one waited.
        same = db.execute(
            "select run, problem from file where digest = ? and kind = ? order by path <> ?",
            (digest, found.kind, path),
        ).fetchone()
        run: int | None = None
        if same and digest:
            run, problem = same
            done.unchanged += 1
        elif not problem:
            db.execute("savepoint reading")
            try:
                run, results = _import_run(db, file, path, found, digest)
                done.files += run is not None
                done.results += results
            except UsageError as error:
                problem = line(error.what.removeprefix(f"{file}").lstrip(":"), 500)
                db.execute("rollback to reading")
            db.execute("release reading")
        if problem:
            done.problems.append(f"{line(path)}: {problem}")
        db.execute(
            "insert into file(path, kind, size, mtime, digest, run, problem)"
            " values (?, ?, ?, ?, ?, ?, ?) on conflict(path) do update set kind = excluded.kind,"
            " size = excluded.size, mtime = excluded.mtime, digest = excluded.digest,"
            " run = excluded.run, problem = excluded.problem",
            (path, found.kind, found.size, found.mtime_ns, digest, run, problem),
        )
        db.execute(
            "update meta set generation = generation + 1, changed = ?,"
            " runs = (select count(*) from run), results = (select total(results) from run)",
            (int(time.time()),),
        )
        db.execute("commit")
    except BaseException:
        if db.in_transaction:  # SQLite ends it itself when the disk is full
            db.execute("rollback")
        raise


def _import_run(
    db: sqlite3.Connection, file: Path, path: str, found: Found, digest: bytes
) -> tuple[int | None, int]:
    default = Path(path).parent.name if found.kind == "journal" else Path(path).stem
    head = Head(found.kind, line(default) or found.kind)
    for statement in STAGED.split(";\n"):
        db.execute(statement)
    plan = partial(db.executemany, "insert or ignore into planned values (?, ?)")
    try:
        if found.kind == "journal":
            with file.open("rb") as stream:
                _stage(db, journal_rows(stream, head, plan))
        else:
            _stage(db, junit_rows(file, head))
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror}") from error
    ((count,),) = db.execute("select count(*) from staged")
    if not count and head.identity:
        return None, 0  # a run that has only begun
    if not count:
        raise UsageError("it has no result in it")
    ((missing,),) = db.execute(LACKING)
    # A damaged line of a run that has every result all the same takes nothing away.
    whole = head.ended and not missing and not head.lacking and (head.planned or not head.damaged)
    at = found.mtime_ns // 1_000_000 if head.started is None else head.started
    key = head.identity or f"{path}\n{digest.hex() if head.started is None else at}"
    key = hashlib.sha256(f"{found.kind}\n{key}".encode("utf-8", "backslashreplace")).hexdigest()
    old = db.execute("select id, size from run where key = ?", (key,)).fetchone()
    if old:
        if found.kind == "journal" and old[1] > found.size:
            return old[0], 0  # an older copy of a journal that grew elsewhere
        for table in ("result", "summary", "tested"):
            db.execute(f"delete from {table} where run = ?", old[:1])
        db.execute("delete from run where id = ?", old[:1])
    cursor = db.execute(
        "insert into run values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
        (
            *(old[0] if old else None, key, head.kind, head.name, line(path, 1000), at),
            *(head.command, head.tools, head.ended, missing, whole, head.damaged),
            *(found.size, count),
        ),
    )
    run = cursor.lastrowid
    assert run is not None
    for name, release in head.releases.items():
        db.execute("insert or ignore into kernel(name) values (?)", (name,))
        db.execute(
            "insert or ignore into tested(run, kernel, release)"
            " select ?, id, ? from kernel where name = ?",
            (run, release, name),
        )
    _spread(db, run, at)
    return run, count


def _stage(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        db.executemany(
            "insert or replace into staged values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    *(r.kernel, r.key, r.node, r.suite, r.classname, r.name),
                    *(OUTCOMES.index(r.outcome), r.ms, r.message, r.detail, r.reproduce),
                    *(_digest(r) if r.message or r.detail else None, r.parent, r.subtests),
                )
                for r in batch
            ),
        )


def _digest(row: Row) -> bytes:
    texts = "\0".join((row.message, row.detail, row.reproduce))
    return hashlib.sha256(texts.encode()).digest()[:16]


def _spread(db: sqlite3.Connection, run: int, at: int) -> None:
    """From the staged rows into the tables."""
    _number_namesakes(db)
    db.execute("insert or ignore into kernel(name) select distinct kernel from staged")
    db.execute("insert or ignore into suite(name) select distinct suite from staged")
    ((last,),) = db.execute('select coalesce(max(id), 0) from "case"')
    db.execute(
        'insert or ignore into "case"(suite, classname, name, node)'
        " select suite.id, classname, staged.name, node from staged"
        " join suite on suite.name = staged.suite order by 1, 2, 3"
    )
    db.execute(
        "insert into case_words(rowid, words)"
        " select \"case\".id, suite.name || ' ' || classname || ' ' || \"case\".name"
        ' || \' \' || node from "case" join suite on suite.id = suite where "case".id > ?',
        (last,),
    )
    db.execute(
        "insert or ignore into words(digest, message, detail, reproduce)"
        " select digest, message, detail, reproduce from staged where digest is not null"
    )
    db.execute(
        "insert into result"
        ' select ?, kernel.id, suite.id, "case".id, ?, outcome, ms, words.id from staged'
        " join kernel on kernel.name = staged.kernel join suite on suite.name = staged.suite"
        ' join "case" on "case".suite = suite.id and "case".classname = staged.classname'
        ' and "case".name = staged.name left join words on words.digest = staged.digest',
        (run, at),
    )
    db.execute("insert or ignore into tested(run, kernel, release)"
               " select distinct run, kernel, '' from result where run = ?", (run,))  # fmt: skip
    _summarise(db, run, at)


def _number_namesakes(db: sqlite3.Connection) -> None:
    """As in reports: in the order of their node ids."""
    # No text that was cleaned has a NUL in it.
    name = "cast(kernel || char(0) || suite || char(0) || classname || char(0) || name as blob)"
    shared = db.execute(
        f"select rowid, {name} from staged where (kernel, suite, classname, name) in ("
        " select kernel, suite, classname, name from staged group by 1, 2, 3, 4"
        " having count(*) > 1) order by kernel, suite, classname, name, key"
    )
    cases = [(row, name.decode()) for row, name in shared]
    ends = db.execute(f"select {name} from staged where substr(name, -1) = ')'")
    numbers = numbered(cases, (name.decode() for (name,) in ends))
    db.executemany(
        "update staged set name = name || ' (' || ? || ')' where rowid = ?",
        [(number, row) for row, number in numbers.items() if number > 1],
    )


def _summarise(db: sqlite3.Connection, run: int, at: int) -> None:
    counts: dict[tuple[int, int], Counter[int]] = {}
    times: Counter[tuple[int, int]] = Counter()
    for kernel, suite, outcome, number, ms in db.execute(
        "select kernel, suite, outcome, count(*), sum(ms) from result where run = ?"
        " group by 1, 2, 3",
        (run,),
    ):
        counts.setdefault((kernel, suite), Counter())[outcome] = number
        times[kernel, suite] += ms
    bad_in_all = errors_in_all = 0
    for (kernel, suite), found in counts.items():
        bad = sum(found[n] for n in BAD)
        errors = found[OUTCOMES.index(Outcome.ERROR)]
        bad_in_all, errors_in_all = bad_in_all + bad, errors_in_all + errors
        named = {OUTCOMES[n].value: found[n] for n in sorted(found)}
        db.execute(
            "insert into summary values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(run, kernel, suite, at, found.total(), json.dumps(named)),
                *(bad, errors, times[kernel, suite]),
            ),
        )
        db.execute(
            "insert or ignore into pair select kernel.name, suite.name, kernel.id, suite.id"
            " from kernel, suite where kernel.id = ? and suite.id = ?",
            (kernel, suite),
        )
    db.execute(
        "update run set bad = ?, errors = ?, results = ? where id = ?",
        (bad_in_all, errors_in_all, sum(c.total() for c in counts.values()), run),
    )

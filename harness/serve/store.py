# SPDX-License-Identifier: GPL-2.0-only
"""The database of many runs: its tables, and connections to it.

Everything in it can be made again from the files that it was imported from, and what a file said
stays when the file goes: run folders are cleared away, histories are not.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from harness.errors import HostError, UsageError
from harness.verdict.outcome import Outcome

NAME = ".kharness-serve.sqlite"
APPLICATION = 0x6B68726E
"""``khrn``: how a database says whose it is (sqlite.org/pragma.html#pragma_application_id)."""
VERSION = 2
"""Of the tables, and of what tells runs apart in them."""
BUSY_S = 600
"""How long a writer waits for another one; an import of a very large run takes minutes."""
CACHE_KIB = 32 * 1024
OUTCOMES = tuple(Outcome)
"""The database has an outcome's place in here."""
BAD = tuple(n for n, o in enumerate(OUTCOMES) if not o.good and o is not Outcome.ERROR)
GOOD = tuple(n for n, o in enumerate(OUTCOMES) if o.good)
PASSED = tuple(n for n, o in enumerate(OUTCOMES) if o.good and o is not Outcome.SKIP)
"""A skipped case says nothing of the kernel, an error is the host's: neither dates a failure."""

_BAD = ", ".join(map(str, BAD))
# WITHOUT ROWID keeps a run's results together in the order in which pages show them.
# `at` stands in results, too, so that a history is one walk along one index.
TABLES = f"""
create table meta(
    id text not null, changed integer not null default 0, generation integer not null default 0,
    runs integer not null default 0, results integer not null default 0);
create table file(
    id integer primary key, path text not null unique, kind text not null, size integer not null,
    mtime integer not null, digest blob not null, run integer, problem text not null default '');
create index file_digest on file(digest);
create index file_run on file(run);
create index file_problem on file(path) where problem <> '';
create table run(
    id integer primary key, key text not null unique, kind text not null, name text not null,
    source text not null, at integer not null, command text not null, tools text not null,
    ended integer not null, missing integer not null, whole integer not null,
    damaged integer not null, size integer not null,
    results integer not null, bad integer not null, errors integer not null);
create index run_at on run(at, id);
create table kernel(id integer primary key, name text not null unique);
create table suite(id integer primary key, name text not null unique);
create table tested(
    id integer primary key, run integer not null, kernel integer not null, release text not null,
    unique(run, kernel));
create table pair(
    kernel_name text, suite_name text, kernel integer not null, suite integer not null,
    primary key(kernel_name, suite_name)) without rowid;
create index pair_suite on pair(suite_name, kernel_name, suite, kernel);
create table summary(
    run integer, kernel integer, suite integer, at integer not null, results integer not null,
    counts text not null, bad integer not null, errors integer not null, ms integer not null,
    primary key(run, kernel, suite)) without rowid;
create index summary_latest on summary(kernel, suite, at, run);
create table "case"(
    id integer primary key, suite integer not null, classname text not null, name text not null,
    node text not null, unique(suite, classname, name));
create index case_name on "case"(name, id);
create virtual table case_words using fts5(
    words, content='', columnsize=0, detail=full, tokenize='trigram');
create table words(
    id integer primary key, digest blob not null unique, message text not null,
    detail text not null, reproduce text not null);
create table result(
    run integer, kernel integer, suite integer, "case" integer, at integer not null,
    outcome integer not null, ms integer not null, words integer,
    primary key(run, kernel, suite, "case")) without rowid;
create index result_history on result("case", kernel, at, run, outcome);
create index result_bad on result(run, kernel, suite, "case", outcome) where outcome in ({_BAD});
"""


class Store:
    """A database of runs.

    Args:
        path: its file; made when missing.

    Raises:
        UsageError: the file is something else.
        HostError: it cannot be made or read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # As journals have it: what tests print is nobody else's business.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise HostError(
                f"cannot make the database {path}: {error.strerror}",
                "--database names another file",
            ) from error
        with self.failing(), closing(self._connect()) as db:
            if self._is_empty(db):
                # Two processes may begin at the same time: the second one finds the tables.
                db.execute("begin immediate")
                if self._is_empty(db):
                    self._make(db)
                db.execute("commit")
            ((application,),) = db.execute("pragma application_id")
            ((version,),) = db.execute("pragma user_version")
            if application != APPLICATION:
                raise UsageError(f"{path} is a database of something else", "name another file")
            if version != VERSION:
                raise UsageError(
                    f"{path} is of another version of kharness",
                    "remove it, it is made anew, or name another file with --database",
                )
            db.execute("pragma journal_mode = wal")

    @staticmethod
    def _is_empty(db: sqlite3.Connection) -> bool:
        ((tables,),) = db.execute("select count(*) from sqlite_master")
        return not tables

    @staticmethod
    def _make(db: sqlite3.Connection) -> None:
        for statement in TABLES.split(";\n"):
            db.execute(statement)
        db.execute("insert into meta(id) values (?)", (uuid4().hex,))
        db.execute(f"pragma application_id = {APPLICATION}")
        db.execute(f"pragma user_version = {VERSION}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that cannot write and sees one state of the database to its end."""
        with self.failing(), closing(self._connect()) as db:
            db.row_factory = sqlite3.Row
            db.execute("pragma query_only = on")
            db.execute("begin")
            yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that can write; transactions are its user's."""
        with self.failing(), closing(self._connect()) as db:
            # In WAL mode this cannot corrupt; what a power cut takes is imported again.
            db.execute("pragma synchronous = normal")
            yield db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        db.execute(f"pragma cache_size = -{CACHE_KIB}")
        return db

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Turns what SQLite says into a line for the user."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error):
                raise UsageError(f"{self.path} is no database", "name another file") from error
            raise HostError(
                f"cannot use the database {self.path}: {error}",
                "is there room, and may you write there? --database names another file",
            ) from error

# SPDX-License-Identifier: GPL-2.0-only
"""``kharness serve``: a dashboard over many runs."""

import signal
from pathlib import Path

import click

from harness.cli_common import reported
from harness.serve.importing import find, import_folder
from harness.serve.server import Refresher, Server, serve, words_of
from harness.serve.store import NAME, Store


@click.command("serve")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0: a free one."
)
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Default: DIR/{NAME}",
)
@click.option("--once", is_flag=True, help="Import what is new, and exit.")
@reported
def serve_command(folder: Path, host: str, port: int, database: Path | None, once: bool) -> None:
    """Shows many runs in a browser: latest state, regressions, histories, badges, JSON.

    DIR has run folders or JUnit files of any tool in it, or below. They are imported into a
    database; nothing else is written. The pages can be read from this machine only, unless --host
    says otherwise; they have no password.

    Example: kharness serve .kharness/runs
    """
    next(find(folder), None)  # says so when there is no such folder
    store = Store(database or folder / NAME)
    if once:
        done = import_folder(store, folder)
        for problem in done.problems:
            click.echo(f"kharness: skipped {problem}", err=True)
        click.echo(words_of(done))
        return
    refresher = Refresher(store, folder, lambda words: click.echo(f"kharness: {words}", err=True))
    with Server(store, refresher, host, port) as server:
        if not server.loopback:
            click.echo("kharness: whoever can reach this machine can read the pages", err=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        serve(server, lambda: click.echo(f"serving {server.url}  (Ctrl-C ends)"))

# SPDX-License-Identifier: GPL-2.0-only
"""The command line: parses, calls, prints; decides nothing."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from harness import complete
from harness.bisect import codes_for_bisect
from harness.cli_common import DEBUG, FiniteRange, print_error, printing, reported, screen
from harness.cli_lazy import LazyGroup
from harness.cli_reports import report_options
from harness.cli_suites import list_suites, suite_cases, suite_options
from harness.errors import ExitCode, HostMemoryError, KharnessError, UsageError

# What a command needs is imported when it is called: help and completion are asked for more often,
# and pytest, pydantic, rich and asyncio take half a second.
# ruff: noqa: PLC0415

LAZY = {
    "compare": (
        "harness.cli_judge:compare_command",
        "Says what changed between two runs: run folders, or JUnit files of any tool.",
    ),
    "config": (
        "harness.cli_config:config",
        "Settings: what they are, whether they are right, their schema.",
    ),
    "html": (
        "harness.cli_html:html",
        "Makes the page of a run, with what became of its cases in earlier runs.",
    ),
    "junit": (
        "harness.cli_junit:junit",
        "Merges JUnit files of any tool, or says what is wrong with them.",
    ),
    "kernels": (
        "harness.cli_kernels:kernels",
        "Lists the kernels of harness.toml, those in the cache, and recipes.",
    ),
    "mutate": (
        "harness.cli_mutate:mutate_command",
        "Builds a kernel for every mutant, runs the cases on it, and says which were noticed.",
    ),
    "parse": (
        "harness.cli_parse:parse_command",
        "Reads KTAP and TAP logs, of any kernel and any harness, and reports them like a run.",
    ),
    "report": (
        "harness.cli_resume:report",
        "Makes every report of a run anew from its journal, and prints its summary.",
    ),
    "resume": (
        "harness.cli_resume:resume",
        "Finishes a run that did not come to its end: runs what has no result, and only that.",
    ),
    "series": (
        "harness.cli_judge:series",
        "Judges a patch series: builds base and base plus patches, runs the cases on both.",
    ),
    "serve": (
        "harness.cli_serve:serve_command",
        "Shows many runs in a browser: latest state, regressions, histories, badges, JSON.",
    ),
    "splats": (
        "harness.cli_splats:splats",
        "Finds what a kernel prints when it is unwell, in any console log.",
    ),
}
"""Commands of other modules, and the first line of their help."""


@click.group(cls=LazyGroup, lazy=LAZY, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kharness")
@click.option("--debug", is_flag=True, help="Show a traceback with every error.")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """Boots guest kernels in QEMU, runs test cases in them, writes JUnit.

    Example: kharness run --kernel debian:6.12 cases/pidfd/open.c
    """
    context.meta[DEBUG] = debug


@main.command()
@click.argument("nodes", nargs=-1, metavar="[PATH | NODE ID]...", shell_complete=complete.nodes)
@click.option(
    "--kernel",
    multiple=True,
    metavar="SPEC",
    help="Kernel to run on; repeatable.",
    shell_complete=complete.kernels,
)
@click.option("-k", "keyword", metavar="EXPR", help="Only cases whose name matches (as in pytest).")
@click.option("-n", "jobs", default="auto", metavar="N|auto", help="Guests at a time.")
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg"]), help="Accelerator.")
@click.option(
    "--isolate",
    type=click.Choice(["fork", "boot", "shared"]),
    help="What a case shares with those before it.",
)
@click.option("--abi", metavar="ABI[,ABI]", help="Programs for: native (default), compat32.")
@click.option("--timeout", type=FiniteRange(min=0.1), metavar="S", help="Limit of a case.")
@click.option(
    "--settle",
    type=FiniteRange(0, 60),
    metavar="S",
    help="Time for late reports of the kernel after a case's end.",
)
@click.option(
    "--warn",
    type=click.Choice(["crash", "fail", "ignore"]),
    help="What a WARNING of the kernel makes of a case (default: crash).",
)
@click.option(
    "--dump",
    type=click.Choice(["never", "on-crash"]),
    help="Keep the memory of a guest that crashed or hung (default: never).",
)
@click.option(
    "--append",
    multiple=True,
    metavar="WORDS",
    help="Further words for the kernels' command line; repeatable.",
)
@click.option("--junit", type=click.Path(dir_okay=False), help="Write JUnit here as well.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write the page here as well.")
@report_options
@click.option("--run-dir", type=click.Path(file_okay=False), help="Run folder, new or empty.")
@click.option("--config", type=click.Path(dir_okay=False), help="harness.toml to use.")
@click.option("--build", is_flag=True, help="Build what is a kernel tree first, outside of it.")
@click.option("--bisect", is_flag=True, help="For `git bisect run`: exit 125 for no judgement.")
@click.option(
    "--shuffle",
    is_flag=False,
    flag_value="",
    metavar="[SEED]",
    help="Shuffle the cases of a kernel; --shuffle=SEED gives an order again.",
)
@click.option("--seed", metavar="N", help="Seed of every random choice.")
@suite_options
@click.option("--rerun", type=click.IntRange(min=0), metavar="N", help="Try what fails again.")
@click.option("--repeat", type=click.IntRange(min=1), metavar="N", help="Run every case N times.")
@click.option("--until-fail", is_flag=True, help="Repeat each case until it fails once.")
@click.option("--for", "for_time", metavar="TIME", help="Repeat for so long: 90s, 10m, 2h.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first case that fails.")
@click.option("--lf", "last_failed", is_flag=True, help="Only cases that failed last time.")
@click.option("-q", "--quiet", is_flag=True, help="Print failures and the verdict only.")
@click.option("-v", "--verbose", is_flag=True, help="Print a line for each case.")
@reported
def run(nodes: tuple[str, ...], **options: Any) -> None:
    """Runs cases and writes a run folder: journal, consoles, junit.xml and report.html.

    Exit codes: 0 all passed, 1 a case failed, crashed or timed out, 2 interrupted, 3 the host or a
    kernel could not do its part, 4 wrong usage, 5 no case was selected.

    \b
    Examples:
      kharness run
      kharness run --kernel ~/linux cases/pidfd -k recycled
      kharness run 'cases/pidfd/open.c::rejects_pid_zero'
      kharness run --rerun 2
      kharness run --until-fail --for 10m cases/pidfd/race.c
      git bisect run kharness run --bisect --build --kernel . cases/pidfd/open.c
    """
    from harness.session import run_session

    sys.exit(run_session(nodes, options))


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH | NODE ID]...", shell_complete=complete.nodes)
@list_suites
@click.option("--describe", is_flag=True, help="A table: what is checked, who promises it.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The same as a page for docs.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@reported
def cases(  # noqa: PLR0917 - click calls it by name
    paths: tuple[str, ...],
    suites: tuple[str, ...],
    rootfs: str | None,
    describe: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Lists cases with what they need.

    Example: kharness cases --describe cases/pidfd
    """
    from rich.console import Console

    from harness.cases.catalogue import markdown, since, table
    from harness.cases.discover import find_sources, load, named, split_node
    from harness.cases.elf import read_features
    from harness.cases.python_tests import python_tests
    from harness.config import load_settings

    settings = load_settings(None, Path.cwd())
    found = []
    for words in paths or (() if suites else settings.run.cases):
        path, _ = split_node(words)
        here = [c for source in find_sources(path) for c in load(source, Path.cwd())]
        if not as_markdown:
            here += python_tests(path, Path.cwd())
        found += named(here, words)
    found += suite_cases(suites, rootfs)
    if as_json:
        rows = [
            {
                "case": c.node,
                "classname": c.classname,
                "line": c.line,
                "description": c.description,
                "promised": c.promised,
                "since": since(c.needs),
                "slow": c.slow,
                "kernel": ".".join(map(str, c.needs.kernel)) if c.needs.kernel else None,
                "config": list(c.needs.config),
                "probes": [name for name, _ in c.needs.probes],
                "root": c.needs.root,
                "cpus": c.needs.cpus,
                "timeout_s": c.timeout_s,
            }
            for c in found
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    if as_markdown:
        programs = dict.fromkeys(c.program for c in found if c.program)
        features = [feature for program in programs for feature in read_features(program)]
        click.echo(markdown(found, features), nl=False)
        return
    if describe:
        shown = Console(highlight=False)
        if shown.is_terminal:
            shown.print(table(found))
            return
        # A line for each case: what is folded cannot be searched.
        wide = Console(highlight=False, width=1000)
        with wide.capture() as captured:
            wide.print(table(found))
        for text in captured.get().splitlines():
            click.echo(text.rstrip())
        return
    for c in found:
        click.echo(f"{c.node}  {c.description}".rstrip())


@main.command()
@click.argument("shell_name", metavar="SHELL", type=click.Choice(sorted(complete.SHELLS)))
def completion(shell_name: str) -> None:
    """Prints the script that completes kharness's words in bash, zsh or fish.

    \b
    Examples:
      kharness completion bash > ~/.local/share/bash-completion/completions/kharness
      kharness completion zsh > ~/.zfunc/_kharness      # a folder of $fpath
      kharness completion fish > ~/.config/fish/completions/kharness.fish
    """
    click.echo(complete.script(main, shell_name), nl=False)


@main.group()
def cache() -> None:
    """What is saved between runs: what there is, and making room.

    Example: kharness cache list
    """


@cache.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@reported
def cache_list(as_json: bool) -> None:
    """Lists templates, least recently used first, and what else takes room.

    Example: kharness cache list --json
    """
    from harness.cli_cache import print_cache

    print_cache(as_json=as_json)


@cache.command()
@click.option("--limit-mib", type=click.IntRange(min=0), default=0, help="What may stay of each.")
@reported
def prune(limit_mib: int) -> None:
    """Removes templates and initramfs archives that no run uses, least recently used first.

    Templates of caches that were deleted go as well.

    Example: kharness cache prune --limit-mib 512
    """
    from harness.cli_cache import prune_cache

    prune_cache(limit_mib)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--kernel",
    default="debian:6.12",
    metavar="SPEC",
    help="Kernel of the guest tried.",
    shell_complete=complete.kernels,
)
@reported
def doctor(as_json: bool, kernel: str) -> None:
    """Looks at the host and says for each gap what to do. Exits 3 when there is one.

    Example: kharness doctor --kernel debian:6.1
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.doctor import examine

    findings = examine(kernel)
    if as_json:
        click.echo(json.dumps([f.to_json() for f in findings], indent=1))
    else:
        table = Table(show_edge=False, pad_edge=False, show_header=False)
        for f in findings:
            style = {"ok": "green", "note": "yellow", "gap": "bold red"}[f.state]
            words = f.says + (f"; {f.todo}" if f.todo else "")
            table.add_row(Text(f.state, style=style), Text(f.name), Text(words))
        Console(highlight=False).print(table)
    if any(f.state == "gap" for f in findings):
        sys.exit(ExitCode.HOST)


@main.command()
@click.option(
    "--kernel",
    default="debian:6.12",
    metavar="SPEC",
    help="Kernel to boot.",
    shell_complete=complete.kernels,
)
@click.option(
    "--accel", type=click.Choice(["auto", "kvm", "tcg"]), default="auto", help="Accelerator."
)
@click.option("--fork", is_flag=True, help="In a fork of the saved template: no boot.")
@click.option(
    "--case",
    "node",
    metavar="NODE",
    help="Run this case first, in a fork.",
    shell_complete=complete.nodes,
)
@reported
def shell(kernel: str, accel: str, fork: bool, node: str | None) -> None:
    """Opens a shell in a guest; all cases of harness.toml lie in /case. Ends with `exit`.

    \b
    Examples:
      kharness shell --fork
      kharness shell --case cases/pidfd/open.c::rejects_pid_zero
    """
    from harness.cases.discover import find_sources, load, split_node
    from harness.cases.python_files import is_python_test
    from harness.config import load_settings
    from harness.kernels.spec import resolve_to_boot
    from harness.report.building import BuildDisplay
    from harness.shell import shell as open_shell

    settings = load_settings(None, Path.cwd())
    found = [
        case
        for path in dict.fromkeys(split_node(words)[0] for words in settings.run.cases)
        if path.exists()
        for source in find_sources(path)
        for case in load(source, Path.cwd())
    ]
    first = None
    if node:
        source, name = split_node(node)
        if is_python_test(source):
            what = f"{node} is a Python case, which runs outside of guests"
            raise UsageError(what, "give a C case")
        here = load(source, Path.cwd()) if source.is_file() else []
        first = next((case for case in here if case.name == name), None)
        if first is None:
            raise UsageError(f"no case {node}", f"kharness cases {source} lists what there is")
        found += [case for case in here if case.classname not in {c.classname for c in found}]
    with closing(BuildDisplay(screen())) as display:
        chosen = resolve_to_boot(kernel, progress=display)
    fork = fork or bool(node)
    status = open_shell(chosen, found, settings.guest, accel=accel, fork=fork, first=first)
    sys.exit(status)


def entry() -> None:
    """The command ``kharness``: wrong usage is exit 4, an interrupt exit 2."""
    with codes_for_bisect(sys.argv[1:]):
        _enter()


def _enter() -> None:
    try:
        with printing():
            complete.register()
            sys.exit(main.main(standalone_mode=False, prog_name="kharness"))
    except KharnessError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.INTERRUPTED)
    except MemoryError:
        short = HostMemoryError()
        print_error(short)
        sys.exit(short.exit_code)


if __name__ == "__main__":
    entry()

# SPDX-License-Identifier: GPL-2.0-only
"""The command line: parses, calls, prints; decides nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness import __version__
from harness.cases.discover import find_sources, load
from harness.cli_common import DEBUG, print_error, reported
from harness.cli_judge import compare_command, series
from harness.cli_kernels import kernels
from harness.config import load_settings
from harness.doctor import examine
from harness.errors import ExitCode, KharnessError, UsageError
from harness.kernels.spec import resolve
from harness.plugin import RUN_KEY, Reporting
from harness.report.building import BuildDisplay
from harness.shell import shell as open_shell
from harness.vm.shelf import prune_templates, saved_templates

UNUSED = ("logging", "unraisableexception", "threadexception", "hypothesispytest", "doctest")
"""Plugins of pytest that do something around every item, and have nothing to do for a case."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show a traceback with every error.")
@click.pass_context
def main(context: click.Context, debug: bool) -> None:
    """Boots guest kernels in QEMU, runs test cases in them, writes JUnit.

    Example: kharness run --kernel debian:6.12 cases/pidfd/open.c
    """
    context.meta[DEBUG] = debug


@main.command()
@click.argument("nodes", nargs=-1, metavar="[PATH | NODE ID]...")
@click.option("--kernel", multiple=True, metavar="SPEC", help="Kernel to run on; repeatable.")
@click.option("-k", "keyword", metavar="EXPR", help="Only cases whose name matches (as in pytest).")
@click.option("-n", "jobs", default="auto", metavar="N|auto", help="Guests at a time.")
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg"]), help="Accelerator.")
@click.option(
    "--isolate",
    type=click.Choice(["fork", "boot", "shared"]),
    help="What a case shares with those before it.",
)
@click.option("--timeout", type=click.FloatRange(min=0.1), metavar="S", help="Limit of a case.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write JUnit here as well.")
@click.option("--run-dir", type=click.Path(file_okay=False), help="Run folder, new or empty.")
@click.option("--config", type=click.Path(dir_okay=False), help="harness.toml to use.")
@click.option("--build", is_flag=True, help="Build what is a kernel tree first, outside of it.")
@click.option("--bisect", is_flag=True, help="For `git bisect run`: exit 125 for no judgement.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first case that fails.")
@click.option("--lf", "last_failed", is_flag=True, help="Only cases that failed last time.")
@click.option("-q", "--quiet", is_flag=True, help="Print failures and the verdict only.")
@click.option("-v", "--verbose", is_flag=True, help="Print a line for each case.")
@reported
def run(nodes: tuple[str, ...], **options: Any) -> None:
    """Runs cases and writes a run folder with journal, consoles and junit.xml.

    Exit codes: 0 all passed, 1 a case failed, crashed or timed out, 2 interrupted, 3 the host or a
    kernel could not do its part, 4 wrong usage, 5 no case was selected.

    \b
    Examples:
      kharness run
      kharness run --kernel ~/linux cases/pidfd -k recycled
      kharness run 'cases/pidfd/open.c::rejects_pid_zero'
      git bisect run kharness run --bisect --build --kernel . cases/pidfd/open.c
    """
    if options["bisect"]:
        sys.exit(_bisect_code(nodes, options))
    sys.exit(_run(nodes, options))


def _bisect_code(nodes: tuple[str, ...], options: dict[str, Any]) -> int:
    """What cannot be judged is 125, which `git bisect run` skips (git-bisect(1))."""
    try:
        code = _run(nodes, options)
    except KharnessError as error:
        print_error(error)
        code = error.exit_code
    return 125 if code in (ExitCode.HOST, ExitCode.USAGE, ExitCode.NO_CASES) else code


def _run(nodes: tuple[str, ...], options: dict[str, Any]) -> int:
    config = Path(options["config"]).absolute() if options["config"] else None
    settings = load_settings(config, Path.cwd())
    ui = "quiet" if options["quiet"] else "verbose" if options["verbose"] else "normal"
    arguments = [*(nodes or settings.run.cases), f"--kharness-ui={ui}", "--capture=sys"]
    arguments += [f"-pno:{name}" for name in UNUSED]
    arguments += ["--lf"] if options["last_failed"] else ["-pno:cacheprovider"]
    for spec in options["kernel"]:
        arguments.append(f"--kernel={spec}")
    named = {
        "keyword": "-k",
        "accel": "--accel",
        "isolate": "--isolate",
        "timeout": "--case-timeout",
        "jobs": "--jobs",
        "junit": "--junit",
        "run_dir": "--run-dir",
    }
    for name, option in named.items():
        if options[name] is not None:
            arguments += [option, str(options[name])]
    if config:
        arguments.append(f"--kharness-config={config}")
    arguments += ["-x"] if options["exitfirst"] else []
    arguments += ["--build"] if options["build"] else []
    return _run_pytest(arguments)


class _Watch:
    """Looks at the session's end from outside."""

    def __init__(self) -> None:
        self.config: pytest.Config | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.config = config


def _run_pytest(arguments: list[str]) -> int:
    watch = _Watch()
    status = int(pytest.main(arguments, plugins=[watch]))
    if watch.config is None:
        return ExitCode.USAGE
    run = watch.config.stash.get(RUN_KEY, None)
    reporting = watch.config.pluginmanager.get_plugin("kharness-reporting")
    if run is None or not isinstance(reporting, Reporting):
        return ExitCode.USAGE
    if run.problem is not None:
        print_error(run.problem)
        return run.problem.exit_code
    known = {
        pytest.ExitCode.INTERRUPTED: ExitCode.INTERRUPTED,
        pytest.ExitCode.INTERNAL_ERROR: ExitCode.HOST,
        pytest.ExitCode.USAGE_ERROR: ExitCode.USAGE,
        pytest.ExitCode.NO_TESTS_COLLECTED: ExitCode.NO_CASES,
    }
    if pytest.ExitCode(status) in known:
        code = known[pytest.ExitCode(status)]
        if code is ExitCode.NO_CASES:
            click.echo("kharness: no case was selected", err=True)
        return code
    if reporting.exit_code is None:
        return status
    return reporting.exit_code


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@reported
def cases(paths: tuple[str, ...], as_json: bool) -> None:
    """Lists cases with what they need. Example: kharness cases cases/pidfd"""
    settings = load_settings(None, Path.cwd())
    found = [
        case
        for path in paths or settings.run.cases
        for source in find_sources(Path(path))
        for case in load(source, Path.cwd())
    ]
    if as_json:
        rows = [
            {
                "case": c.node,
                "classname": c.classname,
                "line": c.line,
                "description": c.description,
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
    for c in found:
        click.echo(f"{c.node}  {c.description}".rstrip())


main.add_command(kernels)
main.add_command(compare_command)
main.add_command(series)


@main.group()
def cache() -> None:
    """Saved templates: what there is, and making room. Example: kharness cache list"""


@cache.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@reported
def cache_list(as_json: bool) -> None:
    """Lists templates, least recently used first."""
    found = saved_templates()
    if as_json:
        rows = [
            {"key": t.key, "kernel": t.kernel, "size_mib": t.size_mib, "folder": str(t.folder)}
            for t in found
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for t in found:
        click.echo(f"{t.key}  {t.size_mib:5} MiB  {t.kernel}")
    click.echo(f"{len(found)} templates, {sum(t.size_mib for t in found)} MiB")


@cache.command()
@click.option("--limit-mib", type=click.IntRange(min=0), default=0, help="What may stay.")
@reported
def prune(limit_mib: int) -> None:
    """Removes templates that no run uses, least recently used first."""
    removed = prune_templates(limit_mib)
    click.echo(f"{len(removed)} templates removed, {sum(t.size_mib for t in removed)} MiB")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--kernel", default="debian:6.12", metavar="SPEC", help="Kernel of the guest tried.")
@reported
def doctor(as_json: bool, kernel: str) -> None:
    """Looks at the host and says for each gap what to do. Exits 3 when there is one."""
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
@click.option("--kernel", default="debian:6.12", metavar="SPEC", help="Kernel to boot.")
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg"]), default="auto")
@click.option("--fork", is_flag=True, help="In a fork of the saved template: no boot.")
@click.option("--case", "node", metavar="NODE", help="Run this case first, in a fork.")
@reported
def shell(kernel: str, accel: str, fork: bool, node: str | None) -> None:
    """Opens a shell in a guest; all cases of harness.toml lie in /case. Ends with `exit`.

    \b
    Examples:
      kharness shell --fork
      kharness shell --case cases/pidfd/open.c::rejects_pid_zero
    """
    settings = load_settings(None, Path.cwd())
    found = [
        case
        for path in settings.run.cases
        if Path(path).exists()
        for source in find_sources(Path(path))
        for case in load(source, Path.cwd())
    ]
    first = None
    if node:
        source, _, name = node.partition("::")
        here = load(Path(source), Path.cwd()) if Path(source).is_file() else []
        first = next((case for case in here if case.name == name), None)
        if first is None:
            raise UsageError(f"no case {node}", f"kharness cases {source} lists what there is")
        found += [case for case in here if case.classname not in {c.classname for c in found}]
    with BuildDisplay(Console(highlight=False, soft_wrap=True)) as display:
        chosen = resolve(kernel, progress=display)
    status = open_shell(chosen, found, accel=accel, fork=fork or bool(node), first=first)
    sys.exit(status)


def entry() -> None:
    """The command ``kharness``: wrong usage is exit 4, an interrupt exit 2."""
    try:
        sys.exit(main.main(standalone_mode=False))
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    entry()

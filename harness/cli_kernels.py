# SPDX-License-Identifier: GPL-2.0-only
"""``kharness kernels``: listing, fetching and building kernels."""

import json
from pathlib import Path

import click
from rich.console import Console

from harness.cli_common import reported
from harness.config import load_settings
from harness.errors import UsageError
from harness.kernels.build import (
    Plan,
    build,
    built_records,
    find_built,
    free_work,
    plan_recipe,
    plan_tree,
)
from harness.kernels.debian import fetched
from harness.kernels.recipe import find_recipe, recipe_names
from harness.kernels.spec import SMALL, resolve, short_name
from harness.report.building import BuildDisplay


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
@reported
def kernels(context: click.Context, as_json: bool) -> None:
    """Lists the kernels of harness.toml, those in the cache, and recipes.

    Example: kharness kernels
    """
    if context.invoked_subcommand:
        return
    rows = _rows()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        missing = "build" if str(row["spec"]).startswith("recipe:") else "fetch"
        state = row["in_cache"] or f"not here yet: kharness kernels {missing} {row['spec']}"
        mark = "*" if row["default"] else " "
        click.echo(f"{mark} {row['spec']:18} {state}  {row['description']}".rstrip())
    click.echo("* is what `kharness run` takes without --kernel")


def _rows() -> list[dict[str, object]]:
    chosen = load_settings(None, Path.cwd()).run.kernels
    specs = dict.fromkeys([*chosen, *_fetched_specs(), *(f"recipe:{n}" for n in recipe_names())])
    return [{"spec": spec, **_about(spec), "default": spec in chosen} for spec in specs]


def _fetched_specs() -> list[str]:
    words = [name.removeprefix("linux-image-").split(".") for name in fetched()]
    return [f"debian:{parts[0]}.{parts[1]}" for parts in words if len(parts) > 1]


def _about(spec: str) -> dict[str, object]:
    source, _, rest = spec.partition(":")
    if source == "debian":
        here = fetched(rest)
        return {"in_cache": here[-1] if here else None, "description": ""}
    if source == "recipe":
        recipe = find_recipe(rest)
        built = _built_of(rest)
        return {"in_cache": built, "description": recipe.description}
    return {"in_cache": spec if Path(spec).exists() else None, "description": ""}


def _built_of(name: str) -> str | None:
    """Source version of the newest build of a recipe in the cache; asks no archive."""
    found = [record for record in built_records() if record["name"] == name]
    return f"built of {found[-1]['source']} {found[-1]['version']}" if found else None


@kernels.command()
@click.argument("spec")
@reported
def fetch(spec: str) -> None:
    """Fetches a kernel into the cache. Example: kharness kernels fetch debian:6.12"""
    with BuildDisplay(Console(highlight=False, soft_wrap=True)) as display:
        kernel = resolve(spec, progress=display)
    click.echo(f"{kernel.spec}: {kernel.release} ({kernel.arch.value}), {kernel.image}")


@kernels.command("build")
@click.argument("recipe")
@click.option("--source", metavar="DIR|TARBALL|PACKAGE", help="Source instead of the recipe's own.")
@click.option("-j", "jobs", type=click.IntRange(min=1), metavar="N", help="Jobs of make.")
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@reported
def build_command(recipe: str, source: str | None, jobs: int | None, quiet: bool) -> None:
    """Builds a kernel: a recipe by name, a recipe's folder, or a kernel tree.

    What is in the cache is not built again. A build that was interrupted goes on where it was.

    \b
    Examples:
      kharness kernels build procfd
      kharness kernels build mainline --source ~/linux -j 8
      kharness kernels build ~/linux
    """
    plan = plan_of(recipe, source)
    before = find_built(plan)
    with BuildDisplay(Console(highlight=False, soft_wrap=True), quiet=quiet) as display:
        built = build(plan, jobs=jobs, progress=display)
    version = ".".join(map(str, plan.source.version))
    how = "was in the cache" if before else f"built in {built.seconds:.0f} s, {built.steps} steps"
    click.echo(f"{plan.name}: {version}, {len(plan.patches)} patches, {how}")
    click.echo(str(built.folder))


def plan_of(what: str, source: str | None = None) -> Plan:
    """The plan of what a user names: a recipe, its folder, a kernel tree, or a Debian series.

    Raises:
        UsageError: it names nothing that can be built.
    """
    path = Path(what).expanduser()
    if path.is_dir() and not (path / "recipe.toml").exists():
        if source:
            raise UsageError(f"{what} is a tree: it has no other source", "leave --source out")
        return plan_tree(path, find_recipe(SMALL), name=short_name(path))
    if what.startswith("debian:"):
        # Distribution's options take an hour to build; the small configuration is what is meant.
        return plan_recipe(find_recipe(SMALL), source or what)
    return plan_recipe(find_recipe(what.removeprefix("recipe:")), source)


@kernels.command()
@click.argument("recipe", default="")
@reported
def clean(recipe: str) -> None:
    """Removes what builds leave to go on from; built kernels stay. Example: kharness kernels clean

    The next build of a recipe starts from nothing.
    """
    click.echo(f"{free_work(recipe)} MiB freed")

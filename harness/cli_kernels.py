# SPDX-License-Identifier: GPL-2.0-only
"""``kharness kernels``: listing, fetching and building kernels."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import click

from harness import complete
from harness.cli_common import reported, screen
from harness.config import load_settings
from harness.kernels.build import (
    build,
    built_records,
    find_built,
    free_work,
)
from harness.kernels.debian import fetched
from harness.kernels.recipe import find_recipe, recipe_names
from harness.kernels.spec import plan_of, resolve
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
    built = {r["name"]: f"built of {r['source']} {r['version']}" for r in built_records()}
    return [{"spec": spec, **_about(spec, built), "default": spec in chosen} for spec in specs]


def _fetched_specs() -> list[str]:
    words = [name.removeprefix("linux-image-").split(".") for name in fetched()]
    return [f"debian:{parts[0]}.{parts[1]}" for parts in words if len(parts) > 1]


def _about(spec: str, built: Mapping[str, str]) -> dict[str, object]:
    """What is here of a kernel, asking no archive; of builds of one recipe the newest counts."""
    source, _, rest = spec.partition(":")
    if source == "debian":
        here = fetched(rest)
        return {"in_cache": here[-1] if here else None, "description": ""}
    if source == "recipe":
        return {"in_cache": built.get(rest), "description": find_recipe(rest).description}
    return {"in_cache": spec if Path(spec).exists() else None, "description": ""}


@kernels.command()
@click.argument(
    "specs", metavar="SPEC...", nargs=-1, required=True, shell_complete=complete.kernels
)
@reported
def fetch(specs: tuple[str, ...]) -> None:
    """Fetches kernels into the cache.

    Example: kharness kernels fetch debian:6.12 debian:6.1
    """
    for spec in specs:
        with closing(BuildDisplay(screen())) as display:
            kernel = resolve(spec, progress=display)
        click.echo(f"{kernel.spec}: {kernel.release} ({kernel.arch.value}), {kernel.image}")


@kernels.command("build")
@click.argument("recipe", shell_complete=complete.recipes)
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
    with closing(BuildDisplay(screen(), quiet=quiet)) as display:
        built = build(plan, jobs=jobs, progress=display)
    version = ".".join(map(str, plan.source.version))
    how = "was in the cache" if before else f"built in {built.seconds:.0f} s, {built.steps} steps"
    click.echo(f"{plan.name}: {version}, {len(plan.patches)} patches, {how}")
    click.echo(str(built.folder))


@kernels.command()
@click.argument("recipe", default="", shell_complete=complete.recipes)
@reported
def clean(recipe: str) -> None:
    """Removes what builds leave to go on from; built kernels stay. Example: kharness kernels clean

    The next build of a recipe starts from nothing.
    """
    click.echo(f"{free_work(recipe)} MiB freed")

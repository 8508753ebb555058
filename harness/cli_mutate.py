# SPDX-License-Identifier: GPL-2.0-only
"""``kharness mutate``: do the cases notice defects?"""

import sys
from contextlib import closing
from pathlib import Path

import click

from harness import complete
from harness.cache import digest, file_digest, private_folder
from harness.cases.discover import find_sources, load, split_node
from harness.cases.python_tests import python_sources
from harness.cli_common import reported, screen
from harness.cli_suites import mutate_suite_options, suites_digest
from harness.config import load_settings
from harness.errors import UsageError
from harness.kernels.spec import plan_of
from harness.mutate import MutateOptions, load_mutants, mutate
from harness.report.building import BuildDisplay
from harness.report.mutants import exit_code, score, write_score

CODES = "Exit codes: 0 all noticed, 1 one survived, 3 one could not be judged, 4 wrong usage."


@click.command("mutate", epilog=CODES)
@click.argument("recipe", shell_complete=complete.recipes)
@click.argument("mutants", type=click.Path(path_type=Path))
@click.option("--cases", multiple=True, metavar="PATH|NODE ID", help="Cases to run; repeatable.")
@mutate_suite_options
@click.option("--only", multiple=True, metavar="TEXT", help="Mutants whose name contains it.")
@click.option("--all", "all_cases", is_flag=True, help="Run every case on each mutant.")
@click.option("--fresh", is_flag=True, help="Forget what was judged before.")
@click.option("--keep", is_flag=True, help="Keep the mutants' kernels: 100 MB each.")
@click.option("-k", "keyword", metavar="EXPR", help="Only cases whose name matches.")
@click.option(
    "--append",
    multiple=True,
    metavar="WORDS",
    help="Further words for the kernels' command line; repeatable.",
)
@click.option("-j", "jobs", type=click.IntRange(min=1), metavar="N", help="Jobs of make.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for journal, run folders and score (default: .kharness/mutate/<recipe>).",
)
@reported
def mutate_command(  # noqa: PLR0917 - click calls it by name
    recipe: str,
    mutants: Path,
    cases: tuple[str, ...],
    suites: tuple[str, ...],
    timeout_factor: float | None,
    rootfs: str | None,
    only: tuple[str, ...],
    all_cases: bool,
    fresh: bool,
    keep: bool,
    keyword: str | None,
    append: tuple[str, ...],
    jobs: int | None,
    out: Path | None,
) -> None:
    """Builds a kernel for every mutant, runs the cases on it, and says which were noticed.

    MUTANTS is a folder of patches, one defect each, for the kernel of RECIPE (or a kernel tree).
    The cases must pass without a defect; of a suite, what does not is left out. Called again, it
    goes on where it stopped; mutants are judged anew when they, the kernel or a case has changed.

    \b
    Examples:
      kharness mutate procfd tests/mutants
      kharness mutate procfd tests/mutants --only signal --all
      kharness mutate procfd tests/mutants --suite kselftest:debian:6.12:pidfd
    """
    shown = screen()
    found = load_mutants(mutants)
    if only:
        found = [(name, patch) for name, patch in found if any(text in name for text in only)]
        if not found:
            raise UsageError(f"no mutant is called {' or '.join(only)}", f"see {mutants}")
    plan = plan_of(recipe)
    wanted = cases or (() if suites else load_settings(None, Path.cwd()).run.cases)
    passed_on = ["-k", keyword] if keyword else []
    passed_on += [f"--timeout-factor={timeout_factor}"] if timeout_factor else []
    passed_on += [f"--rootfs={rootfs}"] if rootfs else []
    passed_on += [f"--append={words}" for words in append]
    folder = out or Path(".kharness") / "mutate" / plan.name
    private_folder(folder)
    with closing(BuildDisplay(shown)) as display:
        judged = mutate(
            plan,
            found,
            MutateOptions(
                folder=folder.absolute(),
                cases=tuple(wanted),
                suites=suites,
                suite=cases_digest(wanted) + suites_digest(suites, rootfs),
                all_cases=all_cases,
                run_options=tuple(passed_on),
                jobs=jobs,
                keep=keep,
                fresh=fresh,
                say=lambda words: shown.print(words, markup=False),
            ),
            display,
        )
    files = write_score(judged, plan.spec, folder)
    shown.print(f"reports: {', '.join(str(f) for f in files)}", style="dim", markup=False)
    shown.print(score(judged), style="bold", markup=False)
    sys.exit(int(exit_code(judged)))


def cases_digest(wanted: tuple[str, ...]) -> str:
    """Digest of what cases are made of: programs, and the sources of Python cases.

    Args:
        wanted: paths and node ids.
    """
    here = Path.cwd()
    paths = dict.fromkeys(split_node(words)[0] for words in wanted)
    sources = dict.fromkeys(source for path in paths for source in find_sources(path))
    programs = {case.program for source in sources for case in load(source, here) if case.program}
    python = {file for path in paths for file in python_sources(path, here)}
    return digest(*(file_digest(file) for file in (*sorted(programs), *sorted(python))))

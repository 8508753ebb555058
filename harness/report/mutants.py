# SPDX-License-Identifier: GPL-2.0-only
"""The score of a suite over mutants, as people and programs read it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import ExitCode
from harness.mutate import SCORES, Fate, Judged, line
from harness.outputs import write_whole
from harness.report.journal import Journal
from harness.report.junit import junit_text
from harness.report.markup import escaped
from harness.verdict.outcome import Outcome, Result
from harness.witness import How

FORMAT = 1
OUTCOMES = {Fate.KILLED: Outcome.PASS, Fate.SURVIVED: Outcome.FAIL, Fate.INVALID: Outcome.ERROR}


def score(judged: Sequence[Judged]) -> str:
    """One line: how many of those that could be judged were noticed."""
    counts = {fate: sum(j.fate is fate for j in judged) for fate in Fate}
    valid = counts[Fate.KILLED] + counts[Fate.SURVIVED]
    share = f" ({100 * counts[Fate.KILLED] / valid:.0f} %)" if valid else ""
    more = f", {counts[Fate.INVALID]} not judged" if counts[Fate.INVALID] else ""
    return f"{counts[Fate.KILLED]} of {valid} mutants noticed{share}{more}"


def exit_code(judged: Sequence[Judged]) -> ExitCode:
    """0 all were noticed, 1 one survived, 3 one could not be judged."""
    fates = {j.fate for j in judged}
    if Fate.SURVIVED in fates:
        return ExitCode.FAILED
    return ExitCode.HOST if Fate.INVALID in fates else ExitCode.OK


def write_score(judged: Sequence[Judged], base: str, folder: Path) -> list[Path]:
    """Writes ``score.json``, ``.md`` and ``.xml`` (JUnit); returns their paths.

    Raises:
        HostError: they cannot be written.
    """
    as_json = json.dumps(to_json(judged, base), indent=1) + "\n"
    texts = (as_json, markdown(judged, base), junit(judged, base))
    for name, text in zip(SCORES, texts, strict=True):
        write_whole(folder / name, [text])
    return [folder / name for name in SCORES]


def to_json(judged: Sequence[Judged], base: str) -> dict[str, Any]:
    """The score for programs; ``format`` changes when a field changes its meaning."""
    return {
        "format": FORMAT,
        "base": base,
        "noticed": sum(j.fate is Fate.KILLED for j in judged),
        "survived": [j.name for j in judged if j.fate is Fate.SURVIVED],
        "not_judged": [j.name for j in judged if j.fate is Fate.INVALID],
        "by": {how.value: sum(_first(j) is how for j in judged) for how in How},
        "mutants": [asdict(j) for j in judged],
    }


def _first(judged: Judged) -> How | None:
    return judged.witnesses[0].how if judged.witnesses else None


def markdown(judged: Sequence[Judged], base: str) -> str:
    """The score as a table, survivors first."""
    order = [Fate.SURVIVED, Fate.INVALID, Fate.KILLED]
    out = [f"## {escaped(score(judged))}", "", f"Mutants of {escaped(base)}.", ""]
    out += ["| mutant | defect | fate | by | cases |", "|---|---|---|---|---|"]
    for j in sorted(judged, key=lambda j: order.index(j.fate)):
        how = _first(j)
        cases = ", ".join(w.case.partition("::")[2] or w.message for w in j.witnesses[:3])
        cases += f" and {len(j.witnesses) - 3} more" if len(j.witnesses) > 3 else ""
        cells = [j.name, j.title, j.fate.value, how.value if how else "", cases or j.reason]
        out.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    return "\n".join(out) + "\n"


def junit(judged: Sequence[Judged], base: str) -> str:
    """The score as JUnit: a mutant that was noticed is a pass."""
    results = [
        Result(
            case=j.name,
            classname="mutants",
            name=j.name,
            kernel=base,
            outcome=OUTCOMES[j.fate],
            message="" if j.fate is Fate.KILLED else line(j),
            detail=j.detail,
            duration_s=j.build_s + j.run_s,
            stdout="\n".join(f"{w.how.value}: {w.case} {w.message}" for w in j.witnesses),
        )
        for j in judged
    ]
    return junit_text(Journal(results=results, ended=True))

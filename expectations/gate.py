"""The gate: nothing is committed that breaks a blocking expectation.

Belongs here: the order of validation, commit, activation and quarantine.
Never here: how any of these is done.
"""

from typing import TYPE_CHECKING

from adapters.archive import activate, active, comparable
from adapters.checking import assumption
from adapters.errors import ValidationError
from adapters.quarantine import quarantine
from adapters.settings import Settings
from adapters.store import Store
from expectations.baselines import baseline
from expectations.engine import CheckResult, Report, validate
from expectations.slips import remember, slip_expectations

if TYPE_CHECKING:
    from adapters.standardise import Standard


class RefusedError(ValidationError):
    """A version was refused.

    Attributes:
        reports: Every result of every part, also of what held.
    """

    reports: list[Report]


def commit_if_valid(
    standard: "Standard", settings: Settings, *, compare: bool = True
) -> list[Report]:
    """Validate a standard table and its parts, then commit and activate them, or quarantine them.

    Args:
        standard: The table to commit.
        settings: Where store and archive are.
        compare: Is a version refused for being much unlike the last one? A version that a person
            accepted never is, nor another edition.

    Returns:
        One report for each part, the main one first.

    Raises:
        RefusedError: A part breaks a blocking expectation. The last version stays as it was, with
            all its parts, and the quarantine entry holds the reasons.
        StoreError: The store cannot be read or written.
    """
    last = active(standard.spec, settings)
    compare = compare and not standard.raw.accepted
    compare = compare and last is not None and comparable(last, standard.raw)
    reports = [
        validate(
            piece,
            baseline(piece, settings) if compare else None,
            slip_expectations(piece, settings, compare=compare),
        )
        for piece in standard.pieces
    ]
    said = [refusal for report in reports for refusal in report.refusals]
    if said:
        readable = [
            _readable(piece, refusal, of_parts=bool(standard.parts))
            for piece, report in zip(standard.pieces, reports, strict=True)
            for refusal in report.refusals
        ]
        entry = quarantine(
            standard.spec,
            standard.raw.version,
            readable,
            settings,
            acceptable=all(refusal.comparison for refusal in said),
        )
        way = f"{said[0].remedy}; all reasons: {entry}"
        if all(refusal.comparison for refusal in said):
            way += f"; `soilmeld accept {standard.spec.id} --reason ...` takes it into use"
        error = RefusedError(
            f"{len(said)} of {sum(len(r.results) for r in reports)} expectations refuse it; the "
            "version in use stays\n" + "\n".join(f"- {r}" for r in readable),
            source=standard.spec.id,
            where=", ".join(dict.fromkeys(r.column or "table" for r in said)),
            samples=[sample for r in said for sample in r.samples[:1]],
            remedy=way,
        )
        error.reports = reports
        raise error
    Store(settings).commit(standard, [report.results for report in reports])
    for piece in standard.pieces:
        remember(piece, settings)
    activate(standard.raw, settings)
    return reports


def _readable(piece: "Standard", refusal: CheckResult, *, of_parts: bool) -> str:
    """A refusal in words, with what the specification only assumed of the column."""
    said = f"{piece.spec.id}: {refusal}" if of_parts else str(refusal)
    if refusal.column not in {column.name for column in piece.spec.columns}:
        return said
    assumed = assumption(piece.spec, ("columns", refusal.column), header=False)
    return f"{said}\n  {assumed}, and nobody had seen the file" if assumed else said

"""The gate: nothing is committed that breaks a blocking expectation.

Belongs here: the order of validation, commit, activation and quarantine.
Never here: how any of these is done.
"""

from typing import TYPE_CHECKING

from adapters.archive import activate, quarantine
from adapters.errors import ValidationError
from adapters.settings import Settings
from adapters.store import Store
from expectations.baselines import baseline
from expectations.engine import Report, validate

if TYPE_CHECKING:
    from adapters.standardise import Standard


class RefusedError(ValidationError):
    """A version was refused.

    Attributes:
        report: Every result, also of what held.
    """

    report: Report


def commit_if_valid(standard: "Standard", settings: Settings, *, compare: bool = True) -> Report:
    """Validate a standard table, then commit and activate it, or quarantine it.

    Args:
        standard: The table to commit.
        settings: Where store and archive are.
        compare: Is a version refused for being much unlike the last one? False once a person has
            looked at the difference and wants it.

    Raises:
        RefusedError: It breaks a blocking expectation. The last version stays as it was, and
            the quarantine entry holds the reasons.
        StoreError: The store cannot be read or written.
    """
    report = validate(standard, baseline(standard, settings) if compare else None)
    refusals = report.refusals
    if refusals:
        entry = quarantine(
            standard.spec, standard.raw.version, [str(r) for r in refusals], settings
        )
        error = RefusedError(
            f"{len(refusals)} of {len(report.results)} expectations refuse it; the version in use "
            "stays\n" + "\n".join(f"- {r}" for r in refusals),
            source=standard.spec.id,
            where=", ".join(dict.fromkeys(r.column or "table" for r in refusals)),
            samples=[sample for r in refusals for sample in r.samples[:1]],
            remedy=f"{refusals[0].remedy}; all reasons: {entry}",
        )
        error.report = report
        raise error
    Store(settings).commit(standard, report.results)
    activate(standard.raw, settings)
    return report

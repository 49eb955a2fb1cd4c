"""Asset checks: what Dagster shows and gates on.

Belongs here: the check specifications and the translation of reports into check results.
Never here: the expectations themselves (`expectations.derive`) or running them.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project import rendering

if TYPE_CHECKING:
    from expectations.engine import Report
    from fusion.findings import Finding

BLOCKING, ADVISORY = "blocking_expectations", "advisory_expectations"
BASELINES = "better_than_feature_mean"
FLOORS = "above_floors"


def expectation_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The two checks of a standardised table."""
    return [
        dg.AssetCheckSpec(
            BLOCKING,
            asset=key,
            blocking=True,
            description="Expectations derived from the specification; one that fails refuses the "
            "version before anything is committed.",
        ),
        dg.AssetCheckSpec(
            ADVISORY,
            asset=key,
            description="Expectations that are reported and refuse nothing.",
        ),
    ]


def finding_specs(key: dg.AssetKey, questions: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """One check for each question that is asked of what was written."""
    return [
        dg.AssetCheckSpec(name, asset=key, description=question)
        for name, question in questions.items()
    ]


def finding_results(findings: Iterable["Finding"]) -> list[dg.AssetCheckResult]:
    """One result for each question, with the first of what is wrong."""
    return [
        dg.AssetCheckResult(
            passed=not finding.problems,
            check_name=finding.name,
            description="; ".join(finding.problems[:5]) or finding.observed,
            metadata={
                "observed": finding.observed,
                "problems": rendering.table([{"problem": said} for said in finding.problems]),
            },
        )
        for finding in findings
    ]


def expectation_results(
    reports: list["Report"], data_docs: str | None
) -> list[dg.AssetCheckResult]:
    """One result for each of the two checks, with every expectation of every part in its table."""
    found = []
    for name, blocking in ((BLOCKING, True), (ADVISORY, False)):
        of = {id(result): report.source for report in reports for result in report.results}
        mine = [r for report in reports for r in report.results if r.blocking is blocking]
        failed = [result for result in mine if not result.success]
        metadata: dict[str, object] = {
            "expectations": len(mine),
            "failed": len(failed),
            "results": rendering.table(
                [
                    {
                        "passed": result.success,
                        "table": of[id(result)],
                        "expectation": result.expectation,
                        "column": result.column,
                        "observed": result.observed,
                        "detail": result.detail,
                    }
                    # What failed is read first.
                    for result in failed + [r for r in mine if r.success]
                ]
            ),
        }
        if data_docs:
            metadata["data_docs"] = dg.MetadataValue.url(data_docs)
        found.append(
            dg.AssetCheckResult(
                passed=not failed,
                check_name=name,
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                description="; ".join(f"{r.expectation} {r.column or ''}".strip() for r in failed)
                or f"{len(mine)} expectations hold",
                metadata=metadata,
            )
        )
    return found

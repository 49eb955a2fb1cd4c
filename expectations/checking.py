"""Checking a downloaded file without committing anything: structure first, then expectations.

Belongs here: putting what the steps refused and what the expectations say into one list.
Never here: how either is found (`adapters.checking`, `engine`), printing.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from adapters.checking import Examination, Finding, assumption, better_fit, examine, spec_line
from adapters.errors import ReadError
from adapters.settings import Settings
from adapters.spec import SourceSpec
from expectations.baselines import baseline
from expectations.engine import CheckResult, validate
from expectations.slips import slip_expectations

if TYPE_CHECKING:
    from adapters.standardise import Standard


@dataclass(frozen=True)
class Check:
    """What a file is, next to its specification.

    Attributes:
        source: Source id.
        tables: Native table -> its files among those handed in.
        rows: Rows (or layers) that were read, by part.
        flags: Values that would be flagged, by flag.
        findings: What differs, refusals first.
        fits_better: Sources whose headers the file has, where this one's it has not.
    """

    source: str
    tables: dict[str, list[str]]
    rows: dict[str, int]
    flags: dict[str, int]
    findings: tuple[Finding, ...]
    fits_better: tuple[str, ...]

    @property
    def meets(self) -> bool:
        """Would a run take it in?"""
        return not any(finding.refused for finding in self.findings)

    def readable(self) -> str:
        """The outcome in words, refusals first."""
        verdict = "meets its specification" if self.meets else "does not meet its specification"
        rows = ", ".join(f"{name} {count:,} rows" for name, count in self.rows.items())
        lines = [f"{self.source}: {verdict} ({rows or 'nothing was read'})"]
        for table, files in self.tables.items():
            lines.append(f"  table {table}: {', '.join(files) or 'no file'}")
        if self.flags:
            said = ", ".join(f"{flag} {count:,}" for flag, count in self.flags.items())
            lines.append(f"  would be flagged: {said}")
        if self.fits_better:
            lines.append(f"  its headers are those of: {', '.join(self.fits_better)}")
        for finding in self.findings:
            lines += ["", finding.readable()]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source": self.source,
            "meets": self.meets,
            "tables": self.tables,
            "rows": self.rows,
            "flags": self.flags,
            "findings": [finding.as_dict() for finding in self.findings],
            "fits_better": list(self.fits_better),
        }


def check(spec: SourceSpec, path: Path, settings: Settings) -> Check:
    """Compare a file, folder or zip with a specification; nothing is archived or committed.

    Args:
        spec: The source.
        path: What was downloaded.
        settings: Of the project: its last version of the source is compared with.

    Raises:
        ReadError: There is no such file.
    """
    path = path.resolve()
    with tempfile.TemporaryDirectory(prefix="soilmeld-check-") as folder:
        scratch = settings.model_copy(update={"data_root": Path(folder)})
        examined = examine(spec, path, scratch)
        findings = list(examined.findings)
        refused = {f.spec_line for f in findings if f.refused and f.spec_line}
        # Where all rows were refused, expectations would only say so again.
        for standard in (s for s in examined.standards if s.table.height or not refused):
            slips = slip_expectations(standard, settings, root=scratch.data_root)
            report = validate(standard, baseline(standard, settings), slips)
            for result in report.results:
                found = _finding(standard.spec, result)
                # What was refused is NULL in the table, or told as a key: no need to tell it again.
                told = {spec_line(standard.spec, ("columns", c)) for c in _columns(result)}
                told.add(found.spec_line)
                if not (result.success or refused & told or _empty(standard, result, examined)):
                    findings.append(found)
        flags = [s.flags["flag"] for s in examined.standards]
        counted = pl.concat(flags).value_counts(sort=True) if flags else None
        findings.sort(key=lambda f: not f.refused)
        strange = any(f.where.endswith("header") or not examined.tables for f in findings)
        fits = better_fit(spec, path) if path.is_file() and strange else []
        return Check(
            spec.id,
            examined.tables,
            {s.spec.id: s.table.height for s in examined.standards},
            dict(counted.iter_rows()) if counted is not None else {},
            tuple(findings),
            tuple(source for source, _ in fits),
        )


def guess(path: Path) -> list[tuple[str, float]]:
    """Sources that a file could be of, best first, with the share of their headers that it has.

    Raises:
        ReadError: There is no such file.
    """
    if not path.is_file():
        raise ReadError("no such file", file=str(path), remedy="check the path")
    return better_fit(None, path.resolve())


def _empty(standard: "Standard", result: CheckResult, examined: Examination) -> bool:
    """Is a result about columns that are empty because a file was refused?"""
    spec = standard.spec
    # Without the rows nothing else is joined.
    all_of_them = any(
        t in spec.tables and spec.tables[t].compose == "rows" for t in examined.unread
    )
    refused = {c.name for c in spec.columns if all_of_them or c.table in examined.unread}
    about = refused.intersection(_columns(result), standard.table.columns)
    return bool(about) and all(standard.table[c].null_count() == len(standard.table) for c in about)


def _columns(result: CheckResult) -> list[str]:
    return (result.column or "").split(", ")


def _finding(spec: SourceSpec, result: CheckResult) -> Finding:
    columns = _columns(result)
    known = any(c.name == columns[0] for c in spec.columns)
    key = ("columns", columns[0]) if known else ()
    if "unique" in result.expectation and columns == list(spec.keys):
        key = ("keys",)
    told = [result.detail, f"observed {result.observed}" if result.observed else ""]
    return Finding(
        f"{result.expectation} does not hold: " + ", ".join(part for part in told if part),
        result.column or "table",
        result.samples,
        spec_line(spec, key),
        assumption(spec, key, header=False),
        result.remedy,
        result.blocking,
    )

"""Following one value of a matrix back to where it came from.

Belongs here: the chain from feature to source, row, raw text, conversion and checks.
Never here: making values.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from adapters.archive import RawVersion, load
from adapters.spec import load_spec
from adapters.standardise import raw_cell
from soilmeld.reader import Dataset, NotFoundError


@dataclass(frozen=True)
class Explanation:
    """Where one value came from.

    Attributes:
        group: Origin group.
        sample_id: The sample.
        feature: The feature.
        value: As it stands in the matrix; None where it is missing.
        unit: Its unit.
        origin: `synthetic`, `open`, `user` or `mixed`.
        source: Source that it came from.
        column: Canonical column of that source.
        join: How the source meets the sample.
        row_ref: Row of the source, `file#row` or `file!sheet#row`; for pixels the file and band.
        distance_m: Distance to that row, for nearest joins.
        raw: Text as it stands in the file; for pixels None.
        conversion: What was done to it.
        files: Archived native files with SHA-256.
        retrieved_at: When they were archived.
        licence: Licence of the source.
        attribution: How to name it.
        flags: What is not ordinary about it.
        checks: Checks of the column in the last validation.
    """

    group: str
    sample_id: str
    feature: str
    value: Any
    unit: str | None
    origin: str
    source: str
    column: str
    join: str
    row_ref: str | None
    distance_m: float | None
    raw: str | None
    conversion: str
    files: list[dict[str, str]]
    retrieved_at: str
    licence: str
    attribution: str
    flags: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        return json.loads(json.dumps(asdict(self), default=str))

    def readable(self) -> str:
        """The chain as text, from the value back to the file."""
        value = "missing" if self.value is None else f"{self.value} {self.unit or ''}".rstrip()
        lines = [
            f"{self.feature} of {self.sample_id}: {value}   [{self.origin}]",
            f"  from     {self.source}.{self.column} (met by {self.join}"
            + (f", {self.distance_m:.0f} m away)" if self.distance_m is not None else ")"),
            f"  row      {self.row_ref or 'none'}",
            f"  raw      {self.raw!r}"
            if self.raw is not None
            else "  raw      no single text cell",
            f"  made by  {self.conversion}",
        ]
        lines += [
            f"  flag     {f['flag']}: {f['detail'] or ''} (raw {f['raw']!r})" for f in self.flags
        ]
        lines += [
            f"  check    {'passed' if c['success'] else 'NOT PASSED'}: {c['expectation']}"
            for c in self.checks
        ]
        lines += [f"  file     {f['name']}  sha256 {f['sha256'][:16]}" for f in self.files]
        lines += [
            f"  archived {self.retrieved_at}",
            f"  licence  {self.licence}: {self.attribution}",
        ]
        return "\n".join(lines)


def explain(data: Dataset, group: str, sample_id: str, feature: str) -> Explanation:
    """Follow one value back to file, sheet, row, raw text, unit conversion and checks.

    Raises:
        NotFoundError: No such group, sample or feature, or the feature's sources do not know the
            sample's survey.
    """
    record = data.describe(group, feature)
    rows = data.query(group, [feature], where=pl.col("sample_id") == sample_id)
    if rows.is_empty():
        raise NotFoundError(
            f"no sample {sample_id!r} in group {group}",
            remedy="`soilmeld query` lists the samples of a group",
        )
    sample = rows.row(0, named=True)
    source, row_ref, distance = _met(data, group, record, sample)
    spec = load_spec(source)
    column = record["columns"][source]
    about = data.sql(
        "select raw_version, attribution, licence from meta.source where source = ?", [source]
    )
    raw_version, attribution, licence = about.row(0)
    raw = load(spec.source, raw_version, data.settings)
    made = data.columns(source).filter(name=column).row(0, named=True)
    is_text = row_ref is not None and not spec.is_raster
    checks = data.checks(source).filter(pl.col("column") == column)
    return Explanation(
        group=group,
        sample_id=sample_id,
        feature=feature,
        value=sample[feature],
        unit=record["unit"],
        origin=record["origin"],
        source=source,
        column=column,
        join=spec.fuse.join,
        row_ref=row_ref or _pixel_file(data, source, column),
        distance_m=distance,
        raw=raw_cell(raw, spec, row_ref, column, data.settings) if is_text else None,
        conversion=_conversion(made),
        files=[{"name": f.name, "sha256": f.sha256} for f in _files(raw, row_ref)],
        retrieved_at=raw.retrieved_at,
        licence=licence,
        attribution=attribution,
        flags=_flags(data, source, column, row_ref),
        checks=checks.select("expectation", "success", "observed", "detail").to_dicts(),
    )


def _met(
    data: Dataset, group: str, record: dict, sample: dict
) -> tuple[str, str | None, float | None]:
    """Source, row and distance that a sample met for a feature."""
    if sample["source"] in record["sources"]:
        return sample["source"], sample["row_ref"], None
    aligned = data.settings.data_root / "aligned" / group
    for source in record["sources"]:
        path = aligned / f"{source}.parquet"
        if path.is_file():
            row = (
                pl.scan_parquet(path)
                .filter(pl.col("sample_id") == sample["sample_id"])
                .select("row_ref", "distance_m")
                .collect()
                .row(0)
            )
            return source, *row
    raise NotFoundError(
        f"{record['id']} was not measured by the survey of {sample['sample_id']}",
        samples=[sample["survey"]],
        remedy=f"it comes from {', '.join(record['sources'])}",
    )


def _pixel_file(data: Dataset, source: str, column: str) -> str | None:
    if not load_spec(source).is_raster:
        return None
    layers = data.table(source).filter(pl.col("column") == column)
    return "; ".join(layers["row_ref"].to_list())


def _files(raw: RawVersion, row_ref: str | None) -> list:
    """The file that the row stands in; all files of the version where there is no single one."""
    name = row_ref.rpartition("#")[0].split("!")[0] if row_ref else None
    return [f for f in raw.files if f.name == name] or list(raw.files)


def _conversion(made: dict) -> str:
    if made["native_unit"] is None:
        return f"{made['native']} taken over" + (
            f", codes of {made['codebook']}" if made["codebook"] else ""
        )
    words = f"{made['native']} in {made['native_unit']}"
    if made["transform"]:
        return f"{words} -> {made['transform']} -> {made['unit']}"
    if made["scale"] == 1 and made["offset"] == 0:
        return f"{words} = {made['unit']}"
    shift = f" + {made['offset']:g}" if made["offset"] else ""
    return f"{words} x {made['scale']:g}{shift} -> {made['unit']}"


def _flags(data: Dataset, source: str, column: str, row_ref: str | None) -> list[dict]:
    flags = data.flags(source).filter(pl.col("column").is_null() | (pl.col("column") == column))
    if row_ref is not None:
        file = row_ref.rpartition("#")[0]
        # A flag of a whole file holds for each of its rows.
        flags = flags.filter(pl.col("row_ref").is_in([row_ref, file, file.split("!")[0]]))
    return flags.select("flag", "raw", "value", "detail").to_dicts()

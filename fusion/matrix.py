"""Samples, aligned columns and flags joined to one matrix, and what must hold before it is used.

Belongs here: assembling the feature columns and flags, and the checks of the result.
Never here: reading the store, naming versions, writing files.

Samples are numbered once; every column is placed by that number, so no wide table is ever joined by
key.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from adapters.errors import FusionError
from fusion.align import typed
from fusion.dictionary import Contribution, backbone_ids, check_agreement
from fusion.inputs import Source

SENTINELS = (-999.0, -9999.0, -99999.0, -32768.0, -2147483648.0, 88.888888, 8888.0)
"""Codes that files of this field use for missing; none is a plausible number of any feature."""
LARGEST = 1e15
"""No quantity in canonical units comes near it; undeclared float nodata (3.4e38) is far beyond."""

FLAGS = {
    "sample_id": pl.String,
    "feature": pl.String,
    "flag": pl.String,
    "value": pl.Float64,
    "raw": pl.String,
    "source": pl.String,
    "row_ref": pl.String,
    "column": pl.String,
}


@dataclass(frozen=True)
class Joined:
    """The matrix with what stands behind each feature."""

    matrix: pl.DataFrame
    contributions: dict[str, list[Contribution]]
    distances: dict[str, pl.Series]
    flags: pl.DataFrame
    empty: dict[str, str]


def join(
    samples: pl.DataFrame, backbone: list[Source], aligned: dict[str, tuple[Source, pl.DataFrame]]
) -> Joined:
    """Join backbone columns and aligned sources.

    Args:
        samples: In the order of the matrix.
        backbone: Sources of the samples.
        aligned: Source id -> source and its result of `fusion.align.bring`, same order.

    Raises:
        FusionError: Sources disagree on a feature, or an aligned table is of other samples.
    """
    contributions: dict[str, list[Contribution]] = {}
    flags = []
    parts = []
    for source in backbone:
        ids = backbone_ids(source)
        for column in source.features:
            contributions.setdefault(ids[column.name], []).append(Contribution(source, column))
        rows = samples.with_row_index("_i").filter(pl.col("source") == source.id)
        values = typed(source).rename(ids)
        parts.append(
            rows.select("_i", "row_ref").join(
                values.with_columns(source.table["row_ref"]),
                on="row_ref",
                how="left",
                maintain_order="left",
            )
        )
        every = source.table.select("row_ref").join(rows, on="row_ref", how="left")
        flags.append(_flags(source, every.select("sample_id", "row_ref"), ids))
    for feature, behind in contributions.items():
        check_agreement(feature, behind)
    own = _stack(parts).sort("_i").drop("_i", "row_ref")
    columns = {"sample_id": samples["sample_id"], **own.to_dict()}

    distances: dict[str, pl.Series] = {}
    for source, table in aligned.values():
        if not table["sample_id"].equals(samples["sample_id"]):
            raise FusionError(
                "was aligned to other samples", source=source.id, remedy="align it again"
            )
        for column in source.features:
            feature = f"{source.id}.{column.name}"
            contributions[feature] = [Contribution(source, column)]
            columns[feature] = table[feature]
        if table["distance_m"].count():
            distances[source.id] = table["distance_m"]
        ids = {c.name: f"{source.id}.{c.name}" for c in source.features}
        met = table.select("sample_id", "row_ref").drop_nulls()
        flags.append(_flags(source, met, ids))

    matrix = pl.DataFrame({"sample_id": columns["sample_id"]}).hstack(
        [columns[feature].alias(feature) for feature in contributions]
    )
    empty = {
        feature: _why_empty(contributions[feature])
        for feature in contributions
        if matrix[feature].null_count() == matrix.height
    }
    return Joined(
        matrix.drop(list(empty)),
        {f: c for f, c in contributions.items() if f not in empty},
        distances,
        pl.concat(flags).sort("source", "row_ref", "sample_id", "column", "flag", "raw")
        if flags
        else pl.DataFrame(schema=FLAGS),
        empty,
    )


def _stack(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Rows below each other; a list column whose length differs between sources stays a list."""
    kinds: dict[str, set[pl.DataType]] = {}
    for part in parts:
        for name, dtype in part.schema.items():
            kinds.setdefault(name, set()).add(dtype)
    uneven = {
        name
        for name, found in kinds.items()
        if len(found) > 1 and any(d.is_nested() for d in found)
    }
    return pl.concat(
        [
            part.with_columns(
                pl.col(name).cast(pl.List(pl.Float32)) for name in uneven & set(part.columns)
            )
            for part in parts
        ],
        how="diagonal",
    )


def _flags(source: Source, rows: pl.DataFrame, ids: dict[str, str]) -> pl.DataFrame:
    """Flags of some rows, of layers and of whole files.

    NULL feature: of the whole row or of a column that is no feature; NULL sample: of a row of a
    backbone source that is no sample, of a layer, or of a whole file.
    """
    flags = source.flags.with_columns(
        feature=pl.col("column").replace_strict(ids, default=None, return_dtype=pl.String)
    )
    others = flags
    if not source.spec.is_raster:
        others = flags.join(source.table.select("row_ref"), on="row_ref", how="anti")
    return (
        pl.concat(
            [rows.join(flags, on="row_ref", how="inner"), others],
            how="diagonal",
        )
        .with_columns(source=pl.lit(source.id))
        .select(list(FLAGS))
        .cast(FLAGS)
    )


def _why_empty(behind: list[Contribution]) -> str:
    for c in behind:
        table, name = c.source.table, c.column.name
        if c.source.spec.is_raster:
            return "no sample lies on pixels with data"
        if table[name].null_count() < table.height:
            return "no sample meets a row that has it"
    return "no row of the source has it"


def backbone_rows(samples: pl.DataFrame, backbone: list[Source]) -> pl.DataFrame:
    """Every row of the backbone sources: `source, row_ref, key, sample_id`.

    `key` is the source's key columns joined by a bar (`row_ref` where it has none); `sample_id` is
    NULL for rows that are no samples.
    """
    parts = [
        source.table.select(
            source=pl.lit(source.id),
            row_ref="row_ref",
            key=pl.concat_str(
                [pl.col(k).cast(pl.String) for k in source.spec.keys or ("row_ref",)],
                separator="|",
                ignore_nulls=True,
            ),
        )
        for source in backbone
    ]
    ids = samples.select("source", "row_ref", "sample_id")
    return pl.concat(parts).join(ids, on=["source", "row_ref"], how="left", maintain_order="left")


def validate(joined: Joined, records: list[dict]) -> None:
    """What must hold of every matrix.

    Raises:
        FusionError: Ids repeat, a feature is all missing, the dictionary does not match the
            columns, or a number is a missing code in disguise.
    """
    matrix = joined.matrix
    if matrix["sample_id"].is_duplicated().any():
        raise FusionError(
            "sample ids repeat",
            samples=matrix.filter(pl.col("sample_id").is_duplicated())["sample_id"],
            remedy="make `keys` in source.yaml complete",
        )
    features = [c for c in matrix.columns if c != "sample_id"]
    if features != [record["id"] for record in records]:
        raise FusionError(
            "dictionary and matrix name different features",
            samples=sorted(set(features) ^ {record["id"] for record in records}),
            remedy="report this: it is a fault of soilmeld",
        )
    for feature in features:
        values = matrix[feature]
        if values.null_count() == matrix.height:
            raise FusionError(
                "a feature without any value",
                where=feature,
                remedy="report this: empty features are left out with their reason",
            )
        found = sentinels(values)
        if found:
            raise FusionError(
                "numbers that stand for missing reached the matrix",
                where=feature,
                samples=found,
                source=", ".join(c.source.id for c in joined.contributions[feature]),
                remedy="declare them under `read.missing` or `missing` of the column",
            )


def sentinels(values: pl.Series) -> list[float]:
    """Missing codes among the values of a numeric feature, each once.

    A number is no code where other values lie close to it on either side.
    """
    if isinstance(values.dtype, pl.List | pl.Array):
        values = values.drop_nulls().explode()
    if not values.dtype.is_float():
        return []
    numbers = values.drop_nulls().to_numpy()
    codes = np.array(SENTINELS, dtype=numbers.dtype)
    wrong = ~np.isfinite(numbers) | (np.abs(numbers) > LARGEST) | np.isin(numbers, codes)
    found = np.unique(numbers[wrong])
    return [float(v) for v in found if v not in codes or _stands_apart(v, numbers)][:5]


def _stands_apart(code: float, numbers: np.ndarray) -> bool:
    near = numbers[(np.abs(numbers - code) < 0.1 * abs(code)) & (numbers != code)]
    return not ((near < code).any() and (near > code).any())

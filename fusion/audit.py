"""The matrix against the truth it was made from.

Belongs here: comparing a fused version of the twin with what the twin knows.
Never here: anything that a matrix is made of; no other module takes the truth's path.

A measurement differs from the truth by noise and rounding that the audit does not know. The spread
of most values tells the noise, and what lies far outside it was not recovered: another place,
another unit, another row.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl

from adapters.errors import FusionError
from fusion.sphere import EARTH_RADIUS_M, unit_vectors

MAD_TO_SD = 1.4826
"""Standard deviations in a median absolute deviation of a normal distribution."""
REACH = 5.0
"""A residual within that many robust standard deviations is noise."""
STORED = 1e-6
"""So is one that small, relative to value plus median: pixels and arrays are kept as float32."""


def audit(fused_dir: Path, truth_dir: Path) -> dict:
    """How far a fused version recovers the truth, and whether the planted faults are flagged.

    Of the sources that are brought to the samples, rasters are audited: what their pixels say at
    the samples, and the faults of their layers. Of an aligned table the matrix holds those rows
    alone that a sample met.

    Args:
        fused_dir: `data/fused/<group>/<version>`.
        truth_dir: Folder with `<source>/samples.parquet`, `<source>/faults.parquet` and, for
            rasters, `<source>/pixels.parquet`.

    Returns:
        `features`: for each feature and survey source with truth: n, bias, rmse, correlation, noise
        (robust, relative to value plus median), recovered (share of residuals that are noise, or
        of codes that are the true ones);
        `positions`: distance from the true place in m; `regions`: share of NUTS 2 codes that are
        right; `faults`: for each source and kind of flag: planted, flagged, recall, false flags;
        `unseen`: how many faults of each kind were planted that no check of a row can see;
        `summary`.

    Raises:
        FusionError: There is no truth, or it is of other files.
    """
    folders = sorted(p.parent for p in truth_dir.glob("*/samples.parquet"))
    if not folders:
        raise FusionError(
            "no truth there",
            file=str(truth_dir),
            remedy="the twin writes it to truth_root; only its matrix can be audited",
        )
    matrix = pl.read_parquet(fused_dir / "matrix.parquet")
    samples = pl.read_parquet(fused_dir / "samples.parquet")
    rows = pl.read_parquet(fused_dir / "rows.parquet")
    flags = pl.read_parquet(fused_dir / "flags.parquet")
    dictionary = json.loads((fused_dir / "dictionary.json").read_text(encoding="utf-8"))
    features, positions, regions, faults = [], {}, {}, []
    unseen: dict[str, int] = {}
    pixels = [path.parent for path in sorted(truth_dir.glob("*/pixels.parquet"))]
    for folder in folders:
        source = folder.name
        own = rows.filter(pl.col("source") == source)
        planted = pl.read_parquet(folder / "faults.parquet")
        for fault, count in planted.filter(pl.col("flag").is_null())["fault"].value_counts().rows():
            unseen[f"{source}: {fault}"] = count
        of_source = flags.filter(pl.col("source") == source)
        if folder in pixels:
            faults += _faults(source, planted, of_source.with_columns(key="row_ref"))
        if not own["sample_id"].count():
            continue
        truth = pl.read_parquet(folder / "samples.parquet")
        if unknown := sorted(set(own["key"]) - set(truth["key"])):
            raise FusionError(
                "rows that the truth does not know",
                source=source,
                samples=unknown,
                remedy="truth and raw files must come from one run of the twin",
            )
        met = own.drop_nulls("sample_id")
        # Three views of the same samples, row by row.
        true = met.select("key").join(truth, on="key", how="left", maintain_order="left")
        said = met.select("sample_id").join(
            samples, on="sample_id", how="left", maintain_order="left"
        )
        values = met.select("sample_id").join(
            matrix, on="sample_id", how="left", maintain_order="left"
        )
        features += _features(source, _ids(source, dictionary, true.columns), true, values)
        for layers in pixels:
            seen = met.select(source=pl.lit(source), key="key").join(
                pl.read_parquet(layers / "pixels.parquet"),
                on=["source", "key"],
                how="left",
                maintain_order="left",
            )
            features += _pixels(source, layers.name, seen, values)
        positions[source] = _positions(true, said)
        regions[source] = _regions(true["nuts_2"], said["nuts_2"])
        seen = of_source.join(own.select("row_ref", "key"), on="row_ref", how="inner")
        faults += _faults(source, planted, seen)
    recovered = [f["recovered"] for f in features]
    return {
        "features": features,
        "positions": positions,
        "regions": regions,
        "faults": faults,
        "unseen": dict(sorted(unseen.items())),
        "summary": {
            "features_compared": len(features),
            "least_recovered": min(recovered, default=None),
            "median_recovered": float(np.median(recovered)) if recovered else None,
            "planted": sum(f["planted"] for f in faults),
            "flagged": sum(f["flagged"] for f in faults),
            "false_flags": sum(f["false_flags"] for f in faults),
        },
    }


def _ids(source: str, dictionary: dict, truth_columns: list[str]) -> dict[str, str]:
    """True column of a backbone source -> feature."""
    ids = {
        record["columns"][source]: record["id"]
        for record in dictionary["features"]
        if source in record["columns"]
    }
    return {column: ids[column] for column in truth_columns if column in ids}


def _features(
    source: str, ids: dict[str, str], true: pl.DataFrame, values: pl.DataFrame
) -> list[dict]:
    compared = []
    for column, feature in ids.items():
        if not (true.schema[column].is_float() and values.schema[feature] == pl.Float64):
            continue
        told = _told(true[column].to_numpy(), values[feature].to_numpy())
        compared += [{"source": source, "feature": feature, **told}] if told else []
    return compared


def _pixels(source: str, raster: str, true: pl.DataFrame, values: pl.DataFrame) -> list[dict]:
    """What the pixels of one raster say at the samples of one survey."""
    compared = []
    for column in true.columns:
        feature = f"{raster}.{column}"
        if column in ("source", "key") or feature not in values.columns:
            continue
        if values.schema[feature] == pl.String:
            codes = true[column].fill_nan(None).cast(pl.Int64).cast(pl.String)
            both = codes.is_not_null() & values[feature].is_not_null()
            right = (codes == values[feature]).filter(both)
            told = {"n": len(right), "recovered": right.mean()} if len(right) else None
        else:
            told = _told(
                *(_flat(frame[name]) for frame, name in ((true, column), (values, feature)))
            )
        compared += [{"source": source, "feature": feature, **told}] if told else []
    return compared


def _flat(values: pl.Series) -> np.ndarray:
    """All numbers of a column, NaN where there is none."""
    if isinstance(values.dtype, pl.Array):
        missing = [None] * values.dtype.shape[0]
        values = values.fill_null(pl.Series([missing], dtype=values.dtype)).explode()
    return values.cast(pl.Float64).to_numpy()


def _told(truth: np.ndarray, value: np.ndarray) -> dict[str, float | int | None] | None:
    both = np.isfinite(truth) & np.isfinite(value)
    return compare(truth[both], value[both]) if both.sum() > 1 else None


def compare(truth: np.ndarray, value: np.ndarray) -> dict[str, float | int | None]:
    """Error of values against their truth, both (n,) and finite."""
    residual = value - truth
    varies = truth.std() > 0 and value.std() > 0
    scaled = residual / (np.abs(truth) + np.median(np.abs(truth)) + np.finfo(float).tiny)
    # A true zero is measured as zero and tells nothing of the noise of other values.
    telling = scaled[truth != 0] if (truth != 0).any() else scaled
    noise = MAD_TO_SD * float(np.median(np.abs(telling)))
    return {
        "n": len(truth),
        "bias": float(residual.mean()),
        "rmse": float(np.sqrt((residual**2).mean())),
        "correlation": float(np.corrcoef(truth, value)[0, 1]) if varies else None,
        "noise": noise,
        "recovered": float((np.abs(scaled) <= REACH * noise + STORED).mean()),
    }


def _positions(true: pl.DataFrame, said: pl.DataFrame) -> dict[str, float]:
    places = [
        unit_vectors(frame["longitude"].to_numpy(), frame["latitude"].to_numpy())
        for frame in (true, said)
    ]
    chord = np.linalg.norm(places[0] - places[1], axis=1)
    distance = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(chord / 2, 1))
    return {
        "median_m": float(np.median(distance)),
        "p95_m": float(np.quantile(distance, 0.95)),
        "max_m": float(distance.max()),
    }


def _regions(true: pl.Series, said: pl.Series) -> dict[str, float | int | None]:
    known = said.is_not_null()
    right = (true == said).filter(known)
    return {"known": int(known.sum()), "right": float(right.mean()) if len(right) else None}


def _faults(source: str, planted: pl.DataFrame, seen: pl.DataFrame) -> list[dict]:
    """Recall and false flags of each kind of flag.

    A planted fault of a column is found by the flag on that column of that row; one of a whole row,
    by the flag anywhere in the row. A flag is false where nothing planted asks for it. Faults
    without a flag are those that no check of a row can see.
    """
    planted = planted.drop_nulls("flag")
    asked = planted.select("key", "flag", "column").unique()
    found = seen.select("key", "flag", "column").unique()
    same_row = found.select("key", "flag").unique()
    whole, of_column = (
        asked.filter(pl.col("column").is_null()),
        asked.filter(pl.col("column").is_not_null()),
    )
    hit = pl.concat(
        [
            whole.join(same_row, on=["key", "flag"], how="semi"),
            of_column.join(found, on=["key", "flag", "column"], how="semi"),
        ]
    )
    false = found.join(whole, on=["key", "flag"], how="anti").join(
        of_column, on=["key", "flag", "column"], how="anti"
    )
    kinds = sorted({*asked["flag"], *false["flag"]})
    return [
        {
            "source": source,
            "flag": kind,
            "planted": (n := asked.filter(pl.col("flag") == kind).height),
            "flagged": (m := hit.filter(pl.col("flag") == kind).height),
            "recall": m / n if n else None,
            "false_flags": false.filter(pl.col("flag") == kind).height,
        }
        for kind in kinds
    ]

"""One source brought to the samples by its declared way.

Belongs here: key, nearest, raster, polygon and region joins, and the choice among horizons.
Never here: which rows are samples, the matrix, or the store.

Every join but that of rasters first finds, for each sample, a set of rows of the source (those at
the nearest place, of the same key, of the polygon, of the region) and then chooses one row of it by
depth. A sample that meets nothing has NULL.
"""

from pathlib import Path

import numpy as np
import polars as pl

from adapters.errors import FusionError
from adapters.quantities import quantity
from adapters.spec import Column
from fusion.inputs import Source
from fusion.overlay import Layer, sample_layers
from fusion.polygons import locate
from fusion.sphere import nearest
from fusion.spline import mass_preserving_spline

GAP_CM = 0.5
"""Horizons no farther apart than that are contiguous: depths are told in whole centimetres."""


def bring(
    source: Source,
    samples: pl.DataFrame,
    data_root: Path,
    threads: int,
    max_distance_m: float | None = None,
) -> pl.DataFrame:
    """Values of one source at the samples.

    Args:
        source: Any source whose join is not `none`; a backbone source is met by `nearest`.
        samples: `sample_id, longitude, latitude, depth_top, depth_bottom` and the columns that
            `fuse.key` or a region join names; `survey` where `fuse.survey` does, and `source,
            row_ref, site` where a key is a column of a backbone source.
        data_root: Folder to which the paths of standardised pixels are relative.
        threads: Threads of the raster overlay.
        max_distance_m: Reach of `nearest` where the specification states none.

    Returns:
        One row a sample in their order: `sample_id`, `row_ref` of the row that was met (NULL for
        rasters), `distance_m` (NULL but for `nearest`), and `<source>.<name>` columns.

    Raises:
        FusionError: Keys are ambiguous, or pixels cannot be read.
    """
    if source.spec.is_raster:
        return _raster(source, samples, data_root, threads)
    distance: np.ndarray | None = None
    match source.spec.fuse.join:
        case "nearest" | "backbone":
            reach = source.spec.fuse.max_distance_m or max_distance_m
            sets, distance = _near(source, samples, reach)
        case "polygon":
            sets = _inside(source, samples)
        case "key":
            sets = _same_key(source, samples)
        case "region":
            sets = _same_region(source, samples)
        case join:
            raise FusionError(
                f"is never aligned (join: {join}): {source.spec.fuse.reason}",
                source=source.id,
                remedy="declare another `fuse.join` in source.yaml",
            )
    chosen = _choose(sets, source, samples)
    values = _values(source).with_row_index("_row", 0).cast({"_row": pl.Int64})
    result = (
        samples.select("sample_id")
        .with_columns(
            _row=chosen,
            distance_m=pl.Series(distance, dtype=pl.Float64).fill_nan(None)
            if distance is not None
            else pl.lit(None, pl.Float64),
        )
        .join(values, on="_row", how="left", maintain_order="left")
    )
    if source.spec.fuse.depth == "spline":
        result = _splined(result, sets, source, samples)
    names = [f"{source.id}.{c.name}" for c in source.features]
    return result.select("sample_id", "row_ref", "distance_m", *names)


def typed(source: Source) -> pl.DataFrame:
    """Feature columns of a table in the types of the matrix.

    Numbers are Float64 and arrays Float32 of fixed length. Curves have as many points as were
    measured and stay lists, whatever their lengths happen to be; their positions are a feature
    beside them. Everything else is text.
    """
    frame, tables = source.table, source.spec.tables
    expressions = []
    for column in source.features:
        dtype = frame.schema[column.name]
        if isinstance(dtype, pl.List | pl.Array):
            lists = frame[column.name].cast(pl.List(pl.Float32))
            if tables[column.table].compose != "curve":
                lists = lists.list.to_array(lists.list.len().max() or 0)
            expressions.append(lists.alias(column.name))
        elif column.kind == "numeric":
            expressions.append(pl.col(column.name).cast(pl.Float64))
        else:
            expressions.append(pl.col(column.name).cast(pl.String))
    return frame.select(expressions)


def _values(source: Source) -> pl.DataFrame:
    """Feature columns of the table as `<source>.<name>`, and `row_ref`."""
    values = typed(source)
    return values.rename({name: f"{source.id}.{name}" for name in values.columns}).with_columns(
        source.table["row_ref"]
    )


def _near(
    source: Source, samples: pl.DataFrame, reach: float | None
) -> tuple[pl.DataFrame, np.ndarray]:
    if reach is None:
        raise FusionError(
            "no reach for the nearest join",
            source=source.id,
            remedy="set `fuse.max_distance_m` in source.yaml",
        )
    profile = next((r.profile for r in source.spec.rules if r.kind == "depth_order"), None)
    rows = (
        _countable(source)
        .filter(pl.col("longitude").is_not_null() & pl.col("latitude").is_not_null())
        .select(
            "_row",
            "longitude",
            "latitude",
            # Rows at one place are one profile unless the source names its profiles.
            set=pl.struct("longitude", "latitude", *([profile] if profile else [])).rank("dense"),
        )
    )
    index, distance = nearest(
        samples["longitude"].to_numpy(),
        samples["latitude"].to_numpy(),
        rows["longitude"].to_numpy(),
        rows["latitude"].to_numpy(),
        reach,
    )
    sets = np.append(rows["set"].to_numpy().astype(np.int64), -1)[index]
    return _members(pl.Series(sets).replace(-1, None), rows.select("_row", "set")), distance


def _inside(source: Source, samples: pl.DataFrame) -> pl.DataFrame:
    found = locate(
        source.table["geometry"].to_list(),
        source.polygon_crs,
        samples["longitude"].to_numpy(),
        samples["latitude"].to_numpy(),
    )
    every = pl.int_range(source.table.height, eager=True)
    return _members(pl.Series(found).replace(-1, None), pl.DataFrame({"_row": every, "set": every}))


def _same_key(source: Source, samples: pl.DataFrame) -> pl.DataFrame:
    key, survey = source.spec.fuse.key, source.spec.fuse.survey
    wanted = [_key_column(source, samples, mine, theirs) for mine, theirs in key.items()]
    met = pl.lit(True) if survey is None else pl.col("survey") == survey
    ours = samples.select(
        set=pl.when(met).then(pl.concat_str([c.cast(pl.String) for c in wanted], separator="\x1f"))
    )["set"]
    rows = (
        _countable(source)
        .select(
            "_row",
            set=pl.concat_str([pl.col(c).cast(pl.String) for c in key], separator="\x1f"),
            top="depth_top",
            bottom="depth_bottom",
        )
        .drop_nulls("set")
    )
    twice = rows.filter(pl.struct("set", "top", "bottom").is_duplicated())
    if twice.height:
        raise FusionError(
            f"{twice.height} rows share key and depth with another row",
            source=source.id,
            where=", ".join(key),
            samples=twice["set"].str.replace_all("\x1f", " ").unique(maintain_order=True),
            remedy="name more columns in `fuse.key`, so that a sample meets one row",
        )
    return _members(ours, rows.select("_row", "set"))


def _key_column(
    source: Source, samples: pl.DataFrame, mine: str, theirs: str
) -> pl.Expr | pl.Series:
    """What a key column is compared with, for each sample; sites also without their namespace."""
    if "." in theirs:
        return _of_backbone(source, samples, *theirs.split(".", 1))
    if theirs not in samples.columns:
        raise FusionError(
            f"`fuse.key` names {theirs!r}, which samples do not have",
            source=source.id,
            samples=samples.columns,
            remedy="name a column of samples.parquet, or `<source>.<column>` of a backbone source",
        )
    if theirs != "site":
        return pl.col(theirs)
    here = source.table[mine].cast(pl.String)
    if here.is_in(samples["site"].implode()).any():
        return pl.col("site")
    bare = samples.select("site", bare=pl.col("site").str.split_exact(":", 1).struct[1]).unique()
    doubtful = bare.filter(pl.col("bare").is_duplicated() & pl.col("bare").is_in(here.implode()))
    if doubtful.height:
        raise FusionError(
            "its site codes fit sites of several survey families",
            source=source.id,
            where=mine,
            samples=doubtful["site"],
            remedy="write the namespace into the key column, as in 'lucas:12345678'",
        )
    return pl.col("site").str.split_exact(":", 1).struct[1]


def _of_backbone(source: Source, samples: pl.DataFrame, bridge: str, column: str) -> pl.Series:
    """A column of the backbone source whose rows some samples are; NULL for all other samples."""
    if not (samples["source"] == bridge).any():
        return pl.Series([None] * samples.height, dtype=pl.String)
    table = source.tables.table(bridge)
    if table is None or column not in table.columns:
        raise FusionError(
            f"`fuse.key` names {column!r}, which {bridge} does not have",
            source=source.id,
            samples=[] if table is None else table.columns,
            remedy=f"name a canonical column of {bridge}",
        )
    values = table.select("row_ref", source=pl.lit(bridge), value=pl.col(column).cast(pl.String))
    found = samples.select("source", "row_ref", "site").join(
        values, on=["source", "row_ref"], how="left", maintain_order="left"
    )
    sites = found.drop_nulls("value").group_by("value").agg(pl.col("site").unique().sort())
    doubtful = sites.filter(pl.col("site").list.len() > 1).sort("value")
    if doubtful.height:
        raise FusionError(
            f"{doubtful.height} values of {bridge}.{column} stand at several sites",
            source=source.id,
            where=", ".join(source.spec.fuse.key),
            samples=[f"{v}: {', '.join(s)}" for v, s in doubtful.head(5).iter_rows()],
            remedy=f"correct {column} in the files of {bridge}, or join by another column",
        )
    return found["value"]


def _countable(source: Source) -> pl.DataFrame:
    """The table with the index of each row, without rows that repeat another."""
    rows = source.table.with_columns(_row=pl.int_range(pl.len()))
    return rows.filter(~pl.col("row_ref").is_in(source.repeated.implode()))


def _same_region(source: Source, samples: pl.DataFrame) -> pl.DataFrame:
    """Regions by NUTS code; a code of a higher level stands for the regions that begin with it.

    The finest level at which the source has the sample's region is taken.
    """
    column = source.spec.space.region
    rows = source.table.select(
        _row=pl.int_range(pl.len()), set=pl.col(column).cast(pl.String)
    ).drop_nulls("set")
    ours = pl.Series([None] * samples.height, dtype=pl.String)
    for length in rows["set"].str.len_chars().unique().sort(descending=True):
        code = samples["nuts_2"].str.slice(0, length)
        known = (samples["nuts_2"].str.len_chars() >= length) & code.is_in(rows["set"].implode())
        ours = ours.fill_null(code.zip_with(known.fill_null(False), ours.clear(samples.height)))
    return _members(ours, rows)


def _members(ours: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """`sample` (index), `_row` (index in the table): every row of the set that a sample met."""
    return (
        pl.DataFrame({"sample": pl.int_range(len(ours), eager=True), "set": ours})
        .drop_nulls("set")
        .join(rows.with_columns(pl.col("set").cast(ours.dtype)), on="set", how="inner")
        .select("sample", "_row", "set")
    )


def _choose(sets: pl.DataFrame, source: Source, samples: pl.DataFrame) -> pl.Series:
    """Row of each sample: most depth in common, else least between, then first in the file.

    Rows without depth come last; where the sample has none, the first row in the file is taken.
    """
    depths = source.table.select("depth_top", "depth_bottom", _row=pl.int_range(pl.len()))
    wanted = samples.select("depth_top", "depth_bottom", sample=pl.int_range(pl.len()))
    best = (
        sets.join(depths, on="_row", how="left")
        .join(wanted, on="sample", how="left", suffix="_wanted")
        .with_columns(
            # A depth that is not known shares nothing; min_horizontal passes over NULL.
            shared=pl.when(
                pl.all_horizontal(
                    pl.col(
                        "depth_top", "depth_bottom", "depth_top_wanted", "depth_bottom_wanted"
                    ).is_not_null()
                )
            ).then(
                pl.min_horizontal("depth_bottom", "depth_bottom_wanted")
                - pl.max_horizontal("depth_top", "depth_top_wanted")
            )
        )
        .sort("sample", "shared", "_row", descending=[False, True, False], nulls_last=True)
        .unique("sample", keep="first", maintain_order=True)
        .select("sample", "_row")
    )
    return wanted.join(best, on="sample", how="left", maintain_order="left")["_row"]


def _splined(
    result: pl.DataFrame, sets: pl.DataFrame, source: Source, samples: pl.DataFrame
) -> pl.DataFrame:
    """Replace numbers by spline means over the sample's depth where horizons are contiguous."""
    table = source.table.with_columns(_row=pl.int_range(pl.len()))
    horizons = (
        sets.select("_row", "set")
        .unique()
        .join(table, on="_row", how="left")
        .sort("set", "depth_top", "_row")
        .with_columns(gap=(pl.col("depth_top") - pl.col("depth_bottom").shift(1).over("set")).abs())
        .filter(((pl.col("gap").fill_null(0.0) <= GAP_CM).all()).over("set"))
        .filter(
            pl.all_horizontal(pl.col("depth_top", "depth_bottom").is_not_null()).all().over("set")
        )
    )
    wanted = (
        sets.select("sample", "set")
        .unique()
        .join(horizons.select("set").unique(), on="set", how="semi")
        .join(
            samples.select("depth_top", "depth_bottom", sample=pl.int_range(pl.len())), on="sample"
        )
        .drop_nulls()
        .sort("sample")
    )
    splined = {
        c.name: result[f"{source.id}.{c.name}"].to_numpy().copy()
        for c in source.features
        if c.kind == "numeric" and result.schema[f"{source.id}.{c.name}"] == pl.Float64
    }
    for (top, bottom), at in wanted.group_by("depth_top", "depth_bottom", maintain_order=True):
        inner = horizons.join(at.select("set").unique(), on="set", how="semi")
        order = np.searchsorted(np.unique(inner["set"].to_numpy()), at["set"].to_numpy())
        for name, values in splined.items():
            known = quantity(source.spec.column(name).quantity) if _bounded(source, name) else None
            means = mass_preserving_spline(
                inner["set"].to_numpy(),
                inner["depth_top"].to_numpy(),
                inner["depth_bottom"].to_numpy(),
                inner[name].cast(pl.Float64).to_numpy(),
                depths=(top, bottom),
                low=-np.inf if known is None or known.minimum is None else known.minimum,
                high=np.inf if known is None or known.maximum is None else known.maximum,
                average="exact",
            )[order, 0]
            values[at["sample"].to_numpy()] = means
    return result.with_columns(
        pl.Series(f"{source.id}.{name}", values).fill_nan(None) for name, values in splined.items()
    )


def _bounded(source: Source, name: str) -> bool:
    return source.spec.column(name).quantity is not None


def _raster(source: Source, samples: pl.DataFrame, data_root: Path, threads: int) -> pl.DataFrame:
    """Pixels at the samples."""
    columns = {c.name: c for c in source.features}
    rows = source.table.filter(pl.col("column").is_in(list(columns))).sort("column", "element")
    resampling = source.spec.fuse.resampling
    # A code between two codes is no code.
    layers = [
        Layer(
            data_root / path,
            resampling="nearest" if columns[name].kind != "numeric" else resampling,
        )
        for name, path in rows.select("column", "path").iter_rows()
    ]
    # Samples of one site share their position: each place is read once.
    places, inverse = np.unique(
        samples.select("longitude", "latitude").to_numpy(), axis=0, return_inverse=True
    )
    pixels = sample_layers(layers, places[:, 0], places[:, 1], threads=threads)
    names = rows["column"].to_numpy()
    result = samples.select("sample_id").with_columns(
        row_ref=pl.lit(None, pl.String), distance_m=pl.lit(None, pl.Float64)
    )
    for name, column in columns.items():
        values = pixels[:, names == name][inverse.ravel()]
        codes = rows.filter(pl.col("column") == name)["codes"][0] if "codes" in rows else None
        found = _pixels(values, column, codes)
        result = result.with_columns(found.alias(f"{source.id}.{name}"))
    return result


def _pixels(values: np.ndarray, column: Column, codes: pl.Series | None) -> pl.Series:
    if column.is_array:
        series = pl.Series(values.astype(np.float32), dtype=pl.Array(pl.Float32, values.shape[1]))
        missing = pl.Series(np.isnan(values).all(axis=1))
        frame = pl.DataFrame({"v": series.arr.eval(pl.element().fill_nan(None)), "m": missing})
        return frame.select(pl.when(~pl.col("m")).then(pl.col("v")))["v"]
    series = pl.Series(values[:, 0], dtype=pl.Float64).fill_nan(None)
    if column.kind == "numeric":
        return series
    numbers = series.round().cast(pl.Int64)
    # Pixels of some layers are places in a list of codes.
    return numbers.cast(pl.String) if codes is None else codes.gather(numbers)

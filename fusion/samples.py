"""The row backbone: which rows of which sources are samples.

Belongs here: sample ids, sites, positions, depths and regions of samples.
Never here: measured values.

A sample is survey x site x depth. Its id is `<survey>:<site>:<top>-<bottom>`, followed by the parts
of the source's key that tell several samples of one depth apart. Sites carry the namespace of their
survey family, so that revisits share a site.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import polars as pl

from adapters.errors import FusionError
from fusion.inputs import Source
from fusion.polygons import locate

SCHEMA = {
    "sample_id": pl.String,
    "source": pl.String,
    "row_ref": pl.String,
    "origin": pl.String,
    "survey": pl.String,
    "site": pl.String,
    "longitude": pl.Float64,
    "latitude": pl.Float64,
    "position_uncertainty_m": pl.Float64,
    "location": pl.String,
    "depth_top": pl.Float64,
    "depth_bottom": pl.Float64,
    "date_start": pl.Date,
    "date_end": pl.Date,
    "country": pl.String,
    "nuts_2": pl.String,
}

# NUTS names two countries otherwise than ISO 3166-1 (Regulation (EC) No 1059/2003, Annex I).
_NUTS_TO_ISO = {"EL": "GR", "UK": "GB"}
_COUNTRY_CODEBOOKS = ("nuts_0", "country_iso2")
NUTS_SOURCE = "nuts_2016"


def backbone(sources: Iterable[Source], regions: Source | None) -> tuple[pl.DataFrame, dict]:
    """Samples of all backbone sources.

    Args:
        sources: Sources whose specification says `sample`.
        regions: NUTS polygons of the same group, for samples whose survey does not tell the region.

    Returns:
        Samples in the order of their ids, and `{source: {reason: rows}}` of the rows that are none.

    Raises:
        FusionError: Two sources make the same sample id.
    """
    parts, refused = [], {}
    for source in sources:
        part, reasons = _samples_of(source)
        parts.append(part)
        refused[source.id] = reasons
    samples = pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)
    twice = samples.filter(pl.col("sample_id").is_duplicated())
    if twice.height:
        raise FusionError(
            f"{twice['sample_id'].n_unique()} sample ids stand in several sources",
            samples=twice["sample_id"].unique(maintain_order=True).head(5),
            remedy="give each source its own `sample.survey`: "
            + ", ".join(twice["source"].unique().sort()),
        )
    return _with_regions(samples, regions).sort("sample_id"), refused


def _samples_of(source: Source) -> tuple[pl.DataFrame, dict[str, int]]:
    spec, table = source.spec, source.table
    said = spec.sample
    if said is None:
        raise FusionError(
            "not a backbone source", source=source.id, remedy="declare `sample` in source.yaml"
        )
    # Without a column for it, the native row is the site: the part of row_ref after the last '#'.
    site = (
        pl.col(said.site).cast(pl.String)
        if said.site
        else pl.col("row_ref").str.split("#").list.last()
    )
    covered = {said.site, spec.depth.label, spec.depth.top, spec.depth.bottom}
    rest = [key for key in spec.keys if key not in covered]
    tail = [pl.lit(":") + pl.col(key).cast(pl.String).fill_null("") for key in rest]
    depth = pl.format("{}-{}", _number("depth_top"), _number("depth_bottom"))
    rows = table.with_columns(
        _site=site,
        _id=pl.concat_str(pl.lit(said.survey), pl.lit(":"), site, pl.lit(":"), depth, *tail),
    ).with_columns(
        _reason=pl.when(pl.col("longitude").is_null() | pl.col("latitude").is_null())
        .then(pl.lit("no trustworthy position"))
        .when(pl.col("depth_top").is_null() | pl.col("depth_bottom").is_null())
        .then(pl.lit("no trustworthy depth"))
        .when(pl.col("_site").is_null())
        .then(pl.lit("no site"))
        .when(pl.col("row_ref").is_in(source.repeated.implode()))
        .then(pl.lit("duplicate row"))
    )
    reasons = Counter(rows["_reason"].drop_nulls().to_list())
    rows = rows.filter(pl.col("_reason").is_null())
    kept = rows.unique("_id", keep="first", maintain_order=True)
    if kept.height < rows.height:
        reasons["same survey, site, depth and key as an earlier row"] = rows.height - kept.height
    return (
        kept.select(
            sample_id="_id",
            source=pl.lit(source.id),
            row_ref="row_ref",
            origin="origin",
            survey=pl.lit(said.survey),
            site=pl.lit(f"{said.site_prefix}:") + pl.col("_site"),
            longitude="longitude",
            latitude="latitude",
            position_uncertainty_m="position_uncertainty_m",
            location=pl.lit(spec.space.location),
            depth_top="depth_top",
            depth_bottom="depth_bottom",
            date_start="date_start",
            date_end="date_end",
            country=_country(source),
            nuts_2=pl.col("nuts_2") if "nuts_2" in table.columns else pl.lit(None, pl.String),
        ).cast(SCHEMA),
        dict(sorted(reasons.items())),
    )


def _number(column: str) -> pl.Expr:
    """Depth as text: 20 rather than 20.0, 17.5 as it is."""
    text = pl.col(column).cast(pl.String)
    return text.str.strip_suffix(".0")


def _country(source: Source) -> pl.Expr:
    """ISO 3166-1 alpha-2 code, where the source's own codes are of that kind."""
    known = [
        c for c in source.spec.columns if c.name == "country" and c.codebook in _COUNTRY_CODEBOOKS
    ]
    if not known or "country" not in source.table.columns:
        return pl.lit(None, pl.String)
    return pl.col("country").replace(_NUTS_TO_ISO)


def _with_regions(samples: pl.DataFrame, regions: Source | None) -> pl.DataFrame:
    """Fill NUTS 2 and country from other visits to the site, and then from the polygons."""
    samples = samples.sort("sample_id").with_columns(
        pl.col(name).fill_null(pl.col(name).drop_nulls().first().over("site"))
        for name in ("country", "nuts_2")
    )
    if regions is None:
        return samples
    inside = nuts_2(regions, samples["longitude"].to_numpy(), samples["latitude"].to_numpy())
    return samples.with_columns(
        nuts_2=pl.col("nuts_2").fill_null(inside),
        country=pl.col("country").fill_null(inside.str.slice(0, 2).replace(_NUTS_TO_ISO)),
    )


def nuts_2(regions: Source, lon: np.ndarray, lat: np.ndarray) -> pl.Series:
    """NUTS 2 code of the polygon of `NUTS_SOURCE` that each point lies in, NULL outside of all."""
    polygons = regions.table.filter(pl.col("level") == 2)
    found = locate(polygons["geometry"].to_list(), regions.polygon_crs, lon, lat)
    codes = np.append(polygons["region_code"].to_numpy(), None)
    return pl.Series(codes[found], dtype=pl.String)

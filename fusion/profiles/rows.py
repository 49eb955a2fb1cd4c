"""The rows of a profile set: which photographs stand in it, and what is known of them.

Belongs here: joining horizons, sites and photographs, and saying why a photograph is left out.
Never here: pixels (`pictures.py`), files and versions (`sets.py`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from adapters.codebooks import codebook
from adapters.errors import FusionError
from fusion.inputs import Source
from fusion.profiles.splits import profile_splits
from fusion.profiles.store import CLASSES, DEPTH_CM, HORIZON
from fusion.profiles.symbols import normalise

SOURCE = "soilnet_profiles"
SITES, PHOTOGRAPHS = f"{SOURCE}__sites", f"{SOURCE}__photographs"
ORDINAL = ("carbonate", "humus", "roots")
"""Classes whose codes are degrees of one thing; their codebooks list them from least to most."""
MISSING = "photograph_missing"
"""Flag of a horizon whose photograph is not there."""
UNUSABLE = {
    "unreadable": "it cannot be opened, or shows nothing",
    "channels_swapped": "red and blue are swapped",
}
"""Flags of a photograph that leave it out, and why."""
_NO_FEATURE = ("profile", "easting", "northing", "sampling_month", "sampling_year")
"""Columns of a site that stand in the index under other names, or are no feature."""


@dataclass
class Rows:
    """Photographs of a set, before their pictures are made.

    Attributes:
        index: `photograph, profile, sha256, longitude, latitude, year, month`, `site.<name>` and
            `horizons`; sorted by profile and photograph.
        left_out: Photograph -> why it is not in the set.
        horizons: What became of the rows of horizons, by name.
    """

    index: pl.DataFrame
    left_out: dict[str, str] = field(default_factory=dict)
    horizons: dict[str, int] = field(default_factory=dict)

    def drop(self, refused: Mapping[str, str]) -> None:
        """Leave photographs out whose pictures could not be made: photograph -> why."""
        self.left_out |= refused
        self.index = self.index.filter(~pl.col("photograph").is_in([*refused]))

    def split(self) -> pl.DataFrame:
        """The index with `split`, `block` and `cluster`, by profile.

        Raises:
            FusionError: No photograph is left.
        """
        if not self.index.height:
            raise FusionError(
                "no photograph of a profile can be used",
                source=SOURCE,
                samples=[f"{n} times: {why}" for why, n in self.reasons().items()],
                remedy="`soilmeld check` says what is wrong with the files",
            )
        profiles = self.index.select("profile", "longitude", "latitude").unique(
            "profile", keep="first", maintain_order=True
        )
        sides = profile_splits(profiles)
        return self.index.join(sides, on="profile", how="left", maintain_order="left")

    def reasons(self) -> dict[str, int]:
        """How often each reason was given, most frequent first."""
        return dict(Counter(self.left_out.values()).most_common())


def rows(horizons: Source, sites: Source, photographs: Source) -> Rows:
    """Join what is known of each photograph.

    Args:
        horizons: One row a horizon of a photograph.
        sites: One row a profile.
        photographs: One row a photograph.
    """
    pictures = photographs.table.select("row_ref", "photograph", "profile", "sha256")
    left_out = _same_files(pictures.drop_nulls("sha256")) | _unusable(photographs)
    told_again = pl.col("row_ref").is_in(horizons.repeated.implode())
    described = horizons.table.filter(~told_again).drop_nulls("photograph")
    lost = horizons.flags.filter(pl.col("flag") == MISSING)["raw"]
    left_out |= {name: "the photograph is missing" for name in lost}
    said = described["photograph"].unique().sort()
    left_out |= {
        name: "no horizon is described"
        for name in pictures["photograph"]
        if name not in set(said) and name not in left_out
    }
    profiles, wrong = _profiles(described)
    left_out = wrong | _of_others(described, pictures) | left_out
    shallow = set(profiles["photograph"])
    left_out |= {
        name: f"no horizon begins above {DEPTH_CM:g} cm"
        for name in said
        if name not in shallow and name not in left_out
    }
    placed = _sites(sites)
    index = (
        pictures.drop("row_ref")
        .join(profiles, on="photograph", how="inner")
        .join(placed, on="profile", how="left")
        .sort("profile", "photograph")
    )
    nowhere = index.filter(pl.col("longitude").is_null() | pl.col("latitude").is_null())
    left_out = {name: "its profile has no position" for name in nowhere["photograph"]} | left_out
    index = index.filter(~pl.col("photograph").is_in([*left_out]))
    deep = described.filter(pl.col("depth_top") >= DEPTH_CM).height
    counts = {"rows": described.height, f"from {DEPTH_CM:g} cm down, left out": deep}
    return Rows(index, dict(sorted(left_out.items())), counts)


def _unusable(photographs: Source) -> dict[str, str]:
    fatal = photographs.flags.filter(pl.col("flag").is_in([*UNUSABLE]))
    named = fatal.join(photographs.table.select("row_ref", "photograph"), on="row_ref")
    # A photograph that cannot be opened has no colours to be judged by: one flag at most.
    return {row["photograph"]: UNUSABLE[row["flag"]] for row in named.iter_rows(named=True)}


def _same_files(photographs: pl.DataFrame) -> dict[str, str]:
    """Photographs with the bytes of another one: kept once, or not at all where profiles differ."""
    same = photographs.filter(pl.col("sha256").is_duplicated()).sort("photograph")
    between = same.filter(pl.col("profile").n_unique().over("sha256") > 1)["photograph"]
    again = same.filter(~pl.col("sha256").is_first_distinct())["photograph"]
    return {name: "the same file stands there twice" for name in again} | {
        name: "the same file stands for two profiles" for name in between
    }


def _of_others(described: pl.DataFrame, pictures: pl.DataFrame) -> dict[str, str]:
    """Photographs whose name tells of another profile than their horizons: which is not known."""
    named = pictures.select("photograph", of="profile")
    others = described.join(named, on="photograph").filter(pl.col("profile") != pl.col("of"))
    return {name: "its horizons are of another profile" for name in others["photograph"]}


def _profiles(described: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """`photograph, horizons`, and photograph -> why its horizons cannot be used."""
    raw = pl.coalesce("symbol_relevant", "symbol")
    names = described.select(raw).to_series().unique().drop_nulls()
    symbols = {name: normalise(name) or None for name in names}
    fields = {
        "top": pl.col("depth_top"),
        # As published: what lies at 100 cm and deeper is left out, what reaches it is cut there.
        "bottom": pl.min_horizontal("depth_bottom", pl.lit(DEPTH_CM)),
        "symbol": raw.replace_strict(symbols, default=None, return_dtype=pl.String),
        "symbol_raw": pl.col("symbol"),
        **{name: pl.col(name) for name in ("stones", *CLASSES)},
    }
    faulty = pl.col("depth_top").is_null() | pl.col("depth_bottom").is_null()
    wrong = {
        name: "the depths of a horizon are inverted or missing"
        for name in described.filter(faulty)["photograph"]
    }
    grouped = (
        described.filter(pl.col("depth_top").is_null() | (pl.col("depth_top") < DEPTH_CM))
        .select(
            "photograph",
            horizon=pl.struct(
                fields[name].cast(kind).alias(name) for name, kind in HORIZON.items()
            ),
        )
        .sort("photograph", pl.col("horizon").struct["top"], pl.col("horizon").struct["bottom"])
        .group_by("photograph", maintain_order=True)
        .agg(horizons=pl.col("horizon"))
    )
    bottoms = pl.col("horizons").list.eval(pl.element().struct["bottom"].diff().drop_nulls())
    tangled = grouped.filter(bottoms.list.min() <= 0)["photograph"]
    return grouped, {name: "a horizon lies within another" for name in tangled} | wrong


def _sites(sites: Source) -> pl.DataFrame:
    """`profile, longitude, latitude, year, month` and `site.<name>`, one row a profile."""
    return sites.table.unique("profile", keep="first", maintain_order=True).select(
        "profile",
        "longitude",
        "latitude",
        pl.col("sampling_year").cast(pl.Int64).alias("year"),
        pl.col("sampling_month").cast(pl.Int64).alias("month"),
        *(
            pl.col(name).cast(pl.Float64 if kind == "numeric" else pl.String).alias(f"site.{name}")
            for name, kind in _features(sites).items()
        ),
    )


def _features(sites: Source) -> dict[str, str]:
    """Name -> numeric or code, of what is known of a site beside its place and date."""
    kinds = {"numeric": "numeric", "categorical": "code", "boolean": "code"}
    return {
        column.name: kinds[column.kind]
        for column in sites.spec.columns
        if column.name in sites.table.columns
        and column.kind in kinds
        and column.name not in _NO_FEATURE
    }


def about(horizons: Source, sites: Source) -> dict[str, Any]:
    """What a set says of itself: origin, terms, and what its columns mean."""
    licence = horizons.spec.origin.licence
    described = {column.name: column.description for column in sites.spec.columns}
    return {
        "group": horizons.group,
        "origin": horizons.origin,
        "source": {"id": horizons.id, "version": horizons.version},
        "licences": [licence.id],
        "redistribute": licence.redistribute,
        "share_alike": licence.share_alike,
        "attribution": licence.attribution,
        "site": {
            name: {"kind": kind, "unit": sites.units.get(name), "description": described[name]}
            for name, kind in _features(sites).items()
        },
        "classes": {
            name: {"codes": _codes(horizons, name), "ordinal": name in ORDINAL} for name in CLASSES
        },
    }


def _codes(horizons: Source, name: str) -> list[str]:
    column = next(column for column in horizons.spec.columns if column.name == name)
    book = codebook(column.codebook, horizons.spec.folder)
    return (
        horizons.table[name].drop_nulls().unique().sort().to_list()
        if book.is_open
        else [*book.codes]
    )

"""Reading what was published: sources, features, samples.

Belongs here: the read-only view of the published store, of the current feature matrices, of tiles
and of photographed profiles.
Never here: anything that writes to the data root.
"""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from adapters.errors import SoilmeldError
from adapters.settings import Settings, load_settings

if TYPE_CHECKING:
    from fusion.profiles.store import ProfileSet
    from fusion.tiles.store import TileSet

MODEL = "soilformer"


class NotFoundError(SoilmeldError):
    """What was asked for is not in the published store."""


def open(path: Path | str | None = None) -> "Dataset":
    """Open the published store for reading.

    Args:
        path: The settings file (`soilmeld.toml`); by default the one that applies in this folder.

    Raises:
        NotFoundError: Nothing has been published yet.
    """
    data = Dataset(load_settings(Path(path) if path else None))
    if not data.settings.published.joinpath("soilmeld.duckdb").is_file():
        raise NotFoundError(
            f"nothing is published in {data.settings.published}", remedy="run `soilmeld run` first"
        )
    return data


def tiles(group: str | None = None, path: Path | str | None = None) -> "TileSet":
    """Open the set of tiles in use, with captions where there are any.

    Args:
        group: `synthetic`, `open` or `user`; may be left out where only one group has tiles.
        path: The settings file (`soilmeld.toml`); by default the one that applies in this folder.

    Raises:
        NotFoundError: The group has no tiles, or several have some and none is named.
    """
    return Dataset(load_settings(Path(path) if path else None)).tiles(group)


def profiles(group: str | None = None, path: Path | str | None = None) -> "ProfileSet":
    """Open the set of photographed soil profiles in use.

    Args:
        group: `synthetic` or `user`; may be left out where only one group has profiles.
        path: The settings file (`soilmeld.toml`); by default the one that applies in this folder.

    Raises:
        NotFoundError: The group has no profiles, or several have some and none is named.
    """
    return Dataset(load_settings(Path(path) if path else None)).profiles(group)


@dataclass(frozen=True)
class Dataset:
    """The published store and the current feature matrix of each group, read-only."""

    settings: Settings

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Open the published DuckDB file read-only; schemas `std` and `meta`."""
        return duckdb.connect(
            str(self.settings.published / "soilmeld.duckdb"),
            read_only=True,
            config={"memory_limit": self.settings.memory_limit, "threads": self.settings.threads},
        )

    def sql(self, query: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Run one query on the published store.

        Returns:
            Its result as a polars frame.
        """
        with self.connect() as connection:
            return connection.execute(query, list(parameters)).pl()

    def sources(self) -> pl.DataFrame:
        """One row a standardised source: id, title, group, origin, rows, licence, attribution."""
        return self.sql(
            """select source, title, group_name as "group", origin, rows, flags, licence,
                      redistribute, share_alike, attribution
               from meta.source order by group_name, source"""
        )

    def columns(self, source: str) -> pl.DataFrame:
        """Columns of one source with unit, native unit, method, codebook and description."""
        self._known_source(source)
        return self.sql("select * exclude (source) from meta.column where source = ?", [source])

    def table(self, source: str) -> pl.DataFrame:
        """The standardised table of one source, canonical names and units."""
        return self.sql(f"select * from std.{self._known_source(source)}")

    def flags(self, source: str) -> pl.DataFrame:
        """Every value of one source that is not ordinary, with its raw text."""
        return self.sql(f'select * from std."{self._known_source(source)}__flags"')

    def checks(self, source: str) -> pl.DataFrame:
        """Results of the last validation of one source."""
        self._known_source(source)
        return self.sql(
            "select * exclude (source) from meta.check_result where source = ?", [source]
        )

    @cached_property
    def groups(self) -> list[str]:
        """Groups that have a feature matrix: `synthetic`, `open`, `user`."""
        return sorted(p.parent.name for p in self.settings.fused.glob("*/CURRENT"))

    def folder(self, group: str) -> Path:
        """Folder of the group's current feature matrix.

        Raises:
            NotFoundError: The group has no matrix.
        """
        if group not in self.groups:
            raise NotFoundError(
                f"no feature matrix for group {group!r}",
                samples=self.groups,
                remedy="choose one of the groups found, or run `soilmeld run`",
            )
        base = self.settings.fused / group
        return base / base.joinpath("CURRENT").read_text(encoding="utf-8").strip()

    def dictionary(self, group: str) -> dict[str, dict]:
        """Feature dictionary of a group: id -> record (see docs/data_model.md)."""
        text = (self.folder(group) / "dictionary.json").read_text(encoding="utf-8")
        return {record["id"]: record for record in json.loads(text)["features"]}

    def features(self, group: str, search: str = "") -> pl.DataFrame:
        """Features of a group, optionally those whose id, title or description holds `search`."""
        rows = [
            {
                "id": r["id"],
                "class": r["class"],
                "unit": r["unit"],
                "length": r["array_length"],
                "group": r["group"],
                "origin": r["origin"],
                "sources": ", ".join(r["sources"]),
                "licences": ", ".join(r["licences"])
                + (" (share alike)" if r["share_alike"] else ""),
                "available": max(r["availability"].values(), default=0.0),
                "title": r["title"],
            }
            for r in self.dictionary(group).values()
            if search.lower() in f"{r['id']} {r['title']} {r['description']}".lower()
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def describe(self, group: str, feature: str) -> dict:
        """Dictionary record of one feature.

        Raises:
            NotFoundError: No such feature; close names are shown.
        """
        dictionary = self.dictionary(group)
        self._known_features(dictionary, [feature])
        return dictionary[feature]

    def samples(self, group: str) -> pl.LazyFrame:
        """Samples of a group, lazily."""
        return pl.scan_parquet(self.folder(group) / "samples.parquet")

    def query(
        self,
        group: str,
        features: Sequence[str] = (),
        *,
        bbox: tuple[float, float, float, float] | None = None,
        start: date | None = None,
        end: date | None = None,
        survey: str | None = None,
        land_cover: str | None = None,
        where: pl.Expr | None = None,
        complete: bool = False,
    ) -> pl.DataFrame:
        """Samples with the features asked for.

        Args:
            group: `synthetic`, `open` or `user`.
            features: Feature ids; all when empty.
            bbox: west, south, east, north in degrees (EPSG:4326).
            start: Samples taken on or after that day.
            end: Samples taken on or before that day.
            survey: Name of one survey.
            land_cover: Code or its beginning: `B` is cropland, `B11` common wheat.
            where: Any polars expression over sample columns and features.
            complete: Only rows in which every feature asked for is there.

        Returns:
            Sample columns and then the features, one row a sample, ordered by sample id.

        Raises:
            NotFoundError: Unknown group or feature.
        """
        dictionary = self.dictionary(group)
        self._known_features(dictionary, features)
        wanted = list(features) or list(dictionary)
        rows = self.samples(group).join(
            pl.scan_parquet(self.folder(group) / "matrix.parquet"), on="sample_id", how="inner"
        )
        if bbox is not None:
            west, south, east, north = bbox
            if west >= east or south >= north:
                raise NotFoundError(
                    "bbox is empty",
                    samples=[bbox],
                    remedy="give west, south, east, north in degrees",
                )
            rows = rows.filter(
                pl.col("longitude").is_between(west, east),
                pl.col("latitude").is_between(south, north),
            )
        if start is not None:
            rows = rows.filter(pl.col("date_end") >= start)
        if end is not None:
            rows = rows.filter(pl.col("date_start") <= end)
        if survey is not None:
            rows = rows.filter(pl.col("survey") == survey)
        if land_cover is not None:
            self._known_features(dictionary, ["land_cover"])
            rows = rows.filter(pl.col("land_cover").str.starts_with(land_cover.upper()))
        if where is not None:
            rows = rows.filter(where)
        if complete:
            rows = rows.drop_nulls(wanted)
        keep = list(dict.fromkeys([*self.samples(group).collect_schema().names(), *wanted]))
        return rows.select(keep).sort("sample_id").collect()

    def tiles(self, group: str | None = None) -> "TileSet":
        """The set of tiles of a group in use: `.index` is a frame, `.read(row)` a tile.

        Raises:
            NotFoundError: The group has no tiles, or several have some and none is named.
        """
        from soilmeld.tile_sets import open_tiles

        return open_tiles(self.settings, group)

    def profiles(self, group: str | None = None) -> "ProfileSet":
        """The photographed profiles of a group in use: `.index` is a frame, `.picture(row)` one.

        Raises:
            NotFoundError: The group has no profiles, or several have some and none is named.
        """
        from soilmeld.profile_sets import open_profiles

        return open_profiles(self.settings, group)

    def model(self, group: str) -> Path:
        """Folder of the group's current trained model.

        Raises:
            NotFoundError: The group has no trained model.
        """
        base = self.settings.runs / f"{MODEL}-{group}"
        if not base.joinpath("CURRENT").is_file():
            trained = sorted(p.parent.name for p in self.settings.runs.glob("*/CURRENT"))
            raise NotFoundError(
                f"no trained model for group {group!r}",
                samples=trained,
                remedy="`soilmeld run` trains one once the group has a feature matrix",
            )
        return base / base.joinpath("CURRENT").read_text(encoding="utf-8").strip()

    def predict(
        self,
        group: str,
        sample_ids: Sequence[str],
        features: Sequence[str] = (),
        *,
        level: float = 0.9,
    ) -> pl.DataFrame:
        """Predict features of samples from all their other features, with intervals.

        Args:
            group: `synthetic`, `open` or `user`; a model trained on synthetic data predicts
                synthetic values.
            sample_ids: Samples of that group.
            features: Feature ids, predicted as if missing; by default those that are missing.
            level: Level of the interval, in (0, 1).

        Returns:
            `sample_id, feature, element, mean, lower, upper`, and `code, probability, codes` for
            categorical features; one row a sample, feature and element of a vector.

        Raises:
            NotFoundError: Unknown group, sample or feature, or no trained model.
        """
        from training.predict import Predictor

        rows = self.query(group, where=pl.col("sample_id").is_in(list(sample_ids)))
        if unknown := sorted(set(sample_ids) - set(rows["sample_id"])):
            raise NotFoundError(
                "no such sample",
                samples=unknown,
                remedy="`soilmeld query` lists the samples of a group",
            )
        self._known_features(self.dictionary(group), features)
        predictor = Predictor(self.model(group))
        if features:
            rows = rows.with_columns(pl.lit(None, rows.schema[f]).alias(f) for f in features)
        return predictor.predict(rows, list(features) or predictor.schema.features, level=level)

    def _known_source(self, source: str) -> str:
        known = self.sql("select source from meta.source order by source")["source"].to_list()
        if source not in known:
            raise NotFoundError(
                f"no published source {source!r}", remedy=f"published sources: {', '.join(known)}"
            )
        return source

    @staticmethod
    def _known_features(dictionary: dict[str, dict], features: Sequence[str]) -> None:
        for feature in features:
            if feature not in dictionary:
                holding = [known for known in dictionary if feature.lower() in known]
                close = difflib.get_close_matches(feature, dictionary, n=5, cutoff=0.4)
                raise NotFoundError(
                    f"no feature {feature!r}",
                    samples=dict.fromkeys([*holding, *close]),
                    remedy="`soilmeld features` lists all of them",
                )

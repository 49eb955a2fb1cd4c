"""What other programs may ask of the published data: one list, served over HTTP and MCP alike.

Belongs here: read-only operations with plain arguments and JSON-ready answers.
Never here: transport, or anything that writes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from soilmeld.reader import Dataset

Group = Annotated[str, Field(description="Origin group: synthetic, open or user.")]
Feature = Annotated[str, Field(description="Feature id as listed by `features`.")]
SampleId = Annotated[str, Field(description="Sample id as returned by `query`.")]


@dataclass(frozen=True)
class Operations:
    """Read-only questions about the published data.

    Every answer that holds values names their origin (synthetic, open, user) and licences.
    """

    data: Dataset

    def sources(self) -> list[dict[str, Any]]:
        """List the published sources with origin, number of rows, licence and attribution."""
        return self.data.sources().to_dicts()

    def source(self, source_id: Annotated[str, Field(description="Source id.")]) -> dict[str, Any]:
        """Describe one source: its columns with units before and after, and its checks."""
        return {
            "columns": self.data.columns(source_id).to_dicts(),
            "checks": self.data.checks(source_id).to_dicts(),
        }

    def features(
        self,
        group: Group,
        search: Annotated[str, Field(description="Part of an id, title or description.")] = "",
    ) -> list[dict[str, Any]]:
        """List the features of a group's matrix with class, unit, sources and availability."""
        return self.data.features(group, search).to_dicts()

    def describe_feature(self, group: Group, feature: Feature) -> dict[str, Any]:
        """Dictionary record of one feature: meaning, unit, method, codes, licences, distances."""
        return self.data.describe(group, feature)

    def query(
        self,
        group: Group,
        features: Annotated[list[str], Field(min_length=1, description="Feature ids.")],
        bbox: Annotated[
            tuple[float, float, float, float] | None,
            Field(description="west, south, east, north in degrees (EPSG:4326)."),
        ] = None,
        start: date | None = None,
        end: date | None = None,
        survey: str | None = None,
        land_cover: Annotated[str | None, Field(description="LUCAS code or its beginning.")] = None,
        complete: Annotated[bool, Field(description="Only rows that have every feature.")] = False,
        limit: Annotated[int, Field(ge=1, le=10_000)] = 100,
    ) -> dict[str, Any]:
        """Get samples with features by place, time, survey and land cover.

        The answer holds the total, at most `limit` rows, and unit, origin and licences by feature.
        """
        found = self.data.query(
            group,
            features,
            bbox=bbox,
            start=start,
            end=end,
            survey=survey,
            land_cover=land_cover,
            complete=complete,
        )
        dictionary = self.data.dictionary(group)
        about = ("unit", "origin", "licences", "redistribute")
        return {
            "total": found.height,
            "features": {f: {key: dictionary[f][key] for key in about} for f in features},
            "rows": _plain(found.head(limit)),
        }

    def predict(
        self,
        group: Group,
        sample_id: SampleId,
        features: Annotated[
            tuple[str, ...], Field(description="Features; the missing ones when empty.")
        ] = (),
        level: Annotated[float, Field(ge=0.5, le=0.99, description="Level of the interval.")] = 0.9,
    ) -> list[dict[str, Any]]:
        """Predict missing features of a sample, with intervals, by the group's trained model."""
        return _plain(self.data.predict(group, [sample_id], features, level=level))

    def explain(self, group: Group, sample_id: SampleId, feature: Feature) -> dict[str, Any]:
        """Follow one value back to file, sheet, row, raw text, unit conversion and checks."""
        from soilmeld.explain import explain

        return explain(self.data, group, sample_id, feature).as_dict()

    def tiles(
        self,
        group: Group,
        limit: Annotated[int, Field(ge=1, le=10_000)] = 100,
    ) -> dict[str, Any]:
        """List the tiles of a group: place, date, split, caption; origin and terms by modality."""
        held = self.data.tiles(group)
        shown = ("id", "longitude", "latitude", "date", "split", "caption")
        return {
            "total": len(held),
            "origin": held.described["origin"],
            "captions_checked": held.captions_checked,
            "terms": held.described.get("terms", {}),
            "rows": _plain(held.index.select(shown).head(limit)),
        }

    def describe_tile(
        self, group: Group, tile_id: Annotated[str, Field(description="As listed by `tiles`.")]
    ) -> dict[str, Any]:
        """Describe one tile: scenes, what is present, features of its sample, caption, licences."""
        from soilmeld.tile_sets import describe

        return describe(self.data.tiles(group), tile_id)

    def describe_profile(
        self,
        photograph: Annotated[
            str,
            Field(description="JPEG, PNG, TIFF, WebP or BMP of the wall, in base64."),
        ],
        longitude: Annotated[float | None, Field(description="Degrees; None: unknown.")] = None,
        latitude: float | None = None,
        taken: Annotated[date | None, Field(description="Day of the photograph.")] = None,
        group: Annotated[
            str | None, Field(description="Whose model is asked; None where there is only one.")
        ] = None,
        drawing: Annotated[bool, Field(description="Add a PNG in base64.")] = False,
    ) -> dict[str, Any]:
        """Describe a photograph of a soil profile: boundaries, properties, symbols, confidence.

        Read `warnings`: they say what speaks against believing the rest.
        """
        from soilmeld.profile_descriptions import describe_bytes

        return describe_bytes(
            photograph,
            longitude,
            latitude,
            taken,
            group=group,
            drawing=drawing,
            settings=self.data.settings,
        )

    def all(self) -> list[Callable[..., Any]]:
        """Every operation, in the order in which a newcomer needs them."""
        return [
            self.sources,
            self.source,
            self.features,
            self.describe_feature,
            self.query,
            self.predict,
            self.explain,
            self.tiles,
            self.describe_tile,
            self.describe_profile,
        ]


def _plain(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [
        {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
        for row in frame.iter_rows(named=True)
    ]

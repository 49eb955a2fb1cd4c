"""The twin's scenes of three places, and a matrix by hand whose samples stand at two of them."""

import datetime
import json
from pathlib import Path

import polars as pl
import pytest

from adapters.settings import Settings
from adapters.twin import scenes

PLACES = 3


def write_scenes(settings: Settings) -> pl.DataFrame:
    """Write them.

    Returns:
        The truth, one row a place.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(scenes.COUNTS, "tiny", PLACES)
        patch.setitem(scenes.PHOTOGRAPHED, "tiny", 0)
        scenes.make(settings)
    return pl.read_parquet(settings.truth_root / "scenes" / "places.parquet")


def write_matrix(settings: Settings, truth: pl.DataFrame, group: str = "synthetic") -> Path:
    """A matrix of two samples: one at each of the first two places, sampled in June 2018."""
    base = settings.fused / group
    folder = base / "made"
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"lucas:{place}:0-20" for place in truth["place"].head(2)]
    pl.DataFrame(
        {
            "sample_id": ids,
            "site": ids,
            "longitude": truth["longitude"].head(2),
            "latitude": truth["latitude"].head(2),
            "depth_top": [0.0, 0.0],
            "date_start": [datetime.date(2018, 6, 10)] * 2,
        }
    ).write_parquet(folder / "samples.parquet")
    pl.DataFrame(
        {
            "sample_id": ids,
            "ph_h2o__iso_10390": [6.5, 4.75],
            "clay": [21.0, None],
            "map.temperature": [9.5, 11.25],
            "elevation_of_plot": [1.0, 2.0],
            "never": pl.Series([None, None], dtype=pl.Float64),
            "land_cover": ["B11", "C10"],
        }
    ).write_parquet(folder / "matrix.parquet")
    features = [
        _feature("ph_h2o__iso_10390", "pH", "chemical"),
        _feature("clay", "percent", "physical"),
        _feature("map.temperature", "degC", "climate") | {"redistribute": True},
        _feature("elevation_of_plot", "m", "position"),
        _feature("never", "m", "chemical"),
        _feature("land_cover", None, "land"),
    ]
    described = {"group": group, "origin": group, "features": features}
    (folder / "dictionary.json").write_text(json.dumps(described), encoding="utf-8")
    (base / "CURRENT").write_text("made\n", encoding="utf-8")
    return folder


def _feature(id_: str, unit: str | None, group: str) -> dict[str, object]:
    return {
        "id": id_,
        "title": id_,
        "unit": unit,
        "group": group,
        "method": None,
        "depth": None,
        "period": None,
        "statistic": "value",
        "sources": ["lucas"],
        "licences": ["ESDAC"],
        "redistribute": False,
        "share_alike": False,
        "attributions": ["ESDAC, JRC"],
        "origin": "synthetic",
    }


def item_file(settings: Settings, collection: str, place: str, beginning: str = "") -> Path:
    """The STAC item of a scene."""
    folder = settings.scenes / "twin" / collection
    found = (path for path in sorted(folder.glob("*/*.json")) if place in path.stem)
    return next(path for path in found if path.stem.startswith(beginning))

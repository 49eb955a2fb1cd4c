"""Tiles as users meet them: in Python, from the shell, as files, through the server."""

import datetime
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import rasterio
from good_tile import good_tile
from stac_server import item, serving_stac
from typer.testing import CliRunner

import soilmeld
from adapters.errors import LicenceError
from adapters.modalities import modality
from adapters.settings import Settings
from fusion.tiles.store import TileSet
from fusion.tiles.writing import write
from soilmeld.cli import app
from soilmeld.operations import Operations
from soilmeld.reader import Dataset, NotFoundError
from soilmeld.tile_sets import describe, export_tile, groups_with_tiles

TERMS = {
    name: {"licences": ["CC-BY-4.0"], "redistribute": name != "soil", "attributions": ["nobody"]}
    for name in ("sentinel2", "sentinel1", "relief", "canopy_height", "worldcover", "soil")
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two tiles in group user, one with a photograph; no captions."""
    settings = Settings(data_root=tmp_path_factory.mktemp("tiles") / "data")
    base = settings.tiles / "user"
    tiles = [good_tile(0, rgb=True, origin="user"), good_tile(9, origin="user")]
    about = {"terms": TERMS, "dictionary": {"soil": [{"id": "sand", "unit": "percent"}]}}
    folder = write(tiles, base, about=about)
    (base / "CURRENT").write_text(folder.name + "\n")
    return settings


@pytest.fixture
def file(made: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "soilmeld.toml"
    path.write_text(f'data_root = "{made.data_root}"\n')
    return path


@pytest.fixture(scope="module")
def held(made: Settings) -> TileSet:
    return Dataset(made).tiles()


def test_the_only_group_needs_no_name(made: Settings, file: Path) -> None:
    assert groups_with_tiles(made) == ["user"]
    assert len(soilmeld.tiles(path=file)) == len(soilmeld.tiles("user", file)) == 2
    with pytest.raises(NotFoundError, match="'open'"):
        soilmeld.tiles("open", file)


def test_captions_win_over_tiles_without(made: Settings, tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path / "data")
    for place, texts in ((settings.tiles, None), (settings.captions, {"good-0": "A lake."})):
        folder = write([good_tile(0)], place / "synthetic", texts)
        (place / "synthetic" / "CURRENT").write_text(folder.name)
    held = Dataset(settings).tiles("synthetic")
    assert held.index["caption"].to_list() == ["A lake."]
    assert describe(held, "good-0")["caption_checked"] is False
    assert Operations(Dataset(settings)).tiles("synthetic")["captions_checked"] is False
    file = tmp_path / "soilmeld.toml"
    file.write_text(f'data_root = "{settings.data_root}"\n')
    said = CliRunner().invoke(app, ["tiles", "list", "--settings", str(file)]).output
    assert "Nobody checked these captions" in said


def test_a_geotiff_says_the_same_as_the_tile(held: TileSet, tmp_path: Path) -> None:
    paths = export_tile(held, "good-0", tmp_path)
    tile = held.read(0)
    assert [p.suffix for p in paths] == [".tif"] * (len(tile.arrays) - 2) + [".json"]
    for path in paths[:-1]:
        spec = modality(path.stem.removeprefix("good-0_"))
        present = tile.present[spec.id]
        with rasterio.open(path) as written:
            assert written.crs == tile.crs
            assert written.bounds == pytest.approx(tile.bounds)
            assert written.descriptions == spec.names
            assert written.tags()["origin"] == "user"
            values = written.read()
            if spec.id == "rgb":
                assert (written.dataset_mask() > 0).tolist() == present.all(0).tolist()
            elif spec.is_classes:
                assert ((values == written.nodata) == ~present).all()
                assert written.colormap(1)[list(spec.codes)[0]][3] == 255
            else:
                assert (np.isnan(values) == ~present).all()
            np.testing.assert_array_equal(values[present], tile.arrays[spec.id][present])
    about = json.loads(paths[-1].read_text())
    assert about["present"]["soil"] == 0.75
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_what_may_not_be_passed_on_is_refused_for_others(held: TileSet, tmp_path: Path) -> None:
    with pytest.raises(LicenceError, match="soil"):
        export_tile(held, "good-0", tmp_path, redistributable=True)
    # Of these no terms are known.
    with pytest.raises(LicenceError, match="climate .unknown"):
        export_tile(held, "good-0", tmp_path, ["climate"], redistributable=True)
    assert list(tmp_path.iterdir()) == []
    paths = export_tile(held, "good-0", tmp_path, ["relief"], redistributable=True)
    assert json.loads(paths[-1].read_text())["vectors"] == {}
    with pytest.raises(NotFoundError, match="rgb"):
        export_tile(held, "good-9", tmp_path, ["rgb"])


def test_a_tile_is_described_and_near_names_are_shown(held: TileSet) -> None:
    about = describe(held, "good-9")
    assert about["vectors"]["soil"] == {
        "ph_h2o": {"value": 6.4, "unit": None},
        "organic_carbon": {"value": 18.0, "unit": None},
        "sand": {"value": 31.0, "unit": "percent"},
    }
    assert about["sources"]["sentinel2"]["id"] == "S2-9"
    assert (about["caption"], about["caption_checked"]) == (None, None)
    with pytest.raises(NotFoundError, match="good-9"):
        describe(held, "d-9")


def test_verbs(file: Path, tmp_path: Path) -> None:
    runner = CliRunner()

    def said(*arguments: str) -> str:
        found = runner.invoke(app, ["tiles", *arguments, "--settings", str(file)])
        assert found.exit_code == 0, found.output
        return found.output

    assert "2 tiles" in said("list")
    assert "may not be passed on" in said("list", "--limit", "1")
    assert '"id": "good-9"' in said("describe", "good-9")
    out = tmp_path / "out"
    assert "good-9.json" in said(
        "export", "good-9", "-o", str(out), "--modality", "relief"
    ).replace("\n", "")
    assert sorted(p.name for p in out.iterdir()) == ["good-9.json", "good-9_relief.tif"]


def test_an_api_is_asked_around_samples(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "fused" / "user" / "made"
    folder.mkdir(parents=True)
    (folder.parent / "CURRENT").write_text("made")
    pl.DataFrame(
        {
            "sample_id": ["a", "b"],
            "site": ["a", "b"],
            "longitude": [10.5, 20.5],
            "latitude": [50.5, 50.5],
            "depth_top": [0.0, 0.0],
            "date_start": [datetime.date(2009, 6, 1)] * 2,
        }
    ).write_parquet(folder / "samples.parquet")
    file = tmp_path / "soilmeld.toml"
    file.write_text('data_root = "data"\n')
    said = {"eo:cloud_cover": 3.0, "s2:processing_baseline": "02.12"}
    assets = {name: {"href": f"https://x.org/{name}.tif"} for name in ("B04", "SCL")}
    with serving_stac() as api:
        api.items = [
            item(f"S{i}", "sentinel-2-l2a", (x, 50.0, x + 1, 51.0), when, assets, **said)
            for i, (x, when) in enumerate(
                [(10.0, "2018-06-03T10:30:00Z"), (20.0, "2018-06-03T10:30:00Z")]
            )
        ]
        arguments = ["tiles", "scenes", api.address, "--settings", str(file)]
        found = CliRunner().invoke(app, [*arguments, "--bbox", "10", "50", "11", "51"])
        assert found.exit_code == 0, found.output
        assert "1 scenes in" in found.output
        CliRunner().invoke(app, arguments)
    # Before Sentinel-2, its season of the first year counts.
    kept = tmp_path / "data" / "scenes" / "api" / "sentinel-2-l2a"
    assert sorted(path.name for path in kept.iterdir()) == ["S0", "S1", "collection.json"]


def test_the_server_lists_and_describes(made: Settings) -> None:
    operations = Operations(Dataset(made))
    answer = operations.tiles("user", limit=1)
    assert (answer["total"], len(answer["rows"]), answer["origin"]) == (2, 1, "user")
    assert json.loads(json.dumps(answer))["rows"][0]["date"] == "2021-05-03"
    assert operations.describe_tile("user", "good-0")["split"] in ("train", "test")

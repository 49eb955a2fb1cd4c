"""Tiles and captions in the main job: made once, made again for new scenes, kept when they fail."""

import json
from pathlib import Path

import dagster as dg
import pytest
from small_scenes import item_file, write_matrix, write_scenes

from adapters.settings import Settings
from dagster_project import definitions, summary
from dagster_project import run as main_job
from dagster_project import tiles as tile_module
from dagster_project.automation import on_new_data
from dagster_project.fusion import matrix_key
from dagster_project.groups import groups
from dagster_project.plan import plan
from dagster_project.resources import open_instance, resources
from dagster_project.tiles import captions_key, tile_assets, tiles_key
from dagster_project.versions import GROUPS
from fusion.tiles.examine import examine
from fusion.tiles.store import TileSet


def build(settings: Settings) -> dg.Definitions:
    """Tiles and captions of all groups, and a matrix that is there already."""

    @dg.asset(key=matrix_key("synthetic"), automation_condition=on_new_data([]))
    def matrix() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("made"))

    assets = [asset for group in groups([]) for asset in tile_assets(group)]
    return dg.Definitions(assets=[matrix, *assets], resources=resources(settings))


@pytest.fixture(scope="module")
def patched() -> pytest.MonkeyPatch:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definitions, "build", build)
        patch.setattr(definitions, "all_specs", list)
        # All tiles are shown, so that what is shown of each case is seen.
        patch.setattr(tile_module, "SHOWN", 3)
        yield patch


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch
) -> tuple[Settings, main_job.Outcome]:
    root = tmp_path_factory.mktemp("tile_assets")
    settings = Settings(
        data_root=root / "data", truth_root=root / "truth", twin_size="tiny", twin=False
    )
    write_matrix(settings, write_scenes(settings))
    return settings, main_job.run(settings)


def about(settings: Settings, key: dg.AssetKey) -> dict[str, object]:
    with open_instance(settings) as instance:
        event = instance.get_latest_materialization_event(key)
        return {k: v.value for k, v in event.asset_materialization.metadata.items()}


def checks(settings: Settings, key: dg.AssetKey) -> dict[str, bool]:
    asset = build(settings).resolve_asset_graph()
    with open_instance(settings) as instance:
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [check for check in asset.asset_check_keys if check.asset_key == key]
        )
        return {
            check.name: record.event.dagster_event.asset_check_evaluation_data.passed
            for check, record in found.items()
        }


def test_tiles_and_captions_are_made_once(made: tuple[Settings, main_job.Outcome]) -> None:
    settings, outcome = made
    assert outcome.failed == {}
    assert outcome.made == [
        "synthetic/feature_matrix",
        "synthetic/tiles",
        "synthetic/captions",
    ]
    again = main_job.run(settings)
    assert (again.made, again.failed) == ([], {})
    assert plan(settings).steps == ()


def test_groups_are_those_of_the_graph() -> None:
    assert tuple(group.name for group in groups([])) == GROUPS


def test_checks_ask_what_the_examination_answers(
    made: tuple[Settings, main_job.Outcome],
) -> None:
    settings, _ = made
    held = TileSet(tile_module.captioned_tiles(settings, "synthetic"))
    names = {finding.name for finding in examine(held)}
    assert checks(settings, tiles_key("synthetic")) == dict.fromkeys(names, True)
    assert checks(settings, captions_key("synthetic")) == {"claims_supported": True}


def test_metadata_show_pictures_captions_and_terms(
    made: tuple[Settings, main_job.Outcome],
) -> None:
    tiles = about(made[0], tiles_key("synthetic"))
    assert (tiles["tiles"], tiles["refused_places"]) == (3, 0)
    assert tiles["redistribute"] is False
    assert "ESDAC" in tiles["terms"]
    assert "Copernicus" in tiles["terms"]
    assert tiles["pictures"].count("![red, green, blue](data:image/png;base64,") == 3
    assert tiles["pictures"].count("![ESA WorldCover](data:image/png;base64,") == 3
    assert "ESA WorldCover" in tiles["pictures"]
    captions = about(made[0], captions_key("synthetic"))
    assert captions["pictures"].count("![red, green, blue](data:image/png;base64,") == 3
    assert "| supported |" in captions["pictures"]
    held = TileSet(tile_module.captioned_tiles(made[0], "synthetic"))
    for caption in held.index["caption"].drop_nulls():
        assert f"> {caption}" in captions["pictures"]


def test_the_summary_tells_of_tiles(
    made: tuple[Settings, main_job.Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = made
    (settings.scenes / "loose").mkdir(exist_ok=True)
    summary._tiles(
        summary.Console(width=300),
        settings,
        "synthetic",
        settings.tiles / "synthetic" / read(settings.tiles / "synthetic" / "CURRENT"),
    )
    summary._catalogues(summary.Console(width=300), settings)
    said = capsys.readouterr().out
    assert "3 tiles" in said
    assert "captions by offline: claims" in said
    assert "loose is not used: it has no catalog.json" in said


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def test_new_scenes_remake_what_depends_on_them(
    made: tuple[Settings, main_job.Outcome],
) -> None:
    """A broken item stops the tiles alone, with its reason; the last good version stays in use."""
    settings, _ = made
    pointer = settings.tiles / "synthetic" / "CURRENT"
    before = read(pointer)
    place = TileSet(pointer.parent / before).read(0).id.split(":")[1]
    path = item_file(settings, "sentinel-2-l2a", "", "S2")
    good = path.read_text()
    item = json.loads(good)
    path.write_text(
        json.dumps(item | {"properties": {**item["properties"], "eo:cloud_cover": None}})
    )
    assert [step.name for step in plan(settings).steps] == [
        "synthetic/tiles",
        "synthetic/captions",
    ]
    broken = main_job.run(settings)
    assert broken.made == []
    assert f"item {item['id']} lacks its share of clouds" in broken.failed["synthetic/tiles"]
    assert read(pointer) == before

    path.write_text(good)
    for clear in (settings.scenes / "twin" / "sentinel-2-l2a").glob(f"S2_{place}_*/*.json"):
        item = json.loads(clear.read_text())
        item["properties"]["eo:cloud_cover"] = 80.0
        clear.write_text(json.dumps(item))
    remade = main_job.run(settings)
    assert remade.made == ["synthetic/tiles", "synthetic/captions"]
    assert read(pointer) != before
    told = about(settings, tiles_key("synthetic"))
    assert (told["tiles"], told["refused_places"], told["taken_over"]) == (2, 1, 2)
    assert "80.0 %" in told["refused"]

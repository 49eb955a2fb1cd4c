"""The whole main job on the tiny twin and the open data: once and again."""

import json
import time

import dagster as dg
import pytest

from adapters.settings import Settings
from dagster_project import run as main_job
from dagster_project import summary
from dagster_project.plan import plan
from dagster_project.profiles import profile_set
from dagster_project.resources import open_instance
from fusion.captions.of_set import captioned
from fusion.profiles import sets
from fusion.profiles.store import ProfileSet
from fusion.tiles.sets import report
from fusion.tiles.store import TileSet


def test_nothing_fails(whole: tuple[Settings, main_job.Outcome]) -> None:
    assert whole[1].failed == {}


def test_every_group_that_has_sources_is_built(whole: tuple[Settings, main_job.Outcome]) -> None:
    settings, outcome = whole
    assert {p.parent.name for p in settings.fused.glob("*/CURRENT")} == {"synthetic", "open"}
    assert {key for key in outcome.made if key.endswith("soilformer_evaluation")} == {
        "synthetic/soilformer_evaluation",
        "open/soilformer_evaluation",
    }
    assert "published" in outcome.made


def test_the_groups_that_have_scenes_have_tiles_captions_and_an_encoder(
    whole: tuple[Settings, main_job.Outcome],
) -> None:
    settings, outcome = whole
    steps = ("tiles", "captions", "geomeld_fm", "geomeld_fm_evaluation")
    made = {key for key in outcome.made if key.split("/")[1:] and key.split("/")[1] in steps}
    assert made == {f"synthetic/{step}" for step in steps}
    said = report(settings, "synthetic")
    tiles = TileSet(captioned(settings, "synthetic"))
    assert said["places"]["samples"] >= 5
    assert len(tiles) == sum(said["places"].values()) - len(said["refused"])
    assert tiles.described["origin"] == "synthetic"
    assert tiles.index["caption"].count() == len(tiles)
    assert set(tiles.described["captions"]["claims"]) == {"supported"}
    # Soil was measured where the tile is.
    with_soil = [row for row, share in enumerate(tiles.index["soil.share"]) if share is not None]
    assert len(with_soil) == said["places"]["samples"] - len(said["refused"])
    assert "ph_h2o__iso_10390" in tiles.read(with_soil[0], ["soil"]).vector_names["soil"]
    run = settings.runs / "geomeld_fm_atto-synthetic"
    version = (run / "CURRENT").read_text().strip()
    described = json.loads((run / version / "meta.json").read_text())
    assert described["data"]["version"] == captioned(settings, "synthetic").name
    assert (run / version / "evaluation.md").is_file()


def test_the_group_that_has_photographs_has_profiles_and_a_model_that_describes_one(
    whole: tuple[Settings, main_job.Outcome],
) -> None:
    settings, outcome = whole
    made = {key for key in outcome.made if key.split("/")[-1].startswith(("profiles", "soilnet"))}
    # Models of single tasks wait until somebody asks for them.
    steps = ("profiles", "soilnet", "soilnet_evaluation")
    own = {"raw/soilnet_profiles", "std/soilnet_profiles"}
    assert made - own == {f"synthetic/{step}" for step in steps}
    held = ProfileSet(profile_set(settings, "synthetic"))
    said = sets.report(settings, "synthetic")
    assert len(held) == said["photographs"]["listed"] - len(said["left_out"])
    assert held.described["origin"] == "synthetic"
    assert {"train", "test"} <= set(held.index["split"])
    assert (held.index.group_by("profile").len()["len"] > 1).any()
    run = settings.runs / "soilnet_end2end-synthetic"
    version = (run / "CURRENT").read_text().strip()
    described = json.loads((run / version / "meta.json").read_text())
    assert described["data"]["version"] == held.folder.name
    with open_instance(settings) as instance:
        key = dg.AssetKey(["synthetic", "soilnet_evaluation"])
        event = instance.get_latest_materialization_event(key)
    shown = {k: v.value for k, v in event.asset_materialization.metadata.items()}
    name = shown["described_photograph"]
    assert held.index.filter(photograph=name)["split"].item() == "test"
    assert shown["described"].startswith(f"![{name}](data:image/png;base64,")
    for horizon in held.index.filter(photograph=name)["horizons"].item():
        assert f"| {horizon['symbol']} |" in shown["horizons_known"]
    assert "| symbol_1 | confidence_1 |" in shown["horizons_predicted"]


def test_a_second_run_makes_nothing_and_is_quick(
    whole: tuple[Settings, main_job.Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = whole
    begun = time.perf_counter()
    again = main_job.run(settings)
    assert again.made == []
    assert again.failed == {}
    assert time.perf_counter() - begun < 20
    assert plan(settings).steps == ()
    assert summary.show(settings, again, 1.0)
    shown = capsys.readouterr().out
    for told in (
        *("nothing had changed", "SYNTHETIC", "OPEN", "CC BY-SA 4.0", "baseline"),
        *("6 tiles", "captions by offline", "geomeld_fm_atto beside its floors"),
        *("photographs of", "soil profiles", "soilnet_end2end beside its baselines"),
    ):
        assert told in shown

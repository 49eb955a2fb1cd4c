"""From photographs and tables in the published layout to a profile set, and made anew."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from good_photographs import HORIZON, horizons, write_layout
from published_profiles import LEFT_OUT, PROFILES, SOURCE, SYMBOLS, layout, wall

from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import standardise
from expectations.gate import commit_if_valid
from fusion.profiles import sets
from fusion.profiles.examine import examine
from fusion.profiles.sets import current, original, profiles, report
from fusion.profiles.store import ProfileSet


def take_in(settings: Settings) -> None:
    spec = load_spec(SOURCE)
    commit_if_valid(standardise(spec, ingest(spec, settings), settings), settings, compare=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographed")
    settings = Settings(data_root=root / "data", truth_root=root / "truth")
    write_layout(settings.raw / SOURCE, *layout())
    take_in(settings)
    return settings, profiles(settings, "user")


def test_each_photograph_is_in_the_set_or_said_to_be_left_out(made):
    settings, found = made
    held, said = ProfileSet(found.folder), report(settings, "user")
    assert said["left_out"] == dict(sorted(LEFT_OUT.items()))
    assert said["left_out_by_reason"] == dict.fromkeys(said["left_out"].values(), 1)
    names = set(held.index["photograph"])
    assert not names & set(LEFT_OUT)
    assert len(names) == 2 * PROFILES + 1
    assert said["photographs"] == {
        "listed": len(names) + len(LEFT_OUT),
        "in the set": len(names),
    }
    assert said["horizons"]["from 100 cm down, left out"] == 1
    assert found.folder == current(settings, "user")
    assert not any(finding.problems for finding in examine(held))


def test_a_row_holds_what_was_published(made):
    held = ProfileSet(made[1].folder)
    row = held.index.filter(photograph="RP_3_Y_2.JPG").row(0, named=True)
    assert row["profile"] == "3"
    assert (row["year"], row["month"]) == (2012, 5)
    assert 6 < row["longitude"] < 15
    assert row["site.land_use"] == "A"
    assert row["site.groundwater_depth"] == 180.0
    assert row["site.carbon_stock_0_30"] == pytest.approx(60.5, rel=0.2)
    assert "site.easting" not in row
    assert [h["symbol_raw"] for h in row["horizons"]] == list(SYMBOLS)
    assert [h["symbol"] for h in row["horizons"]] == ["Ap", "Sw-Bv", "ilCv"]
    first = row["horizons"][0]
    assert (first["top"], first["bottom"], first["stones"]) == (0.0, 30.0, 2.0)
    assert (first["carbonate"], first["humus"], first["roots"]) == ("C0", "h3", "W4")
    deep = held.index.filter(photograph="RP_7_Y_3.JPG")["horizons"][0].to_list()
    assert [(h["top"], h["bottom"]) for h in deep] == [(0, 40), (40, 90), (90, 100)]


def test_a_picture_shows_the_horizons_at_their_depths(made):
    settings, found = made
    held = ProfileSet(found.folder)
    row = held.index["photograph"].index_of("RP_3_Y_2.JPG")
    level = held.picture(row)[[int(256 * d) for d in (0.2, 0.45, 0.8)]].mean(axis=(1, 2))
    assert (np.diff(level) > 20).all()
    assert original(settings, "user", row).is_file()


def test_the_dictionary_says_what_columns_and_codes_mean(made):
    said = ProfileSet(made[1].folder).described
    assert (said["group"], said["origin"]) == ("user", "user")
    assert said["redistribute"] is False
    assert said["site"]["groundwater_depth"] == {
        "kind": "numeric",
        "unit": "cm",
        "description": "depth to groundwater when the profile was described",
    }
    assert said["site"]["land_use"]["kind"] == "code"
    assert said["classes"]["carbonate"]["ordinal"]
    assert said["classes"]["carbonate"]["codes"] == sorted(said["classes"]["carbonate"]["codes"])
    assert HORIZON["Humusgehaltsklasse"] in said["classes"]["humus"]["codes"]


def test_no_profile_stands_on_two_sides(made):
    index = ProfileSet(made[1].folder).index
    assert index.group_by("profile").agg(pl.col("split").n_unique())["split"].max() == 1
    assert {"train", "validation", "calibration", "test"} <= set(index["split"])


def test_made_again_without_news_nothing_is_opened(made, monkeypatch):
    settings, found = made
    monkeypatch.setattr(sets, "rows", None)
    again = profiles(settings, "user")
    assert (again.folder, again.built) == (found.folder, 0)


def test_only_a_new_photograph_is_opened(made, tmp_path, monkeypatch):
    settings = made[0].model_copy(update={"data_root": tmp_path / "data"})
    shutil.copytree(made[0].data_root, settings.data_root, symlinks=True)
    rows, sites, pictures = layout()
    rows += horizons("RP_9_Y_3.JPG", 0, 50, 100)
    shutil.rmtree(settings.raw / SOURCE)
    write_layout(settings.raw / SOURCE, rows, sites, pictures | {"RP_9_Y_3.JPG": wall(8)})
    take_in(settings)
    again = profiles(settings, "user")
    assert again.folder.name != made[1].folder.name
    # The one of a speck gave no picture that could be taken over.
    assert (again.built, again.taken_over) == (1, 2 * PROFILES + 1)
    anew = settings.model_copy(update={"data_root": tmp_path / "anew"})
    shutil.copytree(settings.data_root, anew.data_root, symlinks=True)
    shutil.rmtree(anew.profiles)
    assert profiles(anew, "user").folder.name == again.folder.name


def test_an_interrupted_call_ends_with_the_same_bytes(made, tmp_path, monkeypatch):
    settings = made[0].model_copy(update={"data_root": tmp_path / "data"})
    shutil.copytree(made[0].data_root, settings.data_root, symlinks=True)
    shutil.rmtree(settings.profiles)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sets, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            profiles(settings, "user")
    assert current(settings, "user") is None
    held = next((settings.profiles / "user" / ".pictures").iterdir())
    before = {path: path.stat().st_mtime_ns for path in held.glob("*.npy")}
    assert len(before) == 2 * PROFILES + 1
    with monkeypatch.context() as patch:
        patch.setattr(sets, "_finish", killed)
        with pytest.raises(KeyboardInterrupt):
            profiles(settings, "user")
    assert {path: path.stat().st_mtime_ns for path in held.glob("*.npy")} == before
    again = profiles(settings, "user")
    assert again.folder.name == made[1].folder.name
    for file in made[1].folder.iterdir():
        assert file.read_bytes() == (again.folder / file.name).read_bytes()
    assert not held.exists()


def test_a_group_without_photographs_has_no_set(made):
    assert profiles(made[0], "synthetic") is None


def test_a_broken_note_of_another_version_is_not_believed(made, tmp_path):
    settings = made[0].model_copy(update={"data_root": tmp_path / "data"})
    shutil.copytree(made[0].data_root, settings.data_root, symlinks=True)
    note = settings.profiles / "user" / "made_from.json"
    said = json.loads(note.read_text())
    note.write_text(json.dumps({**said, "version": "another", "pictures": said["pictures"][::-1]}))
    assert profiles(settings, "user").folder.name == made[1].folder.name

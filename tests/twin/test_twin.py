"""The twin repeats itself to the byte, leaves users' files alone and keeps its truth apart."""

import json
import shutil
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from adapters import twin
from adapters.errors import SettingsError
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.twin.europe import Europe
from adapters.twin.lucas_2018 import usda_class
from adapters.twin.making import ORIGIN_FILE
from adapters.twin.points import COUNTS, Surveys, point_ids
from adapters.twin.soil import CALCITE_PH, bulk_density, carbonate, retention, soil


def _settings(folder: Path) -> Settings:
    return Settings(data_root=folder / "data", truth_root=folder / "truth")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = _settings(tmp_path_factory.mktemp("twin"))
    twin.write(settings, size="tiny", seed=7)
    return settings


def test_writes_every_source_with_its_record(tiny: Settings) -> None:
    for source in twin.SOURCES:
        folder = tiny.raw / source
        record = json.loads((folder / ORIGIN_FILE).read_text())
        names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        names -= {ORIGIN_FILE}
        assert record["origin"] == "synthetic"
        assert set(record["files"]) == names
        assert names


def test_the_same_seed_writes_the_same_bytes(tiny: Settings, tmp_path: Path) -> None:
    again = _settings(tmp_path)
    twin.write(again, size="tiny", seed=7)
    first, second = _bytes(tiny.raw), _bytes(again.raw)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_bytes_do_not_depend_on_which_sources_are_written(tiny: Settings, tmp_path: Path) -> None:
    alone = _settings(tmp_path)
    twin.write(alone, sources=["lucas_2018_topsoil", "spade_m"], size="tiny", seed=7)
    for source in ("lucas_2018_topsoil", "spade_m"):
        assert _bytes(alone.raw / source) == _bytes(tiny.raw / source)


def test_another_seed_is_another_europe(tiny: Settings, tmp_path: Path) -> None:
    other = _settings(tmp_path)
    twin.write(other, sources=["spade_m"], size="tiny", seed=8)
    name = "HORIZON.dbf"
    assert (other.raw / "spade_m" / name).read_bytes() != (tiny.raw / "spade_m" / name).read_bytes()


def test_a_second_write_does_nothing_and_is_quick(tiny: Settings) -> None:
    before = {p: p.stat().st_mtime_ns for p in tiny.raw.rglob("*")}
    start = time.process_time()
    paths = twin.write(tiny, size="tiny", seed=7)
    assert time.process_time() - start < 0.5
    assert {p: p.stat().st_mtime_ns for p in tiny.raw.rglob("*")} == before
    assert len(paths) == sum(1 for p in before if p.is_file() and p.name != ORIGIN_FILE)


def test_a_users_file_is_never_overwritten(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    twin.write(settings, sources=["spade_m"], size="tiny", seed=7)
    file = settings.raw / "spade_m" / "HORIZON.dbf"
    file.write_bytes(b"a user's table")
    assert twin.write(settings, sources=["spade_m"], size="tiny", seed=8) == []
    assert file.read_bytes() == b"a user's table"


def test_an_inbox_of_a_user_gets_no_twin(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    folder = settings.raw / "eu_hydi"
    folder.mkdir(parents=True)
    (folder / "BASIC.csv").write_text("PROFILE_ID\n1\n")
    assert twin.write(settings, sources=["eu_hydi"], size="tiny", seed=7) == []
    assert [p.name for p in folder.iterdir()] == ["BASIC.csv"]


def test_an_interrupted_write_is_taken_up(tiny: Settings, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    twin.write(settings, sources=["eu_hydi"], size="tiny", seed=7)
    whole = _bytes(settings.raw)
    folder = settings.raw / "eu_hydi"
    # What stands there after a kill between two renames: the record, and some of the files.
    record = json.loads((folder / ORIGIN_FILE).read_text())
    (folder / ORIGIN_FILE).write_text(json.dumps(record | {"twin": {}}))
    (folder / "RET.csv").unlink()
    twin.write(settings, sources=["eu_hydi"], size="tiny", seed=7)
    assert _bytes(settings.raw) == whole


def test_another_size_replaces_the_twins_own_files(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    twin.write(settings, sources=["spade_m"], size="tiny", seed=7)
    twin.write(settings, sources=["spade_m"], size="demo", seed=7)
    record = json.loads((settings.raw / "spade_m" / ORIGIN_FILE).read_text())
    assert record["twin"]["size"] == "demo"


def test_the_truth_is_outside_the_data_root(tiny: Settings) -> None:
    faults = pl.concat(pl.read_parquet(p) for p in sorted(tiny.truth_root.glob("*/faults.parquet")))
    assert faults.height > 100
    assert list(tiny.data_root.rglob("*.parquet")) == []
    assert {
        p.name for p in tiny.data_root.rglob("*") if "truth" in p.name or "fault" in p.name
    } == set()
    record = (tiny.raw / "eu_hydi" / ORIGIN_FILE).read_text()
    assert not any(word in record for word in ("fault", "truth", "flag"))


def test_lost_truth_is_written_again_with_the_same_bytes(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    twin.write(settings, sources=["eu_hydi"], size="tiny", seed=7)
    before = (_bytes(settings.raw), _bytes(settings.truth_root))
    shutil.rmtree(settings.truth_root)
    twin.write(settings, sources=["eu_hydi"], size="tiny", seed=7)
    assert (_bytes(settings.raw), _bytes(settings.truth_root)) == before


def test_unknown_source_and_size_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="atlantis"):
        twin.write(_settings(tmp_path), sources=["atlantis"])
    with pytest.raises(SettingsError, match="huge"):
        twin.write(_settings(tmp_path), size="huge")


def test_point_ids_name_their_grid_node_and_lie_in_bounds() -> None:
    from adapters.lucas_grid import grid_node
    from adapters.twin.europe import degrees

    surveys = Surveys(Europe(7), COUNTS["demo"])
    index = surveys.visited(2009)
    east, north = surveys.positions(index, 40.0, "2009")
    node_east, node_north = grid_node(pl.Series("point_id", point_ids(surveys, index)))
    away = np.hypot(node_east.to_numpy() - east, node_north.to_numpy() - north)
    assert np.median(away) < 60
    assert away.max() < 400
    assert (node_east.to_numpy() % 2000 == 0).all()
    west, south, right, top = load_spec("lucas_2009_topsoil").space.bounds
    longitude, latitude = degrees(east, north)
    assert ((longitude > west) & (longitude < right) & (latitude > south) & (latitude < top)).all()


def test_later_surveys_revisit_points_of_2009() -> None:
    surveys = Surveys(Europe(7), COUNTS["demo"])
    first, second, third = (surveys.visited(y) for y in (2009, 2015, 2018))
    assert len(np.unique(second)) == len(second) == COUNTS["demo"].lucas_2015
    assert 0.75 < np.isin(second, first).mean() < 0.85
    assert np.isin(third, np.union1d(first, second)).all()


def test_the_published_relations_hold_in_the_truth() -> None:
    europe = Europe(7)
    draw = np.random.default_rng(0)
    place = europe.place(draw.uniform(3e6, 5e6, 500), draw.uniform(2e6, 4e6, 500))
    n = 500
    top = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2009.0))
    deep = soil(place, np.full(n, 40.0), np.full(n, 60.0), np.full(n, 2009.0))
    total = top["clay"] + top["silt"] + top["sand"]
    assert np.allclose(total, 100)
    assert (deep["organic_carbon"] <= top["organic_carbon"]).all()
    calcareous = top["ph_h2o"] > CALCITE_PH[0]
    assert 0.1 < calcareous.mean() < 0.9
    assert ((top["calcium_carbonate"] > 0) == calcareous).all()
    assert (np.diff(top["calcium_carbonate"][np.argsort(top["ph_h2o"])]) >= 0).all()
    assert top["ph_h2o"].max() <= CALCITE_PH[1]
    water = retention(top, np.array([1.0, 100.0, 15850.0]))
    assert (np.diff(water, axis=1) < 0).all()
    assert (water > 0).all()
    assert (water < 1).all()


@pytest.mark.parametrize(
    ("carbon", "clay", "sand", "cultivated", "expected"),
    [
        # By hand from the functions of Hollis et al. 2012: e ** -0.27993 is 0.75584.
        (10.0, 20.0, 40.0, True, 0.80806 + 0.823844 * 0.75584 + 0.05626 - 0.020598),
        (10.0, 20.0, 40.0, False, 0.69794 + 0.750636 * 0.79425 + 0.034748 - 0.010328),
        (400.0, 20.0, 40.0, False, 1.4903 - 0.33293 * 3.68888),
        (400.0, 20.0, 40.0, True, 1.4903 - 0.33293 * 3.68888),
    ],
)
def test_bulk_density_by_clay_and_carbon(
    carbon: float, clay: float, sand: float, cultivated: bool, expected: float
) -> None:
    one = [np.array([v]) for v in (carbon, clay, sand, cultivated)]
    assert bulk_density(*one) == pytest.approx(expected, abs=1e-4)


def test_no_carbonate_below_the_buffer_of_calcite_and_most_at_its_end() -> None:
    assert carbonate(np.array([4.0, 7.3, 8.2])) == pytest.approx([0.0, 0.0, 700.0])


@pytest.mark.parametrize(
    ("clay", "silt", "sand", "expected"),
    [
        (5, 5, 90, "sand"), (8, 12, 80, "loamy sand"), (10, 25, 65, "sandy loam"),
        (20, 40, 40, "loam"), (15, 65, 20, "silt loam"), (5, 90, 5, "silt"),
        (27, 13, 60, "sandy clay loam"), (33, 34, 33, "clay loam"), (34, 56, 10, "silty clay loam"),
        (42, 8, 50, "sandy clay"), (45, 45, 10, "silty clay"), (60, 20, 20, "clay"),
    ],
)  # fmt: skip
def test_texture_classes(clay: float, silt: float, sand: float, expected: str) -> None:
    assert usda_class(clay, silt, sand) == expected

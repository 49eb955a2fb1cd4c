"""The twin says what it will take, and does not begin what does not fit."""

from collections import namedtuple
from pathlib import Path

import pytest

from adapters import twin
from adapters.errors import SettingsError
from adapters.settings import Settings
from adapters.twin import lucas_2018, profiles, sizes, surveys
from adapters.twin.europe import Europe
from adapters.twin.planting import wanted
from adapters.twin.points import COUNTS, Surveys
from adapters.twin.sizes import LIMIT, estimate

SOME = ["arsenic_topsoils", "octop", "efsa_spatial_data", "lucas_2018_topsoil", "eu_hydi"]
Usage = namedtuple("Usage", "total used free")


def _settings(folder: Path) -> Settings:
    return Settings(data_root=folder / "data", truth_root=folder / "truth")


def test_the_whole_is_estimated_to_fit_at_every_size() -> None:
    needed = [estimate(twin.SOURCES, size).whole for size in twin.SIZES]
    assert needed == sorted(needed)
    assert needed[-1] < LIMIT


@pytest.mark.parametrize("size", ["tiny", "demo"])
def test_files_are_no_larger_than_estimated(size: str, tmp_path: Path) -> None:
    paths = twin.write(_settings(tmp_path), sources=SOME, size=size)
    for source in SOME:
        own = sum(p.stat().st_size for p in paths if p.parts[-2] == source or source in p.parts)
        # Headers weigh where there are few pixels.
        assert 0 < own < estimate([source], size).raw + 60_000


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes.shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 1000))
    settings = _settings(tmp_path)
    with pytest.raises(
        SettingsError, match=r"(?s)0\.00 GB that the disk has.*smaller size"
    ) as told:
        twin.write(settings, size="tiny")
    assert "0.03 GB" in str(told.value)
    assert not settings.raw.exists()


def test_more_than_the_twin_may_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "LIMIT", 1_000_000)
    with pytest.raises(SettingsError, match="that the twin may take"):
        twin.write(_settings(tmp_path), size="demo")


def test_what_stands_there_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(tmp_path)
    first = twin.write(settings, sources=SOME, size="tiny")
    monkeypatch.setattr(sizes.shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 0))
    assert twin.write(settings, sources=SOME, size="tiny") == first


def test_full_keeps_as_many_samples_as_were_published() -> None:
    counts = COUNTS["full"]
    rows = {
        2009: counts.lucas_2009 + counts.romania_bulgaria, 2015: counts.lucas_2015,
        "ch": counts.switzerland, 2018: counts.lucas_2018,
    }  # fmt: skip
    # Rows whose coordinates are swapped are refused their position.
    kept = {survey: n - wanted(n) for survey, n in rows.items()}
    assert kept == {2009: 22_003, 2015: 21_859, "ch": 150, 2018: 18_984}
    located = 0
    for each, some in ((3, profiles.EU_HYDI["full"]), (4, profiles.SPADE_M["full"])):
        spoilt = wanted(some.located)
        # All layers of a swapped profile; one inverted and one missing depth in each of others.
        located += each * (some.located - spoilt) - 2 * spoilt
    assert located == 9_556
    assert sum(kept.values()) + located == 72_552


def test_surveys_write_as_many_rows_as_counted() -> None:
    world = Surveys(Europe(7), COUNTS["tiny"])
    counts = world.counts
    assert len(surveys.rows_2009(world).keys) == counts.lucas_2009 + counts.romania_bulgaria
    assert len(surveys.rows_2015(world).keys) == counts.lucas_2015
    assert len(surveys.rows_switzerland(world).keys) == counts.switzerland
    rows = lucas_2018.rows_2018(world)
    assert len(rows.keys) == len(set(rows.keys)) == counts.lucas_2018


def test_one_command_writes_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from soilmeld.cli import app

    monkeypatch.chdir(tmp_path)
    asked = ["twin", "--size", "tiny", "--source", "octop", "--source", "eu_hydi"]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 0
    assert "2 sources, 12 files" in said.output
    assert 'twin_size = "tiny"' in said.output
    assert {p.name for p in (tmp_path / "data" / "raw").iterdir()} == {"octop", "eu_hydi"}
    (tmp_path / "data" / "raw" / "octop" / "mine.asc").write_text("ncols 1")
    assert "left to your files: octop" in CliRunner().invoke(app, asked).output

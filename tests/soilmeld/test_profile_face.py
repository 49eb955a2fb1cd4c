"""Photographed profiles as users meet them: from the shell and as files."""

import json
from pathlib import Path

import pytest
from good_profile import a_set
from PIL import Image
from typer.testing import CliRunner

import soilmeld
from adapters.errors import LicenceError
from adapters.settings import Settings
from fusion.profiles.store import ProfileSet
from soilmeld.cli import app
from soilmeld.profile_sets import describe, export_profile, open_profiles
from soilmeld.reader import NotFoundError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(data_root=tmp_path_factory.mktemp("face") / "data")
    folder = a_set(settings.profiles / "synthetic")
    (folder.parent / "CURRENT").write_text(folder.name + "\n")
    return settings


@pytest.fixture
def file(made: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "soilmeld.toml"
    path.write_text(f'data_root = "{made.data_root}"\n')
    return path


@pytest.fixture(scope="module")
def held(made: Settings) -> ProfileSet:
    return open_profiles(made)


def test_the_only_group_needs_no_name(file: Path) -> None:
    assert len(soilmeld.profiles(path=file)) == len(soilmeld.profiles("synthetic", file)) == 48


def test_a_group_without_profiles_is_told(made: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no profiles of group 'user'"):
        open_profiles(made, "user")
    with pytest.raises(NotFoundError, match="no group of profiles is named"):
        open_profiles(Settings(data_root=tmp_path / "none"))


def test_a_photograph_is_described_with_units_and_terms(held: ProfileSet) -> None:
    said = describe(held, "NI_3301_Y_1.JPG")
    assert [h["symbol"] for h in said["horizons"]] == ["Ah", "Sw-Bv", "Sd"]
    assert said["site"]["slope"] == {"value": 1.0, "unit": "deg"}
    assert "slope" not in describe(held, "NI_3300_Y_1.JPG")["site"]
    assert said["origin"] == "synthetic"
    with pytest.raises(NotFoundError, match="NI_3301_Y_1") as error:
        describe(held, "NI_3301")
    assert set(error.value.samples) == {"NI_3301_Y_1.JPG", "NI_3301_Y_2.JPG"}


def test_an_export_is_a_picture_and_a_file_of_facts(held: ProfileSet, tmp_path: Path) -> None:
    picture, facts = export_profile(held, "NI_3301_Y_1.JPG", tmp_path / "out")
    with Image.open(picture) as shown:
        assert shown.format == "PNG"
        assert shown.height > shown.width
    assert json.loads(facts.read_text())["profile"] == "3301"
    assert sorted(tmp_path.glob("out/*")) == sorted([picture, facts])


def test_what_may_not_be_passed_on_is_not_exported_for_others(
    held: ProfileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(held.described, "redistribute", False)
    with pytest.raises(LicenceError, match="may not be passed on"):
        export_profile(held, "NI_3301_Y_1.JPG", tmp_path, redistributable=True)
    assert not list(tmp_path.iterdir())


def test_the_verbs_list_describe_and_export(file: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["profiles", "list", "--limit", "2", "--settings", str(file)])
    assert listed.exit_code == 0
    assert "photographs of 24 profiles (synthetic)" in listed.output.replace("\n", " ")
    assert "2 of 48" in listed.output
    arguments = ["NI_3301_Y_1.JPG", "--settings", str(file)]
    shown = runner.invoke(app, ["profiles", "describe", *arguments])
    assert json.loads(shown.output)["profile"] == "3301"
    out = tmp_path / "there"
    written = runner.invoke(app, ["profiles", "export", *arguments, "--out", str(out)])
    assert written.exit_code == 0
    assert len(list(out.iterdir())) == 2

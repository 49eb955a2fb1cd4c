"""A recipe of the user's takes the place of the shipped one of that name."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from adapters.errors import TrainingError
from adapters.settings import Settings
from adapters.spec import load_spec
from dagster_project.groups import groups
from dagster_project.resources import resources
from dagster_project.training import GEOMELD_FM, SOILFORMER, training_assets
from training.recipe import RECIPES


def code_versions(settings: Settings) -> dict[str, str | None]:
    (group,) = (g for g in groups([load_spec("lucas_2018_topsoil")]) if g.name == "user")
    assets = training_assets(group, settings)
    graph = dg.Definitions(assets, resources=resources(settings)).resolve_asset_graph()
    return {
        key.path[1]: graph.get(key).code_version
        for key in graph.materializable_asset_keys
        if key.path[1] in ("soilformer", "geomeld_fm")
    }


@pytest.fixture
def shipped() -> dict:
    return yaml.safe_load((RECIPES / "soilformer.yaml").read_text(encoding="utf-8"))


def test_it_is_trained_by_and_makes_its_model_anew(tmp_path: Path, shipped: dict) -> None:
    settings = Settings(recipes=tmp_path)
    before = code_versions(settings)
    assert SOILFORMER.loaded(settings).epochs == shipped["epochs"]
    own = tmp_path / "soilformer.yaml"
    own.write_text(yaml.safe_dump(shipped | {"epochs": 7}), encoding="utf-8")
    assert SOILFORMER.recipe_file(settings) == own
    assert SOILFORMER.loaded(settings).epochs == 7
    assert GEOMELD_FM.recipe_file(settings) == RECIPES / "geomeld_fm_atto.yaml"
    after = code_versions(settings)
    assert {name for name in before if before[name] != after[name]} == {"soilformer"}


def test_one_that_names_itself_otherwise_is_refused(tmp_path: Path, shipped: dict) -> None:
    (tmp_path / "soilformer.yaml").write_text(yaml.safe_dump(shipped | {"name": "mine"}))
    with pytest.raises(TrainingError, match="has its name") as refused:
        code_versions(Settings(recipes=tmp_path))
    assert refused.value.file == str(tmp_path / "soilformer.yaml")
    assert "name: soilformer" in refused.value.remedy

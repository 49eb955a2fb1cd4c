"""Sources of which a user fetched some of the files and not the others."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters import twin
from adapters.archive import ingest
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, standardise

# Files that are left, and the columns that are then made.
PARTS = {
    "k_factor": (["K_new_crop.tif"], {"soil_erodibility"}),
    "topsoil_chemical_properties": (["pH_H2O.tif", "N.tif"], {"ph_h2o", "nitrogen"}),
    "heavy_metals_lucas2009_maps": (["Pb.tif"], {"hm_lead"}),
    "phosphorus_budget_stocks": (
        ["total_p.tif", "total_p_stock.tif", "available_p_stock.tif"],
        {"total_p_raster", "total_p_stock", "available_p_stock"},
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("partial")
    settings = Settings(data_root=folder / "data", truth_root=folder / "truth")
    sources = [*PARTS, "groundwater_resources", "slch_crop_harvesting"]
    twin.write(settings, sources, size="tiny", seed=7)
    return settings


@pytest.fixture
def left(written: Settings, tmp_path: Path) -> Callable[..., Standard]:
    def made(source: str, *patterns: str) -> Standard:
        own = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
        origin = written.raw / source
        for file in sorted({f for p in patterns for f in origin.rglob(p) if f.is_file()}):
            target = own.raw / source / file.relative_to(origin)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        spec = load_spec(source)
        return standardise(spec, ingest(spec, own), own)

    return made


@pytest.mark.parametrize("source", PARTS)
def test_layers_that_are_there_are_made(source: str, left: Callable[..., Standard]) -> None:
    files, columns = PARTS[source]
    standard = left(source, *files)
    assert set(standard.table["column"]) == columns
    assert standard.parts == ()


def test_one_theme_of_the_groundwater_maps_is_enough(left: Callable[..., Standard]) -> None:
    standard = left("groundwater_resources", "ETRS_LAEA/Theme1.*")
    assert standard.table["aquifer_type"].null_count() < standard.table.height
    assert standard.parts == ()


def test_harvest_of_the_regions_needs_no_other_file(left: Callable[..., Standard]) -> None:
    standard = left("slch_crop_harvesting", "SLCH_NUTS2.*")
    assert standard.table["slch_total"].null_count() < standard.table.height
    assert standard.table["texture_index"].null_count() == standard.table.height
    assert standard.parts == ()

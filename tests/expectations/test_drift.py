"""What a new version has to have in common with the last one."""

import dataclasses
from collections.abc import Callable

import polars as pl
import pytest
from good_standard import good_standard
from pyproj import CRS as PROJ
from rasterio.crs import CRS

from adapters.spec import SourceSpec
from adapters.standardise import Standard
from expectations.baselines import Baseline, box, filled, layers, middle
from expectations.engine import Report, validate

GRID = {"transform": [[1000.0, 0.0, 4e6, 0.0, -1000.0, 3e6]] * 2, "width": [80] * 2}
LAYERS = pl.DataFrame(
    {
        "row_ref": ["carbon.tif", "cover.tif"],
        "origin": ["user"] * 2,
        "column": ["organic_carbon", "land_cover"],
        "element": [0, 0],
        "crs": [CRS.from_epsg(3035).to_wkt()] * 2,
        **GRID,
        "height": [60] * 2,
        "minimum": [0.0, 1.0],
        "maximum": [200.0, 40.0],
        "mean": [30.0, 12.0],
        "valid_share": [0.5] * 2,
    }
)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Standard:
    return good_standard(tmp_path_factory.mktemp("points"))


@pytest.fixture(scope="module")
def grids(points: Standard) -> Standard:
    names = ("organic_carbon", "land_cover")
    spec: SourceSpec = points.spec.model_copy(
        update={
            "modality": "raster",
            "columns": tuple(c for c in points.spec.columns if c.name in names),
            "keys": (),
        }
    )
    records = [c for c in points.columns if c.name in names]
    return dataclasses.replace(points, spec=spec, columns=records, table=LAYERS)


def beside(standard: Standard, table: pl.DataFrame) -> Report:
    """The report on a table, compared with the standard one."""
    old = standard.table
    last = (
        Baseline("v1", old.height, {}, {}, layers=layers(old))
        if standard.spec.is_raster
        else Baseline("v1", old.height, middle(old), filled(old), box(old))
    )
    return validate(dataclasses.replace(standard, table=table), last)


def refused(report: Report) -> set[str]:
    return {f"{r.expectation} {r.column}" for r in report.refusals if r.comparison}


def at(row: int, **values: object) -> list[pl.Expr]:
    here = pl.int_range(pl.len()) == row
    return [
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    ]


def moved(east: float) -> pl.Expr:
    shifted = [1000.0, 0.0, 4e6 + east, 0.0, -1000.0, 3e6]
    return pl.Series("transform", [shifted] * 2)


SAME = {
    "nothing": [],
    "a few values more": at(0, mean=33.0, maximum=250.0, valid_share=0.45),
    "other classes": at(1, mean=30.0, maximum=99.0),
    "one column of pixels farther east": [moved(1000.0)],
    "the same CRS in other words": at(0, crs=PROJ(3035).to_wkt()),
}
UNLIKE = {
    "ten times as much": (at(0, mean=300.0, maximum=2000.0), "mean 300"),
    "a tenth": (at(0, mean=3.0, maximum=20.0), "mean 3"),
    "a leaked nodata": (at(0, minimum=-9999.0), "minimum -9999"),
    "half of the pixels": (at(0, valid_share=0.25), "values on 1.2e+09, not 1.92e+09"),
    "another place": ([moved(40_000.0)], "lies on 50% of the box"),
    "another CRS": (at(0, crs="EPSG:4326"), "another CRS"),
    "classes on half of the pixels": (at(1, valid_share=0.25), "values on"),
}


@pytest.mark.parametrize("change", SAME)
def test_ordinary_changes_of_layers_pass(grids: Standard, change: str) -> None:
    assert refused(beside(grids, LAYERS.with_columns(SAME[change]))) == set()


@pytest.mark.parametrize("change", UNLIKE)
def test_layers_much_unlike_the_last_are_refused(grids: Standard, change: str) -> None:
    expressions, says = UNLIKE[change]
    report = beside(grids, LAYERS.with_columns(expressions))
    (first, *_) = [r for r in report.refusals if r.expectation == "expect_layers_to_be_like"]
    assert first.comparison
    assert any(says in sample for sample in first.samples), first.samples


CUTS: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "rows": (lambda t: t.head(100), "expect_table_row_count_to_be_between None"),
    "the north": (
        lambda t: t.with_columns(latitude=40 + (pl.col("latitude") - 40) / 2),
        "expect_positions_to_cover_box None",
    ),
    "all positions": (
        lambda t: t.with_columns(latitude=pl.lit(None, pl.Float64)),
        "expect_positions_to_cover_box None",
    ),
    "a column": (
        lambda t: t.with_columns(
            ph=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("ph")),
        ),
        "expect_column_proportion_of_non_null_values_to_be_between ph",
    ),
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_table_that_lost_much_is_refused_as_a_comparison(points: Standard, cut: str) -> None:
    change, expectation = CUTS[cut]
    assert expectation in refused(beside(points, change(points.table)))


def test_the_same_table_again_passes(points: Standard) -> None:
    assert beside(points, points.table).success


def test_a_fault_of_its_own_is_no_comparison(points: Standard) -> None:
    report = beside(points, points.table.with_columns(pl.col("ph") * 10))
    own = [r for r in report.refusals if not r.comparison]
    assert [r.column for r in own] == ["ph"]


def test_an_empty_table_cannot_be_accepted(points: Standard) -> None:
    report = beside(points, points.table.clear())
    assert any(
        r.expectation.startswith("expect_table_row") and not r.comparison for r in report.refusals
    )

"""Expectations of raster sources, whose rows are layers."""

import dataclasses

import polars as pl
import pytest
from good_standard import good_standard

from adapters.rules import FLAGS_SCHEMA
from expectations.engine import validate

LAYERS = pl.DataFrame(
    {
        "row_ref": ["carbon.tif", "t1.tif", "t2.tif", "t3.tif"],
        "origin": ["user"] * 4,
        "column": ["carbon", "spectrum", "spectrum", "spectrum"],
        "element": [0, 0, 1, 2],
        "crs": ["EPSG:3035"] * 4,
        "transform": [[1.0, 0.0, 0.0, 0.0, -1.0, 9.0]] * 4,
        "width": [5] * 4,
        "height": [4] * 4,
        "minimum": [1.0] * 4,
        "maximum": [3.0] * 4,
        "valid_share": [0.5, 1.0, 1.0, 1.0],
    }
)


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    standard = good_standard(tmp_path_factory.mktemp("grids"))
    columns = [c for c in standard.spec.columns if c.name in ("organic_carbon", "spectrum")]
    records = [c for c in standard.columns if c.name in ("organic_carbon", "spectrum")]
    columns[0] = columns[0].model_copy(update={"name": "carbon"})
    records[0] = dataclasses.replace(records[0], name="carbon")
    spec = standard.spec.model_copy(
        update={"modality": "raster", "columns": tuple(columns), "keys": ()}
    )
    return dataclasses.replace(standard, spec=spec, columns=records, table=LAYERS)


def at(row, column, value):
    return pl.when(pl.int_range(pl.len()) == row).then(value).otherwise(column).alias(column)


MUTATIONS = {
    "undeclared nodata": (at(0, "minimum", -3.4e38), "expect_layer_values_to_be_between", "carbon"),
    "a unit slip": (at(2, "maximum", 3000.0), "expect_layer_values_to_be_between", "spectrum"),
    "no CRS": (
        at(0, "crs", pl.lit(None, pl.String)),
        "expect_column_values_to_not_be_null",
        "crs",
    ),
    "no value": (at(0, "valid_share", 0.0), "expect_column_values_to_be_between", "valid_share"),
    "another grid": (at(3, "width", 6), "expect_layers_to_share_grid", "spectrum"),
    "a layer twice": (
        at(3, "element", 1),
        "expect_compound_columns_to_be_unique",
        "column, element",
    ),
}


def test_good_layers_pass(layers):
    report = validate(layers)
    assert report.success, report.readable()


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutation_is_refused_by_name(layers, name):
    mutation, expectation, column = MUTATIONS[name]
    bad = dataclasses.replace(layers, table=LAYERS.with_columns(mutation))
    refusals = validate(bad).refusals
    named = {(r.expectation, r.column) for r in refusals}
    assert (expectation, column) in named, refusals
    assert not any(r.detail.startswith("the check itself failed") for r in refusals)


def test_one_value_all_over_a_layer_warns(layers):
    said = "956 of 1484 pixels are exactly 0, 64% of those with a value"
    flag = ("carbon.tif", "carbon", "one_value", None, 0.0, said)
    flags = pl.DataFrame([flag], schema=FLAGS_SCHEMA, orient="row")
    report = validate(dataclasses.replace(layers, flags=flags))
    assert report.refusals == []
    (warning,) = report.warnings
    assert (warning.column, warning.observed) == ("carbon", said)
    assert "if 0 means missing, add it to `missing` of column carbon in line" in warning.remedy


def test_missing_layers_are_refused(layers):
    fewer = dataclasses.replace(layers, table=LAYERS.head(3))
    assert [r.expectation for r in validate(fewer).refusals] == ["expect_layers_to_share_grid"]
    none = dataclasses.replace(layers, table=LAYERS.tail(3))
    assert [r.expectation for r in validate(none).refusals] == [
        "expect_column_distinct_values_to_contain_set"
    ]


@pytest.mark.parametrize(("pixels", "refusals"), [(1, []), (2, ["carbon.tif"])])
def test_refused_pixels_are_counted_against_filled_ones(layers, pixels, refusals):
    # 20 cells, half of them filled, and those that were refused: 1 of 11, 2 of 12.
    spec = layers.spec.model_copy(update={"max_flagged_share": 0.1})
    flags = pl.DataFrame(
        [("carbon.tif", "carbon", "out_of_range", None, -9.0, f"{pixels} of 20 pixels outside")],
        schema=FLAGS_SCHEMA,
        orient="row",
    )
    report = validate(dataclasses.replace(layers, spec=spec, flags=flags))
    assert [r.samples[0].split(":")[0] for r in report.refusals] == refusals
    if refusals:
        (refusal,) = report.refusals
        assert refusal.expectation == "expect_refused_pixels_to_be_at_most"
        assert refusal.samples == ("carbon.tif: 16.67 % of the filled pixels, such as -9",)

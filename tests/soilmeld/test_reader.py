from datetime import date
from pathlib import Path

import polars as pl
import pytest

import soilmeld
from adapters.errors import LicenceError
from adapters.settings import Settings
from soilmeld.explain import explain
from soilmeld.export import ExportError, export
from soilmeld.reader import Dataset, NotFoundError

CARBON = "organic_carbon__iso_10694"


def test_nothing_published_is_said(tmp_path: Path) -> None:
    file = tmp_path / "soilmeld.toml"
    file.write_text("")
    with pytest.raises(NotFoundError, match="soilmeld run"):
        soilmeld.open(file)


def test_sources_tell_origin_and_licence(data: Dataset) -> None:
    sources = data.sources().rows_by_key("source", named=True, unique=True)
    assert sources["limesoda"]["origin"] == "open"
    assert sources["limesoda"]["share_alike"]
    assert sources["lucas_2018_topsoil"]["origin"] == "synthetic"
    assert not sources["lucas_2018_topsoil"]["redistribute"]


def test_table_and_columns_agree(data: Dataset) -> None:
    table, columns = data.table("lucas_2018_topsoil"), data.columns("lucas_2018_topsoil")
    assert set(columns["name"]) <= set(table.columns)
    assert data.checks("lucas_2018_topsoil")["success"].all()
    assert "below_detection" in data.flags("lucas_2018_topsoil")["flag"].to_list()


def test_an_unknown_source_names_the_known(data: Dataset) -> None:
    with pytest.raises(NotFoundError, match="limesoda"):
        data.table("lime")


def test_query_by_place_time_survey_and_land_cover(data: Dataset) -> None:
    every = data.query("synthetic", [CARBON, "land_cover"])
    some = data.query(
        "synthetic",
        [CARBON, "land_cover"],
        bbox=(0, 40, 20, 60),
        start=date(2015, 1, 1),
        end=date(2015, 12, 31),
        survey="lucas_2015",
        land_cover="b",
        complete=True,
    )
    expected = every.filter(
        pl.col("longitude").is_between(0, 20),
        pl.col("latitude").is_between(40, 60),
        pl.col("survey") == "lucas_2015",
        pl.col("land_cover").str.starts_with("B"),
        pl.col(CARBON).is_not_null(),
    )
    assert 0 < some.height < every.height
    assert some["sample_id"].to_list() == expected["sample_id"].to_list()


def test_query_refuses_what_is_not_there(data: Dataset) -> None:
    with pytest.raises(NotFoundError, match=CARBON):
        data.query("synthetic", ["organic_carbon"])
    with pytest.raises(NotFoundError, match="open"):
        data.query("europe")
    with pytest.raises(NotFoundError, match="bbox"):
        data.query("synthetic", bbox=(20, 40, 0, 60))


def test_origins_never_meet(data: Dataset) -> None:
    for group in ("synthetic", "open"):
        assert {r["origin"] for r in data.dictionary(group).values()} == {group}
        assert data.samples(group).collect()["origin"].unique().to_list() == [group]


@pytest.mark.parametrize("ending", [".parquet", ".gpkg", ".csv"])
def test_exports_carry_crs_units_and_values(data: Dataset, tmp_path: Path, ending: str) -> None:
    import json

    import geopandas as gpd
    import pyarrow.parquet as pq
    import pyogrio

    feature = "clay__iso_11277"
    frame = data.query("open", [feature], complete=True)
    path = export(frame, data.dictionary("open"), tmp_path / f"out{ending}")
    if ending == ".csv":
        about = json.loads(path.with_name("out.csv.metadata.json").read_text())
        assert about["crs"] == "EPSG:4326"
        assert about["units"] == {feature: "percent"}
        assert pl.read_csv(path)[feature].to_list() == frame[feature].to_list()
        return
    read = gpd.read_parquet(path) if ending == ".parquet" else gpd.read_file(path, layer="samples")
    assert read.crs.to_epsg() == 4326
    assert read[feature].tolist() == pytest.approx(frame[feature].to_list())
    assert read.geometry.x.tolist() == pytest.approx(frame["longitude"].to_list())
    if ending == ".parquet":
        about = json.loads(pq.read_schema(path).metadata[b"soilmeld"])
        assert about["features"][feature]["licences"] == ["CC-BY-SA-4.0"]
    else:
        told = pyogrio.read_dataframe(path, layer="feature_dictionary")
        assert told["unit"].tolist() == ["percent"]


def test_arrays_are_exported(data: Dataset, tmp_path: Path) -> None:
    feature = "efsa_spatial_data.temperature_monthly"
    frame = data.query("synthetic", [feature], complete=True)
    for ending in (".csv", ".gpkg", ".parquet"):
        path = export(frame, data.dictionary("synthetic"), tmp_path / f"a{ending}")
        assert path.stat().st_size > 0
    read = pl.read_csv(tmp_path / "a.csv")[feature].str.json_decode(pl.List(pl.Float64))
    assert read[0].to_list() == pytest.approx(frame[feature][0].to_list())


def test_a_redistributable_export_refuses_what_may_not_be_passed_on(
    data: Dataset, tmp_path: Path
) -> None:
    frame = data.query("synthetic", [CARBON])
    path = tmp_path / "out.csv"
    with pytest.raises(LicenceError, match=CARBON):
        export(frame, data.dictionary("synthetic"), path, redistributable=True)
    assert not path.exists()
    open_frame = data.query("open", ["clay__iso_11277"])
    assert export(open_frame, data.dictionary("open"), path, redistributable=True).is_file()


def test_an_unknown_ending_is_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="GeoPackage"):
        export(data.query("open"), data.dictionary("open"), tmp_path / "out.xml")


def test_a_flagged_value_is_explained_to_its_raw_text(data: Dataset) -> None:
    flags = data.flags("lucas_2018_topsoil").filter(
        (pl.col("flag") == "below_detection") & (pl.col("column") == "calcium_carbonate")
    )
    samples = data.samples("synthetic").collect()
    met = flags.join(samples, on="row_ref").row(0, named=True)
    feature = "calcium_carbonate__iso_10693"
    told = explain(data, "synthetic", met["sample_id"], feature)
    assert told.value is None
    assert told.raw == met["raw"]
    assert [f["flag"] for f in told.flags] == ["below_detection"]
    assert met["row_ref"] in told.readable()
    assert told.files[0]["name"] in met["row_ref"]


def test_pixels_are_explained_to_their_file(data: Dataset) -> None:
    feature = "arsenic_topsoils.arsenic"
    sample = data.query("synthetic", [feature], complete=True)["sample_id"][0]
    told = explain(data, "synthetic", sample, feature)
    assert told.join == "raster"
    assert told.row_ref == "arsenic.tif"
    assert told.raw is None
    assert told.checks


def test_a_model_predicts_missing_features_with_intervals(data: Dataset) -> None:
    feature = "ph_h2o__iso_10390"
    sample = data.query("synthetic", [feature], complete=True)["sample_id"][0]
    told = data.predict("synthetic", [sample], [feature], level=0.5)
    row = told.row(0, named=True)
    assert (row["sample_id"], row["feature"]) == (sample, feature)
    assert row["lower"] < row["mean"] < row["upper"]
    wider = data.predict("synthetic", [sample], [feature], level=0.95).row(0, named=True)
    assert wider["upper"] - wider["lower"] > row["upper"] - row["lower"]
    with pytest.raises(NotFoundError, match="no such sample"):
        data.predict("open", ["nobody"])


def test_a_group_without_model_is_said(tmp_path: Path) -> None:
    elsewhere = Dataset(Settings(data_root=tmp_path))
    with pytest.raises(NotFoundError, match="no trained model"):
        elsewhere.model("open")

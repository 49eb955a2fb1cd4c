"""Real rasters, NetCDF and polygons that a user drops in, sampled at the points of GEMAS."""

import numpy as np
import polars as pl
import pytest
import rasterio
import shapely

from fusion.overlay import Layer, sample_layers


def sampled(standard, gemas, settings, *columns):
    """Values (points, columns) of a standardised raster at the positions of GEMAS."""
    paths = dict(standard.table.select("column", "path").iter_rows())
    layers = [Layer(settings.data_root / paths[column]) for column in columns]
    return sample_layers(
        layers, gemas.table["longitude"].to_numpy(), gemas.table["latitude"].to_numpy()
    )


def compared(found, said):
    both = np.isfinite(found) & np.isfinite(said)
    found, said = found[both], said[both]
    return both.sum(), np.corrcoef(found, said)[0, 1], np.mean(found - said)


def test_worldclim_temperature_meets_that_of_gemas(standard, gemas, settings):
    bio1 = standard("worldclim_bio1", "climate/worldclim21/wc2.1_10m_bio_1.tif")
    values = sampled(bio1, gemas, settings, "annual_mean_temperature")[:, 0]
    _, r, bias = compared(values, gemas.table["mean_temperature"].to_numpy())
    assert r == pytest.approx(0.978, abs=0.0005)
    assert bias == pytest.approx(-0.23, abs=0.005)


def test_worldclim_nodata_is_missing(standard):
    rain = standard("worldclim_precipitation", "climate/worldclim21/wc2.1_10m_prec_01.tif")
    row = rain.table.row(0, named=True)
    assert row["minimum"] >= 0
    assert 0.2 < row["valid_share"] < 0.5  # land


def test_histalp_meets_gemas_in_the_alps(standard, gemas, settings):
    """Points between the centres of the outermost cells, and with a position that can be trusted.

    The published comparison kept the point whose two positions disagree: hence the tolerance.
    """
    histalp = standard("histalp_climate", "climate/histalp_alps/histalp_avg_1961-1990.nc")
    values = sampled(histalp, gemas, settings, "annual_mean_temperature", "annual_precipitation")
    table = gemas.table.with_columns(temperature=values[:, 0], rain=values[:, 1]).filter(
        pl.col("longitude").is_between(4.083333, 18.916667),
        pl.col("latitude").is_between(43.083333, 48.916667),
    )
    count, r, bias = compared(*table.select("temperature", "mean_temperature").to_numpy().T)
    assert count == 253
    assert r == pytest.approx(0.892, abs=0.005)
    assert bias == pytest.approx(-0.83, abs=0.005)
    _, r, bias = compared(*table.select("rain", "annual_precipitation").to_numpy().T)
    assert r == pytest.approx(0.784, abs=0.005)
    assert bias == pytest.approx(124, abs=0.5)


@pytest.mark.parametrize(
    ("source", "file", "columns"),
    [
        ("luxembourg_elevation", "elev.tif", ["elevation"]),
        (
            "luxembourg_sentinel2",
            "sent2_L2A_2024-08-24.tif",
            ["band_b02", "band_b03", "band_b04", "band_b08"],
        ),
    ],
)
def test_luxembourg_pixels_are_unaltered(
    standard, gemas, settings, reference, source, file, columns
):
    layers = standard(source, f"luxembourg/{file}")
    assert layers.table["column"].to_list() == columns
    with rasterio.open(reference / "luxembourg" / file) as native:
        for band, path in enumerate(layers.table["path"], 1):
            with rasterio.open(settings.data_root / path) as standardised:
                np.testing.assert_array_equal(
                    standardised.read(1, masked=True).filled(np.nan),
                    native.read(band, masked=True).astype("float64").filled(np.nan),
                )
    values = sampled(layers, gemas, settings, *columns)
    inside = np.isfinite(values).all(axis=1)
    assert gemas.table.filter(pl.Series(inside))["country"].to_list() == ["LUX"]


def polygons(standard):
    return shapely.from_wkb(standard.table["geometry"].to_numpy())


def points(table):
    known = table.filter(pl.col("longitude").is_not_null())
    return shapely.points(known["longitude"].to_numpy(), known["latitude"].to_numpy())


def test_gemas_points_in_natural_earth_countries(standard, gemas, reference):
    countries = standard("natural_earth_countries", "vectors/ne_50m_countries.gpkg")
    assert countries.table.height == 242
    assert countries.table["country_adm0"].n_unique() == 242
    france = countries.table.filter(pl.col("country_adm0") == "FRA").row(0, named=True)
    assert france["country_iso2"] is None
    tree = shapely.STRtree(polygons(countries))
    native = pl.read_csv(reference / "gemas_europe" / "gemas.csv", infer_schema_length=None)
    as_told = tree.query(points(native), predicate="within")[0]
    assert 2108 - len(np.unique(as_told)) == 26
    trusted = tree.query(points(gemas.table), predicate="within")[0]
    assert 2106 - len(np.unique(trusted)) == 24  # two blunders lay in the sea, and are corrected


def test_lucas_points_in_nuts_regions(standard):
    nuts = standard("nuts_2016", "vectors/nuts_2016_60m.gpkg")
    assert nuts.table.height == 2016
    assert {"EL", "UK"} <= set(nuts.table["country"])
    folder = "lucas_eurostat/cz_2018/cz_lucas_points_l1_2018"
    lucas = standard("lucas_land_survey", *(f"{folder}.{e}" for e in ("shp", "shx", "dbf", "prj")))
    level = nuts.table["level"].to_numpy()
    within = shapely.STRtree(polygons(nuts)[level == 3]).query(
        points(lucas.table), predicate="within"
    )[0]
    assert len(np.unique(within)) == 5037
    countries = nuts.table.filter(pl.Series(level == 0))["country"].to_numpy()
    found = countries[
        shapely.STRtree(polygons(nuts)[level == 0]).query(points(lucas.table), predicate="within")[
            1
        ]
    ]
    counts = {code: int((found == code).sum()) for code in ("PL", "AT", "DE", "SK")}
    assert counts == {"PL": 42, "AT": 12, "DE": 9, "SK": 8}

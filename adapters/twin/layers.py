"""Sources that are brought to the samples: two raster sets and a regional workbook.

Belongs here: what these sources see of the synthetic Europe on their own support, and their
native files.
Never here: soil relations.
"""

from pathlib import Path

import numpy as np

from adapters.spec import load_spec
from adapters.twin.classes import texture_class
from adapters.twin.europe import COUNTRIES, Array, Europe
from adapters.twin.files import write_xlsx
from adapters.twin.soil import month_precipitation, month_temperature, retention
from adapters.twin.world import EXTENT, Lattice, World, write_layers

SUBSTANCES = (
    ("AMPA", "1066-51-9"), ("Glyphosate", "1071-83-6"), ("DDE p,p'", "72-55-9"),
    ("DDT p,p'", "50-29-3"), ("Boscalid", "188425-85-6"), ("Epoxiconazole", "133855-98-8"),
    ("Tebuconazole", "107534-96-3"), ("Fluopyram", "658066-35-4"), ("Dieldrin", "60-57-1"),
    ("Hexachlorobenzene", "118-74-1"),
)  # fmt: skip


def arsenic(world: World, folder: Path) -> None:
    """arsenic.tif and arsenic_probability.tif, float32, nodata undeclared."""
    grid = world.grid("EPSG:3035", 250)
    value = np.where(grid.land, grid.soil()["arsenic"], np.nan)
    # Share of a lognormal around the prediction that exceeds 20 mg/kg.
    chance = 100.0 / (1.0 + np.exp(-(np.log(value) - np.log(20.0)) / 0.35))
    layers = {"arsenic": value, "arsenic_exceedance_probability": chance}
    write_layers(load_spec("arsenic_topsoils"), folder, grid, layers, nodata="undeclared")


def efsa(world: World, folder: Path) -> None:
    """All layers as ESRI ASCII grids without .prj."""
    draw, like = world.stream("efsa"), world.grid("EPSG:3035", 1000)
    # The published grid begins at its lower left corner (2500000, 1412000), whatever its cell.
    north = EXTENT[1] + like.cell * like.height
    grid = Lattice(world, like.crs, EXTENT[0], north, like.cell, like.width, like.height)
    place, layer, land = grid.place, grid.soil(0, 30), grid.land
    capacity = retention({k: v.ravel() for k, v in layer.items()}, np.array([330.0]))
    months = np.stack([month_temperature(place, m) for m in range(1, 13)])
    rain = np.stack([month_precipitation(place, m) for m in range(1, 13)])
    # Arrhenius mean with the activation energy of 65.4 kJ/mol of EFSA 2007, doi
    # 10.2903/j.efsa.2008.622.
    factor = 65_400.0 / 8.314
    rate = np.exp(-factor / (months + 273.15)).mean(axis=0)
    shares = draw.dirichlet(np.full(24, 0.4), land.shape) * (place["cover"] == 0)[..., None] * 100
    zones = np.select([place["latitude"] > 55, place["latitude"] > 46], [1.0, 2.0], 3.0)
    layers: dict[int, dict[str, Array]] = {
        0: {
            "texture": texture_class(layer),
            "country": world.europe.regions.country[place["region"]] + 1.0,
            "regulatory_zone": zones,
        },
        1: {
            "water_content_fc": capacity.reshape(land.shape),
            "precipitation_monthly": rain,
            "capri_land_cover": np.floor(np.moveaxis(shares, -1, 0) * 10) / 10,
        },
        2: {
            "organic_matter": layer["organic_carbon"] / 10 * 1.724,
            "ph": layer["ph_h2o"],
            "temperature_monthly": months,
            "arrhenius_temperature": -factor / np.log(rate) - 273.15,
        },
        3: {"bulk_density": layer["bulk_density"]},
    }  # fmt: skip
    for digits, some in layers.items():
        masked = {name: np.where(land, values, np.nan) for name, values in some.items()}
        write_layers(load_spec("efsa_spatial_data"), folder, grid, masked, digits=digits)


def pesticides(europe: Europe, size: str, folder: Path) -> None:
    """One workbook: means by region, counts, substances."""
    del size
    draw, regions = europe.stream("pesticides"), europe.regions
    eu = np.array([COUNTRIES[c][0] != "CH" for c in regions.country])
    codes = [str(c) for c in regions.code[eu]]
    names = [s[0] for s in SUBSTANCES] + [f"Substance {i:03d}" for i in range(11, 119)]
    numbers = [s[1] for s in SUBSTANCES] + [f"{i:03d}-00-0" for i in range(11, 119)]
    limits = np.round(draw.choice([0.001, 0.005, 0.01, 0.05], len(names)), 3)
    level = np.exp(draw.normal(-6.0, 1.5, len(names))) + np.exp(
        draw.normal(-7.5, 1.2, (len(codes), len(names)))
    )
    counts = draw.integers(0, 40, len(codes))
    # A mean below the limit is printed as zero; a region without samples is empty.
    means = np.where(level < limits, 0.0, np.round(level, 4))

    def sheet(values: list[list[object]]) -> list[list[object]]:
        return [["NUTS2", *names], *([code, *row] for code, row in zip(codes, values, strict=True))]

    amounts = np.repeat(counts[:, None], len(names), axis=1).tolist()
    known = [
        [None] * len(names) if count == 0 else row
        for row, count in zip(means.tolist(), counts, strict=True)
    ]
    write_xlsx(
        folder / "pesticides_residues_NUTS2.xlsx",
        {
            "NUTS2_conc_EU": sheet(known),
            "NUTS2_count_EU": sheet(amounts),
            "Label": [
                ["Chemical name", "CAS Number", "LOQ"],
                *zip(names, numbers, limits.tolist(), strict=True),
            ],
        },
    )

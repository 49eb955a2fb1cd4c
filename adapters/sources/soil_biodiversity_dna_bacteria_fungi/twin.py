"""Bacteria and fungi of the twin: the sample sheet, the table of runs and a derived index."""

from pathlib import Path

import numpy as np

from adapters.twin.biology import REPEATS, barcodes, diversity, sites, soil_moisture
from adapters.twin.files import Cells, write_csv, write_xlsx
from adapters.twin.planting import Draft, measure
from adapters.twin.points import LUCAS_BOUNDS, point_ids, slip
from adapters.twin.soil import soil
from adapters.twin.world import World

SHEET = "METADATA_LUCAS18_BIODIVERSITY_885ID_COMPLETED"


def write(world: World, folder: Path) -> Draft:
    """Write METADATA_LUCAS18_BIODIVERSITY_885ID_COMPLETED.xlsx, SraRunTable.csv and the index."""
    surveys, draw = world.surveys, world.stream("dna_bacteria_fungi")
    once = sites(world, "biodiversity")
    numbers = barcodes(world, once)
    # The repeats stand in the sheet under numbers of their own, at the points of the others.
    again = np.searchsorted(numbers, list(REPEATS.values()))
    order = np.argsort(np.concatenate([numbers, list(REPEATS)]))
    index = np.concatenate([once, once[again]])[order]
    number = np.concatenate([numbers, list(REPEATS)])[order]
    n = len(index)
    place = world.europe.place(*surveys.positions(index, 0.0, "2018"))
    layer = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2018.0))
    truth = {
        "mean_annual_temperature": place["temperature"],
        "annual_precipitation": place["precipitation"],
        "soil_moisture": soil_moisture(place, layer),
        "shannon_bacteria": diversity(place, layer)[0],
        **{name: place[name] for name in ("longitude", "latitude")},
    }
    draft = Draft("soil_biodiversity_dna_bacteria_fungi", [str(b) for b in number], truth)
    cells: Cells = {
        "BARCODE_ID": number.tolist(),
        "POINTID": [int(p) for p in point_ids(surveys, index)],
        "Longitude": [round(float(v), 6) for v in place["longitude"]],
        "Latitude": [round(float(v), 6) for v in place["latitude"]],
        "sampling month": [str(m) for m in draw.choice(["May", "June", "July", "August"], n)],
        "temperature": measure(draw, place["temperature"], 2, absolute=0.1, low=-10),
        "precipitation": measure(draw, place["precipitation"], 0, relative=0.02),
        "soil moisture (SMAP)": measure(draw, truth["soil_moisture"], 1, relative=0.03),
        "pH_H2O": measure(draw, layer["ph_h2o"], 2, absolute=0.05),
    }
    draft.swap_coordinates(draw, cells, "Longitude", "Latitude", LUCAS_BOUNDS)
    draft.plant(
        draw,
        cells["soil moisture (SMAP)"],
        "soil_moisture",
        "unit_slip",
        "out_of_range",
        slip(1000, 500),
    )
    draft.plant(
        draw,
        cells["sampling month"],
        "sampling_month",
        "wrong_code",
        "code_unknown",
        lambda _: "13",
    )
    write_xlsx(
        folder / f"{SHEET}.xlsx", {"Sheet1": [list(cells), *zip(*cells.values(), strict=True)]}
    )
    write_csv(folder / "SraRunTable.csv", _runs(draw, number))
    write_csv(
        folder / "derived_indices.csv",
        {
            "BARCODE_ID": number.tolist(),
            "shannon_bacteria": measure(draw, truth["shannon_bacteria"], 3, absolute=0.05),
        },
    )
    return draft


def _runs(draw: np.random.Generator, number: np.ndarray) -> Cells:
    """As the SRA Run Selector prints it, fewer columns; accessions are invented."""
    libraries = [f"{marker}_{b}" for marker in ("16S", "ITS") for b in number]
    return {
        "Run": [f"SRR9{row:07d}" for row in range(len(libraries))],
        "Bases": [int(v) for v in draw.integers(5_000_000, 60_000_000, len(libraries))],
        "BioProject": ["PRJNA952168"] * len(libraries),
        "Library Name": libraries,
        "LibraryLayout": ["PAIRED"] * len(libraries),
    }

"""Eukaryotes of the twin: the sample sheet, the table of runs and a derived index."""

from pathlib import Path

import numpy as np

from adapters.twin.biology import REPEATS, barcodes, diversity, sites, soil_moisture
from adapters.twin.files import Cells, write_csv, write_xlsx
from adapters.twin.planting import Draft, measure
from adapters.twin.points import LUCAS_BOUNDS, point_ids, slip
from adapters.twin.soil import soil
from adapters.twin.world import World


def write(world: World, folder: Path) -> Draft:
    """Write Sample_data_LUCAS_18S.xlsx, SraRunTable.csv and the index."""
    surveys, draw = world.surveys, world.stream("dna_eukaryotes")
    index = sites(world, "biodiversity")
    number, n = barcodes(world, index), len(index)
    place = world.europe.place(*surveys.positions(index, 0.0, "2018"))
    layer = soil(place, np.zeros(n), np.full(n, 20.0), np.full(n, 2018.0))
    truth = {
        "soil_moisture": soil_moisture(place, layer),
        "richness_eukaryotes": diversity(place, layer)[1],
        **{name: place[name] for name in ("longitude", "latitude")},
    }
    draft = Draft("soil_biodiversity_dna_eukaryotes", [str(b) for b in number], truth)
    cells: Cells = {
        "BARCODE_ID": number.tolist(),
        "POINTID": [int(p) for p in point_ids(surveys, index)],
        "Longitude": [round(float(v), 6) for v in place["longitude"]],
        "Latitude": [round(float(v), 6) for v in place["latitude"]],
        "sampling month": [int(m) for m in draw.integers(5, 9, n)],
        "soil moisture": measure(draw, truth["soil_moisture"], 1, relative=0.03),
        "pH_H2O": measure(draw, layer["ph_h2o"], 2, absolute=0.05),
    }
    draft.swap_coordinates(draw, cells, "Longitude", "Latitude", LUCAS_BOUNDS)
    draft.plant(
        draw, cells["soil moisture"], "soil_moisture", "unit_slip", "out_of_range", slip(1000, 500)
    )
    write_xlsx(
        folder / "Sample_data_LUCAS_18S.xlsx",
        {"Sheet1": [list(cells), *zip(*cells.values(), strict=True)]},
    )
    # The archive has runs of the repeats as well, whose numbers the sheet leaves out.
    sequenced = sorted([*number.tolist(), *REPEATS])
    write_csv(
        folder / "SraRunTable.csv",
        {
            "Run": [f"SRR8{row:07d}" for row in range(len(sequenced))],
            "Bases": [int(v) for v in draw.integers(5_000_000, 60_000_000, len(sequenced))],
            "BioProject": ["PRJNA985135"] * len(sequenced),
            "Library Name": [f"18S_{b}" for b in sequenced],
            "LibraryLayout": ["PAIRED"] * len(sequenced),
        },
    )
    write_csv(
        folder / "derived_indices.csv",
        {
            "BARCODE_ID": number.tolist(),
            "richness_eukaryotes": measure(draw, truth["richness_eukaryotes"], 0, relative=0.05),
        },
    )
    return draft

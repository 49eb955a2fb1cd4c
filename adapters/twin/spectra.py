"""Vis-NIR spectra of the twin: absorbance of dry soil, and the csv files that hold it.

Belongs here: absorbance from soil properties, scans, writing wide csv row by row.
Never here: which points are scanned (`surveys.py`), soil relations.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from adapters.twin.europe import Array

WAVELENGTHS = np.arange(400.0, 2500.0, 0.5)
"""Nanometres; 4,200 of them, as the LUCAS spectra have."""
SCANNED = {"tiny": 12, "demo": 120, "full": 6_000}
"""Points with a spectrum: a full set of the two surveys would be 2.4 GB of text."""
_ROWS = 500
# Bands by Stenberg et al. 2010, Advances in Agronomy 107, doi 10.1016/S0065-2113(10)07005-7: centre
# and width (nm), what deepens them, absorbance without it and by unit of it. The positions are
# theirs, the depths are of the size that their figures show.
_BANDS = (
    (480.0, 60.0, "clay", 0.010, 0.0010),  # iron oxides, which go with clay
    (880.0, 90.0, "clay", 0.005, 0.0006),
    (1414.0, 25.0, "clay", 0.015, 0.0012),  # hydroxyl and water
    (1913.0, 35.0, "clay", 0.040, 0.0025),  # water in clay minerals
    (2207.0, 20.0, "clay", 0.008, 0.0016),  # Al-OH
    (2340.0, 22.0, "calcium_carbonate", 0.004, 0.0002),
)


def absorbance(layer: Mapping[str, Array]) -> np.ndarray:
    """Absorbance of dry and sieved soil.

    Args:
        layer: Soil in canonical units, (n,) each.

    Returns:
        (n, 4200), log10 of 1/reflectance.
    """
    # Darker with organic carbon, most in the visible.
    dark = 0.12 * np.log1p(layer["organic_carbon"] / 10.0)
    curve = 0.22 + 0.55 * np.exp(-(WAVELENGTHS - 400.0) / 350.0)
    found = curve + dark[:, None] * (0.35 + np.exp(-(WAVELENGTHS - 400.0) / 700.0))
    for centre, width, cause, least, each in _BANDS:
        shape = np.exp(-0.5 * ((WAVELENGTHS - centre) / width) ** 2)
        found += (least + each * layer[cause])[:, None] * shape
    return found


def write_spectra(
    path: Path,
    keys: Mapping[str, Sequence[object]],
    layer: Mapping[str, Array],
    draw: np.random.Generator,
    shifts: Array | None = None,
) -> None:
    """A csv of one scan a row: the keys, then one column a wavelength.

    Args:
        path: The file.
        keys: Header -> (n,) cells.
        layer: Soil of each row in canonical units.
        draw: Noise of the scans: an offset each, and each number.
        shifts: Added to all absorbances of a row.
    """
    n = len(next(iter(keys.values())))
    with path.open("w", encoding="utf-8", newline="") as handle:
        handle.write(",".join([*keys, *(f"{w:g}" for w in WAVELENGTHS)]) + "\n")
        for start in range(0, n, _ROWS):
            rows = slice(start, min(start + _ROWS, n))
            values = absorbance({name: v[rows] for name, v in layer.items()})
            values += draw.normal(0.0, 0.01, (len(values), 1))
            values += draw.normal(0.0, 0.0005, values.shape)
            if shifts is not None:
                values += shifts[rows, None]
            for offset, numbers in enumerate(np.char.mod("%.5f", np.maximum(values, 0.0))):
                own = [str(cells[start + offset]) for cells in keys.values()]
                handle.write(",".join([*own, *numbers]) + "\n")

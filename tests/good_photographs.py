"""A small folder of photographed profiles in the published layout, good in every cell."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

PICTURES = "Profilbilder_no_ruler_no_sky"
SYMBOLS = "Vereinfachung_Horizontsymbole.csv"
RELEVANT = (
    "relevanter Anteil = was sinntragend und detektierbar ist - es sind nicht alles gültige Symbole"
)
HORIZON = {
    **{"Point": "7.0", "file": "RP_7_Y_1.JPG", "Obergrenze": "0", "Untergrenze": "30"},
    **{"Horizontsymbol": "1; Ap", "Bodenart": "Ut3", "Bodenfarbe": "10YR 3/3", "Steine": "2"},
    **{"Karbonat": "C0", "Humusgehaltsklasse": "h3", "Durchwurzelung": "Wf4"},
}
SITE = {
    **{"PointID": "7", "xcoord": "399000.5", "ycoord": "5560000", "Probenahme_Monat": "5"},
    **{"Probenahme_Jahr": "2012", "Bodenklimaraum_Name": "Rheinebene", "Landnutzung": "A"},
    **{"BZE_Moor": "nein", "Hauptbodentyp": "LLn", "GrundwaStufe": "0", "GrundwaStand": "180"},
    **{"Moormaechtigkeit": "", "Torfmaechtigkeit": "", "Neigung": "N1", "Exposition": "SW"},
    **{"Woelbung": "GX", "Reliefformtyp": "H", "LageImRelief": "M", "KV_0_30": "60.5"},
    **{"KV_30_100": "31.2"},
}
BROWN = (96, 72, 48)


def soil(width: int = 96, height: int = 192, colour: Sequence[int] = BROWN) -> np.ndarray:
    """(height, width, 3) uint8 of one colour with grain, darker towards the top."""
    grain = np.random.default_rng(0).normal(0, 8, (height, width, 1))
    shade = np.linspace(0.7, 1.3, height)[:, None, None]
    return (np.asarray(colour) * shade + grain).clip(20, 255).astype(np.uint8)


def horizons(photograph: str, *bounds: int, **cells: str) -> list[dict[str, str]]:
    """Rows of the horizons between the bounds (cm) on one photograph."""
    point = photograph.split("_")[1]
    rows = []
    for k, (top, bottom) in enumerate(zip(bounds, bounds[1:], strict=False), start=1):
        own = {"Point": f"{point}.0", "file": photograph, "Horizontsymbol": f"{k}; Bv"}
        rows.append({**HORIZON, **own, "Obergrenze": str(top), "Untergrenze": str(bottom), **cells})
    return rows


def write_layout(
    folder: Path,
    rows: Sequence[Mapping[str, str]],
    sites: Sequence[Mapping[str, str]],
    pictures: Mapping[str, np.ndarray | bytes],
    symbols: Mapping[str, str] | None = None,
) -> Path:
    """Write tables and photographs.

    Args:
        folder: Where to.
        rows: Of data_horizons.csv, by header; `file` may be left out in all.
        sites: Of STANDORT.csv, by header.
        pictures: Name -> pixels, or the bytes of the file.
        symbols: Horizon symbol -> its relevant part; None: no such table.
    """
    (folder / PICTURES).mkdir(parents=True)
    table = pl.DataFrame(list(rows))
    nothing = pl.DataFrame({name: [None] for name in table.columns}, schema=table.schema)
    pl.concat([table, nothing]).write_csv(folder / "data_horizons.csv")
    text = pl.DataFrame(list(sites)).write_csv()
    (folder / "STANDORT.csv").write_bytes(text.encode("latin-1", "backslashreplace"))
    if symbols is not None:
        said = {"Horiz": list(symbols), "Anzahl im Datensatz": [1] * len(symbols)}
        said |= {RELEVANT: list(symbols.values()), "stark vereinfacht": list(symbols.values())}
        pl.DataFrame(said).write_csv(folder / SYMBOLS)
    for name, picture in pictures.items():
        if isinstance(picture, bytes):
            (folder / PICTURES / name).write_bytes(picture)
        else:
            Image.fromarray(picture).save(folder / PICTURES / name, quality=95)
    return folder

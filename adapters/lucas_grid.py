"""The LUCAS grid: a point id is the node of the 2 km grid that the point stands for.

Belongs here: reading a point id. Never here: where a surveyor really stood (GPS columns).
"""

import polars as pl

from adapters.errors import ReadError

GRID_CRS = "EPSG:3035"


def grid_node(point_id: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Easting and northing of the grid node that eight-digit LUCAS point ids name.

    The first four digits are the easting and the last four the northing, in km, in ETRS89 / LAEA
    Europe (Eurostat, LUCAS technical reference document C1): 48262936 is E 4,826 km, N 2,936 km.

    Args:
        point_id: (n,) text or integer.

    Returns:
        Easting and northing, each (n,) in m, NULL where the id is NULL.

    Raises:
        ReadError: An id does not have eight digits.
    """
    text = point_id.cast(pl.String).str.strip_chars()
    wrong = text.filter(~text.str.contains(r"^\d{8}$"))
    if wrong.len():
        raise ReadError(
            f"{wrong.len()} point ids do not have eight digits",
            where=f"column {point_id.name}",
            samples=wrong.head(5),
            remedy="read the column as text, so that no digit is lost",
        )
    number = text.cast(pl.Int64)
    return (
        (number // 10_000 * 1000).cast(pl.Float64).alias("easting"),
        (number % 10_000 * 1000).cast(pl.Float64).alias("northing"),
    )

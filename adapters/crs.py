"""Coordinate reference systems that files state and specifications declare.

Belongs here: telling whether two CRS place things at the same spot. Never here: transforming data.
"""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adapters.errors import ReadError
from adapters.spec import SourceSpec

if TYPE_CHECKING:
    from pyproj import Transformer

# Names, codes and axis order of one CRS differ from writer to writer; places do not.
_SAME_WITHIN_M = 1.0


@functools.cache
def between(crs: str, target: str) -> "Transformer":
    """From one CRS to another, easting or longitude first.

    PROJ looks through its whole database for each, which takes a tenth of a second: they are kept.

    Raises:
        pyproj.exceptions.CRSError: PROJ does not know one of the two.
    """
    from pyproj import Transformer

    return Transformer.from_crs(crs, target, always_xy=True)


def to_degrees(crs: str) -> "Transformer":
    """From a CRS to longitude and latitude (EPSG:4326).

    Raises:
        pyproj.exceptions.CRSError: PROJ does not know the CRS.
    """
    return between(crs, "EPSG:4326")


def without_place(crs: str) -> bool:
    """Does a CRS name axes and units alone, as a local or engineering one does?"""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(crs).is_engineering
    except CRSError:
        return False


def refuse_unread_projection(spec: SourceSpec, path: Path, file: str) -> None:
    """Refuse a projection file that says something from which no CRS came.

    Args:
        spec: The source.
        path: The data, opened without a CRS: a file with its `.prj`, or the folder of an ESRI
            binary grid with its `prj.adf`.
        file: Its name, for messages.

    Raises:
        ReadError: There is such a file and it is not blank.
    """
    wanted = "prj.adf" if path.is_dir() else f"{path.stem}.prj".casefold()
    for side in path.iterdir() if path.is_dir() else path.parent.iterdir():
        if side.name.casefold() != wanted:
            continue
        if said := side.read_bytes().decode("latin-1").strip():
            raise ReadError(
                "its projection file holds no CRS that PROJ knows",
                source=spec.id,
                file=file,
                where=side.name,
                samples=[said[:80]],
                remedy="fetch the file again; if the CRS that source.yaml declares is the right "
                f"one, take {side.name} away",
            )


def same_crs(one: str, other: str, bounds: tuple[float, float, float, float]) -> bool:
    """Do two CRS place the same data alike?

    PROJ writes one CRS in several ways, by its version and even by what it was asked before in the
    same process: texts tell nothing.

    Args:
        one: A CRS.
        other: Another.
        bounds: Extent of the data in either; they are compared at its corners and centre.
    """
    from pyproj.exceptions import CRSError, ProjError

    if one == other:
        return True
    try:
        return bool(np.max(_metres_apart(one, other, bounds)) <= _SAME_WITHIN_M)
    except (CRSError, ProjError, ValueError):
        return False


def _metres_apart(
    one: str, other: str, bounds: tuple[float, float, float, float]
) -> np.ndarray[Any, Any]:
    """How far apart two CRS place the corners and the centre of an extent."""
    from pyproj import Geod

    west, south, east, north = bounds
    x = np.array([west, east, west, east, (west + east) / 2])
    y = np.array([south, south, north, north, (south + north) / 2])
    places = [to_degrees(crs).transform(x, y, errcheck=True) for crs in (one, other)]
    return Geod(ellps="WGS84").inv(*places[0], *places[1])[2]


def require_same_crs(
    spec: SourceSpec,
    file: str,
    declared: str | None,
    stated: str | None,
    bounds: tuple[float, float, float, float],
    table: str | None = None,
) -> str:
    """WKT of the CRS of a file.

    Args:
        spec: The source.
        file: Its file.
        declared: CRS in the specification, if any; it is returned where the two agree.
        stated: CRS in the file, if any.
        bounds: Extent of the data in that CRS; the two are compared at its corners and centre.
        table: Native table of the file, which may declare a CRS of its own.

    Raises:
        ReadError: Neither is there, one does not parse, or they place the data differently.
    """
    from pyproj import CRS
    from pyproj.exceptions import CRSError, ProjError

    spec_key = ("space", "crs")
    if table and (spec.tables[table].read.crs or not spec.space.crs):
        spec_key = ("tables", table, "read", "crs")
    try:
        given = [CRS.from_user_input(c) if c else None for c in (declared, stated)]
    except CRSError as error:
        raise ReadError(
            f"PROJ does not know the CRS: {error}",
            source=spec.id,
            file=file,
            samples=[c for c in (declared, stated) if c],
            remedy="correct `crs` in source.yaml",
            spec_key=spec_key,
        ) from error
    if given[0] is None or given[1] is None:
        only = given[0] or given[1]
        if only is None:
            raise ReadError(
                "no CRS: the file states none",
                source=spec.id,
                file=file,
                remedy="set `read.crs` of its table in source.yaml",
                spec_key=spec_key,
            )
        return only.to_wkt()
    try:
        metres = _metres_apart(str(declared), str(stated), bounds)
    except (ProjError, ValueError) as error:
        raise ReadError(
            f"its CRS places the data nowhere on Earth: {error}",
            source=spec.id,
            file=file,
            samples=[c.name for c in given if c],
            remedy="correct `crs` in source.yaml",
            spec_key=spec_key,
        ) from error
    if not np.max(metres) <= _SAME_WITHIN_M:
        # Where one of the two places a point nowhere, the distance is not a number.
        known = np.isfinite(metres).all()
        apart = f"differ by {np.max(metres):.0f} m" if known else "are of different regions"
        raise ReadError(
            f"the file's CRS and the declared one {apart}",
            source=spec.id,
            file=file,
            # PROJ calls a CRS without a name `unknown`; its text says what it is.
            samples=[
                f"{whose}: {text if crs.name == 'unknown' else crs.name}"
                for whose, crs, text in zip(
                    ("declared", "file"), given, (declared, stated), strict=True
                )
            ][::-1],
            remedy="if the file is right, set `crs: "
            f"{':'.join(given[1].to_authority() or ['null'])}` in source.yaml",
            spec_key=spec_key,
        )
    return given[0].to_wkt()

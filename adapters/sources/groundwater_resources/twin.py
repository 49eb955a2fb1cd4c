"""Six layers of the groundwater maps, in two projections, with their legends."""

from pathlib import Path

import numpy as np

from adapters.twin.classes import groundwater
from adapters.twin.files import Cells, write_dbf
from adapters.twin.polygons import GISCO, Patches, patches
from adapters.twin.world import World

# Of Germany, the part that was West in 1982.
_COUNTRIES = ("BE", "DE", "DK", "FR", "IE", "IT", "LU", "NL", "UK")
_INNER_BORDER_EAST = 10.8
_LEGEND = {
    "Theme1": {"1": "Porous aquifer", "2": "Fissured aquifer", "3": "Local or no aquifer"},
    "Theme2A": {
        "1": "Unconfined groundwater",
        "2": "Confined groundwater",
        "3": "Unconfined, artesian in places",
        "4": "Confined, artesian",
    },
    "Theme2W": {"1": "Small spring", "2": "Spring", "3": "Large spring"},
    "Theme2S": {"1": "Intrusion of sea water (\u00c9tendue sal\u00e9e)"},
    "Theme3": {"1": "Small abstraction", "2": "Medium abstraction", "3": "Large abstraction"},
}


def write(world: World, folder: Path) -> None:
    """Write all layers and the legends of those that have codes."""
    found = patches(world, "groundwater")
    country = world.europe.regions.code[found.place["region"]].astype("U2")
    west = (country != "DE") | (found.place["longitude"] < _INNER_BORDER_EAST)
    mapped = np.isin(country, _COUNTRIES) & west
    found = Patches({k: v[mapped] for k, v in found.place.items()}, found.corners[mapped])
    said = groundwater(found.place)
    salt = said["saline"] == 1
    # One spring in a patch out of three, in its middle.
    springs = np.arange(len(salt)) % 3 == 0
    layers: dict[str, tuple[Cells, str, np.ndarray]] = {
        "Theme1": ({"AQUIFER": _texts(said["aquifer"])}, "Polygon", _all(salt)),
        "Theme2A": ({"HYDROLOGY": _texts(said["hydrology"])}, "Polygon", _all(salt)),
        "Theme2C": (
            {"CONTOUR": np.round(said["water_table"]).tolist()}, "LineString", _all(salt),
        ),
        "Theme2W": ({"SPRING": _texts(said["spring"][springs])}, "Point", springs),
        "Theme2S": ({"SALINE": _texts(said["saline"][salt])}, "Polygon", salt),
        "Theme3": ({"ABSTRACT": _texts(said["abstraction"])}, "Polygon", _all(salt)),
    }  # fmt: skip
    for copy, crs, stated in (("ETRS_LAEA", "EPSG:3035", "EPSG:3035"), ("GISCO", GISCO, None)):
        (folder / copy).mkdir()
        for name, (cells, kind, rows) in layers.items():
            shapes = _shapes(found.corners[rows], kind, crs)
            write_dbf(folder / copy / f"{name}.shp", cells, shapes, kind, stated)
    for name, legend in _LEGEND.items():
        (folder / f"{name}.avl").write_text(_avl(legend), encoding="latin-1")


def _all(like: np.ndarray) -> np.ndarray:
    return np.ones(like.shape, bool)


def _texts(codes: np.ndarray) -> list[object]:
    return [str(code) for code in codes]


def _shapes(corners: np.ndarray, kind: str, crs: str) -> np.ndarray:
    """WKB of the patches as polygons, as lines through them, or as points in their middle."""
    import pyproj
    import shapely

    way = pyproj.Transformer.from_crs("EPSG:3035", crs, always_xy=True)
    at = np.stack(way.transform(corners[..., 0], corners[..., 1]), axis=-1)
    middle = at[:, :4].mean(axis=1)
    made = {
        "Polygon": lambda: shapely.polygons(at),
        "LineString": lambda: shapely.linestrings(np.stack([at[:, 0], middle, at[:, 2]], axis=1)),
        "Point": lambda: shapely.points(middle),
    }[kind]()
    return shapely.to_wkb(made, byte_order=1)


def _avl(legend: dict[str, str]) -> str:
    """An ArcView 3 legend: objects of unique values and their labels."""
    said = ["/3.2", "(ODB.1", '\tFirstRootClassName:\t"Legend"', "\tRoots:\t2", ")", ""]
    for number, (code, label) in enumerate(legend.items(), start=10):
        said += [
            f"(LClass.{number}", f"\tName:\t\"{code}\"", f"\tLabel:\t\"{label}\"",
            f"\tMinStr:\t\"{code}\"", f"\tMaxStr:\t\"{code}\"", ")", "",
        ]  # fmt: skip
    return "\r\n".join(said)

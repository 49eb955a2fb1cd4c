"""Photographed profiles of the twin, in the layout that the public code of SoilNet reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.twin.files import Cells, write_csv
from adapters.twin.morphology import Horizon
from adapters.twin.photographs import Shot, photograph, shot
from adapters.twin.pits import PHOTOGRAPHS, Pit, pits
from adapters.twin.planting import Draft, wanted
from adapters.twin.surfaces import TILES, surfaces
from adapters.twin.world import World

MOST_OF_ONE = 4
"""Photographs of a pit; each has one at least."""
PICTURES = "Profilbilder_no_ruler_no_sky"
_SOURCE = "soilnet_profiles"
_RELEVANT = (
    "relevanter Anteil = was sinntragend und detektierbar ist - es sind nicht alles gültige Symbole"
)
_UNKNOWN = {
    "Bodenart": ("texture", "Xq7"), "Bodenfarbe": ("colour", "11ZR 4/3"),
    "Karbonat": ("carbonate", "C9"), "Humusgehaltsklasse": ("humus", "h9"),
    "Durchwurzelung": ("roots", "Wf9"),
}  # fmt: skip
_SITE = {
    "Probenahme_Monat": "sampling_month", "Probenahme_Jahr": "sampling_year",
    "Bodenklimaraum_Name": "soil_climate_region", "Landnutzung": "land_use",
    "BZE_Moor": "peatland", "Hauptbodentyp": "soil_type", "GrundwaStufe": "groundwater_class",
    "GrundwaStand": "groundwater_depth", "Moormaechtigkeit": "peatland_thickness",
    "Torfmaechtigkeit": "peat_thickness", "Neigung": "slope", "Exposition": "aspect",
    "Woelbung": "curvature", "Reliefformtyp": "relief_form", "LageImRelief": "relief_position",
    "KV_0_30": "carbon_stock_0_30", "KV_30_100": "carbon_stock_30_100",
}  # fmt: skip


@dataclass(frozen=True)
class _Taken:
    """A photograph to be: its pit (place in the list) and its name."""

    pit: int
    name: str


def write(world: World, folder: Path) -> tuple[Draft, ...]:
    """Write the native files."""
    found = pits(world)
    taken = _names(world, found)
    rows = [[_row(world, pit, k, h) for k, h in enumerate(pit.horizons)] for pit in found]
    horizons, sites, pictures = _drafts(found, taken)
    _spoil_rows(world.stream("soilnet faults"), horizons, found, taken, rows)
    _write_sites(world, folder / "STANDORT.csv", found, sites)
    _write_symbols(world, folder / "Vereinfachung_Horizontsymbole.csv", found)
    lost = _write_pictures(world, folder / PICTURES, found, taken, pictures)
    for row, key in enumerate(horizons.keys):
        if (name := key.partition("|")[0]) in lost:
            horizons.record(
                row, "photograph", "missing_photograph", name, name, "photograph_missing"
            )
    _write_horizons(folder / "data_horizons.csv", found, taken, rows)
    return horizons, sites, pictures


def _names(world: World, found: list[Pit]) -> list[_Taken]:
    """Names of all photographs, those of a pit together."""
    draw, total = world.stream("photographs of pits"), PHOTOGRAPHS[world.size]
    further = np.repeat(np.arange(len(found)), MOST_OF_ONE - 1)
    more = draw.permutation(further)[: total - len(found)]
    counts = 1 + np.bincount(more, minlength=len(found))
    return [
        _Taken(k, f"{pit.state}_{pit.number}_Y_{n}.JPG")
        for k, pit in enumerate(found)
        for n in range(1, counts[k] + 1)
    ]


def _row(world: World, pit: Pit, number: int, horizon: Horizon) -> dict[str, object]:
    """One horizon as it is written, the same on all photographs of its pit."""
    chance = world.stream(f"written {pit.number} {number}").uniform(size=6)
    carbonate, roots = horizon.carbonate, horizon.roots
    if carbonate == "C0":
        carbonate = "---" if chance[0] < 0.3 else carbonate
    elif chance[0] < 0.25:
        carbonate += f".{1 + int(chance[1] * 4)}"
    if roots == "Wf0":
        roots = "" if chance[2] < 0.3 else roots
    elif chance[2] < 0.1:
        roots += ",Wg1"
    page = horizon.colour.startswith("GLEY") and chance[3] < 0.2
    return {
        "Obergrenze": horizon.top,
        "Untergrenze": horizon.bottom,
        "Horizontsymbol": f"{number + 1}; {horizon.raw}",
        "Bodenart": horizon.texture,
        "Bodenfarbe": horizon.colour + ("_/1" if page else ""),
        "Steine": None if not horizon.stones and chance[4] < 0.2 else int(horizon.stones),
        "Karbonat": carbonate,
        "Humusgehaltsklasse": None if chance[5] < 0.01 else horizon.humus,
        "Durchwurzelung": roots,
    }


def _drafts(found: list[Pit], taken: list[_Taken]) -> tuple[Draft, Draft, Draft]:
    """What is known of rows, sites and photographs before anything is spoilt."""
    lines = [(one, k, h) for one in taken for k, h in enumerate(found[one.pit].horizons)]
    names = {
        "horizon_top": "top", "horizon_bottom": "bottom", "symbol_relevant": "symbol",
        "texture_ka5": "texture", "colour_munsell": "colour", "stones": "stones",
        "carbonate": "carbonate", "humus": "humus", "roots": "roots",
        "organic_matter": "organic", "calcium_carbonate": "lime",
    }  # fmt: skip
    truth: dict[str, object] = {
        "photograph": [one.name for one, _, _ in lines],
        "profile": [str(found[one.pit].number) for one, _, _ in lines],
        **{name: [getattr(h, said) for _, _, h in lines] for name, said in names.items()},
    }
    horizons = Draft(_SOURCE, [f"{one.name}|{k + 1}" for one, k, _ in lines], truth)
    sites = Draft(
        f"{_SOURCE}__sites",
        [str(pit.number) for pit in found],
        {
            "longitude": [pit.longitude for pit in found],
            "latitude": [pit.latitude for pit in found],
            "soil_type": [pit.soil_type for pit in found],
            "parent_material": [pit.setting.parent for pit in found],
            "groundwater_depth": [pit.setting.water for pit in found],
        },
    )
    return horizons, sites, Draft(f"{_SOURCE}__photographs", [one.name for one in taken], {})


def _spoil_rows(
    draw: np.random.Generator,
    draft: Draft,
    found: list[Pit],
    taken: list[_Taken],
    rows: list[list[dict[str, object]]],
) -> None:
    """Faults of depths and codes, on all photographs of a pit; a pit has one of them at most.

    Pits with one or two photographs come first: where there are few pits, faults must not reach the
    share of the rows that refuses a source.
    """
    starts: dict[int, list[int]] = {}
    row = 0
    for one in taken:
        starts.setdefault(one.pit, []).append(row)
        row += len(rows[one.pit])

    def spoil(
        pit: int, number: int, changes: dict[str, object], column: str | None, fault: str,
        flag: str, seen: int,
    ) -> None:  # fmt: skip
        """Change cells of one horizon; `seen` is the horizon that is flagged."""
        before = [rows[pit][number][name] for name in changes]
        for start in starts[pit]:
            draft.record(start + seen, column, fault, before, list(changes.values()), flag)
        rows[pit][number].update(changes)

    order = iter(sorted(draw.permutation(len(found)).tolist(), key=lambda k: len(starts[k]) > 2))
    for _ in range(wanted(len(found))):
        pit = next(order)
        reached = rows[pit][0]["Untergrenze"]
        spoil(pit, 0, {"Untergrenze": reached + 3}, None, "overlap", "depth_overlap", 1)
        pit = next(order)
        reached = rows[pit][0]["Untergrenze"]
        spoil(pit, 0, {"Untergrenze": reached - 3}, None, "gap", "depth_gap", 1)
        pit, last = next(order), -1
        last = len(rows[pit]) - 1
        top, bottom = (rows[pit][last][name] for name in ("Obergrenze", "Untergrenze"))
        turned = {"Obergrenze": bottom, "Untergrenze": top}
        spoil(pit, last, turned, None, "inverted", "depth_fault", last)
    for header, (column, code) in _UNKNOWN.items():
        for _ in range(wanted(len(found), 0.005)):
            pit = next(order)
            number = int(draw.integers(len(rows[pit])))
            spoil(pit, number, {header: code}, column, "unknown_code", "code_unknown", number)


def _write_horizons(
    path: Path, found: list[Pit], taken: list[_Taken], rows: list[list[dict[str, object]]]
) -> None:
    """One row a horizon and photograph, and the one row of the published table that is empty."""
    headers = ("Point", "file", *rows[0][0])
    cells: Cells = {header: [] for header in headers}
    for one in taken:
        for row in rows[one.pit]:
            said = {"Point": f"{found[one.pit].number}.0", "file": one.name, **row}
            for header in headers:
                cells[header].append(said[header])
    for header in headers:
        cells[header].append(None)
    write_csv(path, cells)


def _write_sites(world: World, path: Path, found: list[Pit], draft: Draft) -> None:
    """One row a pit, coordinates swapped in some, and a row of totals without any numbers."""
    import pyproj

    way = pyproj.Transformer.from_crs("EPSG:3035", "EPSG:25832", always_xy=True)
    x, y = way.transform([pit.east for pit in found], [pit.north for pit in found])
    cells: Cells = {
        "PointID": [pit.number for pit in found],
        "xcoord": [round(v, 1) for v in x],
        "ycoord": [round(v, 1) for v in y],
        **{header: [pit.site[name] for pit in found] for header, name in _SITE.items()},
    }
    for k in world.stream("soilnet sites").choice(len(found), wanted(len(found)), replace=False):
        before = cells["xcoord"][k], cells["ycoord"][k]
        cells["ycoord"][k], cells["xcoord"][k] = before
        draft.record(int(k), None, "swapped_coordinates", before, before[::-1], "position_suspect")
    for header, values in cells.items():
        values.append("Summe" if header == "PointID" else None)
    write_csv(path, cells, encoding="latin-1")


def _write_symbols(world: World, path: Path, found: list[Pit]) -> None:
    """What can be seen of each symbol; some rare symbols are left out."""
    counts: dict[str, int] = {}
    relevant: dict[str, str] = {}
    for pit in found:
        for h in pit.horizons:
            counts[h.raw] = counts.get(h.raw, 0) + 1
            # What was written with a plus stays with a plus.
            relevant[h.raw] = h.symbol.replace("-", "+") if "+" in h.raw else h.symbol
    chance = world.stream("simplified symbols").uniform(size=len(counts))
    order = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    kept = [s for s, c in zip(order, chance, strict=True) if counts[s] > 2 or c > 0.1]
    cells: Cells = {
        "Horiz": list(kept),
        "Anzahl im Datensatz": [counts[s] for s in kept],
        _RELEVANT: [relevant[s] for s in kept],
        "stark vereinfacht": [[c for c in relevant[s] if c.isupper()][-1] for s in kept],
    }
    write_csv(path, cells)


def _write_pictures(
    world: World, folder: Path, found: list[Pit], taken: list[_Taken], draft: Draft
) -> set[str]:
    """All photographs; some have red and blue exchanged, some are cut short or not there.

    Returns:
        Names of those that are not there.
    """
    from PIL import Image

    folder.mkdir()
    tiles = surfaces(world.stream("surfaces"), TILES[world.size])
    count = wanted(len(taken))
    order = world.stream("soilnet photographs").permutation(len(taken)).tolist()
    lost, short, rest = order[:count], order[count : 2 * count], order[2 * count :]
    swapped = [k for k in rest if _brown(found[taken[k].pit])][:count]
    shots: list[Shot] = []
    for number, one in enumerate(taken):
        draw = world.stream(f"photograph {one.name}")
        shots.append(shot(world.size, draw))
        if number in lost:
            continue
        pixels = photograph(found[one.pit], shots[-1], tiles, draw)
        path = folder / one.name
        if number in swapped:
            pixels = pixels[..., ::-1]
            draft.record(number, None, "swapped_channels", "RGB", "BGR", "channels_swapped")
        Image.fromarray(np.ascontiguousarray(pixels)).save(path, "JPEG", quality=shots[-1].quality)
        if number in short:
            whole = path.read_bytes()
            path.write_bytes(whole[: round(0.6 * len(whole))])
            draft.record(number, None, "truncated", len(whole), path.stat().st_size, "unreadable")
    for name in ("reach", "tilt", "sky", "ruler", "shadow"):
        draft.truth[name] = [getattr(one, name) for one in shots]
    return {taken[k].name for k in lost}


def _brown(pit: Pit) -> bool:
    """Is so much of the face coloured that red and blue cannot be exchanged unseen?"""
    seen = [(min(h.bottom, 100) - h.top, h) for h in pit.horizons if h.top < 100]
    return sum(thick for thick, h in seen if h.chroma > 2.5 and h.value < 7 and h.hue < 5.5) > 60

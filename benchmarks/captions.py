"""What the check of captions lets through, on tiles of the synthetic Europe.

Builds the tiles of the twin at size demo, captions them, and prints: precision and recall of claims
by kind, refusals, diversity, planted lies that were found, and true sentences that were lost. True
sentences are those of the offline writer, and those of three books of other words below, by the
same author: what the first two showed to be missing was added to the vocabulary, the third was
written before that and left aside. Everything is synthetic.

    PYTHONPATH=. python benchmarks/captions.py
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from adapters.scenes.find import find
from adapters.settings import Settings
from adapters.twin import scenes
from adapters.twin.europe import Europe, metres
from adapters.twin.soil import soil
from adapters.twin.world import World
from fusion.captions.caption import caption_tile, caption_tiles
from fusion.captions.lies import Careless
from fusion.captions.measure import Cover, Facts
from fusion.captions.report import caption_report, lie_report, tables
from fusion.captions.vocabulary import TOLERANCES, label
from fusion.tiles.build import Vector, build_tiles
from fusion.tiles.places import Place
from fusion.tiles.tile import Tile

_SOIL = ("ph_h2o", "organic_carbon", "clay", "silt", "sand", "bulk_density", "total_nitrogen")


def twin_tiles(root: Path, size: str) -> list[Tile]:
    """Tiles of the twin with soil and climate of their place; names and map tags are made up."""
    settings = Settings(data_root=root / "data", truth_root=root / "truth", twin_size=size)
    catalogue = scenes.make(settings)
    world = World(Europe(settings.twin_seed), size)
    places, vectors = [], {}
    for place in scenes.places(world):
        here = world.europe.place(*metres(np.array([place.longitude]), np.array([place.latitude])))
        layer = (np.array([v]) for v in (0.0, 20.0, float(place.date.year)))
        known = soil(here, *layer)
        extra = {"place_names": [f"Place {place.id}"], "map_tags": {"natural": ["wood", "water"]}}
        places.append(Place(place.id, place.longitude, place.latitude, place.date, extra=extra))
        climate = [float(here[name][0]) for name in ("temperature", "precipitation")]
        vectors[place.id] = {
            "soil": Vector(_SOIL, [float(known[n][0]) for n in _SOIL], ("CC0-1.0",), "synthetic"),
            "climate": Vector(("temperature", "precipitation"), climate, ("CC0-1.0",), "synthetic"),
        }
    return list(build_tiles(places, find(str(catalogue), "synthetic"), vectors, refused=[]))


def first_book(facts: Facts) -> Iterator[str]:
    """True sentences in words that are not the offline writer's."""
    months = "January February March April May June July August September October November December"
    covers = [cover for cover in facts.covers if cover.id != "water"]
    for cover in covers[:3]:
        name, share = label(cover.id), f"{cover.share:.1f}"
        cap = name[0].upper() + name[1:]
        yield f"Of the whole tile, {share} % is {name}."
        yield f"{cap} takes {share} % of the surface."
        yield f"{cap}: {share} %."
        yield f"About {share} percent of the area is under {name}."
        yield f"{cap} stretches over {share} % of the scene."
        yield f"Roughly {share} % of what is visible is {name}."
        yield f"The share of {name} is {share} %."
        yield f"The tile is {share} % {name}."
        yield f"{share} % of the pixels are {name}."
        yield f"{cap} accounts for {share} percent."
        yield f"{cap} can be seen."
        for side in cover.sides:
            where = "centre" if side == "centre" else side
            yield f"{cap} lies towards the {where}."
            yield f"Most of the {name} is in the {where}."
            yield f"To the {where} there is {name}."
            yield f"The {where} holds most of the {name}."
    yield from _between_classes(covers, facts)
    for name in facts.absent:
        yield f"{label(name).capitalize()} does not occur."
        yield f"Nowhere is {label(name)} mapped."
        yield f"There is no sign of {label(name)}."
    if facts.relief:
        low, high, mean = (f"{v:.0f}" for v in (facts.relief.lowest, facts.relief.highest,
                                                 facts.relief.mean))  # fmt: skip
        yield f"The land lies between {low} and {high} m above sea level."
        yield f"Heights range from {low} m to {high} m."
        yield f"The average elevation is {mean} m."
        yield f"Altitudes average {mean} m."
        yield f"The highest point reaches {high} m."
        if facts.relief.median_slope is not None:
            yield f"The slope is {facts.relief.median_slope:.1f}° at the median."
            yield f"Half of the slopes are below {facts.relief.median_slope:.1f}°."
        if facts.relief.rises:
            yield f"The ground climbs towards the {facts.relief.rises}."
            yield f"The terrain gains height towards the {facts.relief.rises}."
    if "ndvi" in facts.indices:
        yield f"NDVI is {facts.indices['ndvi']:.2f} at the median."
        yield f"A median NDVI of {facts.indices['ndvi']:.2f} was measured."
    if "median" in facts.canopy:
        yield f"Trees reach up to {facts.canopy['maximum']:.0f} m."
        yield f"The tallest tree is {facts.canopy['maximum']:.0f} m high."
        yield f"The canopy is {facts.canopy['median']:.0f} m tall at the median."
    for element in facts.soil:
        value = element.value
        yield from {
            "ph_h2o": [f"Topsoil pH is {value:.2f}.", f"The soil has a pH of {value:.2f}."],
            "clay": [f"The soil contains {value:.1f} % clay.", f"Clay makes up {value:.1f} %."],
            "organic_carbon": [f"Soil organic carbon amounts to {value:.1f} g/kg."],
        }.get(element.id, [])
    for element in facts.climate:
        yield from {
            "precipitation": [
                f"Annual rainfall is {element.value:.0f} mm.",
                f"On average {element.value:.0f} mm of precipitation fall each year.",
            ],
            "temperature": [f"The mean temperature is {element.value:.1f} °C."],
        }.get(element.id, [])
    if facts.season:
        yield f"This is a {facts.season} image."
        yield f"It was taken in {facts.season}."
    month = months.split()[facts.date.month - 1]
    yield f"The picture dates from {month} {facts.date.year}."
    yield f"Acquired on {facts.date.isoformat()}."
    yield f"The satellite passed over in {month}."
    if facts.agreement is not None:
        yield f"Both maps agree on {facts.agreement:.0f} % of the tile."
        yield f"WorldCover and Dynamic World match on {facts.agreement:.0f} % of the pixels."


def _between_classes(covers: list[Cover], facts: Facts) -> Iterator[str]:
    if len(covers) > 1 and covers[0].share - covers[1].share > 2 * TOLERANCES.larger:
        one, other = label(covers[0].id), label(covers[1].id)
        yield f"{one.capitalize()} outweighs {other}."
        yield f"There is less {other} than {one}."
        yield f"{one.capitalize()} takes more room than {other}."
        if covers[0].id == facts.order[0][0]:
            yield f"No class is larger than {one}."
            yield f"The largest share belongs to {one}."
            yield f"{one.capitalize()} ranks first."
    for border in facts.borders[:2]:
        one, other = label(border.one), label(border.other)
        yield f"{one.capitalize()} and {other} lie next to each other."
        yield f"{one.capitalize()} touches {other}."
        yield f"{one.capitalize()} has a common border with {other}."


def second_book(facts: Facts) -> Iterator[str]:
    """True sentences in yet other words."""
    months = "January February March April May June July August September October November December"
    month = months.split()[facts.date.month - 1]
    covers = [cover for cover in facts.covers if cover.id != "water"]
    for cover in covers[:3]:
        name, share = label(cover.id), f"{cover.share:.1f}"
        cap = name[0].upper() + name[1:]
        yield f"{cap} occupies {share} % of the frame."
        yield f"{share} percent of the image shows {name}."
        yield f"In total, {name} covers {share} %."
        yield f"{cap} amounts to {share} % of the scene."
        yield f"{cap} is spread over {share} % of the area."
        yield f"Land cover is {share} % {name}."
        yield f"An area of {cover.share * 1.6384:.0f} ha is covered by {name}."
        for side in cover.sides:
            yield f"{cap} is mainly found in the {side}."
            yield f"{cap} is mostly in the {side}."
            yield f"{cap} is situated in the {side} of the scene."
            yield f"The {name} is concentrated towards the {side}."
    if len(covers) > 1:
        one, two = covers[:2]
        a, b = label(one.id), label(two.id)
        yield f"The tile contains {one.share:.1f} % {a} and {two.share:.1f} % {b}."
        yield f"While {a} covers {one.share:.1f} %, {b} covers {two.share:.1f} %."
        yield f"{one.share:.0f} % of the tile is {a}, {two.share:.0f} % is {b}."
        if one.share - two.share > 2 * TOLERANCES.larger:
            yield f"{a.capitalize()} covers more than {b}."
            yield f"{a.capitalize()} exceeds {b} in area."
            yield f"{b.capitalize()} is smaller than {a}."
            yield f"There is clearly more {a} than {b}."
    for name in facts.absent:
        yield f"The tile has no {label(name)}."
        yield f"{label(name).capitalize()} is not present."
        yield f"No {label(name)} was found."
        yield f"{label(name).capitalize()} is missing."
    for border in facts.borders[:2]:
        yield f"{label(border.one).capitalize()} is next to {label(border.other)}."
        yield f"There is a border between {label(border.one)} and {label(border.other)}."
        yield f"{label(border.one).capitalize()} neighbours {label(border.other)}."
    if relief := facts.relief:
        yield f"Elevation varies between {relief.lowest:.0f} and {relief.highest:.0f} m."
        yield f"The terrain has a mean elevation of {relief.mean:.0f} m."
        yield f"It lies at {relief.mean:.0f} m on average."
        yield f"The lowest point is {relief.lowest:.0f} m, the highest {relief.highest:.0f} m."
        yield f"The height difference is {relief.highest - relief.lowest:.0f} m."
        if relief.median_slope is not None:
            yield f"The typical slope is {relief.median_slope:.1f} degrees."
        if relief.rises:
            yield f"The tile is highest in the {relief.rises}."
            yield f"The land slopes upwards to the {relief.rises}."
    if "ndvi" in facts.indices:
        yield f"The NDVI has a median value of {facts.indices['ndvi']:.2f}."
        yield f"Median NDVI: {facts.indices['ndvi']:.2f}."
    if "median" in facts.canopy:
        yield f"The canopy height is typically {facts.canopy['median']:.0f} m."
        yield f"The maximum tree height is {facts.canopy['maximum']:.0f} m."
    known = {element.id: element.value for element in (*facts.soil, *facts.climate)}
    for name, told in {
        "ph_h2o": "The pH of the soil is {:.2f}.",
        "clay": "The clay content of the topsoil is {:.1f} %.",
        "organic_carbon": "The soil has {:.1f} g/kg organic carbon.",
        "precipitation": "The place receives {:.0f} mm of precipitation a year.",
        "temperature": "The annual mean temperature is {:.1f} °C.",
    }.items():
        if name in known:
            yield told.format(known[name])
    yield f"The scene was captured on {facts.date.day} {month} {facts.date.year}."
    yield f"Date: {facts.date.isoformat()}."
    yield f"A scene from {month} {facts.date.year}."
    if facts.season:
        yield f"The season is {facts.season}."
        yield f"Imaged in {facts.season} {facts.date.year}."
    if facts.agreement is not None:
        yield f"WorldCover and Dynamic World agree for {facts.agreement:.0f} % of the pixels."
        yield f"The agreement of the two maps is {facts.agreement:.0f} %."


def third_book(facts: Facts) -> Iterator[str]:
    """True sentences that the check was not mended by."""
    covers = [cover for cover in facts.covers if cover.id != "water"]
    for cover in covers[:3]:
        name, share = label(cover.id), f"{cover.share:.1f}"
        cap = name[0].upper() + name[1:]
        yield f"{cap} makes up {share} % of the landscape."
        yield f"{cap} represents about {cover.share:.0f} percent of the scene."
        yield f"{cap} fills {share} % of the view."
        yield f"There is {share} % {name} in the tile."
        yield f"The proportion of {name} is {share} %."
        yield f"{cap} has a share of {share} %."
        yield f"Around {share} % of this area is covered with {name}."
        yield f"The image includes {name}."
        for side in cover.sides:
            yield f"{cap} is located in the {side}."
            yield f"In the {side} of the tile there is {name}."
            yield f"{cap} occurs mainly in the {side}."
            yield f"The bulk of the {name} lies in the {side}."
    if len(covers) > 1 and covers[0].share - covers[1].share > 2 * TOLERANCES.larger:
        a, b = label(covers[0].id), label(covers[1].id)
        yield f"{a.capitalize()} is more common than {b}."
        yield f"{a.capitalize()} is more widespread than {b}."
        yield f"{b.capitalize()} takes up less space than {a}."
        yield f"The area of {a} is larger than the area of {b}."
        if covers[0].id == facts.order[0][0]:
            yield f"The most common land cover is {a} ({covers[0].share:.0f} %)."
            yield f"The dominant class is {a}."
    for name in facts.absent:
        yield f"The area is free of {label(name)}."
        yield f"There is not any {label(name)}."
        yield f"{label(name).capitalize()} does not exist here."
    for border in facts.borders[:2]:
        one, other = label(border.one), label(border.other)
        yield f"{one.capitalize()} and {other} are adjacent."
        yield f"{one.capitalize()} runs into {other}."
        yield f"{one.capitalize()} lies directly beside {other}."
    if relief := facts.relief:
        low, high = f"{relief.lowest:.0f}", f"{relief.highest:.0f}"
        yield f"Elevations range from {low} to {high} metres above sea level."
        yield f"The mean altitude is {relief.mean:.0f} m."
        yield f"The highest elevation is {high} m and the lowest is {low} m."
        yield f"The terrain reaches {high} m."
        if relief.median_slope is not None:
            yield f"The median inclination is {relief.median_slope:.1f}°."
        if relief.rises:
            yield f"The terrain ascends towards the {relief.rises}."
            yield f"Elevation increases to the {relief.rises}."
    if "ndvi" in facts.indices:
        yield f"The typical NDVI is {facts.indices['ndvi']:.2f}."
        yield f"The vegetation index has a median of {facts.indices['ndvi']:.2f}."
    if "median" in facts.canopy:
        yield f"The median tree height is {facts.canopy['median']:.0f} m."
        yield f"The tallest trees are {facts.canopy['maximum']:.0f} m."
    known = {element.id: element.value for element in (*facts.soil, *facts.climate)}
    for name, told in {
        "ph_h2o": "Soil pH: {:.2f}.",
        "clay": "The soil consists of {:.1f} % clay.",
        "organic_carbon": "Topsoil organic carbon is {:.1f} g/kg.",
        "precipitation": "Rainfall is {:.0f} mm.",
        "temperature": "The annual mean temperature is about {:.1f} °C.",
    }.items():
        if name in known:
            yield told.format(known[name])
    yield f"The acquisition date is {facts.date.isoformat()}."
    yield f"This scene was recorded in {facts.date.year}."
    if facts.season:
        yield f"The image was acquired in {facts.season}."
        yield f"A {facts.season} scene is shown."
    north = "N" if facts.latitude >= 0 else "S"
    east = "E" if facts.longitude >= 0 else "W"
    at = f"{abs(facts.latitude):.2f}° {north}, {abs(facts.longitude):.2f}° {east}"
    yield f"It is located at {at}."


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--size", default="demo", choices=sorted(scenes.COUNTS))
    options.add_argument("--rounds", type=int, default=1, help="sets of words of the writer")
    options.add_argument("--rate", type=float, default=0.3, help="lies of the careless writer")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiles = twin_tiles(Path(folder), chosen.size)
    start = time.perf_counter()
    captions = list(caption_tiles(tiles))
    took = time.perf_counter() - start
    print(f"{len(tiles)} tiles captioned by the offline writer, {took / len(tiles):.2f} s each\n")
    print(tables(caption_report(tiles, captions, rounds=chosen.rounds)))
    careless = [caption_tile(t, Careless(t, chosen.rate, i)) for i, t in enumerate(tiles)]
    print(f"\nThe same with lies in {chosen.rate:.0%} of the writer's sentences\n")
    print(tables(caption_report(tiles, careless, rounds=0)))
    for title, words in (
        ("First book, which the check was mended by", first_book),
        ("Second book, which the check was mended by", second_book),
        ("Third book, left aside", third_book),
    ):
        print(f"\n{title}\n")
        found = lie_report(tiles, lambda facts, _, words=words: list(words(facts)))
        print(tables({"lies": found}))


if __name__ == "__main__":
    main()

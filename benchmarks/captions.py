"""What the check of captions lets through, on tiles of the synthetic Europe.

Builds the tiles of the twin at size demo, captions them, and prints: precision and recall of claims
by kind, refusals, diversity, planted lies that were found, and true sentences that were lost. True
sentences are those of the offline writer, and those of five books of other words. Three are by the
author of the check, the fourth is by another, who had not seen it (`caption_books.py`). What they
showed to be missing was added to the vocabulary. The fifth (`caption_fifth_book.py`) is by yet
another, who had not seen the check either, and was left aside: it alone tells how much is lost of
words that are new. Everything is synthetic.

    PYTHONPATH=. python benchmarks/captions.py
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from adapters.scenes.find import find
from adapters.settings import Settings
from adapters.twin import scenes
from adapters.twin.europe import Europe, metres
from adapters.twin.soil import soil
from adapters.twin.world import World
from benchmarks.caption_books import first_book, fourth_book, second_book, third_book
from benchmarks.caption_fifth_book import fifth_book
from fusion.captions.caption import caption_tile, caption_tiles
from fusion.captions.lies import Careless
from fusion.captions.report import caption_report, lie_report, tables
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
        ("Third book, which the check was mended by", third_book),
        ("Fourth book, by another author, which the check was mended by since", fourth_book),
        ("Fifth book, by yet another author, left aside", fifth_book),
    ):
        print(f"\n{title}\n")
        found = lie_report(tiles, lambda facts, _, words=words: list(words(facts)))
        print(tables({"lies": found}))


if __name__ == "__main__":
    main()

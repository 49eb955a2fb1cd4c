"""Books of true sentences that the check of captions is measured by, made from measured facts.

Belongs here: what other writers than the offline one may say of a tile, true by its `Facts` and in
words of their own; a comparison is made only where the facts differ by more than twice what the
check grants. The first three books are by the author of the check. The fourth is by another, who
had not seen the check: it is what models that describe images, and people who work with such
images, write of them. Never here: measuring, which is `captions.py`, and words for the sake of the
check, in either direction.
"""

import math
from collections.abc import Iterator

from fusion.captions.measure import Cover, Facts, Relief
from fusion.captions.vocabulary import TOLERANCES, label
from fusion.texture import texture_systems

_MONTHS = "January February March April May June July August September October November December"
_MAPS = {"worldcover": "WorldCover", "dynamic_world": "Dynamic World"}
_PLAIN = {
    "tree": "Forest makes up around {:.0f}% of the scene.",
    "crop": "About {:.0f}% of the tile is cultivated.",
    "grass": "Grass grows on approximately {:.0f}% of the area.",
    "shrub": "Shrubs cover approximately {:.0f}% of the area.",
    "built": "Around {:.0f}% of the surface is built up.",
    "bare": "Bare ground accounts for about {:.0f}% of the area.",
    "wetland": "Wetlands extend over about {:.0f}% of the image.",
}
_NONE = {
    "tree": "There is no forest in the image.",
    "crop": "There is no cropland in this area.",
    "built": "No built-up areas are visible.",
    "water": "No water bodies are visible in the image.",
    "snow": "No snow or ice is visible.",
    "wetland": "There are no wetlands in this tile.",
}
_FRACTIONS = {
    100 / 5: "a fifth",
    100 / 4: "a quarter",
    100 / 3: "a third",
    100 / 2: "half",
    200 / 3: "two thirds",
    300 / 4: "three quarters",
}
_UPRIGHT = {"north": "upper", "south": "lower", "west": "left", "east": "right"}
_OPPOSITE = {"north": "south", "south": "north", "west": "east", "east": "west"}
_LANDFORMS = {
    "flat": "flat areas",
    "peak": "peaks",
    "ridge": "ridges",
    "shoulder": "shoulders",
    "spur": "spurs",
    "slope": "slopes",
    "hollow": "hollows",
    "footslope": "footslopes",
    "valley": "valleys",
    "pit": "pits",
}
_TEXTURES = texture_systems()["usda"].labels


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
    """True sentences in other words again."""
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


def fourth_book(facts: Facts) -> Iterator[str]:
    """True sentences by an author who had not seen the check."""
    covers = [cover for cover in facts.covers if cover.id != "water"]
    for cover in covers[:3]:
        yield from _shares(cover, facts)
    for cover in facts.covers[:4]:
        yield from _places(cover)
    yield from _parts(facts)
    yield from _listed(covers, facts)
    yield from _compared(covers, facts)
    yield from _met(facts)
    yield from _missing(covers, facts)
    if facts.relief:
        yield from _land(facts.relief)
    yield from _indices(facts)
    if "median" in facts.canopy:
        yield from _trees(facts)
    yield from _soil(facts)
    yield from _weather(facts)
    yield from _day(covers, facts)
    yield from _site(facts)


def _cap(text: str) -> str:
    return text[0].upper() + text[1:]


def _part(side: str) -> str:
    """A side as the part of the tile that is meant."""
    if side == "centre":
        return "central part"
    return f"{side.replace('-', '')}ern {'quarter' if '-' in side else 'half'}"


def _near(value: float) -> str:
    """A whole number, and on which side of it a value is."""
    whole = round(value)
    if value == whole:
        return f"{whole}"
    return f"just over {whole}" if value > whole else f"nearly {whole}"


def _shares(cover: Cover, facts: Facts) -> Iterator[str]:
    name, share = label(cover.id), cover.share
    cap = _cap(name)
    covering = "trees" if cover.id == "tree" else name
    yield f"Approximately {share:.0f}% of the area is covered by {covering}."
    if facts.source:
        yield f"According to {_MAPS[facts.source]}, {name} accounts for {share:.1f}% of the tile."
    if share > 1:
        yield f"{cap} occupies {_near(share)}% of the tile."
    if cover.id in _PLAIN:
        yield _PLAIN[cover.id].format(share)
    if share < 5:
        yield f"Only {share:.1f}% of the tile is {name}."
    for value, fraction in _FRACTIONS.items():
        if abs(share - value) < 1:
            yield f"Roughly {fraction} of the tile is covered by {covering}."
    if share > 50 + 2 * TOLERANCES.larger:
        yield f"More than half of the area is {name}."
    tens = math.floor(share / 10) * 10
    if tens and tens + 1 < share < tens + 7:
        yield f"{cap} takes up over {tens}% of the scene."


def _places(cover: Cover) -> Iterator[str]:
    name, share = label(cover.id), cover.share
    for side in cover.sides:
        part = _part(side)
        yield f"Most of the {name} is located in the {part} of the tile."
        if cover.id != "water":
            yield f"{_cap(name)} ({share:.1f}%) is concentrated in the {part} of the image."
            which = f"which makes up about {share:.0f}% of the tile"
            yield f"{_cap(name)}, {which}, is found mainly in the {part}."
        if side != "centre":
            upright = " ".join(_UPRIGHT[word] for word in side.split("-"))
            yield f"{_cap(name)} appears mainly in the {upright} part of the image."


def _parts(facts: Facts) -> Iterator[str]:
    for region in facts.regions[:3]:
        name, part = label(region.cover), _part(region.side)
        yield f"{_cap(name)} is the most widespread land cover in the {part} of the tile."
        yield f"In the {part}, about {region.share:.0f}% of the area is {name}."
        if region.share > 55:
            yield f"The {part} is dominated by {name}, with {region.share:.0f}% of its area."


def _listed(covers: list[Cover], facts: Facts) -> Iterator[str]:
    """Several classes in one sentence."""
    if len(covers) < 2:
        return
    one, two = covers[:2]
    a, b = label(one.id), label(two.id)
    yield f"Together, {a} and {b} account for about {one.share + two.share:.0f}% of the tile."
    yield f"Besides {a} ({one.share:.1f}%), there is also {b} ({two.share:.1f}%)."
    for side in one.sides[:1]:
        for other in two.sides[:1]:
            if side != other:
                yield (
                    f"{_cap(a)} lies mostly in the {_part(side)}, "
                    f"while {b} is found mainly in the {_part(other)}."
                )
    if len(covers) < 3:
        return
    three = covers[2]
    c = label(three.id)
    yield f"The land cover includes {a}, {b}, and {c}."
    if three.share >= 10:
        shares = f"{a} ({one.share:.0f}%), {b} ({two.share:.0f}%) and {c} ({three.share:.0f}%)"
        yield f"The landscape is a mix of {shares}."
    apart = min(one.share - two.share, two.share - three.share) > 2 * TOLERANCES.larger
    if apart and [name for name, _ in facts.order[:3]] == [one.id, two.id, three.id]:
        rest = f"followed by {b} ({two.share:.1f}%) and {c} ({three.share:.1f}%)"
        if one.share > 50:
            yield f"The tile is dominated by {a} ({one.share:.1f}%), {rest}."
        yield f"{_cap(a)} is the largest class at {one.share:.1f}%, {rest}."


def _compared(covers: list[Cover], facts: Facts) -> Iterator[str]:
    if len(covers) < 2 or covers[0].share - covers[1].share <= 2 * TOLERANCES.larger:
        return
    one, two = covers[:2]
    a, b = label(one.id), label(two.id)
    yield f"{_cap(a)} occupies a larger area than {b} ({one.share:.1f}% versus {two.share:.1f}%)."
    if one.share > 2.5 * two.share:
        yield f"{_cap(a)} occupies more than twice as much area as {b}."
    if one.id != facts.order[0][0]:
        return
    yield f"With {one.share:.1f}% of the area, {a} is the main land cover type."
    yield f"Although {a} is the largest class, {b} still makes up {two.share:.1f}% of the tile."
    if facts.order[0][1] - facts.order[1][1] > 20:
        yield f"{_cap(a)} is by far the most extensive class."
    if facts.relief:
        mean = facts.relief.mean
        yield f"The tile has a mean elevation of {mean:.0f} m, and its main land cover is {a}."


def _met(facts: Facts) -> Iterator[str]:
    """Classes side by side."""
    for border in facts.borders[:2]:
        one, other = label(border.one), label(border.other)
        yield f"{_cap(one)} is bordered by {other}."
    if not facts.borders:
        return
    first, *others = facts.borders
    if not others or first.length > 1.2 * others[0].length:
        pair = f"{label(first.one)} and {label(first.other)}"
        yield f"The longest boundary in the tile runs between {pair}."
    for border in others:
        if first.one in (border.one, border.other):
            second = border.other if border.one == first.one else border.one
            both = f"{label(first.other)} and {label(second)}"
            yield f"{_cap(label(first.one))} borders both {both}."
            break


def _missing(covers: list[Cover], facts: Facts) -> Iterator[str]:
    names = ["snow" if name == "snow" else label(name) for name in facts.absent]
    for name, plain in zip(facts.absent, names, strict=True):
        yield _NONE[name]
        if covers:
            yield f"The image shows {label(covers[0].id)} but no {plain}."
    if len(names) > 1:
        yield f"There is neither {names[0]} nor {names[1]} in this area."
        yield f"The tile contains no {', '.join(names[:-1])} or {names[-1]}."


def _land(relief: Relief) -> Iterator[str]:
    low, high, mean = (f"{v:,.0f}" for v in (relief.lowest, relief.highest, relief.mean))
    yield f"Elevation ranges from {low} to {high} m above sea level, with a mean of {mean} m."
    yield f"The terrain lies at a mean elevation of about {mean} meters."
    yield f"From its lowest point at {low} m, the land rises to {high} m at its highest point."
    vary = f"{relief.highest - relief.lowest:.0f}"
    yield f"Elevations vary by approximately {vary} m across the tile."
    floor = math.floor(relief.lowest / 10) * 10
    if 0 < floor < relief.lowest - 1:
        yield f"The entire tile lies above {floor} m a.s.l."
    if relief.median_slope is not None:
        slope = f"{relief.median_slope:.1f}°"
        yield f"The mean elevation is {mean} m and the median slope is {slope}."
    if relief.rises:
        down = "-".join(_OPPOSITE[word] for word in relief.rises.split("-")).replace("-", "")
        yield f"The terrain slopes down towards the {down}."
        yield f"Elevation generally increases from {down} to {relief.rises.replace('-', '')}."
    forms = sorted(relief.landforms.items(), key=lambda item: -item[1])[:2]
    if forms and forms[0][1] - forms[1][1] > 2 * TOLERANCES.larger:
        (one, most), (two, less) = forms
        yield f"{_cap(_LANDFORMS[one])} are the most common landform, at {most:.0f}% of the tile."
        pair = f"{_LANDFORMS[one]} ({most:.0f}%) and {_LANDFORMS[two]} ({less:.0f}%)"
        yield f"Landforms include {pair}."


def _indices(facts: Facts) -> Iterator[str]:
    ndvi, ndwi, ndmi = (facts.indices.get(name) for name in ("ndvi", "ndwi", "ndmi"))
    if ndvi is not None:
        if ndvi > 0.1:
            yield f"The median NDVI is about {ndvi:.1f}."
        tenth = math.floor(10 * ndvi) / 10
        if 0.02 < ndvi - tenth < 0.07:
            yield f"The median NDVI is above {tenth:.1f}."
    if ndvi is not None and ndwi is not None:
        yield f"The median NDVI is {ndvi:.2f}, and the median NDWI is {ndwi:.2f}."
    if ndmi is not None:
        yield f"The moisture index NDMI has a median value of {ndmi:.2f}."


def _trees(facts: Facts) -> Iterator[str]:
    median, top = facts.canopy["median"], facts.canopy["maximum"]
    yield f"Trees are up to {top:.0f} m tall, with a median height of {median:.0f} m."
    yield f"No tree is taller than {math.floor(top / 5 + 1) * 5} m."
    for cover in facts.covers:
        if cover.id == "tree":
            share = f"{cover.share:.1f}% of the tile"
            yield f"Tree cover makes up {share}, and the canopy is up to {top:.0f} m high."


def _soil(facts: Facts) -> Iterator[str]:
    known = {element.id: element.value for element in facts.soil}
    if (ph := known.get("ph_h2o")) is not None:
        yield f"The topsoil has a pH of about {ph:.1f}."
        if ph < 6:
            yield f"The soil is acidic, with a pH of {ph:.1f}."
        if ph > 7.6:
            yield f"The soil is alkaline (pH {ph:.1f})."
    parts = {name: known[name] for name in ("sand", "silt", "clay") if name in known}
    if len(parts) == 3:
        sand, silt, clay = parts.values()
        yield f"The soil is composed of {sand:.0f}% sand, {silt:.0f}% silt and {clay:.0f}% clay."
        first, second, _ = sorted(parts, key=lambda name: -parts[name])
        if parts[first] - parts[second] > 10:
            yield f"{_cap(first)} is the largest fraction of the soil ({parts[first]:.0f}%)."
    if facts.texture in _TEXTURES:
        yield f"The soil texture is {_TEXTURES[facts.texture]}."
    if "bulk_density" in known:
        yield f"The bulk density of the soil is around {known['bulk_density']:.2f} g/cm³."
    if (carbon := known.get("organic_carbon")) is not None:
        yield f"The soil organic carbon content is about {carbon / 10:.1f}%."
        if (nitrogen := known.get("total_nitrogen")) is not None:
            both = f"{carbon:.1f} g/kg of organic carbon and {nitrogen:.2f} g/kg of total nitrogen"
            yield f"The soil contains {both}."


def _weather(facts: Facts) -> Iterator[str]:
    known = {element.id: element.value for element in facts.climate}
    warm, wet = known.get("temperature"), known.get("precipitation")
    if warm is not None:
        yield f"The average annual temperature is around {warm:.0f} °C."
        if warm < -0.5:
            yield f"The mean annual temperature is below freezing, at {warm:.1f} °C."
    if wet is not None:
        yield f"The area receives around {10 * round(wet / 10)} mm of precipitation per year."
        hundreds = 100 * math.floor(wet / 100)
        if hundreds and 10 < wet - hundreds < 60:
            yield f"The average annual precipitation is more than {hundreds} mm."
    if warm is not None and wet is not None:
        rain = f"{wet:.0f} mm of precipitation per year"
        yield f"The site has a mean annual temperature of {warm:.1f} °C and {rain}."


def _day(covers: list[Cover], facts: Facts) -> Iterator[str]:
    day, month, year = facts.date.day, _MONTHS.split()[facts.date.month - 1], facts.date.year
    stage = "early " if day <= 10 else "mid-" if day <= 20 else "late "
    yield f"The image was acquired on {month} {day}, {year}."
    yield f"This satellite image was taken in {stage}{month} {year}."
    if len(covers) > 1:
        pair = f"{label(covers[0].id)} and {label(covers[1].id)}"
        yield f"Captured in {month} {year}, the scene includes {pair}."
    if facts.season:
        yield f"The image was captured on {day} {month} {year}, in {facts.season}."
        if facts.season != "winter":
            yield f"The image shows the area in the {facts.season} of {year}."
    if facts.agreement is not None:
        same, other = f"{facts.agreement:.0f}%", f"{100 - facts.agreement:.0f}%"
        yield f"WorldCover and Dynamic World assign the same class to about {same} of the tile."
        yield f"The two land cover maps disagree on {other} of the pixels."


def _site(facts: Facts) -> Iterator[str]:
    north, east = "N" if facts.latitude >= 0 else "S", "E" if facts.longitude >= 0 else "W"
    at = f"{abs(facts.latitude):.2f}°{north}, {abs(facts.longitude):.2f}°{east}"
    yield f"The tile is centered at {at}."
    yield f"The area is in the {'northern' if north == 'N' else 'southern'} hemisphere."
    if facts.relief:
        relief = facts.relief
        yield f"Located at {at}, the tile has a mean elevation of {relief.mean:.0f} m."
    for name in facts.places[:1]:
        yield f"The tile is located near {name}."
        if facts.relief:
            between = f"between {facts.relief.lowest:.0f} m and {facts.relief.highest:.0f} m"
            yield f"Near {name}, the terrain lies {between} above sea level."

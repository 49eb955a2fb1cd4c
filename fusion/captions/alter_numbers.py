"""Other numbers, dates and coordinates in a true sentence.

Belongs here: alterations of what is counted. Never here: words, or whether it makes a lie.
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fusion.captions.alter import Alteration, Spot, only, put, replaced, spots_of
from fusion.captions.claims import Claim
from fusion.captions.judge import number_holds, share_of_part
from fusion.captions.lexer import Number
from fusion.captions.measure import Facts
from fusion.captions.vocabulary import DAYS, TOLERANCES, tolerance, vocabulary
from fusion.tiles.tile import Tile

_NUMERAL = re.compile(r"(?<![\w.\-−/])[-−]?\d+(?:\.\d+)?(?![\w\-/]|\.\d)")


def _owned(
    text: str, claims: Sequence[Claim]
) -> Iterator[tuple[Spot, float, Claim, dict[str, float]]]:
    """Numerals, each with its value, the one claim that it belongs to, and which end it is."""
    spots = [
        Spot(m.start(), m.end(), float(m.group().replace("−", "-")))
        for m in _NUMERAL.finditer(text)
    ]
    for spot in spots:
        owners = [c for c in claims if c.number and spot.id in (c.number.low, c.number.high)]
        if only(spots, spot.id) is None or len(owners) != 1:
            continue
        number = owners[0].number
        ends = {end: spot.id for end in ("low", "high") if getattr(number, end) == spot.id}
        yield spot, spot.id, owners[0], ends


def _measure_of(claim: Claim, value: float) -> float:
    return tolerance(claim.kind, claim.subject[0], value)


def _number_kind(claim: Claim) -> str:
    return "soil" if claim.kind == "soil" else "number"


def _numerals(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    for spot, value, claim, ends in _owned(text, claims):
        digits = len(text[spot.start : spot.end].partition(".")[2])
        within = _measure_of(claim, value) * (TOLERANCES.about if claim.number.about else 1.0)
        far = float(draw.uniform(1.2, 6.0)) * within
        ways = {
            "1.3 tolerances more": value + 1.3 * within,
            "1.3 tolerances less": value - 1.3 * within,
            "some tolerances more": value + far,
            "some tolerances less": value - far,
            "x 1.5": 1.5 * value,
            "x 0.5": 0.5 * value,
            "x 10": 10.0 * value,
            "other sign": -value,
            "digits exchanged": _exchange_digits(value, digits),
        }
        for how, other in ways.items():
            if claim.number.unit == "%" and not 0 <= other <= 100:
                continue
            if other < 0 and claim.kind not in ("index", "climate"):
                continue
            said = f"{other:.{digits}f}"
            told = replace(claim.number, **{end: float(said) for end in ends})
            if told.low > told.high:
                continue
            yield Alteration(
                _number_kind(claim),
                f"{replaced(text, spot, said)} ({how})",
                put(text, spot, said),
                (replace(claim, number=told),),
            )


def _exchange_digits(value: float, digits: int) -> float:
    said = f"{abs(value):.{digits}f}"
    places = [i for i, letter in enumerate(said) if letter.isdigit()]
    if len(places) < 2:
        return value
    letters = list(said)
    first, second = places[:2]
    letters[first], letters[second] = letters[second], letters[first]
    return float("".join(letters)) * (-1 if value < 0 else 1)


def _fractions(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    table = vocabulary()["fractions"]
    spots = spots_of(text, {name: float(v) for v, names in table.items() for name in names})
    for claim in claims:
        if claim.number is None or (spot := only(spots, claim.number.low)) is None:
            continue
        for value, names in table.items():
            said = names[0]
            told = replace(claim.number, low=float(value), high=float(value))
            yield Alteration(
                "number",
                replaced(text, spot, said),
                put(text, spot, said),
                (replace(claim, number=told),),
            )


_ROUGH = re.compile(r"(?:about|around|roughly|some|between|from|to|-|–)\s*$", re.IGNORECASE)


def _bounds(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    for spot, value, claim, ends in _owned(text, claims):
        number = claim.number
        plain = number.low == number.high and not number.bound and not number.about
        if not plain or len(ends) < 2 or _ROUGH.search(text[: spot.start]):
            continue
        digits = len(text[spot.start : spot.end].partition(".")[2])
        within = _measure_of(claim, value)
        for word, bound, sign in (
            ("more than", "above", 1), ("at least", "at least", 1),
            ("less than", "below", -1), ("at most", "at most", -1),
        ):  # fmt: skip
            for times in (0.6, 2.0, 5.0):
                said = f"{value + sign * times * within:.{digits}f}"
                if float(said) < 0 or (number.unit == "%" and float(said) > 100):
                    continue
                told = Number(float(said), float(said), bound, False, number.unit)
                yield Alteration(
                    "bound",
                    replaced(text, spot, f"{word} {said}"),
                    put(text, spot, f"{word} {said}"),
                    (replace(claim, number=told),),
                )


def _units(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    for spot, _, claim, ends in _owned(text, claims):
        after = re.match(r"\s*(%|percent)(?!\w)", text[spot.end :])
        if claim.kind != "cover share" or after is None or len(ends) < 2:
            continue
        for unit in ("ha", "km2"):
            changed = text[: spot.end] + f" {unit}" + text[spot.end + after.end() :]
            told = replace(claim.number, unit=unit)
            yield Alteration(
                "unit", f"{after.group(1)} -> {unit}", changed, (replace(claim, number=told),)
            )


def _dates(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    months = vocabulary()["months"]
    named = spots_of(text, {month: i + 1 for i, month in enumerate(months)})
    years = [
        Spot(m.start(), m.end(), int(m.group())) for m in re.finditer(r"\b20\d\d\b(?!-)", text)
    ]
    before_a_month = rf"\b\d{{1,2}}(?= (?:{'|'.join(months)}))"
    days = [
        Spot(m.start(), m.end(), int(m.group()))
        for m in re.finditer(before_a_month, text, re.IGNORECASE)
    ]
    for claim in claims:
        if claim.kind != "date":
            continue
        year, month, day = claim.value  # type: ignore[misc]
        iso = re.search(r"\b\d{4}-\d{2}-\d{2}\b", text)
        if iso is not None:
            spot = Spot(iso.start(), iso.end(), None)
            for days_off in (1, 31, 365):
                other = datetime.date(year, month, day) + datetime.timedelta(days=days_off)
                told = replace(claim, value=(other.year, other.month, other.day))
                said = other.isoformat()
                yield Alteration("date", replaced(text, spot, said), put(text, spot, said), (told,))
            continue
        off = int(draw.integers(1, 4))
        choices: list[tuple[Spot | None, str, tuple[int | None, int | None, int | str | None]]]
        choices = []
        if month is not None:
            other_month = (month - 1 + int(draw.integers(1, 12))) % 12 + 1
            choices.append(
                (
                    only(named, month),
                    months[other_month - 1].capitalize(),
                    (year, other_month, day),
                )
            )
        if year is not None:
            choices.append((only(years, year), str(year - off), (year - off, month, day)))
        if isinstance(day, str):
            parts = spots_of(text, {part: part for part in DAYS})
            choices += [(only(parts, day), part, (year, month, part)) for part in DAYS]
        elif day is not None:
            other_day = day - off if day > 14 else day + off
            choices.append((only(days, day), str(other_day), (year, month, other_day)))
        for spot, said, value in choices:
            if spot is not None:
                told = replace(claim, value=value)
                yield Alteration("date", replaced(text, spot, said), put(text, spot, said), (told,))


def _positions(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    turned = {"N": "S", "S": "N", "E": "W", "W": "E"}
    for match in re.finditer(r"(\d+(?:\.\d+)?)° ([NSEW])\b", text):
        axis = "lat" if match.group(2) in "NS" else "lon"
        claim = next((c for c in claims if c.kind == "position" and c.subject == (axis,)), None)
        if claim is None:
            continue
        spot = Spot(match.start(), match.end(), None)
        value = float(match.group(1))
        digits = len(match.group(1).partition(".")[2])
        sign = -1.0 if match.group(2) in "SW" else 1.0
        for off in (0.05, 0.5, 3.0):
            said = f"{value + off:.{digits}f}"
            told = replace(claim, value=sign * float(said))
            said = f"{said}° {match.group(2)}"
            yield Alteration("position", replaced(text, spot, said), put(text, spot, said), (told,))
        said = f"{match.group(1)}° {turned[match.group(2)]}"
        told = replace(claim, value=-sign * value)
        yield Alteration("position", replaced(text, spot, said), put(text, spot, said), (told,))


_OF_TILE = re.compile(r"\bof (?:the|this) (?:tile|scene|area|image)\b")


def _parts(text: str, claims: Sequence[Claim], facts: Facts, tile: Tile) -> Iterator[Alteration]:
    """The share of the tile told as that of a part of it, or of the land alone."""
    match = _OF_TILE.search(text)
    told = [claim for claim in claims if claim.kind == "cover share" and not claim.negated]
    if match is None or len(claims) != 1 or len(told) != 1 or told[0].number is None:
        return
    for part, said in (
        *((side, f"of the {side}ern half") for side in ("north", "east", "south", "west")),
        *((f"{n}-{e}", f"of the {n}-{e}ern quarter") for n in ("north", "south")
          for e in ("east", "west")),
        ("land", "of the land"),
    ):  # fmt: skip
        share = share_of_part(told[0].subject[0], part, facts, tile)
        if share is None or told[0].number.unit != "%":
            continue
        right = number_holds(told[0].number, share, tolerance("cover share", "", share))
        changed = text[: match.start()] + said + text[match.end() :]
        yield Alteration("part", f"{match.group()} -> {said}", changed, false=right is False)


def alterations_of_numbers(
    text: str, claims: Sequence[Claim], facts: Facts, tile: Tile, draw: np.random.Generator
) -> Iterator[Alteration]:
    """Every way in which what is counted in a sentence is altered.

    Args:
        text: The sentence.
        claims: That it makes.
        facts: Of the tile.
        tile: Asked for shares of its parts.
        draw: Chooses amounts.
    """
    for way in (_numerals, _fractions, _bounds, _units, _dates, _positions):
        yield from way(text, claims, draw)
    yield from _parts(text, claims, facts, tile)

"""Words of a sentence become typed tokens; what stands in no list becomes an unknown one.

Belongs here: splitting captions into sentences, numbers with their units and bounds, dates,
coordinates, phrases of `vocabulary.yaml`, and the names that a tile itself brings. Never here:
what a sequence of tokens says (`grammar.py`), or whether it is true (`verifier.py`).
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fusion.captions.vocabulary import DAYS, vocabulary
from fusion.texture import texture_systems


@dataclass(frozen=True)
class Number:
    """A number as it was claimed.

    Attributes:
        low: The number, or the start of a range.
        high: The number, or the end of the range.
        bound: "", "above", "below", "at least" or "at most", or how a number itself was put: "only"
            or "exactly".
        about: Does it say of itself that it is rough? With a bound, it is a word such as "most".
        unit: Of `vocabulary.yaml`; "" if none was given.
    """

    low: float
    high: float
    bound: str = ""
    about: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Token:
    """One typed piece of a sentence.

    Attributes:
        tag: One character, by which the grammar knows it; "?" if unknown.
        text: As written.
        value: Id of what it names, a `Number`, or another value of its type.
        narrower: Does it say more than the class that it belongs to? Of a side: is it a half or a
            quarter, of which it is known where it ends?
    """

    tag: str
    text: str
    value: Any = None
    narrower: bool = field(default=False)


TAGS = {
    "nothing": "",
    "covers": "v",
    "reaches": "v",
    "has": "h",
    "there": "h",
    "besides": "h",
    "made of": "e",
    "is": "b",
    "lies": "l",
    "exists": "X",
    "absent": "Z",
    "none": "n",
    "lacks": "n",
    "not": "!",
    "in": "i",
    "along": "5",
    "only": "1",
    "only class": "1",
    "longest border": "/",
    "between": "_",
    "rest": "3",
    "still": "8",
    "of its area": "9",
    "landforms": "%",
    "largest fraction": "7",
    "near": "r",
    "of": "o",
    "and": "&",
    "or": "|",
    "break": ";",
    "it": "^",
    "which": "w",
    "mostly": "q",
    "dominates": "A",
    "followed": "f",
    "larger": ">",
    "smaller": "<",
    "far larger": ">",
    "far smaller": "<",
    "more": "m",
    "less": "M",
    "far more": "m",
    "far less": "M",
    "slightly larger": ">",
    "slightly smaller": "<",
    "slightly more": "m",
    "slightly less": "M",
    "than": "t",
    "as much": "4",
    "versus": "0",
    "equal": "=",
    "similar": "E",
    "together": "H",
    "borders": "B",
    "mutual": "U",
    "surrounded": "O",
    "surrounds": "O",
    "agree": "g",
    "disagree": "g",
    "terrain": "T",
    "rises": "R",
    "falls": "F",
    "increases": "R",
    "decreases": "F",
    "from": "I",
    "taken": "a",
    "axis lat": "j",
    "axis lon": "j",
    "hemisphere north": "V",
    "hemisphere south": "V",
    "as": "@",
    "soil": "S",
    "texture": "Q",
    "says": "Y",
    "both maps": "2",
}
"""Words of the grammar -> their tag."""

_VALUES = {
    "hemisphere north": "north",
    "hemisphere south": "south",
    "axis lat": "lat",
    "axis lon": "lon",
    "reaches": "maximum",
    "there": "there",
    "far larger": "far",
    "far smaller": "far",
    "far more": "far",
    "far less": "far",
    "slightly larger": "slightly",
    "slightly smaller": "slightly",
    "slightly more": "slightly",
    "slightly less": "slightly",
    "disagree": "differ",
    "only class": "class",
    "surrounds": "other",
    "lacks": "each",
    "increases": "amount",
    "decreases": "amount",
}
"""Words of the grammar that mean one of several things -> which."""

_TOKEN = re.compile(
    r"\d{4}-\d{2}-\d{2}(?![\d-])"
    r"|\d+(?:[.,]\d+)*"
    r"|°[cC]\b|[<>]=|[^\W\d]+(?:['’][^\W\d]+)?(?:/[A-Za-z]+)?[²³23]?"
    r"|[^\s\w]"
)
_NUMBER = re.compile(r"^\d+(\.\d+)?$|^\d{1,3}(,\d{3})+(\.\d+)?$")
_SHORT = re.compile(r"\b(vs|ca|approx)\.", re.IGNORECASE)
_SENTENCE = re.compile(
    r"(?<!\bvs\.)(?<!\bca\.)(?<!\bapprox\.)(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z0-9À-Ö])|\n+"
)
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
_SMALL += " fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELLED = {word: float(i) for i, word in enumerate(_SMALL.split())}
_SPELLED |= {word: 20.0 + 10 * i for i, word in enumerate(_TENS.split())}
_ORDINAL = re.compile(
    rf"\b(\d\d?)(?:st|nd|rd|th)\b(?:\s+of)?(?=\s+(?:{'|'.join(vocabulary()['months'])})|,?\s+\d{{4}})",
    re.IGNORECASE,
)
"""A day of a month as it is spoken: `3rd of` May, May `3rd`, 2021."""
_PARTS_OF_SEASON = {"early": 0, "mid": 1, "late": 2}
_ONE_SIDED = ("above", "below", "at least", "at most")
_SAID_OF_NUMBERS = (*_ONE_SIDED, "only", "exactly")
_FREEZING = Number(0.0, 0.0, unit="degC")


def sentences(caption: str) -> list[str]:
    """Sentences of a caption, in order; decimal points end none."""
    return [s.strip(" -*•\t") for s in _SENTENCE.split(caption.strip()) if s.strip(" -*•\t")]


def _spaced(text: str) -> str:
    """Without the hyphens between letters."""
    return re.sub(r"(?<=[^\W\d_])[-‐-–](?=[^\W\d_])", " ", text)


def _split(phrase: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _TOKEN.findall(_spaced(phrase)))


@functools.cache
def _lexicon(of_landforms: bool = False) -> dict[tuple[str, ...], Token]:
    """Phrase -> token. Numbers, multiples and dates are found apart.

    Args:
        of_landforms: Where landforms are named as such, slopes are one of them.
    """
    known = vocabulary()
    found: dict[tuple[str, ...], Token] = {}

    def put(names: Iterable[str], tag: str, value: object = None, narrower: bool = False) -> None:
        for name in names:
            found.setdefault(_split(name), Token(tag, name, value, narrower))

    for form, entry in known["landforms"].items():
        put(entry.get("among", ()) if of_landforms else (), "G", form)
    for cover, entry in known["covers"].items():
        put(entry["names"], "C", cover)
        put(entry["narrower"], "C", cover, narrower=True)
    for form, entry in known["landforms"].items():
        put(entry["names"], "G", form)
    for index, entry in known["indices"].items():
        put(entry["names"], "P", ("index", index, "median", None))
    for vector in ("soil", "climate"):
        for name, entry in known[vector].items():
            put(entry["names"], "P", (vector, name, "value", None))
            put(entry.get("of_mean", ()), "P", (vector, name, "moment", None))
    for name, entry in known["properties"].items():
        for statistic, names in entry["names"].items():
            put(names, "P", (name, name, entry["default"], statistic or None))
    for statistic, names in known["statistics"].items():
        put(names, "s", statistic)
    for tag, kind in (("W", "relief"), ("D", "sides"), ("y", "vigour"), ("c", "reaction")):
        for name, entry in known[kind].items():
            put(entry["names"], tag, name)
    for system in (texture_systems()["usda"],):
        put(system.labels.values(), "u")
        for code, label in system.labels.items():
            found[_split(label)] = Token("u", label, code)
    for extent, entry in known["extents"].items():
        put(entry["names"], "K", extent)
    for rank, names in known["ranks"].items():
        put(names, "k", rank)
    for provider, names in known["providers"].items():
        put(names, "L", provider)
    for season, names in known["seasons"].items():
        put(names, "z", (season, None))
        for part, number in _PARTS_OF_SEASON.items():
            put([f"{part} {name}" for name in names], "z", (season, number))
    for kind, names in known["words"].items():
        if kind in TAGS:
            put(names, TAGS[kind], _VALUES.get(kind))
    # The names of properties that are also texture classes or single letters stay properties.
    for name in ("clay", "silt", "sand"):
        found[(name,)] = Token("P", name, ("soil", name, "value", None))
    return found


@functools.cache
def _longest() -> int:
    return max(len(phrase) for phrase in _lexicon())


@functools.cache
def _phrases(kind: str) -> dict[tuple[str, ...], object]:
    """Phrase -> key, of one of the tables that numbers are made of."""
    table = vocabulary()[kind]
    return {_split(name): key for key, names in table.items() for name in names}


def _at(table: Mapping[tuple[str, ...], object], words: list[str], i: int) -> tuple[Any, int]:
    """Longest phrase of a table at a place: its key and the next place; (None, i) if none."""
    for size in range(min(12, len(words) - i), 0, -1):
        if (key := table.get(tuple(words[i : i + size]))) is not None:
            return key, i + size
    return None, i


def _plain(words: list[str], i: int) -> tuple[float | None, int]:
    """A number in digits or words at a place."""
    if i >= len(words):
        return None, i
    sign = 1.0
    if words[i] in ("-", "−") and i + 1 < len(words) and words[i + 1][:1].isdigit():
        sign, i = -1.0, i + 1
    word = words[i]
    if _NUMBER.match(word):
        return sign * float(word.replace(",", "")), i + 1
    if word in _SPELLED:
        value, i = _SPELLED[word], i + 1
        if value >= 20 and i < len(words) and 1 <= _SPELLED.get(words[i], 0) <= 9:
            value, i = value + _SPELLED[words[i]], i + 1
        return value, i
    return None, i


def _comparator(words: list[str], i: int) -> tuple[str | None, int]:
    """How a number is put: "more than", "only", "only about"."""
    bound, end = _at(_phrases("comparators"), words, i)
    if bound == "only":
        rough, after = _at(_phrases("comparators"), words, end)
        if rough == "about":
            return rough, after
    return bound, end


def _amount(words: list[str], i: int) -> tuple[Number | None, int]:
    """A number with its bound and unit at a place."""
    bound, start = _comparator(words, i)
    if words[start : start + 1] == ["freezing"] and bound in ("above", "below"):
        return replace(_FREEZING, bound=bound, about=True), start + 1
    if bound is None and words[i] == "between":
        start, bound = i + 1, "between"
    elif bound is None and words[i] == "from":
        start, bound = i + 1, "from"
    for kind in ("fractions", "whole"):
        share, end = _at(_phrases(kind), words, start)
        if share is None or bound in ("between", "from"):
            continue
        if kind == "whole" and bound in ("only", "exactly"):
            continue
        if end < len(words) and words[end] == "of":
            end += 1
            end += end < len(words) and words[end] in ("the", "it")
        if kind == "whole":
            return Number(float(share), float(share), "at least", True, "%"), end
        side = bound if bound in _SAID_OF_NUMBERS else ""
        # More than half is as much as most.
        rough = not side or side in ("above", "at least")
        return Number(float(share), float(share), side, rough, "%"), end
    low, end = _plain(words, start)
    if low is None:
        return None, i
    unit, end = _unit(words, end)
    high = low
    if end < len(words) and (
        words[end] in ("to", "-", "–") or (bound == "between" and words[end] == "and")
    ):
        second, after = _plain(words, end + 1)
        if second is not None:
            second_unit, after = _unit(words, after)
            if unit in ("", second_unit):
                high, end, unit = second, after, second_unit
    elif bound in ("between", "from"):
        return None, i
    if end + 1 < len(words) and words[end] == "or" and words[end + 1] in ("more", "less"):
        bound, end = ("at least" if words[end + 1] == "more" else "at most"), end + 2
    if end + 1 < len(words) and words[end] == "at" and words[end + 1] in ("most", "least"):
        bound, end = f"at {words[end + 1]}", end + 2
    side = bound if bound in _SAID_OF_NUMBERS else ""
    return Number(low, high, side, bound == "about", unit), end


def _multiple(words: list[str], i: int) -> tuple[Number | None, int]:
    """How many times another it is: "more than twice", "five times", "half as large as"."""
    bound, start = _comparator(words, i)
    times, end = _at(_phrases("ratios"), words, start)
    if times is None:
        times, end = _plain(words, start)
        if times is None or words[end : end + 1] != ["times"]:
            return None, i
        end += 1
    if bound in ("only", "exactly") or (float(times) < 1 and words[end : end + 1] != ["as"]):
        return None, i
    side = bound if bound in _ONE_SIDED else ""
    return Number(float(times), float(times), side, bound == "about"), end


def _starts_amount(words: list[str], i: int) -> bool:
    if i >= len(words):
        return False
    return (_amount(words, i)[0], _multiple(words, i)[0]) != (None, None)


def _unit(words: list[str], i: int) -> tuple[str, int]:
    unit, end = _at(_phrases("units"), words, i)
    return (unit or ""), end


_Date = tuple[int | None, int | None, int | str | None]


def _date(words: list[str], i: int) -> tuple[_Date | None, int]:
    """Year, month and day, or part of the month, at a place."""
    months = vocabulary()["months"]
    word = words[i]
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
        year, month, day = map(int, word.split("-"))
        return (year, month, day), i + 1

    def year_at(j: int) -> tuple[int | None, int]:
        after = j + 1 if j < len(words) and words[j] == "," else j
        if after < len(words) and re.fullmatch(r"(19|20)\d\d", words[after]):
            return int(words[after]), after + 1
        return None, j

    def day_at(j: int) -> int | None:
        if j < len(words) and re.fullmatch(r"[12]?\d|3[01]", words[j]) and words[j] != "0":
            return int(words[j])
        return None

    if word in DAYS and i + 1 < len(words) and words[i + 1] in months:
        year, end = year_at(i + 2)
        return (year, months.index(words[i + 1]) + 1, word), end
    if word in months:
        month, day = months.index(word) + 1, day_at(i + 1)
        year, end = year_at(i + 2 if day else i + 1)
        return (year, month, day), end
    if (day := day_at(i)) and i + 1 < len(words) and words[i + 1] in months:
        year, end = year_at(i + 2)
        return (year, months.index(words[i + 1]) + 1, day), end
    if re.fullmatch(r"(19[89]|20\d)\d", word) and _unit(words, i + 1)[0] == "":
        return (int(word), None, None), i + 1
    return None, i


_COMPASS = {"n": ("lat", 1), "s": ("lat", -1), "e": ("lon", 1), "w": ("lon", -1)}
_COMPASS |= {"north": ("lat", 1), "south": ("lat", -1), "east": ("lon", 1), "west": ("lon", -1)}


def _coordinate(words: list[str], i: int) -> tuple[tuple[str, float] | None, int]:
    """Latitude or longitude at a place: `50.31° N`."""
    value, end = _plain(words, i)
    unit, after = _unit(words, end)
    if value is None or unit != "degree" or after >= len(words) or words[after] not in _COMPASS:
        return None, i
    axis, sign = _COMPASS[words[after]]
    return (axis, sign * value), after + 1


def tokens(sentence: str, names: Iterable[str] = ()) -> list[Token]:
    """Typed tokens of a sentence; words that say nothing are left out.

    Args:
        sentence: One sentence.
        names: Place names of the tile; they are found where they are written with a capital.
    """
    text = _ORDINAL.sub(r"\1", _SHORT.sub(r"\1", sentence).strip().rstrip(".!?").replace("’", "'"))
    text = text.replace("—", " ; ").replace(" - ", " ; ")
    text = re.sub(r"(?<=\d)\s*[–-]\s*(?=\d)(?!\d\d-)", " to ", _keep_dates(text))
    text = _spaced(text).replace("\x00", "-")
    written = _TOKEN.findall(text)
    words = [word.lower() for word in written]
    places = {_split(name): name for name in names}
    lexicon = _lexicon(bool({"landform", "landforms"} & set(words)))
    found: list[Token] = []
    i = 0
    while i < len(words):
        token, end = _one(written, words, i, places, lexicon)
        if token.tag:
            found.append(token)
        elif found and found[-1].tag == "N" and words[i] in ("of", "in", "within"):
            found[-1] = replace(found[-1], text=f"{found[-1].text} {token.text}")
        i = end
    return found


def _keep_dates(text: str) -> str:
    return re.sub(r"\b(\d{4})-(\d{2})-(\d{2})\b", "\\1\x00\\2\x00\\3", text)


def _one(
    written: list[str],
    words: list[str],
    i: int,
    places: Mapping[tuple[str, ...], str],
    lexicon: Mapping[tuple[str, ...], Token],
) -> tuple[Token, int]:
    """The token at a place, and the next place."""

    def text(end: int) -> str:
        return " ".join(written[i:end])

    name, end = _at(places, words, i)
    if name is not None and written[i][:1].isupper():
        return Token("p", text(end), name), end
    if words[i] in ",;:()":
        return Token(words[i], words[i]), i + 1
    place, end = _coordinate(words, i)
    if place is not None:
        return Token("J", text(end), place), end
    date, end = _date(words, i)
    if date is not None:
        return Token("d", text(end), date), end
    phrase_end, phrase = i, None
    for size in range(min(_longest(), len(words) - i), 0, -1):
        candidate = lexicon.get(tuple(words[i : i + size]))
        if candidate is None:
            continue
        # "Is under 40 %" bounds a number, and "is under crops" does not; "an area of 26 ha" is none
        # of the extents in words.
        if candidate.tag == "b" and size > 1:
            held = _amount(words, i + size - 1)[0]
            if held is not None and held.bound:
                continue
        if candidate.tag == "K" and _starts_amount(words, i + size):
            continue
        compared = candidate.tag in (">", "<") or (
            candidate.tag in ("R", "F") and candidate.text.endswith(" than")
        )
        if compared and _starts_amount(words, i + size):
            continue  # "covers more than 40 %" compares with a number, not with a class
        phrase, phrase_end = candidate, i + size
        break
    times, end = _multiple(words, i)
    if times is not None and end >= phrase_end:
        return Token("x", text(end), times), end
    amount, end = _amount(words, i)
    if amount is not None and end >= phrase_end:
        return Token("N", text(end), amount), end
    if phrase is None:
        return Token("?", written[i]), i + 1
    if phrase.tag == "D":
        return _side(written, words, i, phrase, phrase_end)
    return Token(phrase.tag, text(phrase_end), phrase.value, phrase.narrower), phrase_end


def _side(written: list[str], words: list[str], i: int, side: Token, end: int) -> tuple[Token, int]:
    """A side with what of it is named: a part, half or quarter, or an edge or corner."""
    said = vocabulary()["words"]
    kinds = {word: kind for kind in ("part", "half", "quarter", "corner", "edge")
             for word in said[kind]}  # fmt: skip
    kind = kinds.get(words[end - 1])
    if kind is None and end < len(words):
        kind = kinds.get(words[end])
        end += kind is not None
    text = " ".join(written[i:end])
    ways = vocabulary()["sides"][side.value]
    fits = abs(ways["x"]) + abs(ways["y"]) == {"half": 1, "edge": 1, "quarter": 2, "corner": 2}.get(
        kind or "", 3
    )
    if kind in ("corner", "edge") and fits:
        return Token("6", text, f"{side.value} {kind}"), end
    if kind not in (None, "part") and not fits:
        return Token("?", text), end
    return Token("D", text, side.value, narrower=fits), end

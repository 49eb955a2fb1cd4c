"""Other words in a true sentence: classes, sides, relations, seasons, properties, and 'not'.

Belongs here: alterations of what is named. Never here: numbers, or whether it makes a lie.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fusion.captions.alter import Alteration, only, pick, put, replaced, spots_of
from fusion.captions.claims import Claim
from fusion.captions.lexer import Number
from fusion.captions.vocabulary import vocabulary
from fusion.texture import texture_systems


def _cover_names() -> dict[str, str]:
    covers = vocabulary()["covers"]
    return {
        name: cover
        for cover, entry in covers.items()
        for group in ("names", "narrower", "written")
        for name in (word.replace("-", " ") for word in entry[group])
    }


def _renamed(claims: Sequence[Claim], names: Mapping[str, str], **more: object) -> list[Claim]:
    """Claims that are about one of the names, with others put for them."""
    return [
        replace(claim, subject=tuple(names.get(s, s) for s in claim.subject), **more)
        for claim in claims
        if _about_covers(claim) and set(claim.subject) & set(names)
    ]


def _about_covers(claim: Claim) -> bool:
    return claim.kind.startswith("cover") or claim.kind in ("border", "side", "region")


def _classes(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    spots = spots_of(text, _cover_names())
    covers = vocabulary()["covers"]
    for old in {s for claim in claims if _about_covers(claim) for s in claim.subject}:
        if (spot := only(spots, old)) is None:
            continue
        for new, entry in covers.items():
            if new == old:
                continue
            for narrower in (False, True):
                if narrower and not entry["narrower"]:
                    continue
                said = pick(draw, entry["narrower"] if narrower else entry["written"])
                altered = _renamed(claims, {old: new}, **({"narrower": True} if narrower else {}))
                if any(len(set(c.subject)) < len(c.subject) for c in altered):
                    continue
                yield Alteration(
                    "class", replaced(text, spot, said), put(text, spot, said), tuple(altered)
                )


def _exchanged(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    """Two classes in each other's place."""
    spots = spots_of(text, _cover_names())
    named = sorted({s for claim in claims if _about_covers(claim) for s in claim.subject})
    for one in named:
        for other in named:
            first, second = only(spots, one), only(spots, other)
            if first is None or second is None or first.start >= second.start:
                continue
            a, b = text[first.start : first.end], text[second.start : second.end]
            changed = put(text, second, a.lower())
            changed = put(changed, first, b.lower())
            yield Alteration(
                "class",
                f"{a} <-> {b}",
                changed,
                tuple(_renamed(claims, {one: other, other: one})),
            )


def _landforms(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    forms = vocabulary()["landforms"]
    spots = spots_of(text, {name: form for form, entry in forms.items() for name in entry["names"]})
    about = [claim for claim in claims if claim.kind.startswith("landform")]
    for old in {claim.subject[0] for claim in about}:
        if (spot := only(spots, old)) is None:
            continue
        for new, entry in forms.items():
            if new != old:
                said = pick(draw, entry["names"])
                altered = [replace(c, subject=(new,)) for c in about if c.subject == (old,)]
                yield Alteration(
                    "landform", replaced(text, spot, said), put(text, spot, said), tuple(altered)
                )


def _words(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    known = vocabulary()
    labels = {label: code for code, label in texture_systems()["usda"].labels.items()}
    tables: list[tuple[str, str, str, dict[str, str]]] = [
        (kind, where, lie, {n: word for word, e in known[table].items() for n in e["names"]})
        for kind, where, table, lie in (
            ("relief", "subject", "relief", "word"),
            ("vigour", "subject", "vigour", "word"),
            ("cover extent", "object", "extents", "word"),
            ("soil word", "subject", "reaction", "soil"),
        )
    ] + [("soil word", "object", "soil", labels)]
    for kind, where, lie, names in tables:
        spots = spots_of(text, names)
        for claim in claims:
            old = claim.subject[0] if where == "subject" else claim.object
            if claim.kind != kind or (spot := only(spots, old)) is None:
                continue
            for new in sorted(set(names.values()) - {old}):
                said = pick(draw, sorted(name for name, word in names.items() if word == new))
                told = replace(
                    claim, **({"subject": (new,)} if where == "subject" else {"object": new})
                )
                yield Alteration(lie, replaced(text, spot, said), put(text, spot, said), (told,))


_STATISTICS: tuple[dict[str, tuple[str, str]], ...] = (
    {
        "highest point": ("elevation", "maximum"),
        "lowest point": ("elevation", "minimum"),
        "mean elevation": ("elevation", "mean"),
        "relief": ("relief", "value"),
    },
    {
        "maximum canopy height": ("canopy_height", "maximum"),
        "median canopy height": ("canopy_height", "median"),
    },
)
"""Phrases that may stand for each other: property and statistic."""


def _statistics(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    for phrases in _STATISTICS:
        spots = spots_of(text, {phrase: phrase for phrase in phrases})
        for claim in claims:
            own = next(
                (p for p, is_ in phrases.items() if is_ == (claim.subject[0], claim.statistic)),
                None,
            )
            if own is None or (spot := only(spots, own)) is None:
                continue
            for said, (name, statistic) in phrases.items():
                told = replace(claim, subject=(name,), statistic=statistic)
                yield Alteration(
                    "statistic", replaced(text, spot, said), put(text, spot, said), (told,)
                )


def _properties(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    """Another spectral index, or another property of the soil, of the same number."""
    known = vocabulary()
    for kind, table, lie in (("index", "indices", "statistic"), ("soil", "soil", "soil")):
        spots = spots_of(
            text, {n: id_ for id_, entry in known[table].items() for n in entry["names"]}
        )
        for claim in claims:
            if claim.kind != kind or (spot := only(spots, claim.subject[0])) is None:
                continue
            for new, entry in known[table].items():
                if new != claim.subject[0]:
                    said = entry["names"][0].upper() if kind == "index" else entry["names"][-1]
                    told = replace(claim, subject=(new,))
                    yield Alteration(
                        lie, replaced(text, spot, said), put(text, spot, said), (told,)
                    )


# Relations, ranks and sides.

_COMPARED = {
    "is more extensive than": ("larger", None),
    "covers more ground than": ("larger", None),
    "is larger than": ("larger", None),
    "is less extensive than": ("smaller", None),
    "covers a smaller area than": ("smaller", None),
    "is smaller than": ("smaller", None),
    "covers as much as": ("equal", None),
    "is as extensive as": ("equal", None),
    "is twice as extensive as": ("ratio", 2.0),
    "is three times as large as": ("ratio", 3.0),
}
_AMOUNTS = {"more": ("larger", None), "less": ("smaller", None)}
_MULTIPLES = {"twice": ("ratio", 2.0), "three times": ("ratio", 3.0)}
_MEETING = {
    "borders": ("borders", None),
    "is adjacent to": ("borders", None),
    "meets": ("borders", None),
    "is surrounded by": ("surrounded", None),
    "is enclosed by": ("surrounded", None),
}
_SLOPING = {
    "rises towards": ("rises", None),
    "falls towards": ("falls", None),
    "climbs to": ("rises", None),
    "drops towards": ("falls", None),
}


def _relations(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    for kind, phrases, where, lie in (
        ("cover relation", _COMPARED, "object", "relation"),
        ("cover relation", _AMOUNTS, "object", "relation"),
        ("cover relation", _MULTIPLES, "object", "relation"),
        ("border", _MEETING, "object", "relation"),
        ("gradient", _SLOPING, "subject", "side"),
    ):
        about = [claim for claim in claims if claim.kind == kind]
        spots = spots_of(text, {phrase: phrase for phrase in phrases})
        if len(about) != 1 or len(spots) != 1:
            continue
        claim, (spot,) = about[0], spots
        for said, (new, times) in phrases.items():
            if phrases[spot.id] == (new, times):
                continue
            told = replace(claim, **({"object": new} if where == "object" else {"subject": (new,)}))
            if times is not None:
                # "More than three times" may be "more than twice" and no lie.
                bound = claim.number.bound if claim.number else ""
                told = replace(told, number=Number(times, times, bound))
            yield Alteration(lie, replaced(text, spot, said), put(text, spot, said), (told,))


def _ranks(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    names = {name: str(r) for r, listed in vocabulary()["ranks"].items() for name in listed}
    spots = spots_of(text, names)
    for claim in claims:
        if not claim.kind.endswith("rank") or (spot := only(spots, claim.object)) is None:
            continue
        for new in ("1", "2", "3"):
            form = "landform" in claim.kind
            fits = [n for n, r in names.items() if r == new and ("landform" in n) == form
                    and (form or "class" in n or "cover" in n)]  # fmt: skip
            if new == claim.object or not fits:
                continue
            said = pick(draw, fits)
            told = replace(claim, object=new)
            yield Alteration("relation", replaced(text, spot, said), put(text, spot, said), (told,))


def _sides(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    sides = vocabulary()["sides"]
    spots = spots_of(text, {name: side for side, entry in sides.items() for name in entry["names"]})
    about = [claim for claim in claims if claim.kind in ("side", "region", "gradient")]
    for old in {claim.object for claim in about}:
        if (spot := only(spots, old)) is None:
            continue
        word = text[spot.start : spot.end].lower()
        for new in sides:
            # "The north of" and "the northern part": as what stood there.
            if new == old or (
                new == "centre" and (word.endswith("ern") or len(about[0].subject) > 1)
            ):
                continue
            said = f"{new}ern" if word.endswith("ern") else new
            altered = [replace(claim, object=new) for claim in about if claim.object == old]
            yield Alteration(
                "side", replaced(text, spot, said), put(text, spot, said), tuple(altered)
            )


def _seasons(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    seasons = vocabulary()["seasons"]
    spots = spots_of(text, {name: id_ for id_, names in seasons.items() for name in names})
    parts = spots_of(text, {"early": 0, "mid": 1, "late": 2})
    for claim in claims:
        if claim.kind != "season":
            continue
        if (spot := only(spots, claim.subject[0])) is not None:
            for new, names in seasons.items():
                said, told = names[0], replace(claim, subject=(new,))
                yield Alteration(
                    "season", replaced(text, spot, said), put(text, spot, said), (told,)
                )
        if (spot := only(parts, claim.value)) is not None:
            for part, said in enumerate(("early", "mid", "late")):
                told = replace(claim, value=part)
                yield Alteration(
                    "season", replaced(text, spot, said), put(text, spot, said), (told,)
                )


_ELSEWHERE = ("Nowhereton", "Lower Elsewhere")
_TAGS_ELSEWHERE = {"golf course": "leisure=golf_course", "lighthouse": "man_made=lighthouse"}


def _listed(text: str, claims: Sequence[Claim], draw: np.random.Generator) -> Iterator[Alteration]:
    for claim in claims:
        if claim.kind == "place":
            others: Mapping[str, str] = {name: name for name in _ELSEWHERE}
            own: Collection[str] = (claim.subject[0],)
        elif claim.kind == "map tag":
            others = _TAGS_ELSEWHERE
            own = (claim.subject[0].partition("=")[2].replace("_", " "),)
        else:
            continue
        for spot in spots_of(text, {name: name for name in own}):
            for said, name in others.items():
                told = replace(claim, subject=(name,))
                yield Alteration(
                    "place", replaced(text, spot, said), put(text, spot, said), (told,)
                )


# Negation: the one verb of a true sentence.

_NO: tuple[tuple[str, str], ...] = (
    (r"\bthere is no\b", "there is"),
    (r"^No (.*) is present", r"\1 is present"),
    (r"\bis absent\b", "is present"),
    (r"\bneither (.*) nor (.*) occurs?\b", r"\1 and \2 occur"),
    (r"\bis without (.*) or\b", r"has \1 and"),
    (r"\bthere is (more|less|about)\b", r"there is not \1"),
    (r"\b(is|are|was)\b(?! not)", r"\1 not"),
    (r"\b(share|agree|have|cover|make up)\b", r"do not \1"),
    (r"\bhas\b", "does not have"),
    (r"\bmeets\b", "does not meet"),
    (r"\breach(es)?\b", "do not reach"),
    (r"\blies\b", "does not lie"),
    (r"\boccupies\b", "does not occupy"),
    (r"\bdominates\b", "does not dominate"),
    (r"\b(cover|border|contain|take|make|account|hold|show|rise|fall|range)s\b", r"does not \1"),
)


def _negations(text: str) -> Iterator[Alteration]:
    for pattern, said in _NO:
        match = re.search(pattern, text, re.IGNORECASE)
        if match is None:
            continue
        changed = text[: match.start()] + match.expand(said) + text[match.end() :]
        changed = changed[0].upper() + changed[1:]
        yield Alteration(
            "negation", f"{match.group()} -> {match.expand(said)}", changed, false=True
        )
        return


def alterations_of_words(
    text: str, claims: Sequence[Claim], draw: np.random.Generator
) -> Iterator[Alteration]:
    """Every way in which what is named in a true sentence is altered.

    Args:
        text: The sentence.
        claims: That it makes.
        draw: Chooses among words that mean the same.
    """
    for way in (
        _classes, _exchanged, _relations, _ranks, _sides, _seasons, _landforms, _words,
        _statistics, _properties, _listed,
    ):  # fmt: skip
        yield from way(text, claims, draw)
    yield from _negations(text)

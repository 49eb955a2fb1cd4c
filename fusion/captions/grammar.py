"""What a sentence claims, if all of it is understood.

Belongs here: `Claim`, and the patterns over the typed tokens of a sentence that yield claims. A
sentence is understood only if patterns cover every token of it; there is no skipping, so that a
word which changes the meaning cannot be overlooked. Never here: words (`vocabulary.yaml`), or
whether a claim is true (`verifier.py`).
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from fusion.captions.lexer import Number, Token, tokens
from fusion.captions.vocabulary import vocabulary
from fusion.texture import texture_systems


@dataclass(frozen=True)
class Claim:
    """One checkable statement.

    Attributes:
        kind: Of `KINDS`.
        subject: Class, landform, property, word, name or direction that it is about; several only
            for a total.
        text: The sentence that it stands in.
        object: The other class of a relation, the side, or the word that is claimed.
        number: The number that is claimed.
        statistic: Of a property.
        negated: Is the opposite claimed?
        narrower: Does a word say more than the class that it belongs to?
        source: Land-cover map that the sentence names.
        value: Date, place or coordinate.
    """

    kind: str
    subject: tuple[str, ...]
    text: str = ""
    object: str | None = None
    number: Number | None = None
    statistic: str | None = None
    negated: bool = False
    narrower: bool = False
    source: str | None = None
    value: object = None


KINDS = {
    "cover share": "a land-cover class has a share of the tile, or an area",
    "cover total": "several classes together have a share",
    "cover rank": "a class is the largest, second or third largest, or dominates",
    "cover presence": "a class is there, or is not",
    "cover extent": "a class has a share that a word such as 'some' admits",
    "cover relation": "a class is larger or smaller than another, as large, or a multiple",
    "border": "two classes border each other, or one surrounds the other",
    "side": "a class lies on a side of the tile, or on a side of another class",
    "region": "a class is the largest of a side of the tile, or is there",
    "agreement": "share of pixels on which the two land-cover maps agree",
    "landform share": "a landform has a share",
    "landform rank": "a landform is the commonest",
    "landform presence": "a landform is there, or is not",
    "elevation": "lowest, mean, median or highest elevation, or its range",
    "slope": "median, mean or highest slope",
    "relief": "a word for the relief, such as flat or hilly",
    "gradient": "the land rises or falls towards a side",
    "canopy": "median, mean or highest height of the canopy",
    "index": "median or mean of a spectral index",
    "vigour": "a word for the vegetation, such as dense or sparse",
    "soil": "a soil property of the sample",
    "soil word": "reaction or texture class of the sample's soil",
    "climate": "a climate property of the place",
    "season": "season of the scene",
    "date": "year, month or day of the scene",
    "position": "latitude, longitude or hemisphere",
    "place": "the tile lies near a place of that name, or in it",
    "map tag": "an object of the map",
}
"""Kind of claim -> what it says."""


@dataclass(frozen=True)
class _Carry:
    """What the words `it` and an omitted subject stand for.

    Attributes:
        subject: Class or landform that the part before is about.
        last: The last one that was named.
        ground: Is the part before about the lie of the land?
        bound: Is the part tied to the one before by "with"?
    """

    subject: Token | None = None
    last: Token | None = None
    ground: bool = False
    bound: bool = False


@dataclass(frozen=True)
class _Understood:
    claims: list[Claim]
    carry: _Carry
    providers: tuple[str, ...] = ()


def _cover(token: Token | None) -> Token | None:
    """What `it` stands for, where it must be a land-cover class: a landform has no side."""
    return token if token is not None and token.tag == "C" else None


def _is_of_a_class(part: Sequence[Token], carry: _Carry) -> bool:
    """Is a part said of the class before it ("... and is flat"), which nobody measured?"""
    return carry.last is not None and (part[0].tag in "hb^" or carry.bound)


def _of(part: Sequence[Token], tags: str) -> list[Token]:
    return [token for token in part if token.tag in tags]


def _negated(part: Sequence[Token]) -> bool:
    return any(token.tag in "!nZ" for token in part)


def _share(what: Token, number: Token, negated: bool = False) -> Claim:
    kind = "cover share" if what.tag == "C" else "landform share"
    return Claim(kind, (what.value,), number=number.value, negated=negated, narrower=what.narrower)


def _presence(what: Token, negated: bool = False) -> Claim:
    kind = "cover presence" if what.tag == "C" else "landform presence"
    return Claim(kind, (what.value,), negated=negated, narrower=what.narrower)


def _rank(what: Token, place: int, dominates: bool = False, negated: bool = False) -> Claim:
    kind = "cover rank" if what.tag == "C" else "landform rank"
    wanted = "dominates" if dominates else str(place)
    return Claim(kind, (what.value,), object=wanted, negated=negated, narrower=what.narrower)


def _relation(one: Token, relation: str, other: Token, negated: bool = False) -> Claim:
    kind = {"borders": "border", "surrounded": "border"}.get(relation, "cover relation")
    narrower = one.narrower or other.narrower
    return Claim(
        kind, (one.value, other.value), object=relation, negated=negated, narrower=narrower
    )


def _aside(part: Sequence[Token]) -> list[Claim]:
    """Shares in brackets or between commas directly behind a class."""
    tags = "".join(token.tag for token in part)
    return [
        _share(part[match.start()], part[match.end(1) - 1])
        for match in re.finditer(r"[CG](\(N|,[;i]N(?=,))", tags)
    ]


def _pairs(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    """Shares in an enumeration of class and number, in either order."""
    things, numbers = _of(part, "CG"), _of(part, "N")
    return [
        _share(a, b, _negated(part) and len(things) == 1)
        for a, b in zip(things, numbers, strict=True)
    ]


def _own(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (number,) = _of(part, "N")
    return [_share(carry.subject, number, _negated(part))] if carry.subject else []


def _total(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    things, (number,) = _of(part, "C"), _of(part, "N")
    return [
        Claim(
            "cover total",
            tuple(t.value for t in things),
            number=number.value,
            narrower=any(t.narrower for t in things),
        )
    ]


def _extents(part: Sequence[Token]) -> list[Claim]:
    """Extents in words directly before a class."""
    return [
        Claim("cover extent", (two.value,), object=one.value, narrower=two.narrower)
        for one, two in itertools.pairwise(part)
        if one.tag == "K" and two.tag == "C"
    ]


def _all_present(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    extents = _extents(part)
    sized = {claim.subject for claim in extents}
    present = [_presence(t) for t in _of(part, "CG") if t.tag == "G" or (t.value,) not in sized]
    return extents + present + _aside(part)


def _none_present(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    return [_presence(token, negated=True) for token in _of(part, "CG")]


def _dominant(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (what, *_), numbers = _of(part, "CG"), _of(part, "N")
    claims = [_rank(what, 1, dominates=True, negated=_negated(part))]
    return claims + [_share(what, number) for number in numbers]


def _ranked(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (what,), (rank,), numbers = _of(part, "CG"), _of(part, "k"), _of(part, "N")
    claims = [_rank(what, rank.value, negated=_negated(part))]
    return claims + [_share(what, number) for number in numbers]


def _own_rank(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (rank,) = _of(part, "k")
    return [_rank(carry.subject, rank.value, negated=_negated(part))] if carry.subject else []


def _followed(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    if (before := _cover(carry.last)) is None:
        return []
    claims = []
    for token in _of(part, "C"):
        claims.append(_relation(before, "next", token))
        before = token
    ranked = [_share(a, b) for a, _, b in _threes(part) if a.tag == "C" and b.tag == "N"]
    return claims + ranked


def _threes(part: Sequence[Token]) -> Iterable[tuple[Token, Token, Token]]:
    return zip(part, part[1:], part[2:], strict=False)


def _shares_of_one(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    return [_share(part[0], number) for number in _of(part, "N")]


def _share_and_side(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    return _pairs(_of(part, "CN"), carry) + _located(_of(part, "CD"), carry)


def _located(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    things, (side,) = _of(part, "C") or [_cover(carry.subject)], _of(part, "D")
    claims = [
        Claim(
            "side",
            (what.value,),
            object=side.value,
            negated=_negated(part),
            narrower=what.narrower,
        )
        for what in things
        if what
    ]
    return claims + _extents(part) + _aside(part)


_MOST = Number(50.0, 50.0, "at least", True, "%")
"""What the lexer makes of `most of`."""


def _mostly_in(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (number,), (what,), (side,) = _of(part, "N"), _of(part, "C"), _of(part, "D")
    if number.value != _MOST:
        return []
    return [Claim("side", (what.value,), object=side.value, narrower=what.narrower)]


def _somewhere(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (what,), (side,) = _of(part, "C"), _of(part, "D")
    return [
        Claim(
            "region",
            (what.value,),
            object=side.value,
            statistic="present",
            narrower=what.narrower,
        ),
        *_extents(part),
    ]


def _beside(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (one, other), (side,) = _of(part, "C"), _of(part, "D")
    return [
        Claim(
            "side",
            (one.value, other.value),
            object=side.value,
            negated=_negated(part),
            narrower=one.narrower or other.narrower,
        )
    ]


def _regional(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (what,) = _of(part, "C")
    return [
        Claim(
            "region",
            (what.value,),
            object=side.value,
            statistic="largest",
            negated=_negated(part),
            narrower=what.narrower,
        )
        for side in _of(part, "D")
    ]


def _compared(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    things = _of(part, "C")
    one, other = things if len(things) == 2 else (_cover(carry.subject), things[0])
    (sign,) = _of(part, "><=mM")
    relation = {"=": "equal", ">": "larger", "m": "larger"}.get(sign.tag, "smaller")
    return [_relation(one, relation, other, _negated(part)), *_aside(part)] if one else []


def _similar(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    one, other = _of(part, "C")
    return [_relation(one, "equal", other, _negated(part))]


def _multiple(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (one, other), (ratio,) = _of(part, "C"), _of(part, "x")
    claim = _relation(one, "ratio", other, _negated(part))
    return [replace(claim, number=Number(ratio.value, ratio.value))]


def _touching(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    one, *others = _of(part, "C")
    if not others:
        one, others = _cover(carry.subject), [one]
    relation = "surrounded" if _of(part, "O") else "borders"
    claims = [_relation(one, relation, other, _negated(part)) for other in others if one]
    return claims + _aside(part)


_PROPERTY_KIND = {"elevation": "elevation", "relief": "elevation", "canopy_height": "canopy"}


_NOT_OF_TERRAIN = ("soil", "climate", "index", "canopy_height")


def _property(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (what,), (number,), said = _of(part, "P"), _of(part, "N"), _of(part, "s")
    group, name, default, own = what.value
    tied = replace(carry, bound=carry.bound and group == "index")
    if _is_of_a_class(part, tied):
        return []
    if (_of(part, "S") and group != "soil") or (part[0].tag == "T" and group in _NOT_OF_TERRAIN):
        return []  # it rains on the place, not on its soil or its slopes
    statistics = {token.value for token in said} | ({own} if own else set())
    if len(statistics) > 1:
        return []
    statistic = statistics.pop() if statistics else default
    kind = _PROPERTY_KIND.get(group, group)
    return [
        Claim(
            kind,
            (name,),
            number=number.value,
            statistic=statistic,
            negated=_negated(part),
        )
    ]


def _two_statistics(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    """A property, and behind it another statistic of the same."""
    at = next(i for i, token in enumerate(part) if token.tag == "N")
    first = _property(part[: at + 1], carry)
    (what,), (statistic,) = _of(part, "P"), _of(part[at:], "s")
    if not first:
        return []
    # "the highest point" is of elevation, and so is the lowest that follows it.
    group, name, default, _ = what.value
    other = replace(what, value=(group, name, default, None))
    return first + _property([other, statistic, part[-1]], _Carry())


def _word(kind: str, tag: str) -> Callable[[Sequence[Token], _Carry], list[Claim]]:
    def build(part: Sequence[Token], carry: _Carry) -> list[Claim]:
        (word,) = _of(part, tag)
        if not _of(part, "TS") and _is_of_a_class(part, carry):
            return []
        return [Claim(kind, (word.value,), negated=_negated(part))]

    return build


def _texture(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (word,) = _of(part, "uP")
    # Clay, silt and sand are fractions of the soil, and texture classes too.
    labels = {label.lower(): code for code, label in texture_systems()["usda"].labels.items()}
    code = word.value if word.tag == "u" else labels.get(word.text.lower())
    if code is None:
        return []
    return [Claim("soil word", ("texture",), object=code, negated=_negated(part))]


def _gradient(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (way,), (side,) = _of(part, "RF"), _of(part, "D")
    lie = _ground(part[:1]) if part[0].tag in "TP" else carry.ground
    if side.value == "centre" or not lie:
        return []  # the terrain rises; what rises besides is not measured
    subject = "rises" if way.tag == "R" else "falls"
    return [Claim("gradient", (subject,), object=side.value, negated=_negated(part))]


def _ground(part: Sequence[Token]) -> bool:
    return any(t.tag in "TWRF" or (t.tag == "P" and t.value[0] == "elevation") for t in part)


def _season(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (word,) = _of(part, "z")
    dates = [_dated(token) for token in _of(part, "d")]
    claim = Claim("season", (word.value[0],), value=word.value[1], negated=_negated(part))
    return [claim, *dates]


def _dated(token: Token, negated: bool = False) -> Claim:
    return Claim("date", ("date",), value=token.value, negated=negated)


def _date(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    return [_dated(token, _negated(part)) for token in _of(part, "d")]


def _position(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    claims = [Claim("position", (t.value[0],), value=t.value[1]) for t in _of(part, "J")]
    return claims + [Claim("position", ("hemisphere",), value=t.value) for t in _of(part, "V")]


def _place(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    (word,) = _of(part, "ir")
    where = "near" if word.tag == "r" else "in"
    if where == "in" and word.text.lower() not in ("in", "within"):
        return []  # "at" and "by" do not say which
    return [Claim("place", (token.value,), object=where) for token in _of(part, "p")]


def _agreement(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    maps, (number,) = {token.value for token in _of(part, "L")}, _of(part, "N")
    if _of(part, "2"):
        maps = set(vocabulary()["providers"])
    if len(maps) != 2:
        return []
    claim = Claim("agreement", tuple(sorted(maps)), number=number.value, negated=_negated(part))
    return [claim]


def _nothing(part: Sequence[Token], carry: _Carry) -> list[Claim]:
    return []


_Build = Callable[[Sequence[Token], _Carry], list[Claim]]
_THING = r"C(?:\(N\)|,[;i]N,)?"
_RANKED = r"C(?:\(N\)|[i;]N)?"
_ITEM = r"(?:[CG](?:[vbil:])*N|N[bh]?[CG]|[CG]\(N\))"
_SEP = r"(?:[,;&]+)"

# Patterns, how their claims are built, and may they follow without a separator? The first that
# leads to an understanding of the whole sentence is taken.
_PATTERNS: tuple[tuple[str, _Build, bool], ...] = (
    # agreement of the two maps
    (r"(?:L&L|2)g!?i?N(?:[vb]o?)?|g(?:L&L|2)b!?N", _agreement, False),
    # totals
    (rf"C(?:{_SEP}C)+H?[vb]?NH|C(?:{_SEP}C)+H[vb]?N|H,?C(?:{_SEP}C)+[vb]?N", _total, False),
    # shares
    (r"[CG](?:!v|!|v!)N", _pairs, False),
    (r"[CG]vN(?:,?[i;]N|\(N\))", _shares_of_one, False),
    (r"CvN,?qiD", _share_and_side, False),
    (
        rf"[hbo]*{_ITEM}(?:{_SEP}{_ITEM})*v?",
        _pairs,
        False,
    ),
    (r"\^?(?:!?v)N", _own, False),
    # rank and dominance
    (r"\^?[hb]*!?qo?[CG](?:\(N\)|[i;]N)?", _dominant, False),
    (r"[CG](?:\(N\))?!?A|[CG](?:\(N\))!?A", _dominant, False),
    (r"[CG][bh]?!?k(?:\(N\)|,?[i;]N)?|[hb]*k[b:]?!?[CG](?:\(N\)|,?[i;]N)?", _ranked, False),
    (r"\^?b!?k", _own_rank, False),
    (rf"f{_RANKED}(?:{_SEP}{_RANKED})*", _followed, True),
    # a side of the tile, and what is the largest of it
    (rf"[hb]*K?{_THING}[blqX]*!?l?iD|[hb]*K?{_THING}b!l?iD", _located, False),
    (rf"[hb]*{_THING}(?:{_SEP}{_THING})+[blqX]+iD", _located, False),
    (r"iD,?l+K?C", _located, False),
    (r"No?C[bl]+i?D|DhNo?C", _mostly_in, False),
    (r"iD,?[bXh]+K?C", _somewhere, False),
    (r"\^?[bl]+q?!?l?iD", _located, False),
    (r"D[bh]*q+C|[hb]?qCiD|iD,?q+C|CA(?:[,&]*iD)+", _regional, False),
    (r"C[bl]*!?l?i?DoC", _beside, False),
    # relations
    (rf"{_THING}!?[><=]{_THING}", _compared, False),
    (r"\^?!?[><=]C", _compared, False),
    (r"[hb]*[mM]CtC", _compared, False),
    (r"C&C[vbh]!?E|C&C!?[vbh]E", _similar, False),
    (r"[bhv]*xC@C|C[vb]?x@?C", _multiple, False),
    (rf"{_THING}!?B{_THING}(?:{_SEP}C)*", _touching, False),
    (rf"{_THING}!?O{_THING}", _touching, False),
    (r"\^?!?[BO]C", _touching, False),
    (r"C&C!?U|[bh]*UC&C", _touching, False),
    # presence and absence
    # "No forest and water is present" denies one or both: a list that is denied ends in "or".
    (r"[hb]*n[CG](?:[,|&]+n[CG]|(?:,[CG])*,?\|[CG])*[bhXv]*", _none_present, False),
    (r"[CG](?:[,|&]+[CG])*b?(?:Z|!X|!b?X?(?=$))", _none_present, False),
    (r"[CG](?:[,&]+[CG])*[bl]?X", _all_present, False),
    (rf"[hb]+K?{_THING}(?:{_SEP}K?{_THING})*X?", _all_present, False),
    (r"KC(?:[,&]+KC)*", _all_present, False),
    # numbers of relief, canopy, indices, soil and climate
    (r"[hb^]*s?P[bvohi:l]*s?[bvoi]*N[,;&]+s[oib]*N", _two_statistics, False),
    (r"(?:Sh?|Th|[hb^])*s?P(?:[oi]S)?s?[bvohi:l]*s?[bvoi]*N(?:is|X)?", _property, False),
    (r"(?:Sh?|Th|[hb^])*(?:s?P\(N\)|No?s?P)", _property, False),
    # words
    (r"[hb^]*T?b?!?WT?|WTb?X?", _word("relief", "W"), False),
    (r"[hb^]*!?y[vbX]?", _word("vigour", "y"), False),
    (r"[hb]*Sb!?c|[hb]*cS", _word("soil word", "c"), False),
    (r"[hb]*(?:Q[b:oi]?!?[uP]|uQ|uS|Sb!?(?:uQ?|P)|QoSb!?[uP])", _texture, False),
    (r"[TP]?!?[RF]i?D", _gradient, False),
    # when and where
    (r"[a^b]*!?[iol]*[ia]*z(?:[o,i]?d)?a?", _season, True),
    (r"[a^b:]*!?[iol]*[ia]*d(?:a)?", _date, True),
    (r"[bl^a]*[ir]?(?:J(?:[,&]*J)?|V)", _position, True),
    (r"[bl^a]*[ir]p(?:[,&]+p)*", _place, True),
    (r"Y?i?LY?[:,]?|Yi?L", _nothing, True),
)


@functools.cache
def _compiled() -> tuple[tuple[re.Pattern[str], _Build, bool], ...]:
    return tuple((re.compile(f"(?:{p})"), build, free) for p, build, free in _PATTERNS)


_BREAK = re.compile(r"[,;&.:]+")


def _parse(found: list[Token]) -> _Understood | None:
    """Cover all tokens with patterns; None where none do."""
    tags = "".join(token.tag for token in found)
    failed: set[tuple[int, _Carry]] = set()

    def run(start: int, carry: _Carry, close: bool) -> _Understood | None:
        if start == len(found):
            return _Understood([], carry)
        if (start, carry) in failed:
            return None
        for pattern, build, free in _compiled():
            match = pattern.match(tags, start)
            if match is None or match.end() == start or (close and not free):
                continue
            part = found[start : match.end()]
            claims = build(part, carry)
            if not claims and build is not _nothing:
                continue
            subjects = _of(part, "CG")
            gap = _BREAK.match(tags, match.end())
            end = gap.end() if gap else match.end()
            after = _Carry(
                (subjects[0] if len(subjects) == 1 or build in _ONE_SUBJECT else None)
                if subjects
                else carry.subject,
                subjects[-1] if subjects else carry.last,
                _ground(part),
                any(token.text.lower().endswith("with") for token in found[match.end() : end]),
            )
            if gap and end == len(found) and gap.group() != ",":
                continue
            # A part that stands free binds to what follows as well as to what precedes.
            rest = run(end, after, close=not gap and not free)
            if rest is not None:
                maps = tuple(t.value for t in _of(part, "L")) if build is _nothing else ()
                return _Understood(claims + rest.claims, rest.carry, maps + rest.providers)
        failed.add((start, carry))
        return None

    return run(0, _Carry(), close=False)


_ONE_SUBJECT = (_compared, _touching, _beside)


def claims_of(
    sentence: str, names: Iterable[str] = (), tags: Iterable[str] = ()
) -> tuple[list[Claim], list[str]]:
    """Claims of a sentence, and what of it is not understood.

    Args:
        sentence: One sentence.
        names: Place names of the tile.
        tags: Map tags of the tile, as `key=value`.

    Returns:
        The claims; if any part is not understood, no claims, and the words that are unknown (or
        the whole sentence where each word is known but not what they say together).
    """
    listed = _map_tags(sentence, tags)
    if listed is not None:
        return [replace(claim, text=sentence) for claim in listed], []
    found = tokens(sentence, names)
    while found and found[0].tag in ",;:":
        found = found[1:]
    if unknown := [token.text for token in found if token.tag == "?"]:
        return [], unknown
    understood = _parse(found)
    if understood is None or not understood.claims:
        return [], [sentence]
    providers = set(understood.providers)
    of_maps = [c for c in understood.claims if c.kind in _FROM_MAPS]
    if len(providers) > 1 or (providers and not of_maps):
        return [], [sentence]
    source = providers.pop() if providers else None
    return [
        replace(c, text=sentence, source=source if c.kind in _FROM_MAPS else None)
        for c in understood.claims
    ], []


_FROM_MAPS = {kind for kind in KINDS if kind.startswith("cover")} | {"border", "side", "region"}


def _map_tags(sentence: str, tags: Iterable[str]) -> list[Claim] | None:
    """Claims of a sentence that lists what the map shows; None if it is no such sentence."""
    says = vocabulary()["words"]["map says"]
    lower = sentence.strip().rstrip(".!").lower()
    opening = next((s for s in sorted(says, key=len, reverse=True) if lower.startswith(s)), None)
    if opening is None:
        return None
    known = tuple(tags)
    items = re.split(r",\s*and\s+|,\s*|\s+and\s+", lower[len(opening) :].strip(" :"))
    claims = []
    for item in items:
        words = re.sub(r"^(a|an|the|some)\s+", "", item.strip())
        if not words:
            return None
        value = next((tag for tag in known if words in _spoken(tag.lower())), words)
        claims.append(Claim("map tag", (value,)))
    return claims


def _spoken(tag: str) -> set[str]:
    """How a map tag may be said: `highway=primary`, `primary highway`."""
    key, _, value = tag.partition("=")
    plain = value.replace("_", " ")
    return {tag, plain, f"{plain} {key.replace('_', ' ')}"}

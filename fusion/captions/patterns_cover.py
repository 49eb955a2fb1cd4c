"""What is said of land cover and landforms: shares, ranks, sides, relations, presence.

Belongs here: patterns over the typed tokens of a part of a sentence, and the claims that they
yield. Never here: words (`vocabulary.yaml`), or numbers of anything else (`patterns_measured.py`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fusion.captions.claims import Claim
from fusion.captions.lexer import Number, Token
from fusion.captions.parts import Carry, Pattern, is_inside_a_class, negated, of
from fusion.captions.vocabulary import vocabulary


def _cover(token: Token | None) -> Token | None:
    """What `it` stands for, where it must be a land-cover class: a landform has no side."""
    return token if token is not None and token.tag == "C" else None


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
    kind = {"borders": "border", "surrounded": "border", "longest": "border"}.get(
        relation, "cover relation"
    )
    narrower = one.narrower or other.narrower
    return Claim(
        kind, (one.value, other.value), object=relation, negated=negated, narrower=narrower
    )


def _aside(part: Sequence[Token]) -> list[Claim]:
    """Shares in brackets or between commas directly behind a class."""
    tags = "".join(token.tag for token in part)
    return [
        _share(part[match.start()], part[match.end(1) - 1])
        for match in re.finditer(r"[CG](\(N|,[;i]N(?=,|$))", tags)
    ]


def _pairs(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Shares in an enumeration of class and number, in either order."""
    if is_inside_a_class(part, carry):
        return []
    things, numbers = of(part, "CG"), of(part, "N")
    shares = [
        _share(a, b, negated(part) and len(things) == 1)
        for a, b in zip(things, numbers, strict=True)
    ]
    return shares + _extents(part)


def _own(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (number,), what = of(part, "N"), _meant(part, carry)
    return [_share(what, number, negated(part))] if what else []


def _still(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A share in spite of what was said of another class; else it would tell of former days."""
    (what,), (number,) = of(part, "C"), of(part, "N")
    other = _cover(carry.subject)
    return [_share(what, number)] if other and other.value != what.value else []


def _meant(part: Sequence[Token], carry: Carry) -> Token | None:
    """What a part without a class of its own is about."""
    return carry.which if of(part, "w") else carry.subject


def _area_of(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """An area of a class; a share "of" it would be one of the class."""
    (what,), (number,) = of(part, "C"), of(part, "N")
    return [_share(what, number)] if number.value.unit in ("ha", "km2") else []


def _total(part: Sequence[Token], carry: Carry) -> list[Claim]:
    things, (*_, number) = of(part, "C"), of(part, "N")
    return [
        Claim(
            "cover total",
            tuple(t.value for t in things),
            number=number.value,
            narrower=any(t.narrower for t in things),
        ),
        *_aside(part),
    ]


def _extents(part: Sequence[Token]) -> list[Claim]:
    """Extents in words before a class, or before several in a row."""
    claims, extent = [], None
    for token in part:
        if token.tag == "K":
            extent = token.value
        elif token.tag == "C" and extent:
            claims.append(
                Claim("cover extent", (token.value,), object=extent, narrower=token.narrower)
            )
        elif token.tag not in ",&":
            extent = None
    return claims


def _all_present(part: Sequence[Token], carry: Carry) -> list[Claim]:
    if is_inside_a_class(part, carry):
        return []
    extents = _extents(part)
    sized = {claim.subject for claim in extents}
    present = [_presence(t) for t in of(part, "CG") if t.tag == "G" or (t.value,) not in sized]
    return extents + present + _aside(part)


def _forms(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Landforms, some with their shares."""
    shares = _aside(part)
    told = {claim.subject for claim in shares}
    return shares + [_presence(t) for t in of(part, "G") if (t.value,) not in told]


_NEARLY_ALL = Number(90.0, 90.0, "at least", True, "%")
"""What the lexer makes of `nearly all`: what a tile consists of is hardly less."""


def _composed(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """The classes that the tile consists of: each is there, and together they fill it."""
    things, number = of(part, "C"), Token("N", "", _NEARLY_ALL)
    if is_inside_a_class(part, carry):
        return []
    if len(things) == 1:
        return [_share(things[0], number)]
    return [*map(_presence, things), *_total([*things, number], carry)]


def _none_present(part: Sequence[Token], carry: Carry) -> list[Claim]:
    return [_presence(token, negated=True) for token in of(part, "CG")]


def _each_absent(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """What lacks two classes lacks each; where there are not two, one may be."""
    return _none_present(part, carry) if of(part, "n")[0].value == "each" else []


def _dominant(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what, *_), numbers = of(part, "CG"), of(part, "N")
    if is_inside_a_class(part, carry):
        return []
    claims = [_rank(what, 1, dominates=True, negated=negated(part))]
    return claims + [_share(what, number) for number in numbers]


def _ranked(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,), (rank,), numbers = of(part, "CG"), of(part, "k"), of(part, "N")
    claims = [_rank(what, rank.value, negated=negated(part))]
    return claims + [_share(what, number) for number in numbers]


def _own_rank(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (rank,), what = of(part, "kA"), _meant(part, carry)
    if not what:
        return []
    return [_rank(what, rank.value or 1, rank.tag == "A", negated=negated(part))]


def _followed(part: Sequence[Token], carry: Carry) -> list[Claim]:
    if (before := _cover(carry.last)) is None:
        return []
    claims = []
    for token in of(part, "C"):
        claims.append(_relation(before, "next", token))
        before = token
    ranked = [_share(a, b) for a, _, b in _threes(part) if a.tag == "C" and b.tag == "N"]
    return claims + ranked


def _threes(part: Sequence[Token]) -> Iterable[tuple[Token, Token, Token]]:
    return zip(part, part[1:], part[2:], strict=False)


def _shares_of_one(part: Sequence[Token], carry: Carry) -> list[Claim]:
    return [_share(part[0], number) for number in of(part, "N")]


def _share_and_side(part: Sequence[Token], carry: Carry) -> list[Claim]:
    return _pairs(of(part, "CN"), carry) + _located(of(part, "CD"), carry)


def _located(part: Sequence[Token], carry: Carry) -> list[Claim]:
    things, (side,) = of(part, "C") or [_cover(_meant(part, carry))], of(part, "D")
    claims = [
        Claim(
            "side",
            (what.value,),
            object=side.value,
            negated=negated(part),
            narrower=what.narrower,
        )
        for what in things
        if what
    ]
    return claims + _extents(part) + _aside(part)


_MOST = Number(50.0, 50.0, "at least", True, "%")
"""What the lexer makes of `most of`."""


def _is_most(number: Number) -> bool:
    return number == _MOST or (number.low, number.bound) in ((50.0, "above"), (50.0, "at least"))


def _mostly_in(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (number,), (what,), (side,) = of(part, "N"), of(part, "C"), of(part, "D")
    if not _is_most(number.value):
        return []
    return [Claim("side", (what.value,), object=side.value, narrower=what.narrower)]


def _somewhere(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,), (side,) = of(part, "C"), of(part, "D")
    return [
        Claim(
            "region",
            (what.value,),
            object=side.value,
            statistic="present",
            narrower=what.narrower,
        )
    ]


def _most_of(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """A class that covers most of a side of the tile."""
    (number,), (what,), (side,) = of(part, "N"), of(part, "C"), of(part, "D")
    if not _is_most(number.value):
        return []
    claim = Claim("region", (what.value,), object=side.value, statistic="most")
    return [replace(claim, narrower=what.narrower)]


def _beside(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (one, other), (side,) = of(part, "C"), of(part, "D")
    if part[0] is side:
        one, other = other, one
    return [
        Claim(
            "side",
            (one.value, other.value),
            object=side.value,
            negated=negated(part),
            narrower=one.narrower or other.narrower,
        )
    ]


def _regional(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (what,) = of(part, "C")
    if any(rank.value != 1 for rank in of(part, "k")):
        return []
    return [
        Claim(
            "region",
            (what.value,),
            object=side.value,
            statistic="largest",
            negated=negated(part),
            narrower=what.narrower,
        )
        for side in of(part, "D")
    ]


def _compared(part: Sequence[Token], carry: Carry) -> list[Claim]:
    things = of(part, "C")
    one, other = things if len(things) == 2 else (_cover(_meant(part, carry)), things[0])
    (sign,) = of(part, "><=mM")
    relation = {"=": "equal", ">": "larger", "m": "larger"}.get(sign.tag, "smaller")
    if sign.value:
        if sign.value == "slightly" and negated(part):
            return []  # smaller, or far larger
        relation = f"{sign.value} {relation}"
    return [_relation(one, relation, other, negated(part)), *_aside(part)] if one else []


def _set_against(part: Sequence[Token], carry: Carry) -> list[Claim]:
    """Two classes compared, and their shares in the same order."""
    one, other = of(part, "C")
    first, second = of(part, "N")
    if not first.value.unit:
        first = replace(first, value=replace(first.value, unit=second.value.unit))
    compared = _compared(of(part, "C><=mM!"), carry)
    return [*compared, _share(one, first), _share(other, second)]


def _similar(part: Sequence[Token], carry: Carry) -> list[Claim]:
    one, other = of(part, "C")
    return [_relation(one, "equal", other, negated(part))]


def _multiple(part: Sequence[Token], carry: Carry) -> list[Claim]:
    (one, other), (ratio,) = of(part, "C"), of(part, "x")
    return [replace(_relation(one, "ratio", other), number=ratio.value)]


def _touching(part: Sequence[Token], carry: Carry) -> list[Claim]:
    one, *others = of(part, "C")
    if not others:
        one, others = _cover(carry.subject), [one]
    around = of(part, "O")
    relation = "surrounded" if around else "borders"
    pairs = [(one, other) for other in others if one]
    if around and around[0].value == "other":
        pairs = [(other, one) for one, other in pairs]
    claims = [_relation(one, relation, other, negated(part)) for one, other in pairs]
    return claims + _aside(part)


def _longest(part: Sequence[Token], carry: Carry) -> list[Claim]:
    one, other = of(part, "C")
    return [_relation(one, "longest", other)]


def _agreement(part: Sequence[Token], carry: Carry) -> list[Claim]:
    maps, (number,) = {token.value for token in of(part, "L")}, of(part, "N")
    if of(part, "2"):
        maps = set(vocabulary()["providers"])
    if len(maps) != 2:
        return []
    (said,) = of(part, "g")
    claim = Claim("agreement", tuple(sorted(maps)), object=said.value, number=number.value)
    return [replace(claim, negated=negated(part))]


_THING = r"C(?:\(N\)|,[;i]N(?:,|$))?"
_RANKED = r"C(?:\(N\)|[i;]N)?"
_ITEM = r"(?:[CG](?:,w)?[vbilheoX:]*N|[CG],vN(?=,)|N[bhe]?[CG]|[CG]\(N\))"
_SEP = r"(?:[,;&]+)"
_LISTED = r"K?C\(N\)"
_FRONTED = r"(?:[iv]?N,)?"

COVER_PATTERNS: tuple[Pattern, ...] = (
    # agreement of the two maps
    (r"(?:L&L|2)g!?i?N(?:[vb]o?)?|g(?:L&L|2)[bv]!?N|L!?gLi?N|iN,?(?:L&L|2)!?g", _agreement, False),
    # totals
    (rf"C(?:{_SEP}C)+H?[vb]?NH|C(?:{_SEP}C)+H[vb]?N|H,?C(?:{_SEP}C)+[vb]?N", _total, False),
    (rf"{_LISTED}(?:{_SEP}{_LISTED})+H?[vb]N", _total, False),
    # shares
    (r"[CG](?:!v|!|v!)N", _pairs, False),
    (r"[CG]vN(?:,?[i;]N|\(N\))", _shares_of_one, False),
    (r"CvN,?qiD", _share_and_side, False),
    (rf"[hboe]*{_ITEM}(?:{_SEP}{_ITEM})*v?", _pairs, False),
    (rf"[hbe]*{_LISTED}(?:{_SEP}{_LISTED})+", _pairs, False),
    (r"N@C", _pairs, False),
    (r"h*NoC", _area_of, False),
    (r"[\^w]?(?:!?v)N", _own, False),
    (r"C8[vbh]*N", _still, False),
    # rank and dominance
    (r"\^?[hb]*!?q[eh]?o?[CG](?:\(N\)|[i;]N)?", _dominant, False),
    (rf"{_FRONTED}[CG](?:\(N\))?!?A(?:[i;]N|\(N\))?|[CG](?:\(N\))!?A", _dominant, False),
    (
        rf"{_FRONTED}[CG](?:,[i;]N,)?[bhv@]?!?k(?:\(N\)|,?[i;]N)?|[hb]*k[be:]*!?[CG](?:\(N\)|,?[i;]N)?",
        _ranked,
        False,
    ),
    (r"[\^w]?b!?k|[\^w]?!?A(?=$|[,;&])", _own_rank, False),
    (rf"f{_RANKED}(?:{_SEP}{_RANKED})*", _followed, True),
    # a side of the tile, and what is the largest of it
    (rf"[hb]*K?{_THING}[blqX]*!?l?iD|[hb]*K?{_THING}b!l?iD", _located, False),
    (rf"[hb]*{_THING}(?:{_SEP}{_THING})+[blqX]+iD", _located, False),
    (r"iD,?l+K?C", _located, False),
    (r"No?C[blX]+i?D|DhNo?C", _mostly_in, False),
    (r"iD,?[bXh]+C|Dh+C", _somewhere, False),
    (r"iD,?[bXh]+KC", _located, False),
    (r"CvNo?D|No?D[be]+C", _most_of, False),
    (r"[\^w]?[bl]+q?!?l?iD", _located, False),
    (
        r"D(?:[,&]+D)*[bh]*q+[eh]?C|[hb]?qCiD|iD,?\^?b?q+C|CA(?:[,&]*i?D)+|iD,?C(?:A|bk)|iD,?k[b:]C"
        r"|CbkiD|kiDbC",
        _regional,
        False,
    ),
    (r"C[bl]*!?l?i?DoC|i?DoC,?[bhl]+C", _beside, False),
    # relations
    (r"(?:C!?[><]C|[hb]*[mM]b?CtC)(?:\(N0N\)|[,;i]*N0N)", _set_against, False),
    (rf"{_THING}!?[><=]{_THING}", _compared, False),
    (r"[\^w]?!?[><=]C", _compared, False),
    (r"[hb]*[mM]b?CtC", _compared, False),
    (r"C&C[vbh]!?E|C&C!?[vbh]E", _similar, False),
    (r"[bhv]*x4?C@C|C[vbh]*x[@4=]?C", _multiple, False),
    (r"/[vblX]*_C&C|C&C[vh]*/", _longest, False),
    (rf"{_THING}!?B{_THING}(?:{_SEP}C)*", _touching, False),
    (rf"{_THING}!?O{_THING}", _touching, False),
    (r"\^?!?[BO]C|nC[BO]C", _touching, False),
    (r"C&C!?U|[bh]*UC&C|C&C!?B(?=$)", _touching, False),
    # presence and absence
    (
        r"[hb]*n[CG](?:[,|&]+n[CG]|(?:,[CG])*,?\|[CG])*[bhXv]*(?:l(?=$|[,;&]))?",
        _none_present,
        False,
    ),
    # "No forest and water is present" denies one or both: a list that is denied ends in "or".
    (r"[hb]*n[CG](?:,[CG])*,?&[CG]", _each_absent, False),
    (r"[CG](?:[,|&]+[CG])*b?(?:Z|!X|!l(?=$|[,;&])|!b?X?(?=$))", _none_present, False),
    (r"[CG](?:[,&]+[CG])*[bl]?X", _all_present, False),
    (r"%G(?:\(N\))?(?:[,&]+G(?:\(N\))?)*", _forms, False),
    (rf"b*h[hb]*K?{_THING}(?:{_SEP}K?{_THING})*X?", _all_present, False),
    (r"KC(?:[,&]+K?C(?=[,&]|b?X|$))*(?:b?X)?", _all_present, False),
    (r"Xb+K?C(?:[,&]+K?C)*", _all_present, False),
    (r"b*eC(?:[,;&]+C)*", _composed, False),
)
"""The first that leads to an understanding of the whole sentence is taken."""

ONE_SUBJECT = (_compared, _touching, _beside)
"""Builds of parts with two classes that are about the first."""

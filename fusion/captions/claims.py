"""What a caption claims.

Belongs here: `Claim` and its kinds. Never here: how claims are read from text (`grammar.py`), or
whether one is true (`verifier.py`).
"""

from dataclasses import dataclass

from fusion.captions.lexer import Number


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

"""Which of several checked captions is the best one to keep.

Belongs here: the order of candidates that were already checked. Never here: whether a claim is true
(`verifier.py`): a caption ranks by what is left of it, so that a writer gains nothing by lies.
"""

import re
from collections import Counter
from collections.abc import Sequence

from fusion.captions.claims import Claim
from fusion.captions.verifier import Verified

KEPT_BEFORE = 32
"""Captions that a new one is compared with at most, so that time grows with the tiles only."""
_ALIKE = 0.5
"""What a caption that only repeats the phrases of an earlier one loses of its worth."""


def rank(candidates: Sequence[Verified], before: Sequence[str] = ()) -> list[int]:
    """Places of the candidates that keep anything, the best one first.

    The worth of a caption is what a reader learns from it: each kind of claim that it keeps counts
    1 for the first claim, 1/2 for the second, 1/4 for the third ..., so that a second kind is worth
    more than any number of claims of the first. Words that earlier captions had already are worth
    less, since captions that all read alike teach a contrast of captions only their template.
    Among equals, the one from which less was removed is taken, then the first.

    Args:
        candidates: Captions of one tile.
        before: Captions that were chosen for other tiles; the last `KEPT_BEFORE` count.
    """
    phrases = [_phrases(text) for text in before[-KEPT_BEFORE:]]
    order = [
        (-worth(verified, phrases), len(verified.sentences) - _kept(verified), place)
        for place, verified in enumerate(candidates)
        if verified.text
    ]
    return [place for *_, place in sorted(order)]


def worth(verified: Verified, before: Sequence[frozenset[str]] = ()) -> float:
    """Worth of one caption; see `rank`.

    Args:
        verified: The caption.
        before: Phrases of each earlier caption.
    """
    claims = {_statement(verdict.claim) for verdict in verified.kept}
    kinds = Counter(kind for kind, *_ in claims)
    content = sum(2.0 - 0.5 ** (count - 1) for count in kinds.values())
    own = _phrases(verified.text)
    alike = max((len(own & other) / len(own | other) for other in before if own | other), default=0)
    return content * (1 - _ALIKE * alike)


def _kept(verified: Verified) -> int:
    return sum(sentence.status == "supported" for sentence in verified.sentences)


def _statement(claim: Claim) -> tuple[str, tuple[str, ...], str | None, str | None]:
    """What a claim is about, whatever number or word it says of that."""
    return claim.kind, claim.subject, claim.statistic, claim.object


def _phrases(text: str) -> frozenset[str]:
    """Three words in a row, whatever numbers stand in them."""
    words = re.findall(r"[^\W\d_]+|\d+(?:[.,]\d+)*", text.lower())
    plain = ["0" if word[0].isdigit() else word for word in words]
    return frozenset(" ".join(plain[i : i + 3]) for i in range(len(plain) - 2))

"""Horizon symbols of the German soil mapping guideline (KA5): one spelling for each.

Belongs here: the rules that bring a symbol as it was written to one spelling, and rare symbols to
common ones. Never here: the tree of symbols.

`normalise`, in this order (those of the BGR data set first, arXiv 2508.03785):

1. of a text in two parts, `<remark>; <symbol>`, the symbol is taken;
2. what joins the parts of a mixture becomes a hyphen: `+`, `°`, `/` and dashes;
3. all else that is no letter goes: blanks, trailing digits (`Bv2`: how often a horizon is seen in a
   profile), brackets (a weak feature), a full stop (`M.`: a main symbol that is a horizon itself);
4. the number of a substrate layer before a symbol goes (`IIelCv` is `elCv`);
5. main symbols that are rare there stand for their like: F and O are H, T is P, Y is G;
6. neighbours in a mixture that have become the same are one (`O-H` is `H`).

A part of a mixture has one main symbol (a capital letter) or more, written together as some write
mixtures; a text without any names no horizon.
"""

import re
from collections.abc import Mapping

from adapters.errors import FusionError

JOIN = "-"
_JOINS = re.compile("[+°/–—-]+")
_LAYER = re.compile("^[IVX]+")
_LIKE = str.maketrans({"F": "H", "O": "H", "T": "P", "Y": "G"})


def normalise(symbol: str) -> str | None:
    """A symbol in its one spelling, by the rules above.

    Args:
        symbol: As written, such as `II Bv2+Sw`.

    Returns:
        The symbol, such as `Bv-Sw`; None if the text names no horizon.
    """
    text = _JOINS.sub(JOIN, symbol.rpartition("; ")[2])
    parts: list[str] = []
    for part in text.split(JOIN):
        letters = _LAYER.sub("", re.sub("[^A-Za-z]", "", part)).translate(_LIKE)
        if any(letter.isupper() for letter in letters) and parts[-1:] != [letters]:
            parts.append(letters)
    return JOIN.join(parts) or None


def components(symbol: str) -> tuple[str, ...]:
    """Parts of a normalised symbol; of a mixture the last one is dominant."""
    return tuple(symbol.split(JOIN))


def main_letter(symbol: str) -> str:
    """The last capital letter, by which the BGR models are scored on main symbols."""
    return next(letter for letter in reversed(symbol) if letter.isupper())


def common(counts: Mapping[str, int], least: int) -> dict[str, str]:
    """The common symbol that each symbol stands for.

    A symbol that is seen often enough stands for itself. Else a mixture stands for its last
    component that is common, as a compound noun is what its last part says; any other for the
    common symbol of the least Levenshtein distance. Of several at that distance, one with the same
    main symbol goes before others, then the more frequent, then the first of the alphabet.

    Args:
        counts: How often each normalised symbol is seen.
        least: Times that a symbol is seen to be common.

    Raises:
        FusionError: No symbol is common.
    """
    kept = {symbol: count for symbol, count in counts.items() if count >= least}
    if not kept:
        raise FusionError(
            f"no horizon symbol is seen {least} times",
            samples=[s for s, _ in sorted(counts.items(), key=lambda item: -item[1])],
            remedy="ask for less, or take more profiles",
        )

    def stands_for(symbol: str) -> str:
        if symbol in kept:
            return symbol
        parts = components(symbol)
        known = [part for part in parts if part in kept]
        if len(parts) > 1 and known:
            return known[-1]
        return min(
            kept,
            key=lambda other: (
                levenshtein(symbol, other),
                main_letter(other) != main_letter(symbol),
                -kept[other],
                other,
            ),
        )

    return {symbol: stands_for(symbol) for symbol in counts}


def levenshtein(a: str, b: str) -> int:
    """Letters to insert, delete or replace to make `b` of `a` (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != other))
    return row[-1]

"""How good captions are: claims right and told, refusals, diversity, lies found, truths lost.

Belongs here: counting over tiles and their captions, and the same as tables. Never here: checking
(`verifier.py`), making lies (`lies.py`), or what people say of captions (`review.py`).

Whether a claim is right is asked of the facts (`judge.py`), not of the verifier that kept it.
"""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fusion.captions.caption import Captioned
from fusion.captions.claims import KINDS as CLAIM_KINDS
from fusion.captions.claims import Claim
from fusion.captions.evidence import Evidence
from fusion.captions.grammar import claims_of
from fusion.captions.judge import holds
from fusion.captions.lexer import tokens
from fusion.captions.lies import KINDS, planted
from fusion.captions.measure import Facts, measure
from fusion.captions.verifier import Sentence, map_tags, place_names, verify
from fusion.captions.writer import all_sentences
from fusion.tiles.tile import Tile

DETECTION_GOAL, FALSE_ALARM_GOAL = 0.99, 0.01
LANDFORM_FROM = 1.0
"""Share in % from which a landform counts as a fact that a caption could tell."""
_EXAMPLES = 10


def caption_report(
    tiles: Iterable[Tile], captions: Iterable[Captioned], rounds: int = 1, seed: int = 0
) -> dict[str, Any]:
    """Everything that is measured of captions.

    Precision of a kind is the share of its kept claims, among those that the facts decide, that
    are right; recall is the share of the measured facts of the kind that the captions tell, refused
    ones telling none. Intervals are Wilson's, of claims taken as independent.

    Args:
        tiles: In the order of their captions.
        captions: One each.
        rounds: Sets of words in which the offline writer's sentences are turned into lies; 0 for
            no lies.
        seed: Of the lies.

    Returns:
        Origins of the tiles, `captions`, `claims` by kind, `sentences`, `diversity`, `lies`.
    """
    pairs = [(tile, captioned) for tile, captioned in zip(tiles, captions, strict=True)]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    sentences: Counter[str] = Counter()
    for tile, captioned in pairs:
        facts = measure(tile)
        _count_claims(tile, facts, captioned, counts)
        for fate, listed in (("kept", captioned.sentences), ("removed", captioned.removed)):
            for sentence in listed:
                sentences[f"{fate}, {_truth(sentence, facts, tile)}"] += 1
    texts = [captioned.text for _, captioned in pairs if captioned.text]
    refused = [captioned.refused for _, captioned in pairs if captioned.refused]
    return {
        "origins": sorted({tile.origin for tile, _ in pairs}),
        "captions": {
            "tiles": len(pairs),
            "refused": len(refused),
            "refusal_rate": len(refused) / len(pairs) if pairs else None,
            "reasons": dict(Counter(re.sub(r"\d+", "#", reason) for reason in refused)),
        },
        "claims": {kind: _claims(counts[kind]) for kind in CLAIM_KINDS if counts[kind]},
        "sentences": dict(sentences),
        "diversity": diversity(
            texts, [s.text for _, captioned in pairs for s in captioned.sentences]
        ),
        **(
            {"lies": lie_report([tile for tile, _ in pairs], rounds=rounds, seed=seed)}
            if rounds
            else {}
        ),
    }


def _count_claims(
    tile: Tile, facts: Facts, captioned: Captioned, counts: dict[str, Counter[str]]
) -> None:
    """Add one caption's claims and the facts of its tile to the counts by kind."""
    told: dict[str, set[Hashable]] = defaultdict(set)
    kept = [v.claim for sentence in captioned.sentences for v in sentence.verdicts]
    removed = [v.claim for sentence in captioned.removed for v in sentence.verdicts]
    for claims, prefix in ((kept, ""), (removed, "removed_")):
        for claim in claims:
            right = holds(claim, facts, tile)
            counts[claim.kind][f"{prefix}claims"] += 1
            counts[claim.kind][f"{prefix}decided"] += right is not None
            counts[claim.kind][f"{prefix}right"] += right is True
    for claim in kept:
        told[claim.kind] |= set(_tells(claim))
    for kind, known in facts_by_kind(facts).items():
        counts[kind]["facts"] += len(known)
        counts[kind]["told"] += len(known & told[kind])


def _claims(count: Counter[str]) -> dict[str, Any]:
    decided = count["decided"]
    everything = decided + count["removed_decided"]
    right = count["right"] + count["removed_right"]
    return {
        "claims": count["claims"],
        "decided": decided,
        "right": count["right"],
        "precision": count["right"] / decided if decided else None,
        "interval": wilson(count["right"], decided),
        "precision_before": right / everything if everything else None,
        "facts": count["facts"],
        "told": count["told"],
        "recall": count["told"] / count["facts"] if count["facts"] else None,
    }


def _truth(sentence: Sentence, facts: Facts, tile: Tile) -> str:
    """What the facts say of a sentence."""
    found = [holds(verdict.claim, facts, tile) for verdict in sentence.verdicts]
    if not found:
        return "not understood"
    return "false" if False in found else "undecided" if None in found else "true"


def facts_by_kind(facts: Facts) -> dict[str, set[Hashable]]:
    """Kind of claim -> the measured facts of the kind that a caption could tell.

    Relations, totals, extents and words follow from these and are no facts of their own.
    """
    relief = facts.relief
    shares = relief.landforms if relief else {}
    return {
        "cover share": {cover.id for cover in facts.covers},
        "cover rank": {facts.order[0][0]} if facts.order else set(),
        "cover presence": set(facts.absent),
        "border": {frozenset((border.one, border.other)) for border in facts.borders},
        "side": {cover.id for cover in facts.covers if cover.sides},
        "region": {region.side for region in facts.regions},
        "agreement": set() if facts.agreement is None else {"maps"},
        "landform share": {form for form, share in shares.items() if share >= LANDFORM_FROM},
        "elevation": {"minimum", "mean", "maximum"} if relief else set(),
        "slope": {"median"} if relief and relief.median_slope is not None else set(),
        "gradient": {"rises"} if relief and relief.rises else set(),
        "canopy": set(facts.canopy),
        "index": set(facts.indices),
        "soil": {element.id for element in facts.soil},
        "soil word": {"texture"} if facts.texture else set(),
        "climate": {element.id for element in facts.climate},
        "season": {facts.season} if facts.season else set(),
        "date": {"date"},
        "position": {"lat", "lon"},
        "place": {*facts.places, *facts.lies_in},
        "map tag": {tag.lower() for tag in facts.tags},
    }


def _tells(claim: Claim) -> Iterator[Hashable]:
    """Facts of `facts_by_kind` that a claim tells."""
    first = claim.subject[0]
    if claim.kind == "cover presence":
        yield from [first] if claim.negated and not claim.narrower else []
    elif claim.negated or claim.narrower:
        return
    elif claim.kind == "cover rank":
        yield from [first] if claim.object in ("1", "dominates") else []
    elif claim.kind == "border":
        yield frozenset(claim.subject)
    elif claim.kind == "region":
        yield claim.object
    elif claim.kind == "agreement":
        yield "maps"
    elif claim.kind == "elevation" and claim.number:
        # The relief follows from the lowest and the highest elevation.
        ranged = claim.number.low != claim.number.high and not claim.number.bound
        told = ("minimum", "maximum") if ranged else (claim.statistic,)
        yield from told if first == "elevation" else ()
    elif claim.kind in ("slope", "canopy"):
        yield claim.statistic
    elif claim.kind == "gradient":
        yield "rises"
    else:
        yield first


def lie_report(
    tiles: Iterable[Tile],
    sentences: Callable[[Facts, int], list[str]] = all_sentences,
    rounds: int = 1,
    seed: int = 0,
    most: int = 60,
) -> dict[str, Any]:
    """Planted lies that the check finds, and true sentences that it loses.

    A lie is found if its sentence is not kept; `contradicted` counts those of which it was also
    said why they are false, the others being not understood or not decided. A true sentence that
    is not kept is a false alarm.

    Args:
        tiles: Tiles.
        sentences: True sentences of a tile's facts; the number chooses words.
        rounds: Numbers to ask for, from 0.
        seed: Of the lies.
        most: Sentences of a tile and round that lies are made of, drawn at random.

    Returns:
        `kinds`: kind -> planted, found, contradicted, rate, interval; `all`: the same of all;
        `missed`: some that were kept; `true`: sentences, lost, rate, interval, and some lost ones.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    missed, lost = [], []
    asked = 0
    for number, tile in enumerate(tiles):
        facts, evidence = measure(tile), Evidence(tile)
        for words in range(rounds):
            true = [s for s in sentences(facts, words) if not _false(s, facts, tile)]
            asked += len(true)
            lost += [s for s in true if not _kept(s, tile, evidence)]
            draw = np.random.default_rng((seed, number, words))
            chosen = [true[i] for i in draw.permutation(len(true))[:most]]
            for lie in planted(chosen, tile, facts, draw):
                found = verify(lie.text, tile, evidence).sentences
                kept = all(sentence.status == "supported" for sentence in found)
                counts[lie.kind]["planted"] += 1
                counts[lie.kind]["found"] += not kept
                counts[lie.kind]["contradicted"] += any(s.status == "contradicted" for s in found)
                if kept:
                    missed.append({"tile": tile.id, "kind": lie.kind, "lie": lie.text,
                                   "altered": lie.altered, "true": lie.true})  # fmt: skip
    every = sum(counts.values(), Counter())
    return {
        "kinds": {kind: _found(counts[kind]) for kind in KINDS if counts[kind]},
        "all": _found(every),
        "missed": missed[:_EXAMPLES],
        "true": {
            "sentences": asked,
            "lost": len(lost),
            "rate": len(lost) / asked if asked else None,
            "interval": wilson(len(lost), asked),
            "examples": lost[:_EXAMPLES],
        },
        "goals_met": bool(
            asked
            and every["planted"]
            and every["found"] >= DETECTION_GOAL * every["planted"]
            and len(lost) <= FALSE_ALARM_GOAL * asked
        ),
    }


def _false(sentence: str, facts: Facts, tile: Tile) -> bool:
    """Do the facts say that a sentence is false, as far as it is understood?"""
    claims, _ = claims_of(sentence, place_names(tile), map_tags(tile))
    return any(holds(claim, facts, tile) is False for claim in claims)


def _kept(text: str, tile: Tile, evidence: Evidence) -> bool:
    return all(s.status == "supported" for s in verify(text, tile, evidence).sentences)


def _found(count: Counter[str]) -> dict[str, Any]:
    return {
        "planted": count["planted"],
        "found": count["found"],
        "contradicted": count["contradicted"],
        "rate": count["found"] / count["planted"] if count["planted"] else None,
        "interval": wilson(count["found"], count["planted"]),
    }


def wilson(right: int, of: int) -> tuple[float, float] | None:
    """95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953); None of none."""
    from scipy.stats import binomtest

    if not of:
        return None
    interval = binomtest(right, of).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


_NAMED = frozenset("CGPNdDzJpWycu")
"""Tags of the lexer for what a sentence is about, which its form does not depend on."""


def diversity(texts: Sequence[str], sentences: Sequence[str]) -> dict[str, Any]:
    """How much captions differ.

    Args:
        texts: Captions.
        sentences: Theirs.

    Returns:
        `distinct_1` and `distinct_2`: share of different words and pairs of words among all, any
        number being one word (Li et al. 2016, doi:10.18653/v1/N16-1014); `self_similarity`: mean
        over pairs of captions of the Jaccard index of their pairs of words; `forms`: different
        sentences once classes, numbers, sides and the like are left out.
    """
    words = [re.findall(r"[^\W\d_]+|#", re.sub(r"\d+(?:[.,]\d+)*", "#", t.lower())) for t in texts]
    pairs = [list(itertools.pairwise(listed)) for listed in words]

    def distinct(grams: Sequence[Sequence[Hashable]]) -> float | None:
        every = [gram for listed in grams for gram in listed]
        return len(set(every)) / len(every) if every else None

    sets = [set(listed) for listed in pairs]
    alike = [len(a & b) / len(a | b) for a, b in itertools.combinations(sets, 2) if a | b]
    return {
        "captions": len(texts),
        "different": len(set(texts)),
        "distinct_1": distinct(words),
        "distinct_2": distinct(pairs),
        "self_similarity": float(np.mean(alike)) if alike else None,
        "sentences": len(sentences),
        "forms": len({_form(sentence) for sentence in sentences}),
    }


def _form(sentence: str) -> str:
    return " ".join(t.tag if t.tag in _NAMED else t.text.lower() for t in tokens(sentence))


def tables(report: Mapping[str, Any]) -> str:
    """A report, or a part of it, as Markdown."""
    parts = []
    if "captions" in report:
        known = report["captions"]
        parts.append(
            f"{known['tiles']} tiles ({', '.join(report['origins'])}), {known['refused']} captions "
            f"refused ({_percent(known['refusal_rate'])}). Sentences: "
            + ", ".join(f"{count} {fate}" for fate, count in sorted(report["sentences"].items()))
        )
    if "claims" in report:
        rows = [
            f"| {kind} | {c['claims']} | {_with(c, 'precision')} "
            f"| {_percent(c['precision_before'])} "
            f"| {c['told']} of {c['facts']} | {_percent(c['recall'])} |"
            for kind, c in report["claims"].items()
        ]
        parts.append(
            "| kind of claim | kept | precision | before the check | facts told | recall |\n"
            "|---|---|---|---|---|---|\n" + "\n".join(rows)
        )
    if "diversity" in report:
        known = report["diversity"]
        numbers = (known["distinct_1"], known["distinct_2"], known["self_similarity"])
        one, two, alike = ("none" if v is None else f"{v:.3f}" for v in numbers)
        parts.append(
            f"{known['different']} different of {known['captions']} captions, "
            f"{known['forms']} forms of {known['sentences']} sentences, "
            f"distinct-1 {one}, distinct-2 {two}, self-similarity {alike}"
        )
    if "lies" in report:
        known = report["lies"]
        rows = [
            f"| {kind} | {c['planted']} | {c['found']} | {_with(c, 'rate')} | {c['contradicted']} |"
            for kind, c in {**known["kinds"], "all": known["all"]}.items()
        ]
        parts.append(
            "| kind of lie | planted | found | detection | with the reason |\n"
            "|---|---|---|---|---|\n" + "\n".join(rows)
        )
        true = known["true"]
        parts.append(
            f"True sentences: {true['sentences']}, of these lost {true['lost']} "
            f"({_with(true, 'rate')})"
        )
    return "\n\n".join(parts)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _with(known: Mapping[str, Any], name: str) -> str:
    """A share with its interval."""
    if known[name] is None:
        return ""
    low, high = known["interval"]
    return f"{_percent(known[name])} [{100 * low:.1f}, {100 * high:.1f}]"

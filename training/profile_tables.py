"""The tables of an evaluation of profiles: which scores, of which methods, on which segments.

Belongs here: scoring what methods said of the test split, and comparing the model with the others.
Never here: how methods come to say it (`training.profile_evaluate`), what scores are, words.

Photographs of one profile show the same horizons: each profile weighs 1, however many there are,
and clusters of profiles are resampled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fusion.profiles.taxonomy import taxonomy
from training import profile_calibration as conformal
from training import profile_measures as measures
from training import profile_scores as scores
from training.bootstrap import MODEL, Bootstrap
from training.profile_calibrate import LEVELS, Chances
from training.profile_forms import Guess, Truth
from training.profile_measures import Measure
from training.profile_schema import ProfileSchema
from training.profile_scores import Profiles

TRUE, FOUND = "true segments", "found segments"
BOUNDARIES = (
    "matched IoU",
    *(f"boundary {n} within {cm} cm" for cm in (2, 5) for n in ("F1", "precision", "recall")),
    "error of the number of horizons",
    "right number of horizons",
)
_AUTHORS = (
    *("accuracy", "F1", "precision", "recall", "accuracy@5", "precision@5", "recall@5"),
    "accuracy of main symbols",
)
_OCCURRING = (
    "matched F1 of labels",
    "matched F1 of main symbols",
    "hierarchical distance",
    "hierarchical distance of wrong labels",
)
_MATCHED = ("matched accuracy of labels", "matched accuracy of main symbols")
SYMBOLS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    f"symbols of {TRUE}": (_AUTHORS, _OCCURRING),
    f"symbols of {FOUND}": (
        _AUTHORS,
        (
            *_MATCHED,
            *_OCCURRING,
            "panoptic quality of labels",
            "panoptic quality of main symbols",
            "accuracy by depth",
            "similarity by depth",
        ),
    ),
    f"rare symbols of {TRUE}": (
        ("accuracy", "accuracy@5", "accuracy of main symbols"),
        ("hierarchical distance",),
    ),
    f"rare symbols of {FOUND}": ((), (*_MATCHED, "hierarchical distance")),
}
"""By table: scores of the SoilNet authors, horizon k with horizon k, and better ones."""


@dataclass(frozen=True)
class Said:
    """What a method says of the test split: of true segments, and of those that it finds."""

    true: Guess
    found: Guess
    chances: Chances


@dataclass(frozen=True)
class Asked:
    """The test split, and how methods are scored on it.

    Attributes:
        truth: Of its photographs.
        weight: (n,) one over the photographs of the profile.
        bootstrap: Of their clusters.
        schema: Labels and classes.
        rare: (labels,) bool.
    """

    truth: Truth
    weight: np.ndarray
    bootstrap: Bootstrap
    schema: ProfileSchema
    rare: np.ndarray

    def tables(self, said: Mapping[str, Sequence[Said]], *, finds: bool) -> dict[str, dict]:
        """By table, by score: methods, and the model's differences from them.

        Args:
            said: By method, by seed where there are several: their entries are pooled. What the
                model has no head for is in no table.
            finds: Does the model find segments?
        """
        model, listed = said[MODEL][0].true, {}
        if finds:
            listed["boundaries"] = self._boundaries
        if model.symbol is not None:
            for title in SYMBOLS:
                listed[title] = lambda one, title=title: self._symbols(one, title)
        if model.stones is not None:
            for where in (TRUE, FOUND):
                listed[f"properties of {where}"] = lambda one, where=where: self._properties(
                    one.true if where == TRUE else one.found
                )
        if model.symbol is not None:
            listed["confidence"] = self._confidence
        made = {
            title: self._compared(said, scored)
            for title, scored in listed.items()
            if finds or not title.endswith(FOUND)
        }
        for score, found in made.get("confidence", {}).items():
            if score.startswith("share of"):
                # What a set holds should be its level: more is not better.
                found["model_minus"] = {}
        return {title: table for title, table in made.items() if table}

    def _compared(
        self, said: Mapping[str, Sequence[Said]], scored: Callable[[Said], dict[str, Measure]]
    ) -> dict[str, dict]:
        of = {name: [scored(one) for one in seeds] for name, seeds in said.items()}
        found = {}
        for name, own in of[MODEL][0].items():
            weight = self.weight.reshape(-1, *(1,) * (own.parts.ndim - 1))
            parts = {
                method: sum(listed[name].parts for listed in seeds) * weight
                for method, seeds in of.items()
                if all(name in x and np.isfinite(x[name].value) for x in seeds)
            }
            if MODEL in parts:
                found[name] = self.bootstrap.compare(
                    parts, own.counts, own.score, better_low=own.better_low
                )
        return found

    @cached_property
    def _tree(self) -> tuple[np.ndarray, np.ndarray]:
        """(C, C) similarity, and (C,) code of each label's main symbol."""
        tree = taxonomy(self.schema.labels)
        place = {name: code for code, name in enumerate(tree.mains)}
        return tree.similarity(), np.array([place[tree.main(x)] for x in self.schema.labels])

    def _boundaries(self, one: Said) -> dict[str, Measure]:
        truth, guess = self.truth.profiles(), one.found.profiles()
        listed = measures.better(truth, guess, *self._tree)
        own = measures.averaged(scores.same_index_iou(truth, guess))
        return {"same-index IoU": own} | {name: listed[name] for name in BOUNDARIES}

    def _symbols(self, one: Said, title: str) -> dict[str, Measure]:
        similarity, main = self._tree
        guess = one.true if title.endswith(TRUE) else one.found
        truth = self.truth.profiles()
        if title.startswith("rare"):
            asked = (truth.symbol >= 0) & self.rare[truth.symbol]
            truth = Profiles(truth.lower, truth.count, np.where(asked, truth.symbol, -1))
        theirs, better = SYMBOLS[title]
        listed = measures.original(truth, guess.profiles(), guess.symbol, main)
        found = {name: listed[name] for name in theirs}
        listed = measures.better(truth, guess.profiles(), similarity, main)
        return found | {name: listed[name] for name in better}

    def _properties(self, guess: Guess) -> dict[str, Measure]:
        """Shares of right codes, errors in steps of ordered ones, error of stones.

        A true horizon that no segment stands for has no right code, and no error.
        """
        truth = self.truth
        place = scores.partners(truth.profiles(), guess.profiles())
        row, missed = np.arange(len(truth))[:, None], place < 0
        found: dict[str, Measure] = {}
        for feature in self.schema.classes:
            codes = truth.classes[feature.name]
            best = scores.best(guess.classes[feature.name])[row, place]
            tally = scores.tallies(codes, np.where(missed, -1, best), len(feature.codes))
            many = tally[:, :, 1].sum(1)
            occurring = measures.over_occurring(measures.f1)
            found[f"{feature.name}: accuracy"] = Measure(tally, many, measures.accuracy)
            found[f"{feature.name}: F1"] = Measure(tally, many, occurring)
            if feature.ordinal:
                steps = scores.steps(np.where(missed, -1, codes), best)
                found[f"{feature.name}: error in steps"] = measures.part(
                    steps, 0, 3, better_low=True
                )
        asked = np.isfinite(truth.stones) & ~missed
        far = np.where(asked, np.abs(truth.stones - guess.stones[row, place]), 0.0)
        parts = np.stack([100 * far.sum(1), asked.sum(1)], axis=1).astype(float)
        found["stones: error in % of volume"] = measures.part(parts, 0, 1, better_low=True)
        return found

    def _confidence(self, one: Said) -> dict[str, Measure]:
        """How far chances hold, on found segments: of the horizon that most of each lies in."""
        guess = one.found
        truth = self.truth.at(guess.segments)
        asked = np.where(guess.segments.there, truth.symbol, -1)
        bins = conformal.confidence(guess.symbol, asked)
        many = bins[..., 0].sum(1)
        found = {"calibration error": Measure(bins, many, conformal.calibration_error, True)}
        for level in LEVELS:
            at = one.chances.at(level)
            if at.least_chance is not None:
                sets = conformal.label_sets(guess.symbol, at.least_chance)
                parts = conformal.coverage(sets, asked)
                found[f"share of {level:.0%} sets with the true symbol"] = measures.part(
                    parts, 0, 2
                )
                found[f"symbols in {level:.0%} sets"] = measures.part(parts, 1, 2, better_low=True)
            if at.boundary_cm is not None:
                within = conformal.within(self.truth.profiles(), guess.profiles(), at.boundary_cm)
                name = f"share of found boundaries with a true one in the {level:.0%} interval"
                found[name] = measures.part(within, 0, 1)
                wide = np.stack([at.boundary_cm * within[:, 1], within[:, 1]], axis=1)
                found[f"cm to each side of the {level:.0%} interval"] = measures.part(
                    wide, 0, 1, better_low=True
                )
        return found

    def several(self, one: Said, profiles: np.ndarray) -> dict:
        """Where a profile has several photographs: do they agree, and are they better together?

        Args:
            one: What the model says.
            profiles: (n,) their names.

        Returns:
            Scores with intervals; each profile weighs 1.
        """
        _, place, many = np.unique(profiles, return_inverse=True, return_counts=True)
        rows = np.flatnonzero(many[place] > 1)
        order = rows[np.argsort(place[rows], kind="stable")]
        # Each photograph beside the next one of its profile, the last beside the first.
        following = np.roll(order, -1)
        first = np.flatnonzero(np.r_[True, place[order][1:] != place[order][:-1]])
        last = np.r_[first[1:] - 1, len(order) - 1]
        following[last] = order[first]
        found: dict[str, Measure] = {}
        agree = scores.matched_iou(
            one.found.segments.take(order).named(np.zeros_like(self.truth.symbol[order])),
            one.found.segments.take(following).named(np.zeros_like(self.truth.symbol[order])),
        )
        found["matched IoU of one photograph with another"] = measures.averaged(agree)
        if one.true.symbol is not None:
            known = self.truth.symbol[order]
            names = scores.best(one.true.symbol)
            same = (names[order] == names[following]) & (known >= 0)
            parts = np.stack([same.sum(1), (known >= 0).sum(1)], axis=1).astype(float)
            found["horizons with the same symbol in another photograph"] = measures.part(
                parts, 0, 1
            )
            together = np.zeros((len(many), *one.true.symbol.shape[1:]))
            np.add.at(together, place, one.true.symbol)
            for name, said in (
                ("accuracy of one photograph", one.true.symbol[order]),
                ("accuracy of all photographs of a profile together", together[place[order]]),
            ):
                tally = scores.tallies(known, scores.best(said), len(self.schema.labels))
                found[name] = Measure(tally, tally[:, :, 1].sum(1), measures.accuracy)
        made = {}
        for name, measure in found.items():
            parts = np.zeros((len(self.truth), *measure.parts.shape[1:]))
            weight = self.weight[order].reshape(-1, *(1,) * (measure.parts.ndim - 1))
            parts[order] = measure.parts * weight
            counts = np.zeros(len(self.truth))
            counts[order] = measure.counts
            made[name] = self.bootstrap.measure(parts, counts, measure.score)
        return {
            "profiles": int((many > 1).sum()),
            "photographs": len(rows),
            "scores": {n: v for n, v in made.items() if np.isfinite(v["value"])},
        }

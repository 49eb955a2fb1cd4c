"""One photograph of a profile, described: boundaries, properties, symbols, and what is doubtful.

Belongs here: what is asked of a photograph and a place before a model sees them, and its answer as
data. Never here: decoding files, drawing (`training.profile_drawing`), the network.
"""

import datetime
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from adapters.errors import DescriptionError, TrainingError
from adapters.readers.photograph import Photograph, channels_swapped, read_photograph
from fusion.profiles.pictures import LONGEST, frame, picture
from fusion.profiles.store import DEPTH_CM
from fusion.profiles.taxonomy import taxonomy
from training import profile_calibration as conformal
from training.profile_description import Candidate, Description, Horizon, Seen
from training.profile_forms import Guess
from training.profile_likeness import looks
from training.profile_predict import ProfilePredictor, has_depths
from training.profiles import encode

LEVEL = 0.9
"""Of sets of symbols and of the distance of boundaries."""
FIRST = 5
"""Symbols that are told of each horizon."""
THINNEST_CM = 0.5
"""Thinner segments are no horizons, and left out."""
FAR = 4.0
"""Deviations of the training sites from their mean, beyond which a place is called far."""
SHOWN_CM = (10.0, 1000.0)


class Describer:
    """Describes photographs by an exported model."""

    def __init__(self, run: Path) -> None:
        """Load a run.

        Args:
            run: Folder of a finished run.

        Raises:
            TrainingError: The run has no exported model, or one that does not find horizons.
        """
        self.run = run
        self.predictor = ProfilePredictor(run)
        if not has_depths(self.predictor.model):
            raise TrainingError(
                "this model does not find horizons: it was taught on known ones alone",
                file=str(run / "model.json"),
                samples=self.predictor.model.config.tasks,
                remedy="give a run of soilnet_end2end",
            )

    @cached_property
    def _mains(self) -> tuple[str, ...]:
        """Main symbol of each label."""
        labels = self.predictor.schema.labels
        tree = taxonomy(labels)
        return tuple(tree.main(label) for label in labels)

    def describe(
        self,
        photograph: Path,
        longitude: float | None = None,
        latitude: float | None = None,
        date: datetime.date | None = None,
        *,
        site: Mapping[str, str | float] | None = None,
        shown_cm: float = DEPTH_CM,
    ) -> Description:
        """Describe a photograph of a profile wall.

        Args:
            photograph: JPEG, PNG, TIFF, WebP or BMP: the wall from the surface (upper edge) down.
            longitude: In degrees (EPSG:4326); left out together with the latitude where unknown.
            latitude: In degrees.
            date: Of the photograph.
            site: Further facts by their names in the model's schema, such as a land use.
            shown_cm: Depth at the lower edge. A model knows the first 100 cm.

        Raises:
            ReadError: The file is no picture that can be opened, and why.
            FusionError: Nothing of the photograph is soil.
            DescriptionError: The place, date, depth or a fact of the site cannot be right.
        """
        return self.look(photograph, longitude, latitude, date, site=site, shown_cm=shown_cm)[0]

    def look(
        self,
        photograph: Path,
        longitude: float | None = None,
        latitude: float | None = None,
        date: datetime.date | None = None,
        *,
        site: Mapping[str, str | float] | None = None,
        shown_cm: float = DEPTH_CM,
    ) -> tuple[Description, Seen]:
        """As `describe`, with the photograph as it was seen."""
        warnings = _place(self.predictor, longitude, latitude) + _date(date)
        if not SHOWN_CM[0] <= shown_cm <= SHOWN_CM[1]:
            raise DescriptionError(
                f"a photograph shows {SHOWN_CM[0]:g} to {SHOWN_CM[1]:g} cm of soil",
                file=photograph.name,
                samples=[f"{shown_cm:g} cm"],
                remedy="give the depth in cm at the lower edge of the photograph",
            )
        facts, unknown = self._facts(longitude, latitude, date, site or {})
        read = read_photograph(photograph, LONGEST)
        rows, columns = frame(read.kept)
        made, soil = picture(read.pixels, read.kept, shown_cm)
        batch = encode(self.predictor.schema, made[None], soil[None], [facts])
        guess = self.predictor.guess(batch)
        unusual, doubts = self._doubts(read, made, soil)
        notes = [*read.converted]
        if longitude is None:
            notes.append("no place was given: described with the site unknown")
        if self.predictor.calibration.pictures.limit is None:
            notes.append("too few profiles were held back to tell whether the picture is usual")
        if shown_cm < DEPTH_CM:
            notes.append(f"what lies below {shown_cm:g} cm is not in the photograph, and not told")
        within = self.predictor.calibration.chances.at(LEVEL).boundary_cm
        described = Description(
            photograph=photograph.name,
            longitude=longitude,
            latitude=latitude,
            date=date,
            shown_cm=shown_cm,
            horizons=self._horizons(guess, min(shown_cm, DEPTH_CM)),
            boundary_within_cm=None if within is None else round(within, 1),
            level=LEVEL,
            site_unknown=unknown,
            unusual=unusual,
            unusual_of=len(self.predictor.calibration.pictures.usual),
            warnings=tuple(warnings + doubts),
            notes=tuple(notes),
            origin=self.predictor.origin,
            model=str(self.run),
        )
        return described, Seen(read.pixels[rows, columns], shown_cm)

    def _facts(
        self,
        longitude: float | None,
        latitude: float | None,
        date: datetime.date | None,
        site: Mapping[str, str | float],
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """What is said of the site, by the schema's names, and the names of which nothing is."""
        schema = self.predictor.schema
        numbers = [feature.name for feature in schema.numbers]
        codes = {feature.name: feature.codes for feature in schema.codes}
        facts: dict[str, Any] = {}
        if longitude is not None:
            facts |= {"longitude": longitude, "latitude": latitude}
        if date is not None:
            facts |= {"year": date.year, "month": date.month}
        for name, value in site.items():
            if name not in numbers and name not in codes:
                raise DescriptionError(
                    "the model asks for no such fact of the site",
                    samples=[name],
                    remedy=f"it asks for {', '.join([*numbers, *codes])}",
                )
            facts[name] = _number(name, value) if name in numbers else str(value)
            if name in codes and facts[name] not in codes[name]:
                raise DescriptionError(
                    f"the model does not know this code of {name}",
                    samples=[value],
                    remedy=f"it knows {', '.join(codes[name])}",
                )
        return facts, tuple(name for name in (*numbers, *codes) if name not in facts)

    def _doubts(
        self, read: Photograph, made: np.ndarray, soil: np.ndarray
    ) -> tuple[float, list[str]]:
        """How unusual the picture is, and what to say of it."""
        pictures, doubts = self.predictor.calibration.pictures, []
        if (evidence := channels_swapped(read.pixels, read.kept)).swapped:
            doubts.append(
                f"red and blue seem to be exchanged: {evidence.readable()}; exchange them and "
                "describe the photograph again"
            )
        distance = float(pictures.distance(looks(made, soil)[None])[0])
        unusual, count = pictures.rarity(distance), len(pictures.usual)
        if pictures.limit is not None and unusual <= pictures.limit:
            doubts.append(
                "this may be no soil profile, or one unlike all that the model knows: its colours "
                f"and contrasts are at distance {distance:.1f} from those of training pictures; of "
                f"{count} profiles that were held back the farthest is at {pictures.usual[-1]:.1f}"
            )
        return unusual, doubts

    def _horizons(self, guess: Guess, shown_cm: float) -> tuple[Horizon, ...]:
        found, edges = [], [0.0]
        for k in range(int(guess.segments.count[0])):
            bottom = min(float(guess.segments.bounds[0, k]) * DEPTH_CM, shown_cm)
            if bottom - edges[-1] >= THINNEST_CM:
                found.append(self._horizon(guess, k, edges[-1], bottom))
                edges.append(bottom)
        return tuple(found)

    def _horizon(self, guess: Guess, k: int, top: float, bottom: float) -> Horizon:
        schema = self.predictor.schema
        symbols, chosen = (), None
        if guess.symbol is not None:
            chances = guess.symbol[0, k]
            symbols = _first(chances, schema.labels)
            least = self.predictor.calibration.chances.at(LEVEL).least_chance
            if least is not None:
                kept = conformal.label_sets(chances, least)
                chosen = tuple(x for x, there in zip(schema.labels, kept, strict=True) if there)
        return Horizon(
            top_cm=round(top, 1),
            bottom_cm=round(bottom, 1),
            symbols=symbols,
            main=self._main(guess, k),
            symbol_set=chosen,
            stones_percent=None
            if guess.stones is None
            else round(float(guess.stones[0, k]) * 100, 1),
            properties={
                feature.name: _first(guess.classes[feature.name][0, k], feature.codes)[0]
                for feature in schema.classes
                if feature.name in guess.classes
            },
        )

    def _main(self, guess: Guess, k: int) -> tuple[Candidate, ...]:
        if guess.symbol is None:
            return ()
        names, place = np.unique(self._mains, return_inverse=True)
        return _first(np.bincount(place, guess.symbol[0, k], len(names)), tuple(names.tolist()))


def _first(chances: np.ndarray, codes: tuple[str, ...]) -> tuple[Candidate, ...]:
    best = np.argsort(-chances, kind="stable")[:FIRST]
    return tuple(Candidate(codes[i], round(float(chances[i]), 4)) for i in best.tolist())


def _number(name: str, value: str | float) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise DescriptionError(
            f"{name} is a number", samples=[value], remedy=f"such as {name}=12.5"
        ) from error
    if not np.isfinite(number):
        raise DescriptionError(f"{name} is a finite number", samples=[value], remedy="leave it out")
    return number


def _place(
    predictor: ProfilePredictor, longitude: float | None, latitude: float | None
) -> list[str]:
    """What is doubtful of a place.

    Raises:
        DescriptionError: It is none.
    """
    if (longitude is None) != (latitude is None):
        raise DescriptionError(
            "a place has a longitude and a latitude",
            samples=[f"longitude {longitude}, latitude {latitude}"],
            remedy="give both, or none",
        )
    if longitude is None or latitude is None:
        return []
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise DescriptionError(
            "there is no such place on Earth",
            samples=[f"longitude {longitude:g}, latitude {latitude:g}"],
            remedy="give degrees (EPSG:4326): longitude -180 to 180, latitude -90 to 90",
        )
    known = {f.name: f for f in predictor.schema.numbers}
    if "longitude" not in known or "latitude" not in known:
        return []

    def far(east: float, north: float) -> float:
        return max(
            abs(value - known[name].mean) / known[name].std
            for name, value in (("longitude", east), ("latitude", north))
        )

    if far(longitude, latitude) <= FAR:
        return []
    said = (
        f"the place is far from all training profiles, which lie around longitude "
        f"{known['longitude'].mean:.1f}, latitude {known['latitude'].mean:.1f}"
    )
    if far(latitude, longitude) <= FAR:
        said += "; longitude and latitude may be exchanged"
    return [said]


def _date(date: datetime.date | None) -> list[str]:
    if date is not None and date > datetime.date.today():  # noqa: DTZ011 (a day of any zone)
        raise DescriptionError(
            "the date lies in the future",
            samples=[date.isoformat()],
            remedy="give the day on which the photograph was taken, YYYY-MM-DD",
        )
    return []

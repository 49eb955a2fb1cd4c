"""Photographs are described, and wrong input gets a clear answer."""

import datetime
import io
import json
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from good_profile import a_set
from PIL import Image
from profile_runs import export

from adapters.errors import DescriptionError, ReadError
from fusion.profiles.store import ProfileSet
from training.profile_calibrate import AtLevel
from training.profile_describe import FIRST, LEVEL, Describer
from training.profile_description import Candidate, Description, Horizon, Seen
from training.profile_drawing import draw
from training.profile_likeness import LEAST_PROFILES, Likeness, likeness, looks

pytestmark = pytest.mark.usefixtures("one_thread")
PLACE = (9.5, 50.0, datetime.date(2014, 6, 1))


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> ProfileSet:
    return ProfileSet(a_set(tmp_path_factory.mktemp("profiles")))


@pytest.fixture(scope="module")
def known(held: ProfileSet) -> Likeness:
    """Of the training pictures, with every other profile as one that was held back."""
    split, names = (held.index[name].to_numpy() for name in ("split", "profile"))
    seen = [looks(held.picture(i), held.soil(i)) for i in range(len(held))]
    train, profiles = split == "train", np.unique(names)
    learnt = np.isin(names, profiles[::2])
    return likeness(
        np.stack([x for x, use in zip(seen, learnt & train, strict=True) if use]),
        [x for x, use in zip(seen, learnt, strict=True) if not use],
        names[~learnt],
    )


@pytest.fixture(scope="module")
def describer(
    held: ProfileSet, known: Likeness, tmp_path_factory: pytest.TempPathFactory
) -> Describer:
    """An untaught model with what a larger calibration split would have told."""
    found = Describer(export(tmp_path_factory.mktemp("runs") / "run", held.folder))
    calibration = found.predictor.calibration
    levels = (AtLevel(level=LEVEL, least_chance=0.05, boundary_cm=4.0),)
    chances = calibration.chances.model_copy(update={"levels": levels})
    found.predictor.calibration = calibration.model_copy(
        update={"chances": chances, "pictures": known}
    )
    return found


@pytest.fixture(scope="module")
def wall(held: ProfileSet) -> np.ndarray:
    """A photograph of the test split, without what is no soil."""
    row = int(np.flatnonzero(held.index["split"].to_numpy() == "test")[0])
    return held.picture(row)[:, held.soil(row).all(0)]


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def photograph(wall: np.ndarray, tmp_path: Path) -> Path:
    return saved(tmp_path / "wall.png", wall)


def test_a_description_says_what_a_person_wants_to_know(
    describer: Describer, photograph: Path
) -> None:
    found = describer.describe(photograph, *PLACE, site={"slope": "3.5", "land_use": "A"})
    assert found.warnings == ()
    assert found.origin == "synthetic"
    assert found.site_unknown == ("groundwater_depth",)
    assert found.boundary_within_cm == 4.0
    tops = [horizon.top_cm for horizon in found.horizons]
    bottoms = [horizon.bottom_cm for horizon in found.horizons]
    assert tops == [0, *bottoms[:-1]]
    assert bottoms[-1] == 100
    for horizon in found.horizons:
        sure = [one.confidence for one in horizon.symbols]
        assert len(sure) == FIRST
        assert sure == sorted(sure, reverse=True)
        assert horizon.symbols[0].code in horizon.symbol_set
        assert horizon.main[0].confidence >= horizon.symbols[0].confidence - 1e-3
        assert set(horizon.properties) == {"texture", "colour", "carbonate", "humus", "roots"}
        assert 0 <= horizon.stones_percent <= 100
    again = json.loads(json.dumps(found.as_dict()))
    assert again["date"] == "2014-06-01"
    assert len(again["horizons"]) == len(found.horizons)
    table = found.table()
    assert table["bottom_cm"].to_list() == bottoms
    assert table["symbol_1"][0] == found.horizons[0].symbols[0].code
    assert set(table["origin"]) == {"synthetic"}


def test_a_photograph_without_a_place_is_described_with_the_site_unknown(
    describer: Describer, photograph: Path
) -> None:
    found = describer.describe(photograph)
    assert "no place was given: described with the site unknown" in found.notes
    assert {"longitude", "latitude", "year", "month", "slope"} <= set(found.site_unknown)
    assert found.horizons


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif_turns_a_photograph(
    describer: Describer, wall: np.ndarray, photograph: Path, tmp_path: Path, orientation: int
) -> None:
    back = {3: 2, 6: 1, 8: 3}[orientation]  # quarter turns that undo what EXIF asks for
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = saved(tmp_path / "turned.png", np.rot90(wall, back), exif=exif)
    upright, found = describer.describe(photograph, *PLACE), describer.describe(turned, *PLACE)
    assert found.horizons == upright.horizons
    assert any("EXIF" in note for note in found.notes)


def test_pixels_of_other_kinds_are_converted_and_it_is_said(
    describer: Describer, wall: np.ndarray, photograph: Path, tmp_path: Path
) -> None:
    grey = np.asarray(Image.fromarray(wall).convert("L"))
    cmyk = tmp_path / "cmyk.tif"
    Image.fromarray(wall).convert("CMYK").save(cmyk)
    upright = describer.describe(photograph, *PLACE)
    for path, word in (
        (cmyk, "CMYK"),
        (saved(tmp_path / "grey.png", grey), "grey"),
        (saved(tmp_path / "deep.png", grey.astype(np.uint16) * 257), "16-bit"),
    ):
        found = describer.describe(path, *PLACE)
        assert any(word in note for note in found.notes), (path, found.notes)
        assert found.horizons
    assert describer.describe(cmyk, *PLACE).horizons == upright.horizons


def test_what_is_no_picture_is_refused(
    describer: Describer, wall: np.ndarray, tmp_path: Path
) -> None:
    text = tmp_path / "wall.jpg"
    text.write_text("a letter")
    whole = io.BytesIO()
    Image.fromarray(wall).save(whole, "JPEG")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole.getvalue()[:2000])
    huge = saved(tmp_path / "huge.png", wall)
    said = bytearray(huge.read_bytes())
    said[16:24] = struct.pack(">II", 12_000, 12_000)  # of the header: width and height
    said[29:33] = struct.pack(">I", zlib.crc32(bytes(said[12:29])))
    huge.write_bytes(said)
    for path, why in (
        (tmp_path / "absent.jpg", "no such file"),
        (text, "no picture"),
        (cut, "cut short or damaged"),
        (huge, "too large"),
        (saved(tmp_path / "small.png", wall[:20, :20]), "too small"),
    ):
        with pytest.raises(ReadError, match=why) as caught:
            describer.describe(path, *PLACE)
        assert caught.value.remedy


def test_a_place_a_date_and_facts_that_cannot_be_right_are_refused(
    describer: Describer, photograph: Path
) -> None:
    for place, options, why in (
        ((200.0, 50.0), {}, "no such place"),
        ((9.0, float("nan")), {}, "no such place"),
        ((9.0, None), {}, "longitude and a latitude"),
        ((None, None, datetime.date(9999, 1, 1)), {}, "future"),
        ((), {"site": {"colour of the sky": "blue"}}, "no such fact"),
        ((), {"site": {"land_use": "moon"}}, "does not know this code"),
        ((), {"site": {"slope": "steep"}}, "slope is a number"),
        ((), {"site": {"slope": float("inf")}}, "finite"),
        ((), {"shown_cm": 0.5}, "10 to 1000 cm"),
    ):
        with pytest.raises(DescriptionError, match=why) as caught:
            describer.describe(photograph, *place, **options)
        assert caught.value.remedy


def test_a_far_place_is_said_and_exchanged_coordinates_are_recognised(
    describer: Describer, photograph: Path
) -> None:
    (far,) = describer.describe(photograph, -120.0, -60.0).warnings
    assert "far from all training profiles" in far
    assert "exchanged" not in far
    (turned,) = describer.describe(photograph, 50.0, 9.5).warnings
    assert "longitude and latitude may be exchanged" in turned


def test_exchanged_channels_are_said_with_the_evidence(
    describer: Describer, wall: np.ndarray, tmp_path: Path
) -> None:
    swapped = saved(tmp_path / "blue.png", wall[..., ::-1])
    warnings = describer.describe(swapped, *PLACE).warnings
    assert "red and blue seem to be exchanged" in warnings[0]
    assert "bluer than they are red" in warnings[0]


@pytest.mark.parametrize("what", ["sky", "page", "lawn"])
def test_what_is_no_profile_is_said_to_be_unusual(
    describer: Describer, tmp_path: Path, what: str
) -> None:
    draw = np.random.default_rng(0)
    pixels = np.full(
        (400, 200, 3), {"sky": (120, 160, 220), "page": 250, "lawn": (70, 130, 50)}[what]
    )
    if what == "page":
        pixels[draw.random((400, 200)) < 0.1] = 20
    noise = draw.normal(0, 4, pixels.shape)
    path = saved(tmp_path / f"{what}.png", (pixels + noise).clip(0, 255).astype(np.uint8))
    found = describer.describe(path, *PLACE)
    assert any("may be no soil profile" in warning for warning in found.warnings)
    assert found.unusual == pytest.approx(1 / (found.unusual_of + 1))


def test_usual_pictures_are_seldom_called_unusual(known: Likeness, held: ProfileSet) -> None:
    assert len(known.usual) >= LEAST_PROFILES
    distance = known.distance(
        np.stack([looks(held.picture(i), held.soil(i)) for i in range(len(held))])
    )
    rare = np.array([known.rarity(d) for d in distance]) <= known.limit
    assert rare.mean() <= 2 / len(known.usual)
    assert known.rarity(0) == 1
    assert Likeness.model_validate_json(known.model_dump_json()) == known


def test_with_few_profiles_nothing_is_said_of_what_is_usual(known: Likeness) -> None:
    few = known.model_copy(update={"usual": known.usual[: LEAST_PROFILES - 1]})
    assert few.limit is None


def test_a_photograph_of_less_depth_is_described_to_its_edge(
    describer: Describer, photograph: Path
) -> None:
    found, seen = describer.look(photograph, *PLACE, shown_cm=60)
    assert found.horizons[-1].bottom_cm == 60
    assert any("below 60 cm" in note for note in found.notes)
    assert seen.shown_cm == 60


def test_a_drawing_shows_boundaries_at_their_depth() -> None:
    one = (Candidate("Ap", 0.7), Candidate("Ah", 0.2))
    horizons = tuple(
        Horizon(
            top, bottom, one, (Candidate("A", 0.9),), ("Ap",), 3.0, {"humus": Candidate("h2", 0.5)}
        )
        for top, bottom in ((0.0, 40.0), (40.0, 43.0), (43.0, 45.0), (45.0, 100.0))
    )
    base = Description(
        *("wall.png", 9.5, 50.0, datetime.date(2014, 6, 1), 100.0, horizons[:1], None, 0.9),
        *((), 1.0, 9, ("doubtful",), (), "synthetic", "run"),
    )
    seen = Seen(np.full((400, 200, 3), 90, np.uint8), 100.0)
    drawn = [
        np.asarray(Image.open(io.BytesIO(draw(replace(base, horizons=some), seen))).convert("L"))
        for some in (horizons[:1], horizons)
    ]
    assert drawn[0].shape == drawn[1].shape
    left = slice(360, 520)  # the wall, without its words
    rows = np.flatnonzero((drawn[0] != drawn[1])[:, left].all(1))
    height = drawn[0].shape[0]
    depth = (rows / height - (1 - 0.14 - 0.81)) / 0.81 * 100
    assert depth == pytest.approx(np.clip(depth, 39, 46), abs=0)
    assert depth.min() == pytest.approx(40, abs=1)
    assert depth.max() == pytest.approx(45, abs=1)


def test_real_photographs(describer: Describer) -> None:
    root = os.environ.get("SOILMELD_REFERENCE_DATA")
    if not root:
        pytest.skip("SOILMELD_REFERENCE_DATA is not set")
    folder = Path(root) / "profile_photos" / "soilnet"
    labelled = describer.describe(folder / "labelled_profile_crop.png", 8.5, 50.0)
    assert labelled.horizons[-1].bottom_cm == 100
    assert not any("exchanged" in warning for warning in labelled.warnings)
    blue = describer.describe(folder / "image1.png", 8.5, 50.0)
    assert "red and blue seem to be exchanged" in blue.warnings[0]
    back = describer.describe(folder / "image1_channels_swapped_back.jpg", 8.5, 50.0)
    assert not any("exchanged" in warning for warning in back.warnings)

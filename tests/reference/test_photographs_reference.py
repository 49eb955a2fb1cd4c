"""Real photographs of soil profiles, one of them labelled, from the files to the tables."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from good_photographs import HORIZON, SITE, write_layout
from PIL import Image

from adapters.archive import ingest
from adapters.codebooks import codebook
from adapters.readers.photograph import channels_swapped, read_photograph
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, standardise
from expectations.engine import validate

SOURCE = "soilnet_profiles"
LABELLED = "RP_1_Y_1.PNG"
# Where the tape begins on the labelled photograph, px.
_TAPE = 380


@pytest.fixture(scope="module")
def photographs(reference: Path) -> Path:
    folder = reference / "profile_photos" / "soilnet"
    if not folder.is_dir():
        pytest.skip("the reference data hold no photographs of profiles")
    return folder


@pytest.fixture(scope="module")
def labelled(photographs: Path) -> dict:
    return json.loads((photographs / "labelled_profile_crop.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def standard(
    photographs: Path, labelled: dict, tmp_path_factory: pytest.TempPathFactory
) -> Standard:
    """The labelled photograph without its tape, and two that say nothing of horizons."""
    settings = Settings(data_root=tmp_path_factory.mktemp("photographs") / "data")
    pixels = np.array(Image.open(photographs / "labelled_profile_crop.png").convert("RGB"))
    pixels[:, _TAPE:] = 0
    nothing = dict.fromkeys(("Bodenfarbe", "Karbonat", "Humusgehaltsklasse"), "")
    rows = [
        {
            **HORIZON,
            **nothing,
            "Point": "1.0",
            "file": LABELLED,
            "Obergrenze": str(horizon["top_cm"]),
            "Untergrenze": str(horizon["bottom_cm"] or 100),
            "Horizontsymbol": f"{number}; {horizon['symbol']}",
            "Bodenart": horizon["soil_type"],
            "Steine": str(horizon["stones"]),
            "Durchwurzelung": horizon["rooting"],
        }
        for number, horizon in enumerate(labelled["horizons"], start=1)
    ]
    inbox = write_layout(
        settings.raw / SOURCE,
        rows,
        [{**SITE, "PointID": "1"}, {**SITE, "PointID": "2"}],
        {LABELLED: pixels},
    )
    pictures = inbox / "Profilbilder_no_ruler_no_sky"
    shutil.copy(photographs / "image1.png", pictures / "RP_2_Y_1.PNG")
    shutil.copy(photographs / "image1_channels_swapped_back.jpg", pictures / "RP_2_Y_2.JPG")
    spec = load_spec(SOURCE)
    return standardise(spec, ingest(spec, settings), settings)


def test_the_labelled_photograph_is_read_from_end_to_end(standard: Standard) -> None:
    columns = ("photograph", "symbol", "depth_top", "depth_bottom", "stones", "texture", "roots")
    assert standard.table.select(columns).rows() == [
        (LABELLED, "Ap", 0.0, 20.0, 2.0, "us", "W4"),
        (LABELLED, "rAp", 20.0, 40.0, 0.0, "us", "W3"),
        (LABELLED, "Bt-Ael", 40.0, 82.0, 0.0, "ss", "W1"),
        (LABELLED, "Btl", 82.0, 100.0, 0.0, "lu", "W0"),
    ]
    assert standard.table["colour"].null_count() == 4
    assert standard.flags.is_empty()
    sites, pictures = standard.parts
    assert sites.table["profile"].to_list() == ["1", "2"]
    first = pictures.table.row(0, named=True)
    assert (first["width"], first["height"], first["profile"]) == (419.0, 596.0, "1")
    assert first["kept"] == pytest.approx(_TAPE / 419, abs=0.01)
    # Brown: about 7.5YR 4/3 to 10YR 6/4, the four horizons together.
    assert first["mean_red"] > first["mean_green"] > first["mean_blue"]


def test_the_labelled_photograph_passes_the_gate_and_the_exchanged_one_does_not(
    standard: Standard,
) -> None:
    main, _, pictures = standard.pieces
    assert validate(main).refusals == []
    assert [refusal.column for refusal in validate(pictures).refusals] == [None]


def test_the_real_photograph_with_exchanged_channels_is_flagged_and_no_other(
    standard: Standard,
) -> None:
    pictures = standard.parts[1]
    assert pictures.flags.select("row_ref", "flag").rows() == [
        ("Profilbilder_no_ruler_no_sky#RP_2_Y_1.PNG", "channels_swapped")
    ]
    assert pictures.table["mean_blue"].is_null().to_list() == [False, True, False]


def test_how_far_apart_real_photographs_are_by_the_rule(photographs: Path) -> None:
    names = ("labelled_profile_crop.png", "image1_channels_swapped_back.jpg", "image1.png")
    seen = [read_photograph(photographs / name) for name in names]
    bluer = [channels_swapped(p.pixels, p.kept).bluer for p in seen]
    assert max(bluer[:2]) < 0.05
    assert bluer[2] > 0.95
    back = [channels_swapped(p.pixels[..., ::-1], p.kept).swapped for p in seen]
    assert back == [True, True, False]


def test_horizons_of_the_labelled_photograph_differ_in_colour(
    standard: Standard, photographs: Path
) -> None:
    pixels = read_photograph(photographs / "labelled_profile_crop.png").pixels[:, :_TAPE]
    depths = standard.table.select("depth_top", "depth_bottom").rows()
    rows = len(pixels) / 100
    light = [pixels[int(a * rows) : int(b * rows)].mean() for a, b in depths]
    # The eluvial horizon is the lightest, the ploughed ones are darker than all below.
    assert max(light) == light[2]
    assert light[2] > 1.2 * light[1]


@pytest.mark.parametrize(
    ("file", "header", "book"),
    [
        ("soil_cols.csv", "Bodenfarbe", "munsell_bins"),
        ("soil_types.csv", "Bodenart", "bodenart"),
    ],
)
def test_every_class_that_was_counted_in_the_closed_data_is_a_code(
    photographs: Path, file: str, header: str, book: str
) -> None:
    counted = pl.read_csv(photographs / file, infer_schema=False)[header]
    codes, unknown = codebook(book, load_spec(SOURCE).folder).normalise(counted)
    assert counted.filter(unknown).to_list() == []
    assert codes.to_list() == counted.to_list()

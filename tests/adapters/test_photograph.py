"""Photographs of profiles: what is converted to upright 8-bit RGB, and what is refused."""

import contextlib
import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from good_photographs import BROWN, soil
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from adapters.errors import ReadError
from adapters.readers.photograph import (
    LARGEST,
    SMALLEST,
    channels_swapped,
    read_photograph,
    removed,
)
from adapters.readers.photographs import HEADERS, read_photographs

PIXELS = soil()


def _saved(path: Path, image: Image.Image, **said: object) -> Path:
    image.save(path, **said)
    return path


def test_a_plain_picture_is_taken_as_it_is(tmp_path: Path) -> None:
    seen = read_photograph(_saved(tmp_path / "p.png", Image.fromarray(PIXELS)))
    assert np.array_equal(seen.pixels, PIXELS)
    assert (seen.format, seen.mode, seen.converted) == ("PNG", "RGB", ())
    assert (seen.width, seen.height) == (96, 192)
    assert seen.kept.all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_exif_asks(tmp_path: Path, orientation: int) -> None:
    pixels = PIXELS.copy()
    pixels[:40, :30] = (200, 60, 60)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # How the camera held the picture, so that EXIF turns it back.
    stored = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.swapaxes(0, 1), 6: np.rot90(pixels), 7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(pixels, -1),
    }[orientation]  # fmt: skip
    path = _saved(tmp_path / "p.jpg", Image.fromarray(stored), exif=exif, quality=100)
    seen = read_photograph(path)
    assert seen.pixels.shape == pixels.shape
    assert (seen.width, seen.height) == (96, 192)
    assert np.abs(seen.pixels.astype(int) - pixels).mean() < 5
    assert bool(seen.converted) == (orientation != 1)
    assert orientation == 1 or f"orientation {orientation}" in seen.converted[0]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    seen = read_photograph(_saved(tmp_path / "p.tif", image))
    assert seen.mode == "CMYK"
    assert "CMYK" in seen.converted[0]
    assert np.abs(seen.pixels.astype(int) - PIXELS).max() <= 2
    seen = read_photograph(_saved(tmp_path / "p.jpg", image, quality=100))
    assert np.abs(seen.pixels.astype(int) - PIXELS).mean() < 4


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_becomes_8_bit(tmp_path: Path, suffix: str) -> None:
    grey = PIXELS[..., 0].astype(np.uint16) * 257
    seen = read_photograph(_saved(tmp_path / f"p.{suffix}", Image.fromarray(grey)))
    assert "16-bit" in seen.converted[0]
    assert np.array_equal(seen.pixels, np.repeat(PIXELS[..., :1], 3, axis=2))


def test_16_bit_colours_become_8_bit_and_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    height, width = PIXELS.shape[:2]
    said = {"driver": "GTiff", "photometric": "RGB", "dtype": "uint16", "interleave": "pixel"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", width=width, height=height, count=3, **said) as layer:
            layer.write(np.moveaxis(PIXELS.astype(np.uint16) * 257, 2, 0))
    seen = read_photograph(path)
    assert seen.converted == ("16 bits a channel brought to 8",)
    assert np.abs(seen.pixels.astype(int) - PIXELS).max() <= 1


def test_grey_and_palette_are_brought_to_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS)
    grey = read_photograph(_saved(tmp_path / "g.png", image.convert("L")))
    assert grey.converted == ("grey, the same in all channels",)
    assert np.array_equal(grey.pixels[..., 0], grey.pixels[..., 2])
    palette = read_photograph(_saved(tmp_path / "p.png", image.quantize(64)))
    assert palette.converted == ("colours of a palette to RGB",)
    assert np.abs(palette.pixels.astype(int) - PIXELS).mean() < 12


def test_transparent_pixels_are_no_soil(tmp_path: Path) -> None:
    alpha = np.full((*PIXELS.shape[:2], 1), 255, np.uint8)
    alpha[:48] = 0
    path = _saved(tmp_path / "p.png", Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)))
    seen = read_photograph(path)
    assert seen.converted == ("25.0% of the pixels are transparent and left out",)
    assert not seen.kept[:48].any()
    assert seen.kept[48:].all()
    assert not seen.pixels[:48].any()
    opaque = Image.fromarray(PIXELS).convert("RGBA")
    assert read_photograph(_saved(tmp_path / "o.png", opaque)).converted == ()


def test_black_up_to_the_edge_was_removed_and_dark_soil_was_not(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[:20] = 0
    pixels[:, -12:] = 7
    pixels[100:140, 30:60] = 3
    pixels[50, :] = 0  # a line is no area
    gone = removed(pixels)
    assert gone[:20].all()
    assert gone[:, -12:].all()
    assert not gone[100:140, 30:60].any()
    assert not gone[50, :80].any()
    assert gone.mean() < 0.25
    path = _saved(tmp_path / "p.jpg", Image.fromarray(pixels), quality=90)
    assert (read_photograph(path).kept == ~gone).mean() > 0.98


def test_a_large_jpeg_is_decoded_smaller_and_keeps_its_size(tmp_path: Path) -> None:
    large = Image.fromarray(PIXELS).resize((960, 1920))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = _saved(tmp_path / "p.jpg", large.transpose(Image.Transpose.ROTATE_90), exif=exif)
    seen = read_photograph(path, longest=256)
    assert seen.pixels.shape == (480, 240, 3)
    assert (seen.width, seen.height) == (960, 1920)
    whole = read_photograph(path)
    assert np.allclose(seen.pixels.mean(axis=(0, 1)), whole.pixels.mean(axis=(0, 1)), atol=1.5)


def _jpeg(**said: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", **said)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"no picture at all", "no picture"),
        ("page.jpg", b"<html><body>log in</body></html>", "no picture"),
        ("cut.jpg", _jpeg()[:900], "cut short or damaged"),
        ("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        ("film.gif", b"GIF89a" + bytes(40), "no picture"),
    ],
)
def test_what_is_no_whole_picture_is_refused(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReadError, match=problem) as error:
        read_photograph(path)
    assert error.value.file == name
    assert error.value.remedy


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such file"):
        read_photograph(tmp_path / "p.jpg")


@given(cut=st.integers(1, 600), suffix=st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "BMP"]))
def test_a_picture_that_lost_its_end_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, suffix: str
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, suffix)
    path = tmp_path_factory.mktemp("cut") / "p.img"
    path.write_bytes(buffer.getvalue()[: -max(cut, 40)])
    with pytest.raises(ReadError):
        read_photograph(path)


@given(
    wrong=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=5),
    form=st.sampled_from(["PNG", "JPEG", "TIFF"]),
)
def test_a_damaged_picture_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, wrong: list[tuple[int, int]], form: str
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form)
    data = bytearray(buffer.getvalue())
    for place, byte in wrong:
        data[place] = byte
    path = tmp_path_factory.mktemp("damaged") / "p.img"
    path.write_bytes(bytes(data))
    with contextlib.suppress(ReadError):
        assert read_photograph(path).pixels.dtype == np.uint8


def test_a_picture_without_its_size_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "p.tif", Image.fromarray(PIXELS))
    data = bytearray(path.read_bytes())
    first_tag = int.from_bytes(data[4:8], "little") + 2
    assert int.from_bytes(data[first_tag : first_tag + 2], "little") == 256  # the width
    data[first_tag] = 254
    path.write_bytes(bytes(data))
    with pytest.raises(ReadError, match="damaged|no picture"):
        read_photograph(path)


@pytest.mark.parametrize("size", [(12_000, 8_000), (60_000, 60_000)])
def test_a_picture_beyond_the_limit_is_refused_unread(tmp_path: Path, size: tuple) -> None:
    # One bit a pixel: a small file of many pixels, as a decompression bomb is.
    path = tmp_path / "p.png"
    if size[0] * size[1] < 2 * LARGEST:
        Image.new("1", size).save(path)
    else:
        Image.new("1", (64, 64)).save(path)
        data = bytearray(path.read_bytes())
        data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
        data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
        path.write_bytes(bytes(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ReadError, match="too large") as error:
            read_photograph(path)
    assert f"{LARGEST:,}" in str(error.value)


def test_a_picture_too_small_to_show_horizons_is_refused(tmp_path: Path) -> None:
    small = Image.fromarray(PIXELS[:, : SMALLEST - 1])
    with pytest.raises(ReadError, match="too small"):
        read_photograph(_saved(tmp_path / "p.png", small))
    just = Image.fromarray(PIXELS[:, :SMALLEST])
    assert read_photograph(_saved(tmp_path / "p.png", just)).width == SMALLEST


def test_numbers_are_no_colours(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS[..., 0].astype(np.float32))
    with pytest.raises(ReadError, match="mode F"):
        read_photograph(_saved(tmp_path / "p.tif", image))


@given(
    st.tuples(st.integers(60, 200), st.floats(0.6, 0.95), st.floats(0.5, 0.9)),
    st.floats(0, 0.4),
)
def test_exchanged_channels_are_told_from_soil_of_any_colour(
    colour: tuple[int, float, float], grey: float
) -> None:
    red, green, blue = colour[0], colour[0] * colour[1], colour[0] * colour[1] * colour[2]
    pixels = soil(colour=(red, green, blue))
    # A gleyed part below, bluish grey, as on the GLEY pages.
    bluish = int(len(pixels) * grey)
    if bluish:
        pixels[-bluish:] = soil(colour=(88, 98, 103))[-bluish:]
    as_it_is, exchanged = channels_swapped(pixels), channels_swapped(pixels[..., ::-1])
    assert not as_it_is.swapped
    assert exchanged.coloured == pytest.approx(as_it_is.coloured)
    if grey < 0.15:
        assert exchanged.swapped
        assert "bluer" in exchanged.readable()


def test_a_grey_picture_is_no_evidence() -> None:
    grey = np.repeat(PIXELS[..., :1], 3, axis=2)
    evidence = channels_swapped(grey)
    assert (evidence.coloured, evidence.swapped) == (0.0, False)
    assert np.isnan(evidence.bluer)


def test_what_was_removed_says_nothing_of_the_channels() -> None:
    pixels = PIXELS[..., ::-1].copy()
    pixels[:100] = BROWN
    kept = np.zeros(pixels.shape[:2], bool)
    kept[100:] = True
    assert not channels_swapped(pixels).swapped
    assert channels_swapped(pixels, kept).swapped


def test_a_folder_of_pictures_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "in" / "b").mkdir(parents=True)
    _saved(tmp_path / "in" / "RP_1_Y_1.png", Image.fromarray(PIXELS))
    _saved(tmp_path / "in" / "b" / "RP_2_Y_1.png", Image.fromarray(PIXELS[..., ::-1]))
    (tmp_path / "in" / "RP_3_Y_1.jpg").write_bytes(_jpeg()[:900])
    _saved(tmp_path / "in" / "RP_4_Y_1.jpg", Image.fromarray(np.zeros_like(PIXELS)))
    files = [
        f"in/{name}" for name in ("RP_1_Y_1.png", "RP_3_Y_1.jpg", "RP_4_Y_1.jpg", "b/RP_2_Y_1.png")
    ]
    native, flags = read_photographs(tmp_path, files)
    assert native.place == "in"
    assert native.headers == HEADERS
    assert native.row_refs.to_list() == [file.replace("/", "#", 1) for file in files]
    assert flags.select("row_ref", "flag").rows() == [
        ("in#RP_3_Y_1.jpg", "unreadable"),
        ("in#RP_4_Y_1.jpg", "unreadable"),
        ("in#b/RP_2_Y_1.png", "channels_swapped"),
    ]
    means = native.cells.select(str(HEADERS.index("red"))).to_series()
    assert means.is_null().to_list() == [False, True, True, True]
    assert float(means[0]) == pytest.approx(PIXELS[..., 0].mean(), abs=0.01)


def test_of_several_pictures_in_a_file_the_first_counts(tmp_path: Path) -> None:
    first, second = Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1])
    path = _saved(tmp_path / "p.tif", first, save_all=True, append_images=[second])
    seen = read_photograph(path)
    assert seen.converted == ("the first of 2 pictures in the file",)
    assert np.array_equal(seen.pixels, PIXELS)


def test_a_picture_of_a_camera_that_adds_a_second_one_is_a_plain_one(tmp_path: Path) -> None:
    first, second = Image.fromarray(PIXELS), Image.fromarray(PIXELS[:96])
    path = tmp_path / "p.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second], quality=95)
    seen = read_photograph(path, longest=64)
    assert (seen.format, seen.width, seen.height, seen.converted) == ("MPO", 96, 192, ())

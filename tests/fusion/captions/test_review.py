"""The sheet on which people judge claims, and what their verdicts come to."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from good_tile import good_tile

from adapters.errors import CaptionError
from fusion.captions import agreement
from fusion.captions.caption import Captioned, caption_tile
from fusion.captions.grammar import claims_of
from fusion.captions.review import (
    COLUMNS,
    KEY,
    PAGE,
    SHEET,
    VERDICTS,
    WHOLE,
    Filled,
    Item,
    in_words,
    items_of,
    read_key,
    read_sheet,
    review_report,
    write_sheet,
)

TILE = good_tile(0)
CAPTION = "Cropland covers 67.9 % of the tile. Forest covers 50 % of the tile. It is <cosy>. "
CAPTION += "Water borders cropland, and there is no snow."


class Says:
    name = "says"

    def __call__(self, facts: object, count: int) -> list[str]:
        return [CAPTION]


@pytest.fixture(scope="module")
def captioned() -> Captioned:
    return caption_tile(TILE, Says())


@pytest.fixture
def sheet(tmp_path: Path, captioned: Captioned) -> Path:
    write_sheet([good_tile(1), TILE], [captioned], tmp_path)
    return tmp_path


def filled(folder: Path, name: str, change: Callable[[list[dict]], object]) -> Path:
    with (folder / SHEET).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["verdict"] = "right"
    change(rows)
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_sheet_holds_every_claim_kept_or_not(sheet: Path, captioned: Captioned) -> None:
    items = read_key(sheet / KEY)
    assert items == items_of([captioned])
    assert sorted((i.kind, i.status) for i in items) == [
        ("border", "supported"),
        ("cover presence", "supported"),
        ("cover share", "contradicted"),
        ("cover share", "supported"),
        (WHOLE, "unsupported"),
    ]
    assert len({i.id for i in items}) == 5
    # The order tells nothing: it is not that of the caption, nor are removed sentences the last.
    orders = {tuple(i.sentence for i in items_of([captioned], seed)) for seed in range(6)}
    assert len(orders) > 1


def test_the_page_stands_alone_and_does_not_tell_the_verdict(sheet: Path) -> None:
    page = (sheet / PAGE).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "It is &lt;cosy&gt;." in page
    assert "<cosy>" not in page
    assert "contradicted" not in page
    assert "supported" not in page
    assert "WorldCover: tree 27.8 %" in page
    assert "good-1" not in page
    assert page.count('type="radio"') == 5 * len(VERDICTS)
    again = (sheet / PAGE).read_bytes()
    write_sheet([TILE], [caption_tile(TILE, Says())], sheet)
    assert (sheet / PAGE).read_bytes() == again
    assert {path.name for path in sheet.iterdir()} == {PAGE, SHEET, KEY}


def test_tiles_that_lack_are_named(tmp_path: Path, captioned: Captioned) -> None:
    with pytest.raises(CaptionError, match="good-0"):
        write_sheet([good_tile(1)], [captioned], tmp_path)
    with pytest.raises(CaptionError, match="no claim"):
        write_sheet([TILE], [], tmp_path)


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''-1", "'plain", "plain", ""]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_and_reading_gives_what_was_written(
    text: str, tmp_path: Path, captioned: Captioned
) -> None:
    sentence = replace(captioned.removed[0], text=text)
    tile = replace(TILE, id=f"{text}tile")
    made = replace(captioned, tile_id=tile.id, sentences=(), removed=(sentence,))
    write_sheet([tile], [made], tmp_path)
    for name in (SHEET, KEY):
        with (tmp_path / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r") and cell], name
    items = read_key(tmp_path / KEY)
    assert {(item.tile, item.sentence) for item in items} == {(tile.id, text)}
    assert items == items_of([made])
    # A spreadsheet that takes the apostrophe away does no harm.
    path = filled(tmp_path, "ann", lambda rows: None)
    assert set(read_sheet(path, items).verdicts.values()) == {"right"}
    if text.startswith("="):
        path.write_text(path.read_text().replace("'=", "="))
        assert read_sheet(path, items).verdicts.keys() == {item.id for item in items}


def test_a_filled_sheet_is_read(sheet: Path) -> None:
    items = read_key(sheet / KEY)

    def change(rows: list[dict]) -> None:
        rows[1]["verdict"], rows[2]["verdict"] = " Wrong", "unclear"
        rows[0]["note"] = 'so, "it is"'
        rows.reverse()

    found = read_sheet(filled(sheet, "ann", change), items)
    assert found.reviewer == "ann"
    assert [found.verdicts[i.id] for i in items] == ["right", "wrong", "unclear", "right", "right"]
    path = filled(sheet, "ben", lambda rows: None)
    spreadsheet = [";".join(f'"{c}"' for c in row) for row in csv.reader(path.open(newline=""))]
    path.write_text("\ufeff" + "\r\n".join(spreadsheet), encoding="utf-8")
    assert set(read_sheet(path, items).verdicts.values()) == {"right"}


def set_first(**values: str) -> Callable[[list[dict]], object]:
    return lambda rows: rows[0].update(values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (set_first(claim_id="c9999"), r"line 2: a claim is not of this sheet[\s\S]*c9999"),
        (
            set_first(verdict="maybe"),
            r"line 2: a verdict is unknown[\s\S]*maybe[\s\S]*right, wrong",
        ),
        (set_first(verdict=""), r"line 2: a verdict is missing"),
        (set_first(claim="cover share: tundra"), r"another than the key's[\s\S]*tundra"),
        (set_first(tile="good-7"), r"another than the key's"),
        (lambda rows: rows.pop(), r"1 claims are missing[\s\S]*c0005"),
        (lambda rows: rows.append(rows[0]), r"line 7: a claim is judged twice"),
    ],
)
def test_a_wrong_sheet_is_refused(
    sheet: Path, change: Callable[[list[dict]], object], told: str
) -> None:
    with pytest.raises(CaptionError, match=told):
        read_sheet(filled(sheet, "ann", change), read_key(sheet / KEY))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"claim_id,verdict\nc0001,right\n", "lacks columns"),
        (b"", "lacks columns"),
        ("claim_id,tile,sentence,claim,verdict,note\nä".encode("latin-1"), "not UTF-8"),
        (
            b"claim_id,tile,sentence,claim,verdict,note\nc0001,x,a, b,c,right,\n",
            "line 2: a row has",
        ),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "ann.csv").write_bytes(content)
    with pytest.raises(CaptionError, match=told):
        read_sheet(tmp_path / "ann.csv", [])
    with pytest.raises(CaptionError, match="no such file"):
        read_sheet(tmp_path / "ben.csv", [])


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("Cropland covers about 40 % of the tile.", "cover share: cropland (about 40 %)"),
        ("Forest is not the largest class.", "cover rank: not: tree cover (the largest)"),
        ("Elevation ranges from 2 to 3 m.", "elevation: elevation (2 to 3 m)"),
        ("The median NDVI is above 0.5.", "index: ndvi (median, above 0.5)"),
        ("The scene was taken in May 2021.", "date: date (2021-5)"),
        ("Water lies north of the forest.", "side: open water and tree cover (north)"),
    ],
)
def test_claims_in_words(sentence: str, words: str) -> None:
    claims, _ = claims_of(sentence)
    assert [in_words(claim) for claim in claims] == [words]


# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: examples A, B and C.
_A = "0100000010 1110010000"
_B = "aabbdcccedda babbbccceddd"
_C = "123321412... 1233224125.3 .3332342251. 12332441251."


def coded(text: str) -> np.ndarray:
    rows = [list(row) for row in text.split()]
    names = sorted({v for row in rows for v in row} - {"."})
    return np.array([[names.index(v) if v != "." else -1 for v in row] for row in rows]).T


def test_alpha_of_published_examples() -> None:
    assert agreement.krippendorff_alpha(coded(_A)) == pytest.approx(0.095, abs=5e-4)
    assert agreement.krippendorff_alpha(coded(_B)) == pytest.approx(0.692, abs=5e-4)
    assert agreement.krippendorff_alpha(coded(_C)) == pytest.approx(0.743, abs=5e-4)


def test_alpha_weighs_as_if_repeated() -> None:
    table = coded(_A)
    times = np.array([2, 1, 1, 0, 3, 1, 1, 1, 1, 1])
    repeated = np.repeat(table, times, axis=0)
    assert agreement.krippendorff_alpha(table, times.astype(float)) == pytest.approx(
        agreement.krippendorff_alpha(repeated)
    )
    assert np.isnan(agreement.krippendorff_alpha(np.zeros((4, 2), int)))


def test_kappa_of_published_examples() -> None:
    # The example of scikit-learn's cohen_kappa_score; a third claim that one left out is no pair.
    example = np.array([[0, 0], [1, 1], [2, -1], [1, 1], [2, 2], [1, 0]])
    assert agreement.cohen_kappa(example) == pytest.approx(0.6875)
    times = np.array([2.0, 0.0, 5.0, 1.0, 3.0, 1.0])
    repeated = np.repeat(example, times.astype(int), axis=0)
    weighed = agreement.cohen_kappa(example, times)
    assert weighed == pytest.approx(agreement.cohen_kappa(repeated))
    # Cohen's kappa of the textbook case of 20, 5, 10 and 15 of 50 grant proposals: 0.4.
    yes_no = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], [20, 5, 10, 15], axis=0)
    assert agreement.cohen_kappa(yes_no) == pytest.approx(0.4)
    assert np.isnan(agreement.cohen_kappa(np.ones((3, 2), int)))


def made_items(tiles: int, each: int) -> list[Item]:
    return [
        Item(
            f"c{t}-{i}", f"t{t}", "s", "c", "cover share", ("supported", "contradicted")[i % 2], ""
        )
        for t in range(tiles)
        for i in range(each)
    ]


def judged(name: str, items: list[Item], wrong: int = 0) -> Filled:
    """A reviewer who agrees with the check but for the first so many claims."""
    right = {i.id: "right" if i.status == "supported" else "wrong" for i in items}
    for item in items[:wrong]:
        right[item.id] = "wrong" if right[item.id] == "right" else "right"
    return Filled(name, right)


def test_agreement_of_people_and_check() -> None:
    items = made_items(8, 5)
    sheets = [judged("ann", items), judged("ben", items, wrong=4)]
    report = review_report(sheets, items, resamples=200)
    assert report["raw_agreement"]["value"] == pytest.approx(0.9)
    assert report["with_check"]["value"] == pytest.approx(0.95)
    assert report["kept_right"]["value"] == pytest.approx(46 / 48)
    assert report["removed_wrong"]["value"] == pytest.approx(30 / 32)
    assert report["cohen_kappa"]["value"] == pytest.approx(
        report["krippendorff_alpha"]["value"], abs=0.01
    )
    low, high = report["with_check"]["interval"]
    assert low < 0.95 < high == 1.0
    assert report == review_report(sheets, items, resamples=200)
    three = review_report([*sheets, judged("cem", items)], items, resamples=50)
    assert "cohen_kappa" not in three
    assert three["reviewers"] == ["ann", "ben", "cem"]
    assert "krippendorff_alpha" not in review_report(sheets[:1], items, resamples=50)


def test_what_cannot_be_said_is_not_said() -> None:
    items = made_items(3, 2)
    unclear = [Filled(name, dict.fromkeys([i.id for i in items], "unclear")) for name in "ab"]
    report = review_report(unclear, items, resamples=50)
    assert report["with_check"] == {"value": None, "interval": None}
    assert report["cohen_kappa"]["value"] is None
    assert report["krippendorff_alpha"]["value"] is None
    assert review_report([judged("ann", items)], items)["with_check"]["interval"] is None
    with pytest.raises(CaptionError, match="two sheets are of one reviewer"):
        review_report([judged("ann", items)] * 2, items)
    with pytest.raises(CaptionError, match="no filled sheet"):
        review_report([], items)


@pytest.mark.long
def test_the_page_saves_a_sheet_that_is_read(sheet: Path, chromium: Path) -> None:
    from playwright.sync_api import sync_playwright

    items = read_key(sheet / KEY)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page(accept_downloads=True)
        page.goto((sheet / PAGE).as_uri())
        assert "5 of 5 claims are open" in page.inner_text("#left")
        for item in items:
            page.check(f'input[name="{item.id}"][value="wrong"]')
        page.fill("#name", "ann")
        page.locator(".note").first.fill('=no, "not" this')
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(sheet / download.value.suggested_filename)
        browser.close()
    assert '"\'=no, ""not"" this"' in (sheet / "ann.csv").read_text()
    found = read_sheet(sheet / "ann.csv", items)
    assert set(found.verdicts.values()) == {"wrong"}

"""The page of each source: complete, without dead links, and without anything from outside."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapters.settings import Settings
from adapters.spec import load_spec, source_ids
from soilmeld import pages

SHOWN = ["arsenic_topsoils", "esdb_v2_vector", "lucas_2018_topsoil", "limesoda", "gemas"]


class Links(HTMLParser):
    """What a page points to, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "a":
            self.targets.append(str(said["href"]))
        if tag in ("img", "script", "link", "iframe"):
            self.loaded.append(str(said.get("src") or said.get("href")))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def dead_links(index: Path) -> list[str]:
    """Local links of all pages that lead nowhere, and loaded things that are not in the page."""
    dead = []
    for page in sorted(index.parent.glob("*.html")):
        links = Links(page)
        assert links.open == [], f"{page.name}: not closed"
        for target in links.targets:
            outside = target.startswith(("https://", "http://"))
            if not outside and not (page.parent / target.split("#")[0]).is_file():
                dead.append(f"{page.name}: {target}")
        dead += [
            f"{page.name}: {what[:60]}"
            for what in links.loaded
            if not what.startswith("data:image/png;base64,")
        ]
    return dead


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("empty")
    return pages.write_pages(Settings(data_root=root / "data", truth_root=root / "truth"))


@pytest.fixture(scope="module")
def filled(whole) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "source_ids", lambda: SHOWN)
        return pages.write_pages(whole[0])


def test_every_source_has_a_page_before_any_data(empty):
    assert dead_links(empty) == []
    index = Links(empty).targets
    for source in source_ids():
        assert f"{source}.html" in index
        text = (empty.parent / f"{source}.html").read_text()
        assert "No version was standardised yet" in text
        assert load_spec(source).origin.licence.id in text


def test_a_page_says_what_the_specification_says(empty):
    spec = load_spec("arsenic_topsoils")
    text = (empty.parent / "arsenic_topsoils.html").read_text()
    assert spec.origin.doi in text
    for column in spec.columns:
        assert f"<code>{column.name}</code>" in text
        assert f"<code>{column.native}</code>" in text
    assert "assumed" in text
    assert "mg/kg" in text
    assert text.count("<li>") == len(spec.quirks)


def test_columns_stand_under_their_table_where_there_are_several(empty):
    spec = load_spec("lucas_2009_topsoil")
    text = (empty.parent / "lucas_2009_topsoil.html").read_text()
    places = [
        text.index(f"table {name}: <code>") for name in dict.fromkeys(c.table for c in spec.columns)
    ]
    assert places == sorted(places)
    # Nitrogen has another unit in the supplement.
    assert (
        places[0] < text.index("g/kg (mass)") < places[1] < text.index("mg/100g (mass)") < places[2]
    )
    assert "table layers" not in (empty.parent / "arsenic_topsoils.html").read_text()


def test_corrections_stand_on_the_page(empty):
    text = (empty.parent / "gemas.html").read_text()
    for entry in load_spec("gemas").corrections:
        assert f"<code>{entry.id}</code>" in text
    assert "<h2>Corrections</h2>" not in (empty.parent / "zinc_topsoils.html").read_text()


def test_a_page_shows_the_last_version(filled):
    assert dead_links(filled) == []
    text = (filled.parent / "lucas_2018_topsoil.html").read_text()
    assert "The values shown here are synthetic" in text
    assert text.count("data:image/png") == 1 + pages.PICTURES
    assert "checks hold" in text
    assert "LUCAS-SOIL-2018.csv" in text
    # One picture a layer, up to the limit.
    assert (filled.parent / "arsenic_topsoils.html").read_text().count("data:image/png") == 2
    assert "No version was standardised yet" in (filled.parent / "gemas.html").read_text()
    assert "CC-BY-SA-4.0" in (filled.parent / "limesoda.html").read_text()


def test_pages_are_replaced_as_a_whole(tmp_path, monkeypatch):
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    monkeypatch.setattr(pages, "source_ids", lambda: SHOWN)
    index = pages.write_pages(settings)
    (index.parent / "gone.html").write_text("a source that is no more")
    pages.write_pages(settings)
    assert sorted(p.stem for p in index.parent.iterdir()) == sorted([*SHOWN, "index"])
    assert not list(settings.docs.glob(".sources-*"))


def test_text_of_a_source_is_no_markup():
    said = pages._render("index.html.j2", specs=[], states={})
    assert "<h1>Sources</h1>" in said
    spec = load_spec("gemas").model_copy(update={"title": "<script>alert(1)</script>"})
    page = pages._render("source.html.j2", **pages._page(spec, None), state=None)
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("source", "column", "said"),
    [
        ("rusle2015_soil_loss", "soil_loss_water_2016", "2016, mean"),
        ("arsenic_topsoils", "arsenic", "2009"),
        ("r_factor", "rainfall_erosivity_monthly", "1960 to 2013, mean, first of 12 by month"),
    ],
)
def test_a_map_says_when_it_is_of(source, column, said):
    spec = load_spec(source)
    assert pages._when(spec, spec.column(column)) == said

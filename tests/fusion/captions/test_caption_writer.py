"""The law of the offline writer: whatever it can say is understood, and true by the verifier."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from drawn_tiles import random_tile, tile
from good_tile import good_tile

from fusion.captions.claims import KINDS
from fusion.captions.evidence import Evidence
from fusion.captions.judge import holds
from fusion.captions.measure import Facts, measure
from fusion.captions.verifier import Sentence, Verified, verify
from fusion.captions.vocabulary import TOLERANCES
from fusion.captions.writer import all_sentences, write_offline
from fusion.tiles.tile import Tile

Told = dict[str, tuple[Tile, Facts, list[Sentence]]]


def read(tiles: Iterable[Tile]) -> Told:
    """Tiles with all that the writer could say of them, as the verifier reads it."""
    found = {}
    for draw, made in enumerate(tiles):
        facts, evidence = measure(made), Evidence(made)
        texts = sorted(set(all_sentences(facts, draw)))
        sentences = [s for text in texts for s in verify(text, made, evidence).sentences]
        found[made.id] = made, facts, sentences
    return found


@pytest.fixture(scope="module")
def told() -> Told:
    return read((good_tile(0), good_tile(3, bands=9), *map(random_tile, range(8))))


def unsupported(told: Told) -> list[tuple]:
    return [
        (name, s.text, s.unknown, [(v.status, v.evidence) for v in s.verdicts])
        for name, (_, _, sentences) in told.items()
        for s in sentences
        if s.status != "supported"
    ]


def test_every_sentence_is_understood_and_supported(told: Told) -> None:
    assert unsupported(told) == []


@pytest.mark.long
def test_every_sentence_of_many_tiles_is_understood_and_supported() -> None:
    many = read(random_tile(number) for number in range(8, 250))
    assert unsupported(many) == []
    assert sum(len(sentences) for *_, sentences in many.values()) > 20_000


def test_the_law_is_about_much(told: Told) -> None:
    """All kinds of claims, in many sentences; a claim that is not made cannot be wrong."""
    kinds = Counter(
        v.claim.kind for _, _, sentences in told.values() for s in sentences for v in s.verdicts
    )
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 5
    assert sum(kinds.values()) > 1200
    assert len({s.text for _, _, sentences in told.values() for s in sentences}) > 900


def test_sentences_say_what_no_other_tile_supports(told: Told) -> None:
    """The verifier does not nod: read beside another tile, most sentences do not hold."""
    held = Counter()
    names = sorted(told)
    for name, other in zip(names, names[1:], strict=False):
        evidence = Evidence(told[other][0])
        for sentence in told[name][2][::7]:
            read = verify(sentence.text, told[other][0], evidence).sentences
            held.update(s.status for s in read)
    assert held["supported"] < 0.3 * held.total()
    assert held["contradicted"] > 0.3 * held.total()


def test_captions_are_the_same_each_time_and_differ_between_candidates() -> None:
    facts = measure(good_tile(2))
    captions = write_offline(facts, 8)
    assert captions == write_offline(measure(good_tile(2)), 8)
    assert captions[:3] == write_offline(facts, 3)
    assert len(set(captions)) == 8
    assert not set(captions) & set(write_offline(measure(good_tile(3)), 8))


def test_captions_are_supported_as_a_whole(told: Told) -> None:
    checked: list[Verified] = [
        verify(caption, made, Evidence(made))
        for made, facts, _ in list(told.values())[:6]
        for caption in write_offline(facts, 3)
    ]
    assert all(verified.text == verified.caption for verified in checked)
    assert all(4 <= len(verified.sentences) <= 7 for verified in checked)


def test_of_a_tile_without_anything_only_time_and_place_are_said() -> None:
    facts = measure(tile({}))
    kinds = {
        v.claim.kind
        for text in all_sentences(facts, 0)
        for s in verify(text, tile({})).sentences
        for v in s.verdicts
    }
    assert kinds == {"date", "season", "position"}


@pytest.mark.parametrize("share", [12.0, 33.0, 47.1, 66.0, 70.6, 72.0, 75.0, 78.0, 98.6])
def test_rough_shares_stay_within_the_tolerance(share: float) -> None:
    """Words such as "about three quarters" are used no further off than they may be."""
    codes = np.full(128 * 128, 40)
    codes[: round(share / 100 * 128 * 128)] = 10
    made = tile({"worldcover": codes.reshape(128, 128)})
    facts, evidence = measure(made), Evidence(made)
    texts = {s for draw in range(25) for s in all_sentences(facts, draw) if "about" in s}
    assert texts
    for text in texts:
        assert verify(text, made, evidence).sentences[0].status == "supported", text


def test_small_classes_are_not_alike_because_they_are_small() -> None:
    codes = np.full((128, 128), 40)
    codes[0:5, :] = 10  # 3.9 %
    codes[5:7, :] = 50  # 1.6 %
    made = tile({"worldcover": codes})
    assert TOLERANCES.equal > 3.91 - 1.56
    assert not any("similar" in s for s in all_sentences(measure(made), 0))
    (read,) = verify("Forest and built-up land have similar shares.", made).sentences
    assert read.status == "contradicted"


def test_names_and_tags_that_would_be_misread_are_not_said() -> None:
    names = ["St. Moritz", "東京", "Saint-Étienne", "L'Aquila", "Paris, Texas"]
    tags = {"building": "yes", "shop": "cash_and_carry", "maxspeed": "50", "natural": ["wood"]}
    made = tile({}, extra={"place_names": names, "map_tags": tags})
    texts = all_sentences(measure(made), 0)
    near = {s.split(" near ")[1] for s in texts if " near " in s}
    assert near == {"Saint-Étienne.", "L'Aquila.", "Paris, Texas."}
    assert [s for s in texts if "OpenStreetMap" in s] == ["OpenStreetMap marks wood."]


@pytest.mark.parametrize(
    "text", ["OpenStreetMap marks.", "OpenStreetMap marks wood and.", "Tagged:"]
)
@pytest.mark.parametrize("values", [["wood"], ["wood", ""], ""])
def test_a_sentence_that_names_nothing_of_the_map_says_nothing(text: str, values: object) -> None:
    made = tile({}, extra={"map_tags": {"natural": values}})
    (read,) = verify(text, made).sentences
    assert read.status == "unsupported"


def test_a_tile_lies_in_a_place_only_where_the_data_say_so() -> None:
    made = tile({}, extra={"place_names": ["Bonn"], "lies_in": ["Rhineland"]})
    said = {
        "The tile lies near Bonn.": "supported",
        "The tile lies next to Bonn.": "supported",
        "The tile lies in Bonn.": "unsupported",
        "It is located within Bonn.": "unsupported",
        "The tile is at Bonn.": "unsupported",
        "The tile lies in Rhineland.": "supported",
        "It lies in Rhineland and near Bonn.": "supported",
        "It lies in Bonn and near Rhineland.": "unsupported",
        "The tile lies near Rhineland.": "unsupported",
    }
    facts = measure(made)
    for text, status in said.items():
        (read,) = verify(text, made).sentences
        assert read.status == status, text
        judged = {holds(v.claim, facts, made) for v in read.verdicts}
        assert (judged == {True}) == (status == "supported"), text
    written = [s for s in all_sentences(facts, 0) if "Bonn" in s or "Rhineland" in s]
    assert len(written) == 4
    assert all(verify(s, made).sentences[0].status == "supported" for s in written)


@pytest.mark.parametrize(
    ("clay", "sand", "name"), [(70.0, 10.0, "clay"), (3.0, 93.0, "sand"), (4.0, 4.0, "silt")]
)
def test_texture_classes_that_are_fractions_too_are_understood(
    clay: float, sand: float, name: str
) -> None:
    made = tile({}, soil={"clay": clay, "sand": sand})
    for text in (f"The topsoil texture is {name}.", f"The soil is a {name}."):
        assert text in all_sentences(measure(made), 0)
        (read,) = verify(text, made).sentences
        assert [v.status for v in read.verdicts] == ["supported"]
        (read,) = verify(text, tile({}, soil={"clay": 20.0, "sand": 40.0})).sentences
        assert [v.status for v in read.verdicts] == ["contradicted"]

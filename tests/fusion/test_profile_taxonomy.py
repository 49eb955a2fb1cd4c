"""The taxonomy of horizon symbols: graph, similarities, vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codebooks import Codebook, codebook
from adapters.errors import FusionError
from fusion.profiles.symbols import main_letter
from fusion.profiles.taxonomy import Taxonomy, taxonomy

LABELS = ("Ap", "Ah", "Bv", "Bt", "Sw", "Sd", "M", "Mc", "H", "Sw-Bv", "Bv-Ael")


def alike(tree: Taxonomy, a: str, b: str) -> float:
    return tree.similarity()[tree.labels.index(a), tree.labels.index(b)]


def test_graph() -> None:
    tree = taxonomy(LABELS)
    assert tree.labels == LABELS
    assert tree.mixtures == ("Sw-Bv", "Bv-Ael")
    assert tree.mains == ("A", "B", "H", "M", "S")
    assert "Ael" in tree.leaves  # a component that is no label itself
    graph = tree.graph()
    assert graph["B"] == ("/",)
    assert graph["B/Bv"] == ("B",)
    assert graph["Sw-Bv"] == ("S/Sw", "B/Bv")
    assert graph["M/M"] == ("M",)  # a leaf below the main symbol of its name
    assert graph["H"] == ("/",)


def test_similarities_of_the_published_graph() -> None:
    """0 between main symbols, 1/2 within one, 1 with itself; mixtures as the authors have them."""
    tree = taxonomy(LABELS)
    assert alike(tree, "Ap", "Ap") == 1
    assert alike(tree, "Ap", "Ah") == 0.5
    assert alike(tree, "M", "Mc") == 0.5
    assert alike(tree, "Ap", "Bv") == 0
    assert alike(tree, "Sw-Bv", "Bv") == pytest.approx(0.897, abs=5e-4)
    assert alike(tree, "Sw-Bv", "Sw") == pytest.approx(0.442, abs=5e-4)


def test_main_symbols() -> None:
    tree = taxonomy(LABELS)
    assert {label: tree.main(label) for label in LABELS} == {
        label: main_letter(label) for label in LABELS
    }
    assert tree.main("Ael") == "A"
    with pytest.raises(FusionError, match="no label of this taxonomy"):
        tree.main("Gr")


def test_the_main_symbol_is_where_the_codebook_puts_it() -> None:
    book = Codebook("made", {"A": "", "B": "", "AhB": ""}, {"AhB": "A"}, {})
    tree = taxonomy(("A", "B", "AhB"), book)
    assert tree.main("AhB") == "A"
    assert main_letter("AhB") == "B"


def test_labels_the_codebook_lacks_go_below_their_last_capital_letter() -> None:
    assert taxonomy(("qGq", "Go")).main("qGq") == "G"
    assert alike(taxonomy(("qGq", "Go", "Ap")), "qGq", "Go") == 0.5


@pytest.mark.parametrize(
    ("labels", "says"),
    [(("Ap", "Bv", "Ap"), "stand twice"), ((), "no label"), (("Ap", "v"), "without a main")],
)
def test_labels_that_make_no_taxonomy(labels: tuple[str, ...], says: str) -> None:
    with pytest.raises(FusionError, match=says):
        taxonomy(labels)


def exact(tree: Taxonomy) -> None:
    vectors = tree.embedding()
    assert np.abs(vectors @ vectors.T - tree.similarity()).max() < 1e-6
    leaves = [tree.labels.index(leaf) for leaf in tree.leaves if leaf in tree.labels]
    places = [tree.leaves.index(tree.labels[row]) for row in leaves]
    given_by_graph = tree.leaf_similarity()[np.ix_(places, places)]
    own = vectors[leaves]
    assert np.abs(own @ own.T - given_by_graph).max() < 1e-6
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)


def test_inner_products_are_similarities_for_all_published_symbols() -> None:
    book = codebook("horizon_symbols")
    leaves = tuple(book.codes)
    exact(taxonomy((*leaves, "Sw-Bv", "Bv-Ael", "Sw-Bv-elC", "Sw-Bv-Sw")))


def test_a_single_label_is_like_itself() -> None:
    tree = taxonomy(("Ap",))
    assert tree.embedding().tolist() == [[1.0]]
    assert tree.levels()[0].tolist() == [[1.0]]


@st.composite
def books(draw: st.DrawFn) -> tuple[Codebook, tuple[str, ...]]:
    """A tree of up to five levels, and some of its nodes and mixtures of them as labels."""
    parents: dict[str, str] = {}
    codes = ["Aq", "Bq"]
    for number in range(draw(st.integers(0, 14))):
        code = "N" + "abcdefghijklmno"[number]
        parents[code] = draw(st.sampled_from(codes))
        codes.append(code)
    simple = draw(st.lists(st.sampled_from(codes), min_size=1, max_size=10, unique=True))
    pairs = draw(st.lists(st.tuples(st.sampled_from(codes), st.sampled_from(codes)), max_size=4))
    mixed = {f"{a}-{b}" for a, b in pairs if a != b}
    book = Codebook("made", dict.fromkeys(codes, "."), parents, {})
    return book, (*simple, *sorted(mixed))


@settings(max_examples=60, deadline=None)
@given(books())
def test_laws_of_trees_of_any_depth(made: tuple[Codebook, tuple[str, ...]]) -> None:
    book, labels = made
    tree = taxonomy(labels, book)
    exact(tree)
    similarity = tree.similarity()
    assert similarity.min() > -1e-12
    assert similarity.max() < 1 + 1e-12
    assert np.allclose(similarity, similarity.T)
    for level in tree.levels():
        assert np.allclose(level.sum(1), 1)
        assert (level.max(0) > 0).all()  # each node has a label
    # Turning the labels round turns the matrix round, and nothing else.
    turned = taxonomy(labels[::-1], book)
    assert np.allclose(turned.similarity()[::-1, ::-1], similarity)
    # Among leaves the nearer ancestor is the more alike: no leaf is between two that are closer.
    leaf = tree.leaf_similarity()
    assert (leaf[:, :, None] >= np.minimum(leaf[:, None, :], leaf[None, :, :]) - 1e-12).all()


def test_similarity_of_deeper_levels_by_hand() -> None:
    """Root 3 high; Ba and Bb share a node 1 high, Bx one 2 high, A is apart."""
    codes = dict.fromkeys(("A", "B", "Bm", "Ba", "Bb", "Bx"), ".")
    book = Codebook("made", codes, {"Bm": "B", "Ba": "Bm", "Bb": "Bm", "Bx": "B"}, {})
    tree = taxonomy(("Ba", "Bb", "Bx", "A"), book)
    expected = [[1, 2 / 3, 1 / 3, 0], [2 / 3, 1, 1 / 3, 0], [1 / 3, 1 / 3, 1, 0], [0, 0, 0, 1]]
    assert np.allclose(tree.similarity(), expected)
    assert [level.shape[1] for level in tree.levels()] == [2, 3]


def test_levels_share_mixtures_between_their_main_symbols() -> None:
    tree = taxonomy(("Sw", "Bv", "Sw-Bv"))
    (level,) = tree.levels()  # nodes B, S
    assert np.allclose(level, [[0, 1], [1, 0], [0.67, 0.33]])


def test_no_label_stands_twice_in_the_codebook() -> None:
    book = codebook("horizon_symbols")
    assert {code for code in book.codes if code not in book.parents} == set("ABCEGHMPRS")
    assert all(main_letter(code) == parent for code, parent in book.parents.items())
    assert book.assumed < set(book.codes)
    assert "Ap" not in book.assumed

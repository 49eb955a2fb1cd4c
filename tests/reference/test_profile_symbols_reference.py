"""The published tree of horizon symbols against the codebook."""

from pathlib import Path

from adapters.codebooks import codebook
from fusion.profiles.symbols import normalise
from fusion.profiles.taxonomy import taxonomy

FILE = "profile_photos/soilnet/filtered_main_horizons_parent_child.txt"


def test_the_codebook_has_the_published_tree(reference: Path) -> None:
    pairs = [line.split() for line in (reference / FILE).read_text().splitlines()]
    mains = {child for parent, child in pairs if parent == "Root"}
    leaves = {normalise(child): parent for parent, child in pairs if parent != "Root"}
    assert len(leaves) == 26
    book = codebook("horizon_symbols")
    assert not (mains | set(leaves)) & book.assumed
    assert {leaf: book.parents.get(leaf, leaf) for leaf in leaves} == leaves
    tree = taxonomy(tuple(leaves))
    assert set(tree.mains) == mains
    assert {leaf: tree.main(leaf) for leaf in leaves} == leaves

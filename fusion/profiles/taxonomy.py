"""The tree of horizon symbols, and how alike it makes them.

Belongs here: the graph of the labels that a data set has, similarities, vectors.
Never here: spellings, losses, scores.

The graph has a root, below it main symbols, below them symbols (the codebook `horizon_symbols` may
put more levels between), and below these the mixtures, which have several parents.

Leaves are alike as Barz and Denzler 2019 (arXiv 1809.09875) have it,

    s(a, b) = 1 - height(lowest common ancestor of a and b) / height(root),

where the height of a node is the number of edges of the longest way down from it to a leaf. With
w(v) = (height(parent of v) - height(v)) / height(root), s is the sum of w(v) over all nodes above
both (the leaves themselves among them). Each w is positive, each leaf has one of its own, so the
matrix is positive definite and its Cholesky factor has the leaves' unit vectors as rows: inner
products equal similarities. A mixture is the sum of its components' vectors, weighted and brought
to length one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adapters.codebooks import Codebook, codebook
from adapters.errors import FusionError
from fusion.profiles.symbols import components, main_letter

DOMINANT = 0.67
"""Weight of the last component of a mixture; the others share the rest (arXiv 2508.03785)."""
ROOT = "/"


@dataclass(frozen=True)
class Taxonomy:
    """Labels of a data set and the graph above them.

    Attributes:
        labels: Normalised symbols, leaves and mixtures, each once; their order is that of all
            matrices.
        leaves: Symbols that are no mixture: labels, and components of mixtures that are no label
            themselves. Sorted.
        paths: Of each leaf, its nodes from the main symbol to itself. A leaf that other leaves lie
            below, such as `M` beside `Mc`, is a node of its own below that node.
    """

    labels: tuple[str, ...]
    leaves: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]

    @property
    def mixtures(self) -> tuple[str, ...]:
        """Labels with more than one component."""
        return tuple(label for label in self.labels if len(components(label)) > 1)

    @property
    def mains(self) -> tuple[str, ...]:
        """Main symbols, sorted."""
        return tuple(sorted({path[0] for path in self.paths}))

    def main(self, label: str) -> str:
        """Main symbol of a label; of a mixture, that of its dominant component.

        It is the last capital letter of nearly every normalised label. They differ where the
        codebook puts a symbol below another main symbol than its last letter; and the letter is
        misled by texts that are not normalised (`Bv II`, `Oh`), which are no label here.

        Raises:
            FusionError: It is none of the labels nor of their components.
        """
        leaf = components(label)[-1]
        if leaf not in self.leaves:
            raise FusionError(
                f"{label!r} is no label of this taxonomy",
                samples=self.labels,
                remedy="normalise the symbol and bring it to a common one",
            )
        return self.paths[self.leaves.index(leaf)][0]

    @cached_property
    def heights(self) -> dict[tuple[str, ...], int]:
        """Edges from each node (its path; the root's is empty) to the deepest leaf below it."""
        heights: dict[tuple[str, ...], int] = {}
        for path in self.paths:
            for depth in range(len(path) + 1):
                node = path[:depth]
                heights[node] = max(heights.get(node, 0), len(path) - depth)
        return heights

    def graph(self) -> dict[str, tuple[str, ...]]:
        """Parents of each node but the root; a node's name is its path, a mixture's its label."""

        def named(path: tuple[str, ...]) -> str:
            return ROOT.join(path) or ROOT

        parents: dict[str, tuple[str, ...]] = {
            named(node): (named(node[:-1]),) for node in self.heights if node
        }
        place = dict(zip(self.leaves, self.paths, strict=True))
        for label in self.mixtures:
            parents[label] = tuple(named(place[part]) for part in components(label))
        return parents

    def leaf_similarity(self) -> np.ndarray:
        """(leaves, leaves) float64: 1 - height of the lowest common ancestor / height of root."""
        whole = self.heights[()]
        found = np.empty((len(self.leaves), len(self.leaves)))
        for i, a in enumerate(self.paths):
            for j, b in enumerate(self.paths):
                shared = 0
                while shared < min(len(a), len(b)) and a[shared] == b[shared]:
                    shared += 1
                found[i, j] = 1 - self.heights[a[:shared]] / whole
        return found

    def weights(self) -> np.ndarray:
        """(labels, leaves) float64: share of each leaf in each label; rows sum to 1."""
        found = np.zeros((len(self.labels), len(self.leaves)))
        for row, label in enumerate(self.labels):
            *others, dominant = (self.leaves.index(part) for part in components(label))
            found[row, dominant] = DOMINANT if others else 1.0
            # A component may stand twice (Sw-Bv-Sw): its shares add up.
            np.add.at(found[row], others, (1 - DOMINANT) / max(len(others), 1))
        return found

    def embedding(self) -> np.ndarray:
        """(labels, leaves) float64: unit vectors whose inner products are the similarities."""
        vectors = self.weights() @ np.linalg.cholesky(self.leaf_similarity())
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def similarity(self) -> np.ndarray:
        """(labels, labels) float64, from the graph; of mixtures, what their vectors would have."""
        weights = self.weights()
        product = weights @ self.leaf_similarity() @ weights.T
        length = np.sqrt(np.diag(product))
        return product / np.outer(length, length)

    def levels(self) -> tuple[np.ndarray, ...]:
        """Share of each node in each label, level by level, from the main symbols downwards.

        Returns:
            (labels, nodes of the level) float64, rows summing to 1; a leaf that ends higher up
            stands for itself on the levels below. The leaves' own level is not among them; if all
            leaves are main symbols there is none.
        """
        weights, found = self.weights(), []
        for depth in range(1, max(map(len, self.paths))):
            nodes = [path[:depth] for path in self.paths]
            names = sorted(set(nodes))
            belongs = np.array([[node == name for name in names] for node in nodes], float)
            found.append(weights @ belongs)
        return tuple(found)


def taxonomy(labels: Sequence[str], book: Codebook | None = None) -> Taxonomy:
    """The taxonomy of the labels that a data set has.

    A symbol that the codebook lacks is put below its last capital letter.

    Args:
        labels: Normalised symbols.
        book: Parents of symbols; `horizon_symbols` unless another is given.

    Raises:
        FusionError: There is no label, one stands twice, or one has no main symbol.
    """
    book = codebook("horizon_symbols") if book is None else book
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice or not labels:
        raise FusionError(
            "labels stand twice" if twice else "there is no label",
            samples=twice,
            remedy="give each label once",
        )
    leaves = tuple(sorted({part for label in labels for part in components(label)}))
    if lost := [leaf for leaf in leaves if not any(map(str.isupper, leaf))]:
        raise FusionError(
            "labels without a main symbol", samples=lost, remedy="normalise the symbols"
        )

    def above(leaf: str) -> tuple[str, ...]:
        if leaf in book.codes:
            return (*reversed(book.ancestors(leaf)), leaf)
        letter = main_letter(leaf)
        return (letter,) if leaf == letter else (letter, leaf)

    paths = [above(leaf) for leaf in leaves]
    inner = {path[:depth] for path in paths for depth in range(len(path))}
    return Taxonomy(
        labels=tuple(labels),
        leaves=leaves,
        paths=tuple((*path, path[-1]) if path in inner else path for path in paths),
    )

"""Which sources can stand in which group of samples, as far as the graph can know it.

Belongs here: the static side of the origin groups. What a source's active version says decides at
run time; a group without any active source makes nothing.
Never here: assets.
"""

from dataclasses import dataclass

from adapters.spec import SourceSpec
from adapters.twin import SOURCES


@dataclass(frozen=True)
class Group:
    """Samples of one origin, and the sources that can meet there."""

    name: str
    description: str
    specs: tuple[SourceSpec, ...]

    @property
    def backbone(self) -> list[str]:
        """Sources whose rows are the samples."""
        return [spec.id for spec in self.specs if spec.sample]

    @property
    def regions(self) -> list[str]:
        """Source that tells samples their administrative region, where their survey does not."""
        return [spec.id for spec in self.specs if spec.id == "nuts_2016"]

    @property
    def photographs(self) -> list[str]:
        """Source of photographed profiles."""
        return [spec.id for spec in self.specs if spec.modality == "photos"]

    @property
    def aligned(self) -> list[str]:
        """Sources that are brought to the samples."""
        return [
            spec.id
            for spec in self.specs
            if any(piece.fuse.join not in ("backbone", "none") for piece in spec.pieces)
        ]


def groups(specs: list[SourceSpec]) -> list[Group]:
    """The three groups: the twin's, the open data that packages ship, and the user's own."""
    return [
        Group(
            "synthetic",
            "Made from the synthetic twin: invented data, for trying things out.",
            tuple(spec for spec in specs if not spec.auxiliary or spec.id in SOURCES),
        ),
        Group(
            "open",
            "Made from real, open data that packages ship or servers hand out.",
            tuple(spec for spec in specs if spec.access.kind != "manual"),
        ),
        Group("user", "Made from files that a user put into the inbox.", tuple(specs)),
    ]

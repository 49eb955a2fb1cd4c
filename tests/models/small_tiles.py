"""A batch of small tiles: 64 x 64 pixels in 16 patches of 16, five modalities, holes everywhere."""

import torch

from models.geomeld_fm import GeoMeldConfig, GeoMeldFM, Modality, TileBatch

EDGE, PATCH = 64, 16
SENTINEL2 = Modality("sentinel2", "map", 4, EDGE)
SENTINEL1 = Modality("sentinel1", "map", 2, EDGE)
RELIEF = Modality("relief", "map", 1, EDGE // 2)
WORLDCOVER = Modality("worldcover", "classes", 3, EDGE)
SOIL = Modality("soil", "vector", 5, 0)
TARGETS = (SENTINEL2, SENTINEL1, RELIEF, WORLDCOVER, SOIL)
CONFIG = GeoMeldConfig(
    size="atto",
    patch=PATCH,
    inputs=(SENTINEL2,),
    targets=TARGETS,
    decoder_width=16,
    decoder_blocks=1,
    predictor_width=16,
    predictor_blocks=1,
    contrast_width=8,
    caption_width=6,
)


def model(seed: int = 0, **changes: object) -> GeoMeldFM:
    """A small model whose normalisations are not at their neutral start."""
    torch.manual_seed(seed)
    made = GeoMeldFM(GeoMeldConfig(**{**CONFIG.__dict__, **changes}))
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "response" in name:
                weight.normal_(std=0.5)
    return made


def batch(rows: int = 3, seed: int = 0, visible: int = 7) -> TileBatch:
    """Random values with random holes, which hold NaN; the last row has no caption."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    def flags(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator) < 0.9

    values, present = {}, {}
    for m in TARGETS:
        shape = (rows, m.channels, m.size, m.size) if m.kind == "map" else (rows, m.channels)
        if m.kind == "classes":
            shape = (rows, m.size, m.size)
            values[m.id] = torch.randint(0, m.channels, shape, generator=generator)
        else:
            values[m.id] = normal(*shape)
        present[m.id] = flags(*shape)
        undefined = 255 if m.kind == "classes" else torch.nan
        values[m.id] = values[m.id].masked_fill(~present[m.id], undefined)
    patches = (EDGE // PATCH) ** 2
    shown = torch.zeros(rows, patches, dtype=torch.bool)
    for row in shown:
        row[torch.randperm(patches, generator=generator)[:visible]] = True
    return {
        "values": values,
        "present": present,
        "hidden_bands": {m.id: torch.zeros(rows, m.channels, dtype=torch.bool) for m in TARGETS},
        "visible": shown,
        "caption": normal(rows, 3, 6),
        "sentence": torch.cat([torch.arange(3 * rows - 3), torch.full((3,), -1)]).view(rows, 3),
    }

"""A batch of small profiles: 64 x 32 pixels, five places for horizons, holes everywhere."""

import torch

from models.soilnet import ProfileBatch, ProfileClass, SoilNet, SoilNetConfig
from models.soilnet_parts import BackboneConfig, PatchCNNConfig

HEIGHT, WIDTH, MOST, LABELS = 64, 32, 5, 6
CLASSES = (
    ProfileClass("texture", 4, ordinal=False),
    ProfileClass("roots", 3, ordinal=True),
    ProfileClass("carbonate", 2, ordinal=True),
)
EMBEDDING = torch.nn.functional.normalize(
    torch.eye(LABELS, 4) + 0.1 * torch.arange(4.0), dim=1
).tolist()
PATCH_CNN = PatchCNNConfig(patch=4, widths=(8, 12), pools=((1, 2), (1, 2)))
RESNET = BackboneConfig(
    {
        "model_type": "resnet",
        "embedding_size": 8,
        "hidden_sizes": [8, 12],
        "depths": [1, 1],
        "layer_type": "basic",
    },
    None,
    None,
)
CONVNEXT = BackboneConfig(
    {"model_type": "convnextv2", "depths": [1, 1], "hidden_sizes": [8, 12], "num_stages": 2},
    None,
    None,
)
DINOV2 = BackboneConfig(
    {
        "model_type": "dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 14,
    },
    None,
    None,
)
ENCODERS = {"patch_cnn": PATCH_CNN, "resnet": RESNET, "convnextv2": CONVNEXT, "dinov2": DINOV2}
CONFIG = SoilNetConfig(
    encoder=PATCH_CNN,
    inputs=("picture", "site"),
    tasks=("depths", "properties", "symbols"),
    segments="soft_mask",
    crop_height=16,
    depth_head="cross_attention",
    symbol_head="logits",
    horizons=MOST,
    site_numbers=3,
    site_codes=(4, 2),
    classes=CLASSES,
    labels=LABELS,
    embedding=tuple(map(tuple, EMBEDDING)),
    site_width=8,
    depth_width=16,
    segment_width=12,
    property_width=10,
    told_width=6,
    symbol_width=10,
    attention_heads=2,
    dropout=0.0,
)


def model(seed: int = 0, **changes: object) -> SoilNet:
    """A small model."""
    torch.manual_seed(seed)
    return SoilNet(SoilNetConfig(**{**CONFIG.__dict__, **changes}))


def batch(rows: int = 4, seed: int = 0, forced: bool | None = None) -> ProfileBatch:
    """Random profiles of 1 to MOST horizons; every second row is forced unless `forced` says.

    What is no soil, not known or no horizon holds rubbish.
    """
    g = torch.Generator().manual_seed(seed)
    soil = torch.rand(rows, HEIGHT, WIDTH, generator=g) < 0.9
    soil[:, :, :5] = False
    picture = torch.randn(rows, 3, HEIGHT, WIDTH, generator=g)
    count = 1 + torch.randint(MOST, (rows,), generator=g)
    count[0] = MOST
    exists = torch.arange(MOST) < count[:, None]
    bounds = torch.rand(rows, MOST, generator=g).sort(1).values
    bounds[torch.arange(MOST) >= count[:, None] - 1] = 1.0
    known = torch.rand(rows, 3, generator=g) < 0.8
    codes = torch.stack([torch.randint(-1, n, (rows,), generator=g) for n in (4, 2)], 1)
    where = torch.arange(rows) % 2 == 0 if forced is None else torch.full((rows,), forced)

    def classes(n: int) -> torch.Tensor:
        return torch.randint(-1, n, (rows, MOST), generator=g)

    return {
        "picture": picture.masked_fill(~soil.unsqueeze(1), torch.nan),
        "soil": soil,
        "site_numbers": torch.randn(rows, 3, generator=g).masked_fill(~known, torch.nan),
        "site_known": known,
        "site_codes": codes,
        "bounds": bounds,
        "horizons": exists,
        "stones": torch.rand(rows, MOST, generator=g).masked_fill(~exists, torch.nan),
        "stones_known": exists & (torch.rand(rows, MOST, generator=g) < 0.7),
        "classes": {c.name: classes(c.codes) for c in CLASSES},
        "symbol": classes(LABELS),
        "force_depths": where,
        "force_properties": where.clone(),
    }


def some(given: ProfileBatch, rows: slice | list[int]) -> ProfileBatch:
    """A part of a batch."""
    return {
        k: {n: x[rows] for n, x in v.items()} if isinstance(v, dict) else v[rows]
        for k, v in given.items()
    }

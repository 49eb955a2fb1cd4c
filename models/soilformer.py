"""SoilFormer: a transformer over the features of one sample, trained to restore hidden ones.

Belongs here: the architecture and its configuration. Never here: data preparation, masks, losses.

After LUCAS-MEGA / SoilFormer (arXiv 2605.04323; architecture as in the authors' published
configuration): one column, one embedding; RMSNorm before each block, SwiGLU, grouped-query
attention; a value and a log-variance decoded for each column. It departs from theirs in three
stated ways:

* A vector of length L is **one** token (theirs: L tokens). Attention costs the square of the
  tokens, and one 4,200-band spectrum would outweigh a thousand scalars; their own log-variance is
  one a vector, so the column is the unit of uncertainty here as there.
* A missing entry is no token at all. Rows of a fused matrix are mostly empty, and cost grows with
  what is there; which columns are there still tells the survey.
* The log-variance is bounded by tanh (how theirs is bounded is not published): smooth, so that a
  saturated entry still has a gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)


@dataclass(frozen=True)
class SoilFormerConfig:
    """Everything that fixes the architecture.

    Columns are ordered: numeric by ascending width, then categorical.
    """

    numeric_widths: tuple[int, ...]
    """Length of each numeric column (1 for a scalar), ascending."""
    categories: tuple[int, ...]
    """Number of codes of each categorical column."""
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp_ratio: float
    dropout: float
    numeric_bound: float
    """Largest |log sigma^2| of a numeric column."""
    categorical_bound: float
    """Largest |s| of a categorical column."""
    init_std: float

    @property
    def buckets(self) -> list[tuple[int, int]]:
        """(width, number of columns) in token order."""
        widths = sorted(set(self.numeric_widths))
        return [(width, self.numeric_widths.count(width)) for width in widths]


class Batch(TypedDict):
    """Input of the model; lists hold one tensor a bucket of equal width L with V columns."""

    values: list[Tensor]
    """(B, V, L) standardised values, 0 where not observed."""
    observed: list[Tensor]
    """(B, V, L) bool."""
    hidden: list[Tensor]
    """(B, V) bool: entries to restore; they enter as the mask token whatever their value."""
    codes: Tensor
    """(B, C) int64, position in the column's vocabulary, -1 where missing."""
    codes_hidden: Tensor
    """(B, C) bool."""


class Prediction(TypedDict):
    """Output of the model, float32."""

    mean: list[Tensor]
    """(B, V, L) a bucket."""
    log_variance: list[Tensor]
    """(B, V) a bucket, shared by the elements of a vector."""
    logits: Tensor
    """(B, C, codes of the column that has most), -inf where a column has no such code."""
    log_temperature: Tensor
    """(B, C): s of the categorical loss."""


class GroupedLinear(nn.Module):
    """A linear map of its own for each of V columns: (B, V, n_in) -> (B, V, n_out)."""

    def __init__(self, columns: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(columns, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(columns, n_out))

    def forward(self, x: Tensor) -> Tensor:
        """Apply each column's map."""
        x = x.to(self.weight.dtype)
        return torch.einsum("bvi,vio->bvo", x, self.weight) + self.bias


class ColumnHeads(nn.Module):
    """One linear head a categorical column: rows of one table, a row a code."""

    def __init__(self, categories: Sequence[int], hidden: int) -> None:
        super().__init__()
        total = sum(categories)
        self.weight = nn.Parameter(torch.empty(total, hidden))
        self.bias = nn.Parameter(torch.zeros(total))
        owner = torch.arange(len(categories)).repeat_interleave(torch.tensor(categories))
        row = torch.full((len(categories), max(categories)), total)  # one behind the last: no code
        for column, (start, stop) in enumerate(pairwise(offsets(categories))):
            row[column, : stop - start] = torch.arange(start, stop)
        self.register_buffer("owner", owner, persistent=False)  # (codes,) column of a code
        self.register_buffer("row", row, persistent=False)  # (C, most codes) row of a code

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H) -> (B, C, most codes), -inf where a column has no such code."""
        # All codes at once: a product for each of a hundred columns is mostly waiting.
        logits = torch.einsum("bkh,kh->bk", x[:, self.owner], self.weight) + self.bias
        return F.pad(logits, (0, 1), value=-torch.inf)[:, self.row]


class Attention(nn.Module):
    """Grouped-query attention over all tokens of a sample."""

    def __init__(self, config: SoilFormerConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.heads, config.kv_heads
        self.head_dim, self.dropout = config.head_dim, config.dropout
        inner, kv_inner = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.query = nn.Linear(config.hidden, inner, bias=False)
        self.key_value = nn.Linear(config.hidden, 2 * kv_inner, bias=False)
        self.out = nn.Linear(inner, config.hidden, bias=False)

    def forward(self, x: Tensor, keys: Tensor) -> Tensor:
        """(B, T, H), (B, 1, 1, T) bool (tokens that are no padding) -> (B, T, H)."""
        b, t, _ = x.shape
        q = self.query(x).view(b, t, self.heads, self.head_dim).transpose(1, 2)
        key, value = self.key_value(x).view(b, t, 2, self.kv_heads, self.head_dim).unbind(2)
        mixed = F.scaled_dot_product_attention(
            q,
            key.transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=keys,
            dropout_p=self.dropout if self.training else 0.0,
            enable_gqa=True,
        )
        return self.out(mixed.transpose(1, 2).reshape(b, t, -1))


class SwiGLU(nn.Module):
    """Gated feed-forward block."""

    def __init__(self, config: SoilFormerConfig) -> None:
        super().__init__()
        inner = int(config.hidden * config.mlp_ratio)
        self.gate_up = nn.Linear(config.hidden, 2 * inner, bias=False)
        self.down = nn.Linear(inner, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, H) -> (B, T, H)."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Layer(nn.Module):
    """RMSNorm -> attention -> add, RMSNorm -> SwiGLU -> add."""

    def __init__(self, config: SoilFormerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.RMSNorm(config.hidden, eps=1e-6)
        self.feed_forward = SwiGLU(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, keys: Tensor) -> Tensor:
        """(B, T, H), (B, 1, 1, T) -> (B, T, H)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), keys))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class SoilFormer(nn.Module):
    """Restores hidden features of a sample from its visible ones, each with an uncertainty."""

    def __init__(self, config: SoilFormerConfig) -> None:
        super().__init__()
        if list(config.numeric_widths) != sorted(config.numeric_widths):
            raise ValueError(f"numeric_widths must ascend, got {config.numeric_widths}")
        self.config = config
        hidden, buckets = config.hidden, config.buckets
        columns = len(config.numeric_widths) + len(config.categories)
        self.column = nn.Embedding(columns, hidden)
        self.encode = nn.ModuleList(GroupedLinear(v, width, hidden) for width, v in buckets)
        self.mask = nn.Embedding(1, hidden)  # stands for a hidden number
        self.blocks = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(hidden, eps=1e-6)
        self.decode = nn.ModuleList(GroupedLinear(v, hidden, width) for width, v in buckets)
        self.spread = GroupedLinear(columns, hidden, 1)
        total = sum(config.categories)
        self.register_buffer(
            "code_offset",
            torch.tensor(offsets(config.categories)[:-1], dtype=torch.int64),
            persistent=False,
        )
        if config.categories:
            self.mask_id = total
            self.code = nn.Embedding(total + 1, hidden)
            self.heads = ColumnHeads(config.categories, hidden)
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding | GroupedLinear | ColumnHeads):
            nn.init.normal_(module.weight, std=self.config.init_std)

    def forward(self, batch: Batch) -> Prediction:
        """Predict every entry; only those that were hidden are predictions without sight.

        Args:
            batch: See `Batch`.
        """
        tokens, present = [], []
        for encode, values, observed, hidden in zip(
            self.encode, batch["values"], batch["observed"], batch["hidden"], strict=True
        ):
            tokens.append(torch.where(hidden.unsqueeze(-1), self.mask.weight, encode(values)))
            present.append(observed.any(-1) | hidden)
        if self.config.categories:
            codes, hidden = batch["codes"], batch["codes_hidden"]
            ids = (codes.clamp(min=0) + self.code_offset).masked_fill(hidden, self.mask_id)
            tokens.append(self.code(ids))
            present.append((codes >= 0) | hidden)
        x = torch.cat(tokens, dim=1) + self.column.weight  # (B, T, H)
        there = torch.cat(present, dim=1)  # (B, T)

        # Bring the tokens that are there to the front and cut the empty rest off.
        order = there.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
        order = order[:, : max(1, int(there.sum(1).max()))]  # (B, T')
        index = order.unsqueeze(-1).expand(-1, -1, x.shape[-1])
        kept = x.gather(1, index)
        keys = there.gather(1, order)
        keys[:, 0] = True  # a sample without any feature attends to padding, not to nothing
        keys = keys[:, None, None, :]
        for block in self.blocks:
            kept = block(kept, keys)
        x = torch.zeros_like(x).scatter(1, index, self.norm(kept).to(x.dtype))  # (B, T, H)

        counts = [v for _, v in self.config.buckets]
        *parts, categorical = x.split([*counts, len(self.config.categories)], dim=1)
        spread = self.spread(x).squeeze(-1).float()  # (B, T)
        *numeric_spread, categorical_spread = spread.split(
            [*counts, len(self.config.categories)], dim=1
        )
        return {
            "mean": [d(part).float() for d, part in zip(self.decode, parts, strict=True)],
            "log_variance": [bounded(s, self.config.numeric_bound) for s in numeric_spread],
            "logits": self.heads(categorical).float()
            if self.config.categories
            else categorical.new_zeros(len(categorical), 0, 0).float(),
            "log_temperature": bounded(categorical_spread, self.config.categorical_bound),
        }


def bounded(raw: Tensor, bound: float) -> Tensor:
    """Map all reals smoothly onto (-bound, bound)."""
    return bound * torch.tanh(raw / bound)


def offsets(categories: Sequence[int]) -> list[int]:
    """Where each column starts in a table of all codes, and where the last one ends."""
    cuts = [0]
    for size in categories:
        cuts.append(cuts[-1] + size)
    return cuts

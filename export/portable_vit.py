"""open_clip's image transformer in operators that PyTorch 1.11 knows, with open_clip's state-dict keys.

The same numbers as `open_clip ... .visual` (Dosovitskiy et al., arXiv 2010.11929, with CLIP's pre-norm and
projection), but attention is spelled as matmul and softmax and GELU by erf: `nn.MultiheadAttention`,
`scaled_dot_product_attention` and the newer `aten::gelu` would make an archive that 1.11 cannot read.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ACTIVATION_BY_CLASS = {"GELU": "gelu", "QuickGELU": "quick_gelu"}


@dataclass(frozen=True)
class ViTShape:
    """Everything but the weights; `n_tokens` counts the class token, `out_dim` is None without
    projection. Sides and strides in pixels."""

    patch_px: int
    stride_px: int
    n_tokens: int
    width: int
    n_layers: int
    n_heads: int
    mlp_width: int
    out_dim: int | None
    activation: str
    layer_scale: bool
    norm_first: bool
    pool: str
    norm_after_pool: bool
    norm_eps: float


class Gelu(nn.Module):
    """GELU by its definition, x * Phi(x) (Hendrycks and Gimpel, arXiv 1606.08415)."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1.0 + torch.erf(x * 0.7071067811865476))


class QuickGelu(nn.Module):
    """x * sigmoid(1.702 x), the approximation OpenAI's towers were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class LayerScale(nn.Module):
    """One learnt factor a channel (Touvron et al., arXiv 2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Attention(nn.Module):
    """Self-attention over all tokens, [B, T, W] -> [B, T, W]; parameter names of `nn.MultiheadAttention`."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.head_width = width // n_heads
        self.scale = 1.0 / math.sqrt(self.head_width)
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        n_images, n_tokens, width = tokens.shape
        joint = F.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        joint = joint.view(n_images, n_tokens, 3, self.n_heads, self.head_width).permute(2, 0, 3, 1, 4)
        query, key, value = joint[0] * self.scale, joint[1], joint[2]  # each [B, heads, T, W / heads]
        weights = torch.softmax(torch.matmul(query, key.transpose(-2, -1)), dim=-1)  # [B, heads, T, T]
        mixed = torch.matmul(weights, value).transpose(1, 2).reshape(n_images, n_tokens, width)
        return self.out_proj(mixed)


class Block(nn.Module):
    """Attention and MLP, each behind its norm and added to what came in."""

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        width = shape.width
        self.ln_1 = nn.LayerNorm(width, eps=shape.norm_eps)
        self.attn = Attention(width, shape.n_heads)
        self.ls_1 = LayerScale(width) if shape.layer_scale else nn.Identity()
        self.ln_2 = nn.LayerNorm(width, eps=shape.norm_eps)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, shape.mlp_width),
                gelu=Gelu() if shape.activation == "gelu" else QuickGelu(),
                c_proj=nn.Linear(shape.mlp_width, width),
            )
        )
        self.ls_2 = LayerScale(width) if shape.layer_scale else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls_1(self.attn(self.ln_1(tokens)))
        return tokens + self.ls_2(self.mlp(self.ln_2(tokens)))


class Transformer(nn.Module):
    """The blocks one after the other; a module of its own for the state-dict keys."""

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([Block(shape) for _ in range(shape.n_layers)])

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self.resblocks:
            tokens = block(tokens)
        return tokens


class PortableViT(nn.Module):
    """Normalised square images [B, 3, S, S] -> projected embedding [B, out_dim], not normalised; without a
    projection the pooled tokens [B, width]."""

    def __init__(self, shape: ViTShape) -> None:
        super().__init__()
        self.average_pool = shape.pool == "avg"
        self.norm_after_pool = shape.norm_after_pool
        self.conv1 = nn.Conv2d(3, shape.width, shape.patch_px, stride=shape.stride_px, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(shape.width))
        self.positional_embedding = nn.Parameter(torch.zeros(shape.n_tokens, shape.width))
        self.ln_pre = nn.LayerNorm(shape.width, eps=shape.norm_eps) if shape.norm_first else nn.Identity()
        self.transformer = Transformer(shape)
        self.ln_post = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.proj = None if shape.out_dim is None else nn.Parameter(torch.zeros(shape.width, shape.out_dim))

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv1(images).flatten(2).transpose(1, 2)  # [B, T - 1, W]
        class_token = self.class_embedding.view(1, 1, -1).expand(patches.shape[0], -1, -1)
        tokens = torch.cat([class_token, patches], dim=1) + self.positional_embedding  # [B, T, W]
        tokens = self.transformer(self.ln_pre(tokens))
        if not self.norm_after_pool:
            tokens = self.ln_post(tokens)
        pooled = tokens[:, 1:].mean(dim=1) if self.average_pool else tokens[:, 0]
        if self.norm_after_pool:
            pooled = self.ln_post(pooled)
        if self.proj is None:
            return pooled
        return torch.matmul(pooled, self.proj)


def is_portable(tower: nn.Module) -> bool:
    """Whether `tower` is an open_clip image transformer that `PortableViT` can stand for.

    Others (attentional pooling, custom blocks, unknown activations) are traced like any tower. Told by
    structure, not by class: open_clip is imported in one file of this project, which is not this one.
    """
    if not all(hasattr(tower, name) for name in ("conv1", "class_embedding", "transformer", "ln_post", "pool_type")):
        return False
    blocks = getattr(tower.transformer, "resblocks", [])
    return (
        getattr(tower, "attn_pool", None) is None
        and tower.pool_type in ("tok", "avg")
        and not getattr(tower, "output_tokens", False)
        and isinstance(getattr(tower, "proj", ()), nn.Parameter | None)
        and len(blocks) > 0
        and all(type(block).__name__ == "ResidualAttentionBlock" for block in blocks)
        and type(blocks[0].mlp.gelu).__name__ in _ACTIVATION_BY_CLASS
        and getattr(blocks[0].mlp.gelu, "approximate", "none") == "none"
    )


def shape_of(tower: nn.Module) -> ViTShape:
    """Read the shape off an open_clip image transformer (see `is_portable`)."""
    block = tower.transformer.resblocks[0]
    return ViTShape(
        patch_px=tower.conv1.kernel_size[0],
        stride_px=tower.conv1.stride[0],
        n_tokens=tower.positional_embedding.shape[0],
        width=tower.conv1.out_channels,
        n_layers=len(tower.transformer.resblocks),
        n_heads=block.attn.num_heads,
        mlp_width=block.mlp.c_fc.out_features,
        out_dim=None if tower.proj is None else tower.proj.shape[1],
        activation=_ACTIVATION_BY_CLASS[type(block.mlp.gelu).__name__],
        layer_scale=hasattr(block.ls_1, "gamma"),
        norm_first=isinstance(tower.ln_pre, nn.LayerNorm),
        pool=tower.pool_type,
        norm_after_pool=tower.final_ln_after_pool,
        norm_eps=tower.ln_post.eps,
    )


def portable_vit(tower: nn.Module) -> PortableViT:
    """A `PortableViT` in evaluation mode that shares the tower's weights: no second copy of 2.5 GB."""
    with torch.device("meta"):
        portable = PortableViT(shape_of(tower)).requires_grad_(False).eval()
    weights = {name: value.detach().to(torch.float32) for name, value in tower.state_dict().items()}
    portable.load_state_dict(weights, strict=True, assign=True)
    return portable

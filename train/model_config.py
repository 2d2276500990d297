"""What a config may say of the model: the tower and its head."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator


class BackboneConfig(BaseModel, extra="forbid", frozen=True):
    """The tower. `weights`: null (random), `package:NAME`, `hub:TAG`, or `file:KEY` (path under `weight_files`).

    `output`: `own` (what the tower gives: CLIP's projection, timm's pooling) or `token` (a transformer's class token
    after its last norm, before any projection: 1280 numbers of ViT-H/14 in place of 1024). `patch_stride` below the
    patch size overlaps the patches of an open_clip tower; a stage may set its own.
    """

    kind: Literal["timm", "open_clip", "tiny"]
    arch: str
    weights: str | None
    patch_stride: int | None = Field(default=None, gt=0)
    output: Literal["own", "token"] = "own"
    narrow_width: int | None = Field(default=None, gt=0, multiple_of=2, description="a smoke run's: channels instead "
                                     "of the architecture's own")


class HeadConfig(BaseModel, extra="forbid", frozen=True):
    """From the tower's features to the embedding.

    kind          layers
    linear        dropout, linear
    root_linear   signed roots of unit length, dropout, linear
    bn_linear     batch norm, dropout, linear
    linear_bn     dropout, linear, batch norm, PReLU
    parallel      dropout, the mean of linear layers, each behind one of `dropouts`
    multi_sample  dropout, the mean of drawings with `dropouts`, linear
    mlp           linear to `hidden_dim`, batch norm, PReLU, dropout, linear

    `dropout` is the stage's `head_dropout`; `dropouts` are the same in every stage. `init: pca` starts the linear layer
    at the features' main axes. With `image_sizes` training reads the sizes that the shards note of the original
    pictures; the exported file takes those of the pictures it is given, so a score on shards packed smaller is too low.
    """

    kind: Literal["linear", "root_linear", "bn_linear", "linear_bn", "parallel", "multi_sample", "mlp"] = "linear"
    out_dim: int = Field(default=64, gt=0)
    hidden_dim: int = Field(default=512, gt=0, description="for mlp")
    dropouts: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(default=(), description="parallel, multi_sample")
    bias: bool = Field(default=True, description="of the linear layer; not for parallel and mlp")
    bn_affine: bool = Field(default=True, description="for bn_linear, linear_bn: learnt scale and shift")
    bn_eps: float = Field(default=1e-5, gt=0, description="for bn_linear, linear_bn")
    image_sizes: bool = Field(default=False, description="the head also sees H/W, H/224, W/224 of the original image")
    init: Literal["random", "pca"] = "random"
    init_whitening: float = Field(default=0.0, ge=0, le=1, description="0 PCA ... 1 whitened")
    init_length: float = Field(default=1.0, gt=0, description="of the first axis' weights")

    @model_validator(mode="after")
    def _options_fit_the_kind(self) -> "HeadConfig":
        if (self.kind in ("parallel", "multi_sample")) != bool(self.dropouts):
            raise ValueError(f"dropouts belong to kinds parallel and multi_sample, which need them; "
                             f"kind is {self.kind!r}")
        if not self.bias and self.kind in ("parallel", "mlp"):
            raise ValueError(f"bias: false is not for kind {self.kind!r}")
        if (not self.bn_affine or self.bn_eps != 1e-5) and self.kind not in ("bn_linear", "linear_bn"):
            raise ValueError(f"bn_affine and bn_eps are for kinds bn_linear and linear_bn, not {self.kind!r}")
        if self.init == "pca" and (self.kind not in ("linear", "root_linear") or not self.bias or self.image_sizes):
            raise ValueError(f"init: pca is for kinds linear and root_linear with a bias and without image_sizes, "
                             f"not {self.kind!r}")
        return self

    def to_spec(self) -> dict:
        """Plain values for `build_embedder` and the checkpoint; what is at its default stays out."""
        options = {name: value for name in ("bias", "bn_affine", "bn_eps", "dropouts")
                   if (value := getattr(self, name)) != HeadConfig.model_fields[name].default}
        if self.dropouts:
            options["dropouts"] = list(self.dropouts)
        spec = {"kind": self.kind, "out_dim": self.out_dim, "hidden_dim": self.hidden_dim}
        return spec | ({"options": options} if options else {}) | ({"image_sizes": True} if self.image_sizes else {})

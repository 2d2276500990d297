"""What a config may say of the model: the tower and its head."""

from typing import Literal

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


class HeadConfig(BaseModel, extra="forbid", frozen=True):
    """From the tower's features to the embedding. `init: pca` starts the linear layer at the features' main axes."""

    kind: Literal["linear", "root_linear", "bn_linear", "mlp"] = "linear"
    out_dim: int = Field(default=64, gt=0)
    hidden_dim: int = Field(default=512, gt=0)
    init: Literal["random", "pca"] = "random"
    init_whitening: float = Field(default=0.0, ge=0, le=1, description="0 PCA ... 1 whitened")
    init_length: float = Field(default=1.0, gt=0, description="of the first axis' weights")

    @model_validator(mode="after")
    def _pca_needs_one_linear_layer(self) -> "HeadConfig":
        if self.init == "pca" and self.kind not in ("linear", "root_linear"):
            raise ValueError(f"init: pca is for kinds linear and root_linear, not {self.kind!r}")
        return self

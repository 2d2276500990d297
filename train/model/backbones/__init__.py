"""Towers: `build_backbone(BackboneSpec)` gives any of them behind one interface."""

from train.model.backbones.backbone import KINDS, Backbone, BackboneSpec, build_backbone, load_strictly

__all__ = ["KINDS", "Backbone", "BackboneSpec", "build_backbone", "load_strictly"]

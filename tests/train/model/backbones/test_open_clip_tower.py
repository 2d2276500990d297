import json

import pytest
import torch

from data_prep.errors import ConfigError
from train.model.backbones import BackboneSpec, build_backbone
from train.model.backbones.open_clip_tower import CLIP_MEAN, _release_of, build_image_text, set_position_grid


def build(image_px: int = 64, weights: str | None = None, stride: int | None = None):
    return build_backbone(BackboneSpec("open_clip", "ViT-B-32", weights, image_px, stride))


def test_the_grid_follows_size_and_stride():
    backbone = build(64)
    assert backbone.tower.positional_embedding.shape[0] == 1 + 2 * 2
    set_position_grid(backbone.tower, 96, None)
    assert backbone.tower.positional_embedding.shape[0] == 1 + 3 * 3
    # Patch 32 every 16 px in 96 px: (96 - 32) / 16 + 1 = 5 a side.
    set_position_grid(backbone.tower, 96, 16)
    assert backbone.tower.positional_embedding.shape[0] == 1 + 5 * 5
    with torch.no_grad():
        assert backbone.eval()(torch.zeros(1, 3, 96, 96)).shape == (1, 512)


def test_resizing_keeps_the_class_token_and_a_constant_grid():
    tower = build(64).tower
    tower.positional_embedding.data[0] = 7.0
    tower.positional_embedding.data[1:] = 2.0
    set_position_grid(tower, 128, None)
    assert torch.equal(tower.positional_embedding.data[0], torch.full((768,), 7.0))
    assert torch.allclose(tower.positional_embedding.data[1:], torch.full((16, 768), 2.0), atol=1e-5)


def test_a_file_of_the_whole_model_gives_its_image_half(tmp_path):
    source = build(224)
    state = {f"visual.{k}": v for k, v in source.tower.state_dict().items()} | {"logit_scale": torch.ones(())}
    torch.save(state, tmp_path / "clip.pt")
    loaded = build(224, weights=f"file:{tmp_path / 'clip.pt'}")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), loaded.parameters()))


@pytest.mark.parametrize("spec, part", [
    (BackboneSpec("open_clip", "ViT-Z-99", None, 64), "no open_clip model 'ViT-Z-99'; known: .*ViT-H-14"),
    (BackboneSpec("open_clip", "ViT-B-32", "package:x", 64), "known: file:<key>, hub:<tag>, null"),
    (BackboneSpec("open_clip", "ViT-B-32", "hub:nonesuch", 64), "no weights tag 'nonesuch'; known: .*openai"),
    (BackboneSpec("open_clip", "ViT-SO400M-14-SigLIP", None, 64), "kind: timm"),
    (BackboneSpec("open_clip", "ViT-B-32", None, 16), "below the patch size 32"),
    (BackboneSpec("open_clip", "RN50", None, 64), "only plain vision transformers"),
    (BackboneSpec("open_clip", "coca_ViT-B-32", None, 64), "only plain vision transformers"),
])
def test_errors_teach(spec, part):
    with pytest.raises(ConfigError, match=part):
        build_backbone(spec)


def test_the_token_is_what_the_projection_projects():
    projected = build(64).eval()
    spec = BackboneSpec("open_clip", "ViT-B-32", None, 64, output="token")
    token = build_backbone(spec).eval()
    missing = token.tower.load_state_dict(projected.tower.state_dict(), strict=False)
    assert missing.unexpected_keys == ["proj"] and not missing.missing_keys
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = token(images)
        assert features.shape == (2, 768) and token.width == 768
        assert torch.allclose(features @ projected.tower.proj, projected(images), atol=1e-5)
        # Layer-normed, then nothing: mean 0 and deviation 1 as long as the norm's own scale is 1.
        assert torch.allclose(features.mean(dim=1), torch.zeros(2), atol=1e-4)
    assert token.layer_groups()[-1] == ["tower.ln_post.weight", "tower.ln_post.bias"]
    state = {f"tower.{name}" for name in token.tower.state_dict()}
    assert {name for group in token.layer_groups() for name in group} == state


def test_the_width_of_vith14s_token():
    with torch.device("meta"):
        assert build_backbone(BackboneSpec("open_clip", "ViT-H-14", None, 224, output="token")).width == 1280


@pytest.fixture
def tiny_clip(tmp_path, monkeypatch):
    """A CLIP of one layer, known to open_clip as `tiny-clip`; its weights file."""
    import open_clip
    from open_clip import factory

    monkeypatch.setattr(factory, "_MODEL_CONFIGS", dict(factory._MODEL_CONFIGS))
    monkeypatch.setattr(factory, "_MODEL_CONFIG_PATHS", list(factory._MODEL_CONFIG_PATHS))
    config = {"embed_dim": 8, "vision_cfg": {"image_size": 16, "layers": 1, "width": 32, "head_width": 16,
                                             "patch_size": 8},
              "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}}
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    torch.manual_seed(1)
    torch.save(open_clip.create_model("tiny-clip").state_dict(), tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


def test_both_halves_give_unit_embeddings_of_one_space(tiny_clip):
    model = build_image_text("tiny-clip", f"file:{tiny_clip}")
    names = model.embed_names(["sofa", "bed"] * 20, ["a {}", "the {}"])
    images = model.embed_images(torch.randn(3, 3, 16, 16))
    assert names.shape == (40, 8) and images.shape == (3, 8) and model.width == 8
    assert torch.allclose(names.norm(dim=1), torch.ones(40)) and torch.allclose(images.norm(dim=1), torch.ones(3))
    one = torch.nn.functional.normalize(model.clip.encode_text(model.tokenize(["a bed", "the bed"])), dim=1)
    assert torch.allclose(names[1], torch.nn.functional.normalize(one.mean(dim=0), dim=0), atol=1e-6)
    assert model.preprocess.image_px == 16 and model.preprocess.resize == "shortest_crop"
    assert model.preprocess.mean == CLIP_MEAN and not model.clip.training


def test_releases_that_differ_must_be_named(tiny_clip):
    """ViT-L-14 was released with two pixel statistics; SigLIP's releases agree on theirs."""
    with pytest.raises(ConfigError, match=r"--released-as; known: .*laion2b_s32b_b82k"):
        build_image_text("ViT-L-14", f"file:{tiny_clip}")
    assert _release_of("ViT-L-14", "laion2b_s32b_b82k")["mean"] == (0.5, 0.5, 0.5)
    assert _release_of("ViT-B-16-SigLIP", None) == {
        "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "resize_mode": "squash"}
    assert _release_of("tiny-clip", None) == {}


@pytest.mark.parametrize("arch, weights, released_as, part", [
    ("tiny-clip", "hub:x", None, "no weights tag 'x'"),
    ("tiny-clip", "clip.pt", None, "known: file:<path>, hub:<tag>"),
    ("tiny-clip", "file:nowhere.pt", None, "no file nowhere.pt"),
    ("ViT-B-32", "hub:openai", None, "trained with quick_gelu True; .*-quickgelu"),
    ("ViT-B-32", "file:FILE", "laion2b_s34b_b79k", "does not hold weights of this model"),
    ("tiny-clip", "file:NOISE", None, "does not hold weights of this model"),
])
def test_errors_of_both_halves_teach(tiny_clip, arch, weights, released_as, part):
    noise = tiny_clip.with_name("noise.pt")
    noise.write_bytes(b"<html>not found</html>")
    with pytest.raises(ConfigError, match=part):
        build_image_text(arch, weights.replace("FILE", str(tiny_clip)).replace("NOISE", str(noise)), released_as)

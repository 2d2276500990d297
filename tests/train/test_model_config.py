import pytest

from train.model_config import HeadConfig


def test_only_a_single_linear_layer_starts_as_pca():
    assert HeadConfig(kind="root_linear", init="pca").init == "pca"
    with pytest.raises(ValueError, match="not 'mlp'"):
        HeadConfig(kind="mlp", init="pca")


@pytest.mark.parametrize("head, part", [
    ({"kind": "parallel"}, "dropouts belong to kinds parallel"),
    ({"kind": "linear", "dropouts": [0.1]}, "dropouts belong to kinds parallel"),
    ({"kind": "parallel", "dropouts": [1.0]}, "less than 1"),
    ({"kind": "mlp", "bias": False}, "bias: false is not for"),
    ({"kind": "linear", "bn_eps": 1e-6}, "bn_affine and bn_eps are for"),
    ({"kind": "linear", "init": "pca", "image_sizes": True}, "without image_sizes"),
])
def test_options_of_another_kind_are_errors(head, part):
    with pytest.raises(ValueError, match=part):
        HeadConfig(**head)


def test_what_a_checkpoint_keeps_of_a_head():
    assert HeadConfig().to_spec() == {"kind": "linear", "out_dim": 64, "hidden_dim": 512}  # as it always was
    fifth = HeadConfig(kind="bn_linear", bn_affine=False, bn_eps=1e-6, image_sizes=True).to_spec()
    assert fifth["options"] == {"bn_affine": False, "bn_eps": 1e-6} and fifth["image_sizes"] is True
    fourth = HeadConfig(kind="multi_sample", out_dim=512, dropouts=(0.1, 0.5), bias=False).to_spec()
    assert fourth["options"] == {"bias": False, "dropouts": [0.1, 0.5]}

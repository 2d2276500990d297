import pytest

from train.model_config import HeadConfig


def test_only_a_single_linear_layer_starts_as_pca():
    assert HeadConfig(kind="root_linear", init="pca").init == "pca"
    with pytest.raises(ValueError, match="not 'mlp'"):
        HeadConfig(kind="mlp", init="pca")

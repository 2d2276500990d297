import pytest

from train.loss_config import DomainTeachersConfig, MarginConfig


@pytest.mark.parametrize("margin, part", [
    ({"kind": "arcface"}, "takes margin_rad"),
    ({"kind": "none", "margin_rad": 0.1}, "takes no margin"),
    ({"kind": "cosface", "margin_cos": 0.3, "growth_per_epoch": 0.1}, "are for arcface"),
    ({"margin_rad": 0.5, "rare_class_margin_rad": 0.2}, "rare_class_margin_rad 0.2 is below margin_rad 0.5"),
    ({"margin_rad": 0.5, "rare_class_margin_rad": 0.2, "class_size_mapping": "cosine"}, "is below margin_rad"),
    ({"kind": "arcface", "margin_rad": 0.2, "class_size_mapping": "cosine"}, "needs rare_class_margin_rad"),
])
def test_contradictions_are_errors(margin, part):
    with pytest.raises(ValueError, match=part):
        MarginConfig(**margin)


def test_margins_of_the_field():
    assert MarginConfig(kind="cosface", margin_cos=0.55).margin_cos == 0.55  # 1st place
    unifex = MarginConfig(margin_rad=0.2, rare_class_margin_rad=0.6, class_size_mapping="cosine")
    assert unifex.class_size_mapping == "cosine"


def test_teachers_must_teach_something():
    assert DomainTeachersConfig(relation_weight=0.0).dim == 256
    with pytest.raises(ValueError, match="teach nothing"):
        DomainTeachersConfig(logit_weight=0.0, relation_weight=0.0)

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train.data.preprocessing import PreprocessSpec
from train.lightning_module import StageModule
from train.loss_config import MarginConfig
from train.losses.classifier import CosineClassifier
from train.losses.domain_teachers import DomainTeachers
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.optim.sam import SAM
from train.retrieval.protocol import EvaluationItems
from train.stages.margin import build_margin
from train.stages.objective import Objective


@pytest.fixture
def module():
    embedder = Embedder(build_backbone(BackboneSpec("tiny", "conv16", None, 16)), torch.nn.Linear(16, 4))
    objective = Objective(lambda c, i, norms, n: c, 8.0, 0.0, 2, 0, batch_norm_frozen=True)
    items = EvaluationItems(["a"] * 4, [("x",), ("x",), ("y",), ("y",)], ["both"] * 4, list("abcd"))
    made = StageModule(embedder, CosineClassifier(3, 4), PreprocessSpec(16, (0.5,) * 3, (0.5,) * 3), objective,
                       np.array([2, 0, 1]), items)
    made.log = lambda *a, **k: None
    return made


def test_parameters_have_the_names_that_rules_see(module):
    names = [name for name, _ in module.named_parts()]
    assert names[0] == "backbone.tower.0.weight" and "head.weight" in names and names[-1] == "classifier.centres"
    assert len(names) == len(list(module.parameters()))


def test_loss_from_pixels_equals_loss_from_their_features(module):
    module.eval()
    module.images_seen = lambda: 0
    pixels = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    indices = torch.tensor([0, 2])
    from_pixels = module.training_step({"pixels": pixels, "indices": indices}, 0)
    features = module._tower_features(pixels)
    assert torch.allclose(from_pixels, module.training_step({"features": features, "indices": indices}, 0))
    # Sample 0 is of class 2, sample 2 of class 1.
    cosines = module.classifier(module.embedder.project(features))
    assert torch.allclose(from_pixels, torch.nn.functional.cross_entropy(8.0 * cosines, torch.tensor([2, 1])))


def test_draws_hang_on_the_batch_and_not_on_what_was_drawn_before(module):
    """As torch.manual_seed would have them, with the seed 0 + 1,000,003 x round + batch."""
    drawn = []
    for batch in (3, 4, 3):
        module._seed_draws(batch)
        drawn.append(torch.rand(4))
        torch.manual_seed(batch)
        assert torch.equal(drawn[-1], torch.rand(4))
    assert torch.equal(drawn[0], drawn[2]) and not torch.equal(drawn[0], drawn[1])


def test_domain_teachers_are_a_part_of_their_own_and_of_the_stored_state(module):
    teachers = DomainTeachers(torch.tensor([0, 1, 1]), width=16, dim=2, scale=8.0, temperature=0.1)
    module.objective.teachers = teachers
    made = StageModule(module.embedder, module.classifier, module.preprocess, module.objective, np.array([2, 0, 1]),
                       module.validation_items)
    names = [name for name, _ in made.named_parts()]
    assert names[-3:] == ["teachers.projection.weight", "teachers.projection.bias", "teachers.classifier.centres"]
    assert len(names) == len(list(made.parameters()))
    assert {n for n in made.state_dict() if n.startswith("teachers")} == set(names[-3:])


def test_losses_are_noted_by_source_and_round(module):
    module.trainer = SimpleNamespace(current_epoch=1, strategy=SimpleNamespace(reduce=lambda value, reduce_op: value))
    module.note_sources(np.array([0, 0, 1]), n_rounds=2)
    module._note_loss({"loss": torch.tensor(4.0), "teacher_classification": torch.tensor(1.0)}, torch.tensor([2]))
    module._note_loss({"loss": torch.tensor(4.0)}, torch.tensor([2]))
    losses = module.source_losses()
    assert losses[1, 1] == 2.5 and np.isnan(losses[[0, 0, 1], [0, 1, 0]]).all()
    assert "source_loss_sums" in module.state_dict() and "source_batches" in module.state_dict()


@pytest.mark.parametrize("kind, values", [
    ("curricularface", {"margin_rad": 0.3}), ("adaface", {"margin_rad": 0.3}), ("adacos", {})])
def test_sams_second_pass_moves_no_statistics(module, kind, values):
    module.objective.margin = build_margin(MarginConfig(kind=kind, **values), np.array([2, 0, 1]), 3, 10, 8.0)
    module.margin = module.objective.margin
    module.images_seen = lambda: 0
    batch = {"pixels": torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8), "indices": torch.tensor([0, 2])}

    def kept():
        return {name: value.clone() for name, value in module.margin.state_dict().items()}

    start, passes = kept(), []
    module.training_step(batch, 0)
    after_one_pass = kept()
    assert any(not torch.equal(value, start[name]) for name, value in after_one_pass.items())
    module.margin.load_state_dict(start)

    def closure():
        module.zero_grad()
        passes.append(loss := module.training_step(batch, 0))
        loss.backward()
        return loss

    module.make_optimizer = lambda: {"optimizer": SAM([{"params": list(module.parameters()), "lr": 0.0}], rho=0.5)}
    module.configure_optimizers()["optimizer"].step(closure)
    assert all(torch.equal(value, after_one_pass[name]) for name, value in kept().items())
    assert len(passes) == 2 and passes[0] != passes[1]
    with torch.no_grad():
        module.embedder.head.weight.mul_(2.0)
    module.training_step(batch, 1)  # the next batch's first pass counts again
    assert any(not torch.equal(value, after_one_pass[name]) for name, value in kept().items())


@pytest.mark.parametrize("kind", ["arcface", "cosface"])
def test_a_step_never_waits_for_the_device(module, kind, monkeypatch):
    """On the meta device nothing has a value: whatever looks at one (`.item()`, `.cpu()`, a branch) raises.

    A class size margin, noted sources and both optimizers' steps are in it.
    """
    values = {"arcface": {"margin_rad": 0.2, "rare_class_margin_rad": 0.4}, "cosface": {"margin_cos": 0.2}}[kind]
    module.objective.margin = build_margin(MarginConfig(kind=kind, **values), np.array([2, 0, 1]), 3, 10, 8.0)
    module.objective.margin(torch.zeros(2, 3), torch.tensor([0, 1]), torch.ones(2), 0)
    module.trainer = SimpleNamespace(
        current_epoch=0, global_step=0, strategy=SimpleNamespace(reduce=lambda value, reduce_op: value))
    module.note_sources(np.array([0, 0, 1]), n_rounds=1)
    module.to("meta")
    monkeypatch.setattr(torch, "autocast", lambda **options: nullcontext())  # knows no meta device
    optimizer = torch.optim.AdamW(module.parameters())
    batch = {
        "pixels": torch.zeros(2, 16, 16, 3, dtype=torch.uint8, device="meta"),
        "indices": torch.zeros(2, dtype=torch.int64, device="meta"), "sizes_px": torch.ones(2, 2, device="meta"),
    }
    for step in range(2):
        module.training_step(batch, step).backward()
        optimizer.step()
        optimizer.zero_grad()
    with pytest.raises((RuntimeError, NotImplementedError)):  # the stand-in does notice
        module.training_step(batch, 0).item()


def test_under_bfloat16_the_softmax_is_float32(module):
    """The tower computes in bfloat16; cosines and loss do not, whose steps near 1 would be 0.008."""
    module.eval()
    module.images_seen = lambda: 0
    seen = {}
    module.embedder.backbone.register_forward_hook(lambda m, i, out: seen.update(features=out.dtype))
    module.classifier.register_forward_hook(lambda m, i, out: seen.update(cosines=out.dtype))
    pixels = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        loss = module.training_step({"pixels": pixels, "indices": torch.tensor([0, 2])}, 0)
    assert seen == {"features": torch.bfloat16, "cosines": torch.float32} and loss.dtype == torch.float32


@pytest.mark.slow
def test_a_compiled_tower_takes_the_place_of_the_plain_one(module):
    """`eager` compiles nothing but goes the same way; the parameters keep their names."""
    pixels = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    names, expected = [name for name, _ in module.named_parameters()], module.eval()._tower_features(pixels)
    calls = []
    compiled = torch.compile(module.embedder.features, backend="eager")
    module.compiled_features = lambda images: calls.append(1) or compiled(images)
    assert torch.allclose(module._tower_features(pixels), expected) and calls == [1]
    assert [name for name, _ in module.named_parameters()] == names

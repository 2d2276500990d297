"""What a config will cost, before anything is rented: images, FLOPs, GPU-hours, memory per device, stage by stage.

python -m train.estimate vith14 --images 300000 [--classes 30000] [--utilisation 0.4] [key=value ...]

FLOPs are counted by running each stage's real model on the meta device (2 a multiply-add), with the backward pass of
what that stage trains. Validation, data loading and elementwise operations are left out; domain teachers are counted
with their softmax over all classes, but with the linear layer of one domain. Memory with strategy=fsdp is without the
layer group that is put together at a time, with gradient_checkpointing without what the block that is computed again
keeps for that moment.
"""

import argparse
import re
import sys
import weakref
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Parameter

    from train.config import StageConfig, TrainConfig
    from train.losses.classifier import CosineClassifier
    from train.losses.domain_teachers import DomainTeachers
    from train.model.embedder import Embedder

# Vendors' dense peaks in TFLOP/s: (half precision with float32 sums, float32).
GPUS = {"V100": (125.0, 15.7), "L4": (121.0, 30.3), "RTX4090": (165.2, 82.6), "A100": (312.0, 19.5),
        "H100": (989.0, 67.0)}
_COUNTED = 2  # images counted at once


@dataclass(frozen=True)
class StageCost:
    """`n_images` shown to the optimizer; `flops` of the whole stage; `memory_bytes` on each device, without what the
    framework itself takes; `is_half` where matrix products run in half precision."""

    name: str
    image_px: int
    n_images: int
    flops: float
    memory_bytes: float
    is_half: bool

    def gpu_hours(self, gpu: str, utilisation: float) -> float:
        """Hours of one GPU at this share of its peak (all devices of the run together)."""
        return self.flops / (GPUS[gpu][0 if self.is_half else 1] * 1e12 * utilisation) / 3600


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.estimate", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="name of a file in train/configs, or a path to YAML")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--images", type=int, required=True, help="training images of one epoch")
    parser.add_argument("--images-of", action="append", default=[], metavar="SOURCE=N",
                        help="for stages on this source alone (repeat it for more)")
    parser.add_argument("--classes", type=int, help="default: a tenth of the images")
    parser.add_argument("--utilisation", type=float, default=0.4, help="share of a GPU's peak (default: 0.4)")
    options = parser.parse_intermixed_args(arguments)
    if options.images < 1 or not 0 < options.utilisation <= 1:
        parser.error("--images must be at least 1 and --utilisation in 0..1")
    return options


def main(arguments: list[str]) -> int:
    options = parse_arguments(arguments)
    from data_prep.errors import ConfigError

    try:
        from train.config import load_train_config

        config = load_train_config(options.config, tuple(options.overrides))
        if not config.stages:
            raise ConfigError(f"{options.config}: it has no stages, so nothing is trained")
        n_classes = options.classes or max(3, options.images // 10)
        n_images_of = _images_of(options.images_of)
        costs = [estimate_stage(config, i, _images_per_epoch(stage, options.images, n_images_of), n_classes)
                 for i, stage in enumerate(config.stages)]
    except (ConfigError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{Path(options.config).stem}: {options.images} images an epoch, {n_classes} classes, "
          f"{config.n_devices * config.n_nodes} device(s), GPU-hours at {options.utilisation:.0%} of the peak")
    print(format_table(costs, options.utilisation))
    return 0


def _images_of(said: list[str]) -> dict[str, int]:
    """`["products_10k=141931"]` -> {source: images}."""
    from data_prep.errors import ConfigError

    for one in said:
        if not re.fullmatch(r"\w+=[1-9]\d*", one):
            raise ConfigError(f"--images-of {one!r}: expected SOURCE=N, for example products_10k=141931")
    return {source: int(n) for source, n in (one.split("=") for one in said)}


def _images_per_epoch(stage: "StageConfig", n_images: int, n_images_of: dict[str, int]) -> int:
    """Those of the stage's sources where all of them are said, else the whole mixture's."""
    sources = stage.sources or ()
    return sum(n_images_of[s] for s in sources) if sources and n_images_of.keys() >= set(sources) else n_images


def estimate_stage(config: "TrainConfig", index: int, images_per_epoch: int, n_classes: int) -> StageCost:
    """The cost of stage `index`, its model built and run on the meta device.

    Raises:
        ConfigError: a tower or learning-rate rules that do not fit.
    """
    stage = config.stages[index]
    n_wanted = stage.images if stage.images is not None else stage.epochs * images_per_epoch
    per_step = stage.batch_size * stage.accumulate_batches
    n_images = max(1, round(n_wanted / per_step)) * per_step
    counted = count_image(config, index, n_classes)
    gradients = 2 if stage.optimizer.kind == "sam" else 1
    if stage.feature_cache:
        n_views = getattr(stage.feature_cache, "views", 1)
        flops = counted.tower_flops * images_per_epoch * n_views + gradients * counted.head_step_flops * n_images
    else:
        flops = gradients * counted.step_flops * n_images
        if stage.classifier.start == "class_means":
            flops += counted.tower_flops * images_per_epoch
    if index == 0 and config.head.init == "pca" and not stage.feature_cache:
        flops += counted.tower_flops * images_per_epoch
    if stage.distillation is not None:
        side = (stage.distillation.teacher_image_px or stage.image_px) / stage.image_px
        flops += counted.tower_flops * side**2 * images_per_epoch  # the square leaves out attention's further growth
    n_devices = config.n_devices * config.n_nodes
    batch = -(-stage.batch_size // n_devices)
    is_half = stage.precision != "32-true"
    # Weights, gradient and two moments are float32 whatever the precision; so are the logits, about 4 copies of them.
    memory = 4 * counted.n_parameters + counted.n_trained * {"sgd": 8, "sam": 16}.get(stage.optimizer.kind, 12)
    memory += 4 * counted.n_parameters if stage.ema_decay is not None else 0
    if config.strategy == "fsdp":
        memory /= n_devices
    n_logits = n_classes * (1 if stage.domain_teachers is None else 3)  # the teachers' own, and the distillation's
    memory += batch * (counted.saved_bytes * (0.5 if is_half else 1.0) + 16 * n_logits)
    memory = max(memory, 4 * counted.n_parameters)  # fsdp cuts up what is whole on each device before the first step
    return StageCost(stage.name, stage.image_px, n_images, flops, memory, is_half)


@dataclass(frozen=True)
class ImageCount:
    """Of one image: FLOPs of the tower forward, of a training step, of a step without the tower; float32 bytes that
    autograd keeps between forward and backward. Of the model with its classifier and teachers: parameters, and those
    that this stage trains."""

    tower_flops: float
    step_flops: float
    head_step_flops: float
    saved_bytes: float
    n_parameters: int
    n_trained: int


def count_image(config: "TrainConfig", index: int, n_classes: int) -> ImageCount:
    """Build the stage's model on the meta device and count.

    Raises:
        ConfigError: a tower or learning-rate rules that do not fit; gradient checkpointing of a tower without blocks.
    """
    import torch

    from train.optim.param_groups import build_param_groups
    from train.stages.start import set_gradient_checkpointing

    stage = config.stages[index]
    embedder, classifier = build_on_meta(config, stage, n_classes)
    teachers = teachers_on_meta(stage, embedder.backbone.width, n_classes)
    named = named_on_meta(embedder, classifier, teachers)
    images = torch.empty(_COUNTED, 3, stage.image_px, stage.image_px, device="meta")
    sizes_px = torch.empty(_COUNTED, 2, device="meta")
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one fused call that the counter does not know
    weights = {p.untyped_storage()._cdata for _, p in named}
    kept: list[weakref.ref[torch.Tensor]] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        own = tensor.detach()  # lives as long as autograd wants it: the input of a frozen block, checkpointed, does not
        kept.append(weakref.ref(own))
        return own

    def compared(features) -> list[tuple]:
        pairs = [(embedder.project(features, sizes_px), classifier.centres)]
        return pairs if teachers is None else [*pairs, (teachers.projection(features), teachers.classifier.centres)]

    def step() -> int:
        """The bytes kept for the way back."""
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            pairs = compared(embedder.features(images))
        storages = [own.untyped_storage() for ref in kept if (own := ref()) is not None]
        n_bytes_of = {storage._cdata: storage.nbytes() for storage in storages}
        _backward(pairs)
        return sum(n_bytes for storage, n_bytes in n_bytes_of.items() if storage not in weights)

    try:
        embedder.requires_grad_(False)  # not no_grad: the counter's hooks stumble over views of a parameter under it
        tower_flops, features = _count(lambda: embedder.features(images))
        build_param_groups(named, stage.lr_rules, stage.optimizer.lr, 0.0)
        head_flops, _ = _count(lambda: _backward(compared(features)))
        set_gradient_checkpointing(embedder.backbone, stage.gradient_checkpointing)
        step_flops, saved_bytes = _count(step)
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
    return ImageCount(
        tower_flops / _COUNTED, step_flops / _COUNTED, head_flops / _COUNTED, saved_bytes / _COUNTED,
        sum(p.numel() for _, p in named), sum(p.numel() for _, p in named if p.requires_grad),
    )


def named_on_meta(
    embedder: "Embedder", classifier: "CosineClassifier", teachers: "DomainTeachers | None" = None
) -> "list[tuple[str, Parameter]]":
    """All parameters under the names that learning-rate rules see."""
    parts = {"backbone": embedder.backbone, "head": embedder.head, "classifier": classifier}
    parts |= {} if teachers is None else {"teachers": teachers}
    return [(f"{part}.{name}", p) for part, module in parts.items() for name, p in module.named_parameters()]


def build_on_meta(
    config: "TrainConfig", stage: "StageConfig | None", n_classes: int
) -> "tuple[Embedder, CosineClassifier | None]":
    """The stage's real model without memory behind its parameters; without stages the tower and head off the shelf.

    Raises:
        ConfigError: a tower or a head that cannot be built.
    """
    import torch

    from train.losses.classifier import CosineClassifier
    from train.model.embedder import build_embedder
    from train.stages.start import starting_backbone

    without_weights = config.model_copy(update={"backbone": config.backbone.model_copy(update={"weights": None})})
    with torch.device("meta"):
        image_px, stride = (stage.image_px, stage.patch_stride) if stage else (config.export_image_px, None)
        backbone = starting_backbone(without_weights, image_px, stride)
        embedder = build_embedder(backbone, config.head.to_spec())
        if stage is None:
            return embedder.eval(), None
        classifier = CosineClassifier(n_classes, config.head.out_dim, stage.classifier.n_sub_centres)
    return embedder.eval(), classifier


def teachers_on_meta(stage: "StageConfig", width: int, n_classes: int) -> "DomainTeachers | None":
    """The stage's domain teachers as of a mixture with one domain; how many it really has is not known here."""
    import torch

    from train.losses.domain_teachers import DomainTeachers

    if stage.domain_teachers is None:
        return None
    one_domain = torch.zeros(n_classes, dtype=torch.int64)
    with torch.device("meta"):
        return DomainTeachers(one_domain, width, stage.domain_teachers.dim, scale=1.0, temperature=1.0)


def _count(run) -> tuple[int, object]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # torch's own counts the way back of a convolution with 32 groups as 33 times its forward pass.
    own = {torch.ops.aten.convolution_backward: _convolution_backward_flops}
    with FlopCounterMode(display=False, custom_mapping=own) as counter:
        result = run()
    return counter.get_total_flops(), result


def _convolution_backward_flops(gradient_shape, input_shape, weight_shape, *settings, **named) -> int:
    """The gradient of the input and that of the weight take as many products each as the forward pass.

    `settings`: bias, stride, padding, dilation, transposed, output padding, groups, which gradients are wanted.
    """
    *_, is_transposed, _, _, wanted = settings
    places = (input_shape if is_transposed else gradient_shape)[2:]
    return 2 * gradient_shape[0] * prod(places) * prod(weight_shape) * sum(wanted[:2])


def _backward(pairs: list[tuple]) -> None:
    """Embeddings [B, D] against centres [C, K, D], as `CosineClassifier`, whose autocast knows no meta device."""
    from torch.nn import functional

    total = sum((embeddings @ functional.normalize(centres, dim=2).flatten(0, 1).T).sum()
                for embeddings, centres in pairs)
    if total.requires_grad:
        total.backward()


def format_table(costs: list[StageCost], utilisation: float) -> str:
    """A row a stage and their sum."""
    width = max(len(cost.name) for cost in [*costs]) + 2
    lines = [f"{'stage':{max(width, 7)}}{'px':>5}{'images':>12}{'PFLOP':>12}{'GB/device':>11}"
             + "".join(f"{gpu + ' h':>12}" for gpu in GPUS)]
    for cost in costs:
        hours = "".join(f"{cost.gpu_hours(gpu, utilisation):12.2f}" for gpu in GPUS)
        lines.append(f"{cost.name:{max(width, 7)}}{cost.image_px:5}{cost.n_images:12}{cost.flops / 1e15:12.2f}"
                     f"{cost.memory_bytes / 1e9:11.1f}{hours}")
    hours = "".join(f"{sum(cost.gpu_hours(gpu, utilisation) for cost in costs):12.2f}" for gpu in GPUS)
    lines.append(f"{'total':{max(width, 7)}}{'':5}{sum(c.n_images for c in costs):12}"
                 f"{sum(c.flops for c in costs) / 1e15:12.2f}{max(c.memory_bytes for c in costs) / 1e9:11.1f}{hours}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

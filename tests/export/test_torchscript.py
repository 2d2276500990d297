"""One route for every tower and head."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from data_prep.errors import ContractError
from export import torchscript
from export.contract import check_operators
from export.torchscript import export_submission, portable_tower, script_submission
from train.data.preprocessing import preprocess
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import OPTIONS
from train.model.image_model import ImageModel


def embed_both(embedder, spec, model, seed=0):
    from PIL import Image

    pixels = torch.randint(0, 256, (3, 50, 70), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    with torch.no_grad():
        return model(pixels[None]), embedder(preprocess(image, spec)[None], torch.tensor([[50.0, 70.0]]))


@pytest.mark.parametrize("kind", OPTIONS)
def test_every_head(make_embedder, tiny_spec, kind):
    out_dim = 16 if kind == "identity" else 64
    options = {"dropouts": [0.1, 0.3]} if "dropouts" in OPTIONS[kind] else {}
    embedder = make_embedder(kind, out_dim, options=options)
    model = script_submission(ImageModel([embedder], [tiny_spec]))
    got, expected = embed_both(embedder, tiny_spec, model)
    assert got.shape == (1, out_dim)
    assert torch.allclose(got, expected, atol=2e-4)  # one grey level where PIL rounds a tie the other way
    ok, detail = check_operators(torch.jit.export_opnames(model))
    assert ok, detail


def test_parallel_layers_are_one_layer_in_the_file(make_embedder, tiny_spec):
    embedder = make_embedder("parallel", options={"dropouts": [0.1] * 20})
    model = script_submission(ImageModel([embedder], [tiny_spec]))
    linear = [value for name, value in model.state_dict().items()
              if ".head." in name and name.endswith("weight")]
    assert [tuple(weight.shape) for weight in linear] == [(64, 16)]


def test_image_sizes_are_those_of_the_raw_image(make_embedder, tiny_spec, tmp_path):
    embedder = make_embedder("bn_linear", image_sizes=True)
    path = tmp_path / "saved_model.pt"
    export_submission(ImageModel([embedder], [tiny_spec]), path)
    model = torch.jit.load(path, map_location="cpu")
    got, expected = embed_both(embedder, tiny_spec, model)
    assert torch.allclose(got, expected, atol=2e-4)
    ok, detail = check_operators(torch.jit.export_opnames(model))
    assert ok, detail
    # One colour at two sizes: only the size numbers differ, by as much as they do in the model itself.
    small, tall = (torch.full((1, 3, height_px, 40), 90, dtype=torch.uint8) for height_px in (40, 120))
    assert not torch.allclose(model(small), model(tall), atol=1e-2)
    assert torch.allclose(model(torch.cat([tall, tall])), model(tall).expand(2, -1), atol=1e-6)


def test_open_clip_towers_are_portable_and_others_themselves():
    backbone = build_backbone(BackboneSpec("open_clip", "ViT-S-32-alt", None, 32))
    assert type(portable_tower(backbone)).__name__ == "PortableViT"
    tiny = build_backbone(BackboneSpec("tiny", "conv16", None, 32))
    assert portable_tower(tiny) is tiny


def test_the_embedder_is_left_as_it_was(make_embedder, tiny_spec, tmp_path):
    embedder = make_embedder("mlp").train()
    before = {name: value.clone() for name, value in embedder.state_dict().items()}
    export_submission(ImageModel([embedder], [tiny_spec]), tmp_path / "saved_model.pt")
    assert embedder.training and all(parameter.requires_grad for parameter in embedder.parameters())
    assert all(torch.equal(value, before[name]) for name, value in embedder.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved_model.pt"]


def test_batches_agree_with_singles_and_to_moves_everything(exported):
    model = torch.jit.load(exported, map_location="cpu")
    images = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8)
    singles = torch.cat([model(image[None]) for image in images])
    assert torch.allclose(model(images), singles, atol=1e-6)
    assert next(model.to(torch.float64).parameters()).dtype == torch.float64  # a frozen model would stay float32


def test_what_cannot_be_compiled_is_one_clear_error(tiny_spec, tmp_path):
    class TwoOutputs(nn.Module):
        width = 3

        def forward(self, images):
            return images.mean(dim=(2, 3)), images

    embedder = Embedder(TwoOutputs(), nn.Identity()).eval()
    with pytest.raises(ContractError, match="does not compile"):
        export_submission(ImageModel([embedder], [tiny_spec]), tmp_path / "saved_model.pt")
    assert not list(tmp_path.iterdir())


def test_fresh_processes_write_the_same_bytes(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from train.model.backbones import BackboneSpec, build_backbone\n"
        "import torch; torch.manual_seed(0)\n"
        "from train.model.embedder import Embedder; from train.model.heads import build_head\n"
        "from train.data.preprocessing import PreprocessSpec\n"
        "from export.torchscript import export_submission\n"
        "from train.model.image_model import ImageModel\n"
        "backbone = build_backbone(BackboneSpec('tiny', 'conv16', None, 32))\n"
        "embedder = Embedder(backbone, build_head('mlp', 16, 64)).eval()\n"
        "spec = PreprocessSpec(32, (0.5,) * 3, (0.5,) * 3)\n"
        "export_submission(ImageModel([embedder], [spec]), Path(sys.argv[1]))\n"
    )
    paths = [tmp_path / name for name in ("a.pt", "b.pt")]
    root = Path(__file__).parents[2]
    for path in paths:
        subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(path)], cwd=root, check=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert str(root).encode() not in paths[0].read_bytes()


def test_a_full_disk_is_noticed_before_torch_ends_the_process(make_embedder, tiny_spec, tmp_path, monkeypatch):
    usage = torchscript.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(torchscript.shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
    with pytest.raises(OSError, match=r"No space left on device: '.*saved_model\.pt'"):
        export_submission(ImageModel([make_embedder()], [tiny_spec]), tmp_path / "saved_model.pt")
    assert not list(tmp_path.iterdir())

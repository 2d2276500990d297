"""The probe itself, in this PyTorch; `test_host_runtime.py` runs it in the host's."""

import ast
from pathlib import Path

import torch

from export import host_probe


def test_embed_calls_as_the_host_does(exported, tmp_path):
    images = [torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8) for _ in range(2)]
    torch.save(images, tmp_path / "in.pt")
    host_probe.embed(str(exported), str(tmp_path / "in.pt"), str(tmp_path / "out.pt"))
    result = torch.load(tmp_path / "out.pt", weights_only=True)
    assert result["torch"] == torch.__version__
    model = torch.jit.load(exported, map_location="cpu")
    assert [e.shape for e in result["embeddings"]] == [(64,), (64,)]
    assert torch.allclose(result["embeddings"][1], model(images[1][None])[0], atol=1e-6)


def test_prints(capsys):
    host_probe.print_version()
    assert capsys.readouterr().out.strip() == torch.__version__
    host_probe.print_operators()
    names = capsys.readouterr().out.split()
    assert names == sorted(set(names)) and "aten::add.Tensor" in names and "aten::scaled_dot_product_attention" in names


def test_written_for_python_3_7():
    ast.parse(Path(host_probe.__file__).read_text(), feature_version=(3, 7))

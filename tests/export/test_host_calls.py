"""Calls into the host's PyTorch; with a stand-in in the default tests."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from data_prep.errors import ConfigError, ContractError
from export import host_calls
from export.host_calls import embed_in_host, embed_pictures_in_host, operators_of_host

HERE = f'exec {sys.executable} -W ignore "$@"'


def test_embeds_in_a_subprocess(exported, make_python):
    images = [torch.randint(0, 256, (3, 9, 11), dtype=torch.uint8)]
    version, embeddings = embed_in_host(make_python("1.11.0", otherwise=HERE), exported, images)
    assert version == torch.__version__
    assert torch.allclose(embeddings[0], torch.jit.load(exported, map_location="cpu")(images[0][None])[0], atol=1e-6)


def test_pictures_are_opened_there_and_each_is_told(exported, make_python, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    done = []
    python = make_python("1.11.0", otherwise=HERE)
    answer = embed_pictures_in_host(python, exported, [tmp_path / "a.png", tmp_path / "b.png"], lambda: done.append(1))
    assert len(done) == 2 and answer.versions["torch"] == torch.__version__ and answer.versions["pillow"]
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    expected = torch.jit.load(exported, map_location="cpu")(image)[0]
    assert torch.allclose(answer.embeddings[0], expected, atol=1e-6)
    assert answer.embeddings[1] is None and answer.pixels[1].startswith("UnidentifiedImageError")


def test_an_abort_and_a_message_are_told(exported, make_python, tmp_path):
    abort = make_python("1.11.1", otherwise="kill -ABRT $$")
    unknown = make_python("1.11.2", otherwise="echo 'RuntimeError: Unknown builtin op' >&2; exit 1")
    for call in (embed_in_host, embed_pictures_in_host):
        with pytest.raises(ContractError, match="aborted by signal 6"):
            call(abort, exported, [])
        with pytest.raises(ContractError, match="Unknown builtin op"):
            call(unknown, exported, [])


def test_an_interpreter_without_torchvision_is_the_users_error(exported, make_python):
    bare = make_python("1.11.3", otherwise="echo \"ModuleNotFoundError: No module named 'torchvision'\" >&2; exit 1")
    with pytest.raises(ConfigError, match=r"expected torchvision 0\.12\.0 and Pillow.*without GUIE_HOST_PYTHON"):
        embed_pictures_in_host(bare, exported, [])


def test_a_process_that_hangs_is_ended(exported, make_python, monkeypatch):
    monkeypatch.setattr(host_calls, "_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(ContractError, match="aborted by signal 9"):
        embed_pictures_in_host(make_python("1.11.4", otherwise="exec sleep 30"), exported, [])


@pytest.mark.slow
def test_the_operator_list_was_made_by_the_real_host(real_host):
    golden = (host_calls.Path(host_calls.__file__).parent / "operators_torch_1_11.txt").read_text().split()
    assert operators_of_host(real_host) == golden

"""Runs inside the host's PyTorch (1.11, Python 3.7 or newer), not in this project's environment.

`export.host_calls` calls it; by hand, from this folder, with an interpreter that has torch 1.11:

    python -c 'import host_probe; host_probe.print_operators()' > operators_torch_1_11.txt

Keeps to Python 3.7's syntax and imports nothing of this project.
"""


def embed(model_path, inputs_path, outputs_path):
    """The host's calling sequence on a machine without a GPU: load, batch of one, element [0], flatten.

    Inputs are a list of uint8 [3, H, W] saved by torch; outputs {"torch": version, "embeddings": list of
    [D]}.
    """
    import torch

    model = _load(model_path)
    embeddings = [_embed(model, image) for image in torch.load(inputs_path)]
    torch.save({"torch": str(torch.__version__), "embeddings": embeddings}, outputs_path)


def embed_pictures(model_path, paths_json, outputs_path):
    """The same from picture files, opened as the host opens them: PIL, RGB, torchvision's PILToTensor.

    Prints the number of each picture when it is done. `paths_json` is a file with a list of paths; outputs
    {"versions": ..., "embeddings": list of [D], "pixels": list of sha256}, in the same order; where PIL cannot read a
    picture, the embedding is None and "pixels" has the reason.
    """
    import hashlib
    import json

    import torch
    from PIL import Image
    from torchvision import transforms

    model, to_tensor = _load(model_path), transforms.PILToTensor()
    with open(paths_json) as stream:
        paths = json.load(stream)
    embeddings, pixels = [], []
    for number, path in enumerate(paths):
        try:
            image = Image.open(path).convert("RGB")
        except Exception as error:  # PIL and its plugins raise a dozen types for damaged files
            embeddings.append(None)
            pixels.append(f"{type(error).__name__}: {error}")
        else:
            embeddings.append(_embed(model, to_tensor(image)))
            pixels.append(hashlib.sha256(image.tobytes()).hexdigest())
        print(number, flush=True)
    torch.save({"versions": _versions(), "embeddings": embeddings, "pixels": pixels}, outputs_path)


def print_version():
    """The torch version, alone on a line."""
    import torch

    print(str(torch.__version__))


def print_versions():
    """torch, torchvision, pillow and python as JSON; fails where one is missing."""
    import json

    print(json.dumps(_versions()))


def print_operators():
    """Every operator this PyTorch knows, with its overload, as `torch.jit.export_opnames` does; sorted."""
    import torch

    schemas = torch._C._jit_get_all_schemas()
    names = {s.name + ("." + s.overload_name if s.overload_name else "") for s in schemas}
    print("\n".join(sorted(names)))


def _load(model_path):
    import torch

    # The file is tagged for a GPU, which this machine need not have; the host gives no map_location.
    return torch.jit.load(model_path, map_location="cpu").eval()


def _embed(model, image):
    """uint8 [3, H, W] -> [D]."""
    import torch

    with torch.no_grad():
        return model(image.unsqueeze(0))[0].flatten().cpu()


def _versions():
    import platform

    import PIL
    import torch
    import torchvision

    return {"torch": str(torch.__version__), "torchvision": str(torchvision.__version__),
            "pillow": PIL.__version__, "python": platform.python_version()}

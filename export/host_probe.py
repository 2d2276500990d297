"""Runs inside the host's PyTorch (1.11, Python 3.7 or newer), not in this project's environment.

`export.host_runtime` calls it; by hand, from this folder:

    python3.8 -c 'import host_probe; host_probe.print_operators()' > operators_torch_1_11.txt

Imports torch alone and keeps to Python 3.7's syntax.
"""


def embed(model_path, inputs_path, outputs_path):
    """The host's calling sequence on a machine without a GPU: load, batch of one, element [0], flatten.

    Inputs are a list of uint8 [3, H, W] saved by torch; outputs {"torch": version, "embeddings": list of
    [D]}.
    """
    import torch

    model = torch.jit.load(model_path, map_location="cpu")
    model.eval()
    embeddings = []
    for image in torch.load(inputs_path):
        with torch.no_grad():
            embeddings.append(model(image.unsqueeze(0))[0].flatten().cpu())
    torch.save({"torch": str(torch.__version__), "embeddings": embeddings}, outputs_path)


def print_version():
    """The torch version, alone on a line."""
    import torch

    print(str(torch.__version__))


def print_operators():
    """Every operator this PyTorch knows, with its overload, as `torch.jit.export_opnames` does; sorted."""
    import torch

    schemas = torch._C._jit_get_all_schemas()
    names = {s.name + ("." + s.overload_name if s.overload_name else "") for s in schemas}
    print("\n".join(sorted(names)))

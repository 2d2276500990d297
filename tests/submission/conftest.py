"""A model that sees colour only, labelled images for which colour is the class, and a Kaggle to send it to."""

import io
import json
import tarfile
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from data_prep.files import sha256_of_file
from data_prep.manifest import ClassEntry, Manifest, ShardEntry, save_manifest
from train.checkpoint import save_checkpoint
from train.data.preprocessing import PreprocessSpec
from train.model.backbones import BackboneSpec, build_backbone
from train.model.embedder import Embedder
from train.model.heads import build_head

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


class ColourModel(nn.Module):
    """uint8 [1, 3, H, W] -> unit [1, out_dim]: the mean colour through a fixed matrix."""

    def __init__(self, out_dim: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, out_dim, generator=generator), requires_grad=False)

    def forward(self, image: Tensor) -> Tensor:
        colour = image.to(torch.float32).mean(dim=[2, 3]) - 128.0
        embedding = torch.matmul(colour, self.weight)
        return embedding / torch.sqrt(torch.sum(embedding * embedding, dim=1, keepdim=True))


def write_model(path: Path, out_dim: int = 64) -> Path:
    torch.jit.save(torch.jit.script(ColourModel(out_dim)), str(path))
    return path


def coloured_image(colour: str, number: int, size_px: tuple[int, int] = (24, 16)) -> Image.Image:
    rng = np.random.default_rng(number)
    pixels = np.array(COLOURS[colour]) + rng.integers(-25, 26, size=(size_px[1], size_px[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, format=kind)
    return stream.getvalue()


@dataclass(frozen=True)
class Row:
    path: str
    domain: str
    class_key: str
    role: str


def write_table(folder: Path) -> Path:
    """Two domains of three colours; in `toys` every image is query and index, in `cars` the roles are apart."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for domain, roles in (("cars", ["query", "index", "index"]), ("toys", ["both", "both", "both"])):
        for colour in COLOURS:
            for number, role in enumerate(roles):
                path = folder / f"{domain}-{colour}-{number}.png"
                image = coloured_image(colour, number, (20 + 3 * number, 16 + number))
                path.write_bytes(encode(image, "PNG"))
                rows.append(Row(path.name, domain, colour, role))
    table_path = folder / "images.csv"
    lines = [f"{row.path},{row.domain},{row.class_key},{row.role}" for row in rows]
    table_path.write_text("\n".join(["path,domain,class_key,role", *lines]) + "\n")
    return table_path


def write_shards(shards_dir: Path) -> Path:
    """A packed mixture of one source with a train and a test split."""
    shards, classes = [], []
    for split, role, n_images in (("train", "", 6), ("test", "both", 4)):
        path = f"{split}/paint-000000.tar"
        (shards_dir / split).mkdir(parents=True)
        with tarfile.open(shards_dir / path, "w") as archive:
            for class_id, colour in enumerate(COLOURS):
                classes.append(ClassEntry(len(classes), "paint", "toys", f"{split}-{colour}", split, n_images))
                for number in range(n_images):
                    key = f"paint-{split}-{class_id}{number:03d}"
                    meta = {
                        "source": "paint",
                        "domain": "toys",
                        "class_key": f"{split}-{colour}",
                        "more_class_keys": [],
                        "split": split,
                        "role": role,
                        "original_width_px": 40,
                        "original_height_px": 32,
                    }
                    _add(archive, f"{key}.jpg", encode(coloured_image(colour, 100 * class_id + number)))
                    _add(archive, f"{key}.json", json.dumps(meta).encode())
        size_bytes, digest = (shards_dir / path).stat().st_size, sha256_of_file(shards_dir / path)
        shards.append(ShardEntry(path, split, "paint", "toys", 3 * n_images, size_bytes, digest))
    mixture = {"sources": [{"source": "paint", "reader": "table"}]}
    save_manifest(Manifest(mixture, {}, classes, shards, {}, {}, {}), shards_dir)
    return shards_dir


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def write_checkpoint(path: Path) -> Path:
    backbone = build_backbone(BackboneSpec("tiny", "conv32", None, 32))
    head_spec = {"kind": "linear", "out_dim": 64}
    embedder = Embedder(backbone, build_head(width=backbone.width, **head_spec))
    spec = PreprocessSpec(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    save_checkpoint(path, embedder, head_spec, spec, (None, ()), {})
    return path


def write_evidence(run_dir: Path) -> Path:
    """A run folder as export and validation leave it, with a model that passes."""
    run_dir.mkdir(parents=True, exist_ok=True)
    model_sha256 = sha256_of_file(write_model(run_dir / "saved_model.pt"))
    checks = [
        {"name": "loads", "ok": True, "verdict": "passed", "detail": "in torch"},
        {"name": "host runtime", "ok": None, "verdict": "not run", "detail": "no torch 1.11 here"},
    ]
    budget = {
        "verdict": "fits",
        "low_hours": 1.25,
        "high_hours": 2.5,
        "limit_hours": 9.0,
        "memory_gib": 0.94,
        "limit_memory_gib": 16.0,
    }
    export = {"model_sha256": model_sha256, "checkpoint_sha256": "c" * 64, "checks": checks, "budget": budget}
    (run_dir / "export.json").write_text(json.dumps(export))
    scores = {"mMP@5": 0.75, "R@1": 0.8, "mAP@100": 0.7}
    per_domain = {"toys": {**scores, "n_queries": 12, "n_index": 34}}
    before = {"mMP@5": 0.5, "R@1": 0.6, "mAP@100": 0.4}
    baseline = {**before, "per_domain": {"toys": before}}
    validation = {
        **scores,
        "interval_95": [0.7, 0.8],
        "per_domain": per_domain,
        "n_queries": 12,
        "n_index": 34,
        "index": "merged",
        "baselines": {"off_the_shelf": baseline, "pca_whitened_64": None},
        "baselines_missing": {"pca_whitened_64": "no shards"},
        "model_sha256": model_sha256,
        "embedding_dim": 64,
        "data_sha256": "d" * 64,
        "image_source": {"kind": "shards", "path": str(run_dir / "no-shards"), "split": "test"},
    }
    (run_dir / "validation.json").write_text(json.dumps(validation))
    return run_dir


@pytest.fixture
def model_path(tmp_path):
    return write_model(tmp_path / "saved_model.pt")


@pytest.fixture
def table_path(tmp_path):
    return write_table(tmp_path / "table")


@pytest.fixture
def shards_dir(tmp_path):
    return write_shards(tmp_path / "shards")


@pytest.fixture
def run_dir(tmp_path):
    return write_evidence(tmp_path / "runs" / "sample")


@pytest.fixture
def checkpoint_path(tmp_path):
    return write_checkpoint(tmp_path / "final.ckpt")


@pytest.fixture
def jpeg():
    """A function (colour, number) -> JPEG bytes."""
    return lambda colour, number: encode(coloured_image(colour, number))


SILENCE_S = 1.0


class KaggleUploads:
    """What KaggleApi 2.2.4 talks to when it uploads: JSON by POST in the client's own message types, bytes by PUT."""

    def __init__(self, web):
        self.web = web
        self.calls = []  # (name of the method, JSON of the request)
        self.datasets = {}  # slug -> versions, each a dict of file name -> bytes
        self.uploads = {}  # token -> (name, bytes)
        self.put_statuses = []  # answers to the next PUTs instead of 200
        self.refusals = {}  # name of the method -> [(status, code, message), ...] before it answers
        self.silent = {}  # name of the method -> how many requests get no answer for SILENCE_S
        self.dataset_polls = ["NOT_YET_PERSISTED", "READY"]
        self.kernel_polls = ["QUEUED", "RUNNING", "COMPLETE"]
        self.kernel_failure = ""
        self.kernel_problems = {}
        self.kernel_output = ["submission.zip", "log.txt"]
        self.kernel_versions = []  # the scripts pushed
        self.submission_polls = ["PENDING", "COMPLETE"]
        self.submission_error = ""
        self.scores = ("0.611", "0.622")
        self.submissions = []
        services = {
            "blobs.BlobApiService": ["StartBlobUpload"],
            "datasets.DatasetApiService": ["GetDatasetStatus", "GetDataset", "CreateDataset", "CreateDatasetVersion",
                                           "ListDatasetFiles"],
            "kernels.KernelsApiService": ["SaveKernel", "GetKernelSessionStatus", "ListKernelFiles"],
            "competitions.CompetitionApiService": ["CreateCodeSubmission", "ListSubmissions"],
        }  # fmt: skip
        for service, methods in services.items():
            for method in methods:
                web.posts[f"/v1/{service}/{method}"] = partial(self._take, method)

    def _take(self, method, headers, body):
        request = json.loads(body)
        self.calls.append((method, request))
        if self.silent.get(method):
            self.silent[method] -= 1
            time.sleep(SILENCE_S)
        as_json = {"Content-Type": "application/json"}
        if self.refusals.get(method):
            status, code, message = self.refusals[method].pop(0)
            return status, as_json, json.dumps({"code": code, "message": message}).encode()
        answer = getattr(self, method)(request)
        if answer is None:
            return 403, as_json, json.dumps({"code": 403, "message": "Permission denied"}).encode()
        return 200, as_json, answer.to_json(answer).encode()

    def StartBlobUpload(self, request):
        from kagglesdk.blobs.types.blob_api_service import ApiStartBlobUploadResponse

        answer = ApiStartBlobUploadResponse()
        answer.token = f"token-{len(self.uploads)}"
        self.uploads[answer.token] = (request["name"], None)
        answer.create_url = self.web.url(f"/upload/{answer.token}")

        def put(headers, body):
            if self.put_statuses:
                return self.put_statuses.pop(0), {}, b""
            self.uploads[answer.token] = (request["name"], body)
            return 200, {}, b""

        self.web.puts[f"/upload/{answer.token}"] = put
        return answer

    def GetDatasetStatus(self, request):
        from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetStatusResponse
        from kagglesdk.datasets.types.dataset_enums import DatabundleVersionStatus

        if request["datasetSlug"] not in self.datasets:
            return None
        answer = ApiGetDatasetStatusResponse()
        answer.status = DatabundleVersionStatus[next_of(self.dataset_polls)]
        return answer

    def GetDataset(self, request):
        from kagglesdk.datasets.types.dataset_api_service import ApiDataset

        answer = ApiDataset()
        answer.current_version_number = len(self.datasets[request["datasetSlug"]])
        return answer

    def _new_version(self, slug, files):
        from kagglesdk.datasets.types.dataset_api_service import ApiCreateDatasetResponse

        held = dict(self.uploads[file["token"]] for file in files)
        self.datasets.setdefault(slug, []).append(held)
        answer = ApiCreateDatasetResponse()
        answer.status = "ok"
        return answer

    def CreateDataset(self, request):
        return self._new_version(request["slug"], request.get("files", []))

    def CreateDatasetVersion(self, request):
        return self._new_version(request["datasetSlug"], request["body"].get("files", []))

    def ListDatasetFiles(self, request):
        from kagglesdk.datasets.types.dataset_api_service import ApiDatasetFile, ApiListDatasetFilesResponse

        answer = ApiListDatasetFilesResponse()
        for name, content in self.datasets[request["datasetSlug"]][-1].items():
            file = ApiDatasetFile()
            file.name, file.total_bytes = name, len(content)
            answer.dataset_files.append(file)
        return answer

    def SaveKernel(self, request):
        from kagglesdk.kernels.types.kernels_api_service import ApiSaveKernelResponse

        self.kernel_versions.append(request["text"])
        answer = ApiSaveKernelResponse()
        answer.version_number = len(self.kernel_versions)
        for name, value in self.kernel_problems.items():
            setattr(answer, name, value)
        return answer

    def GetKernelSessionStatus(self, request):
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusResponse
        from kagglesdk.kernels.types.kernels_enums import KernelWorkerStatus

        answer = ApiGetKernelSessionStatusResponse()
        answer.status = KernelWorkerStatus[next_of(self.kernel_polls)]
        answer.failure_message = self.kernel_failure
        return answer

    def ListKernelFiles(self, request):
        from kagglesdk.kernels.types.kernels_api_service import ApiListKernelFilesItem, ApiListKernelFilesResponse

        answer = ApiListKernelFilesResponse()
        for name in self.kernel_output:
            file = ApiListKernelFilesItem()
            file.name = name
            answer.files.append(file)
        return answer

    def CreateCodeSubmission(self, request):
        from kagglesdk.competitions.types.competition_api_service import ApiCreateCodeSubmissionResponse

        self.submissions.append(request)
        answer = ApiCreateCodeSubmissionResponse()
        answer.message, answer.ref = "Successfully submitted", 30 + len(self.submissions)
        return answer

    def ListSubmissions(self, request):
        from kagglesdk.competitions.types.competition_api_service import ApiListSubmissionsResponse, ApiSubmission
        from kagglesdk.competitions.types.submission_status import SubmissionStatus

        answer = ApiListSubmissionsResponse()
        status = next_of(self.submission_polls)
        for ref in (7, 30 + len(self.submissions)):  # an older one besides
            submission = ApiSubmission()
            submission.ref, submission.date = ref, datetime(2022, 10, 10)
            submission.status = SubmissionStatus[status if ref > 7 else "COMPLETE"]
            submission.error_description = self.submission_error
            if status == "COMPLETE":
                submission.public_score, submission.private_score = self.scores if ref > 7 else ("0.1", "0.1")
            answer.submissions.append(submission)
        return answer


def next_of(states):
    """The states in turn; the last one stays."""
    return states.pop(0) if len(states) > 1 else states[0]


@pytest.fixture
def kaggle_uploads(kaggle_site, web):
    return KaggleUploads(web)

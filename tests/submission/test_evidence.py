"""The chain from model to export.json and validation.json, and each way it can be broken."""

import json

import pytest

from data_prep.errors import ContractError
from data_prep.files import sha256_of_file
from submission.evidence import check_evidence


def edit(path, change):
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_a_whole_chain_is_read(run_dir):
    evidence = check_evidence(run_dir)
    assert evidence.model_sha256 == sha256_of_file(run_dir / "saved_model.pt")
    assert evidence.validation["mMP@5"] == 0.75
    assert evidence.export["budget"]["verdict"] == "fits"


@pytest.mark.parametrize(
    ("name", "step"), [("saved_model.pt", "export"), ("export.json", "export"), ("validation.json", "validate")]
)
def test_a_missing_file_says_what_writes_it(run_dir, name, step):
    (run_dir / name).unlink()
    with pytest.raises(ContractError, match=rf"{name}: no such file; make {step}"):
        check_evidence(run_dir)


@pytest.mark.parametrize(("name", "step"), [("export.json", "export"), ("validation.json", "validate")])
def test_evidence_about_another_model_is_refused(run_dir, name, step):
    edit(run_dir / name, lambda record: record.update(model_sha256="0" * 64))
    with pytest.raises(ContractError, match=rf"{name}: is about model 000000000000, .* run make {step} again"):
        check_evidence(run_dir)


def test_a_changed_model_is_refused(run_dir):
    with open(run_dir / "saved_model.pt", "ab") as stream:
        stream.write(b"x")
    with pytest.raises(ContractError, match=r"export\.json: is about model"):
        check_evidence(run_dir)


def test_a_failed_check_is_named_with_its_detail(run_dir):
    failed = {"name": "odd sizes", "ok": False, "detail": "1 x 500 pixels: got length 2"}
    edit(run_dir / "export.json", lambda record: record["checks"].append(failed))
    with pytest.raises(ContractError, match="1 of 3 checks did not pass: odd sizes: 1 x 500 pixels: got length 2"):
        check_evidence(run_dir)


def test_only_host_runtime_and_budget_may_be_open(run_dir):
    open_ = {"name": "budget", "ok": None, "detail": "unknown"}
    edit(run_dir / "export.json", lambda record: record["checks"].append(open_))
    check_evidence(run_dir)
    edit(run_dir / "export.json", lambda record: record["checks"].append({**open_, "name": "operators"}))
    with pytest.raises(ContractError, match="operators: unknown"):
        check_evidence(run_dir)


def test_no_checks_and_no_json_are_refused(run_dir):
    edit(run_dir / "export.json", lambda record: record.update(checks=[]))
    with pytest.raises(ContractError, match="holds no checks"):
        check_evidence(run_dir)
    (run_dir / "export.json").write_text("{")
    with pytest.raises(ContractError, match="not JSON"):
        check_evidence(run_dir)
    (run_dir / "export.json").write_text("[]")
    with pytest.raises(ContractError, match="expected an object, got list"):
        check_evidence(run_dir)


def test_half_a_record_is_refused_before_anything_is_written(run_dir):
    edit(run_dir / "validation.json", lambda record: record.pop("per_domain"))
    with pytest.raises(ContractError, match=r"validation\.json: has no per_domain; run make validate again"):
        check_evidence(run_dir)


def write_proof(run_dir, model_sha256, ok, cosine):
    record = {"model_sha256": model_sha256, "ok": ok, "versions": {"torch": "1.11.0+cu102"},
              "pictures": [{"name": "a.png", "cosine": cosine}, {"name": "b.png", "cosine": 1.0}]}
    (run_dir / "host_runtime.json").write_text(json.dumps(record))


def test_a_proof_on_the_host_after_the_export_counts_and_one_of_another_file_does_not(run_dir):
    def host_check():
        return next(check for check in check_evidence(run_dir).export["checks"] if check["name"] == "host runtime")

    write_proof(run_dir, "0" * 64, False, 0.5)
    assert host_check()["ok"] is None
    model_sha256 = sha256_of_file(run_dir / "saved_model.pt")
    write_proof(run_dir, model_sha256, True, 0.99999)
    assert host_check()["ok"] is True and "torch 1.11.0+cu102, 2 pictures: cosine 0.99999" in host_check()["detail"]
    record = {"model_sha256": model_sha256, "ok": False, "versions": {}, "pictures": [], "error": "Unknown builtin op"}
    (run_dir / "host_runtime.json").write_text(json.dumps(record))
    with pytest.raises(ContractError, match="host runtime: Unknown builtin op"):
        check_evidence(run_dir)
    write_proof(run_dir, model_sha256, False, 0.5)
    with pytest.raises(ContractError, match=r"1 of 2 checks did not pass: host runtime: .*cosine 0\.5"):
        check_evidence(run_dir)

import pytest
import yaml

from train.fit import main


@pytest.fixture
def config_path(make_config, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(make_config({}).model_dump(mode="json")))
    return path


def test_trains_from_the_command_line_and_overrides_win(packed, config_path, tmp_path, capsys):
    run_dir = tmp_path / "run"
    status = main([str(config_path), "--shards", str(packed), "--run-dir", str(run_dir), "seed=9"])
    assert status == 0 and (run_dir / "final.ckpt").is_file()
    assert "seed: 9" in (run_dir / "resolved.yaml").read_text()
    assert f"wrote {run_dir / 'final.ckpt'}" in capsys.readouterr().out


def test_user_errors_are_one_line_and_status_two(packed, config_path, tmp_path, capsys):
    assert main([str(config_path), "stages.0.epohcs=1"]) == 2
    assert "stages.0.epohcs: unknown key" in capsys.readouterr().err
    assert main(["nonesuch"]) == 2
    assert "known: pocket, quickstart, vith14" in capsys.readouterr().err
    assert main([str(config_path), "--shards", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err


def test_unknown_flags_stop(config_path):
    with pytest.raises(SystemExit) as stop:
        main([str(config_path), "--epochs", "3"])
    assert stop.value.code == 2

"""Finding the host's PyTorch and making its environment; with stand-ins, nothing is downloaded."""

import threading

import pytest

from data_prep.errors import ConfigError
from export import host_environment
from export.host_environment import (
    NoHostPython,
    base_pythons,
    environment_dir,
    find_host_python,
    provide_host_python,
)

# A Python 3.8 that makes environments: each notes that it was made, and installs as INSTALL says.
_BASE = """#!/bin/sh
case "$*" in
  *"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin"
    echo "$folder" >> {made}
    sleep 0.2
    cat > "$folder/bin/python" <<'END'
#!/bin/sh
case "$*" in
  *"-m pip install"*) {install} ;;
  *print_version*) echo 1.11.0 ;;
esac
END
    chmod +x "$folder/bin/python" ;;
  *) echo {version} ;;
esac
"""


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("GUIE_HOST_PYTHON")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(host_environment.shutil, "which", lambda name: None)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


@pytest.fixture
def make_base(tmp_path):
    def make(install="exit 0", version="3.8", name="base"):
        python = tmp_path / name
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(_BASE.format(made=tmp_path / "made", install=install, version=version))
        python.chmod(0o755)
        return python

    return make


def test_none_where_there_is_none(monkeypatch, make_python):
    assert find_host_python() is None
    monkeypatch.setenv("GUIE_HOST_PYTHON", "none")
    assert find_host_python() is None


def test_named_by_the_variable(monkeypatch, make_python):
    python = make_python("1.11.0+cu102")
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(python))
    assert find_host_python() == provide_host_python() == python


def test_a_wrong_name_or_version_is_an_error_not_a_skip(monkeypatch, make_python, tmp_path):
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match=r"GUIE_HOST_PYTHON=.*missing: no such file; expected"):
        find_host_python()
    monkeypatch.setenv("GUIE_HOST_PYTHON", str(make_python("1.13.1")))
    with pytest.raises(ConfigError, match=r"expected torch 1\.11, got 1\.13\.1"):
        provide_host_python()


def test_made_once_and_found_ever_after(make_base, tmp_path, capsys):
    base = make_base()
    python = provide_host_python(base)
    assert python == environment_dir() / "bin" / "python" == find_host_python()
    said = capsys.readouterr().err
    assert "0.8 GB to download" in said and str(environment_dir()) in said and str(base) in said
    assert provide_host_python(base) == python
    assert len((tmp_path / "made").read_text().splitlines()) == 1


def test_two_at_once_make_it_once(make_base, tmp_path):
    base, found = make_base(), []
    threads = [threading.Thread(target=lambda: found.append(provide_host_python(base))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [environment_dir() / "bin" / "python"] * 2
    assert len((tmp_path / "made").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("install", "message"),
    [
        ("echo 'ERROR: No matching distribution found for torch' >&2; echo notice >&2; exit 1",
         "installing torch==1.11.0.*ERROR: No matching distribution"),
        ("rm \"$0\"; exit 0", "No such file"),
    ],
)
def test_what_is_not_whole_is_not_there(make_base, install, message):
    with pytest.raises(NoHostPython, match=message):
        provide_host_python(make_base(install))
    assert [path.name for path in environment_dir().parent.iterdir()] == [f"{environment_dir().name}.lock"]
    assert provide_host_python(make_base()) == find_host_python()


def test_what_a_killed_process_left_goes_when_it_is_made_anew(make_base):
    leftover = environment_dir().with_name(f".{environment_dir().name}.0123456789ab.unfinished")
    (leftover / "lib").mkdir(parents=True)
    provide_host_python(make_base())
    assert not leftover.exists() and environment_dir().is_dir()


def test_it_is_made_anew_when_the_python_it_was_made_from_is_gone(make_base, tmp_path):
    python = provide_host_python(make_base())
    python.unlink()
    python.symlink_to(tmp_path / "uninstalled")
    assert provide_host_python(make_base()) == find_host_python() == python
    assert len((tmp_path / "made").read_text().splitlines()) == 2


def test_a_base_of_another_version_is_refused(make_base):
    with pytest.raises(ConfigError, match=r"base: expected Python 3\.8, 3\.9 or 3\.10"):
        provide_host_python(make_base(version="3.11"))


def test_without_a_python_it_says_what_it_looked_for(monkeypatch):
    with pytest.raises(NoHostPython, match=r"no Python 3\.8, 3\.9, 3\.10 on PATH or under pyenv, and no uv"):
        provide_host_python()
    monkeypatch.setenv("GUIE_HOST_PYTHON", "none")
    with pytest.raises(NoHostPython, match="GUIE_HOST_PYTHON is none"):
        provide_host_python()


def test_pythons_on_path_come_before_those_of_pyenv_and_shims_that_do_not_run_are_left_out(
    make_base, monkeypatch, tmp_path
):
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    on_path, in_pyenv = make_base(name="python3.10"), make_base(name="pyenv/versions/3.9.18/bin/python3.9")
    on_path.write_text(on_path.read_text().replace("echo 3.8", "echo 3.10"))
    found = {"python3.8": str(shim), "python3.10": str(on_path)}
    monkeypatch.setattr(host_environment.shutil, "which", found.get)
    assert base_pythons() == [on_path, in_pyenv]


def test_through_uv_where_only_it_is_installed(make_base, monkeypatch, tmp_path):
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\necho \"$*\" >> {tmp_path}/calls\n[ \"$1\" = pip ] && exit 0\n"
                  f"for folder; do :; done\nexec {make_base()} -I -m venv \"$folder\"\n")
    uv.chmod(0o755)
    monkeypatch.setattr(host_environment.shutil, "which", {"uv": str(uv)}.get)
    assert provide_host_python() == find_host_python()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith("venv --quiet --python 3.8 ") and calls[1].startswith("pip install --python ")
    assert "torch==1.11.0 torchvision==0.12.0" in calls[1]

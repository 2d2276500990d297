"""One reader for the JSON records of a run."""

import pytest

from data_prep.errors import ConfigError, ContractError
from submission.record_file import read_record


@pytest.mark.parametrize(("content", "message"), [
    (b"{", "not JSON: .*; export again"),
    (b"\xff", "not JSON: .*; export again"),
    (b"[1]", "expected an object, got list; export again"),
    (b'{"b": 1}', "has no a, c; export again"),
])
@pytest.mark.parametrize("refusal", [ConfigError, ContractError])
def test_what_is_not_the_record_is_refused_with_the_remedy(content, message, refusal, tmp_path):
    path = tmp_path / "some.json"
    path.write_bytes(content)
    with pytest.raises(refusal, match=f"some.json: {message}"):
        read_record(path, ("a", "b", "c"), "export again", refusal)


def test_a_record_with_its_keys_is_read(tmp_path):
    (tmp_path / "some.json").write_text('{"a": 1, "more": [2]}')
    assert read_record(tmp_path / "some.json", ("a",), "", ConfigError) == {"a": 1, "more": [2]}

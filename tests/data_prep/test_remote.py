from types import SimpleNamespace

import pytest
import requests

from data_prep.remote import (
    Passing,
    Remote,
    content_length,
    content_range,
    is_web_page,
    open_remote,
    open_url,
    retry_after_s,
    shown,
    validator_of,
)


def answered(**headers):
    return SimpleNamespace(headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_addresses_are_shown_without_what_could_be_a_secret():
    assert shown("https://jane:pw@host.org:8080/a/b.zip?Signature=abc#x") == "https://host.org:8080/a/b.zip"
    assert shown("http://host.org/a@b.zip") == "http://host.org/a@b.zip"


def test_ranges_and_lengths_are_read_or_left_open():
    assert content_range(answered(Content_Range="bytes 5-9/10")) == (5, 10)
    assert content_range(answered(Content_Range="bytes 5-9/*")) == (5, None)
    assert content_range(answered(Content_Range="pages 5-9/10")) == content_range(answered()) == (None, None)
    assert content_length(answered(Content_Length="12")) == 12
    assert content_length(answered(Content_Length="-1")) is None


def test_only_what_is_exact_proves_an_object():
    assert validator_of(answered(ETag='"a"', Last_Modified="then")) == '"a"'
    assert validator_of(answered(ETag='W/"a"', Last_Modified="then")) == "then"
    assert validator_of(answered()) is None


def test_retry_after_without_sense_is_not_given():
    assert retry_after_s(answered(Retry_After="12")) == 12
    assert retry_after_s(answered(Retry_After="soon")) is None and retry_after_s(answered()) is None
    assert retry_after_s(answered(Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")) == 0


def test_web_pages_are_known_by_their_type():
    assert is_web_page(answered(Content_Type="Text/HTML; charset=utf-8"))
    assert not is_web_page(answered(Content_Type="application/zip")) and not is_web_page(answered())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.SSLError, "certificate"), (requests.ReadTimeout, "no answer in time"),
        (requests.ConnectionError, "no connection"), (requests.TooManyRedirects, "TooManyRedirects"),
    ],
)
def test_the_library_s_words_are_replaced_by_ours(error, said):
    def fail(headers):
        raise error("https://host/?Signature=s3cret")

    with pytest.raises(Passing, match=said) as caught:
        open_remote(Remote("a file", fail), {})
    assert "s3cret" not in str(caught.value) and caught.value.__suppress_context__


def test_bytes_are_asked_for_as_they_are_stored(web, hosted):
    with open_url(hosted("/a.bin", b"0123456789"), {"Range": "bytes=4-"}) as response:
        assert response.content == b"456789"
    assert web.sent_headers("Accept-Encoding") == ["identity"]

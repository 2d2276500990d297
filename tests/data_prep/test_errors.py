import doctest

from data_prep import errors


def test_doctest():
    result = doctest.testmod(errors)
    assert (result.attempted, result.failed) == (3, 0)


def test_known_names_are_sorted_and_the_error_is_returned_not_raised():
    error = errors.unknown_name("source", "sop", ["met", "gldv2"], "q.yaml")
    assert isinstance(error, errors.ConfigError)
    assert str(error).endswith("known: gldv2, met")

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_bioseg.core import errors
from napari_bioseg.core.errors import BiosegError, UnknownAxesError


def leaves():
    return sorted((e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, BiosegError)), key=str)


@pytest.mark.parametrize("error", [e for e in leaves() if e is not BiosegError])
def test_each_is_also_what_a_caller_would_guess(error):
    assert len(error.__mro__) > len(BiosegError.__mro__) + 1
    assert error.__name__ in errors.__doc__
    raised = error("a.tif", "is broken", "Mend it")
    assert str(raised) == "a.tif: is broken. Mend it"
    assert (raised.subject, raised.problem, raised.fix) == ("a.tif", "is broken", "Mend it")


@given(st.text(min_size=1), st.text(min_size=1), st.text())
def test_a_message_is_one_line(subject, problem, fix):
    assert len(str(BiosegError(subject, problem, fix)).splitlines()) <= 1


def test_unknown_axes_carry_the_choice():
    error = UnknownAxesError("a.tif", "does not say", shape=(3, 4, 5), choices=("ZYX", "TYX"))
    assert error.shape == (3, 4, 5)
    assert error.choices == ("ZYX", "TYX")
    assert str(error) == "a.tif: does not say"

"""The core's errors as Python sees them."""

from __future__ import annotations

import pickle

import penstock
import pytest
from penstock import _core, errors

KINDS = {
    "missing": (errors.NotFound, FileNotFoundError),
    "denied": (errors.Denied, PermissionError),
    "refused": (errors.Refused, ValueError),
    "conflict": (errors.Conflict, errors.Error),
    "corrupt": (errors.Corrupt, errors.Error),
    "busy": (errors.Busy, errors.Error),
    "lost": (errors.Lost, ConnectionError),
    "in_doubt": (errors.InDoubt, errors.Error),
    "cancelled": (errors.Cancelled, errors.Error),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_its_class_and_a_builtin_one(kind: str) -> None:
    ours, builtin = KINDS[kind]
    with pytest.raises(ours) as raised:
        _core._raise(kind, "what, where, what to do", "SomeCode")
    assert type(raised.value) is ours
    assert isinstance(raised.value, builtin)
    assert raised.value.kind == kind
    assert str(raised.value) == "what, where, what to do"
    assert raised.value.code == "SomeCode"
    assert raised.value.retry_after == 1.5


def test_a_passed_deadline_is_lost_and_a_timeout() -> None:
    with pytest.raises(TimeoutError) as raised:
        _core._raise("lost", "too late", "deadline")
    assert isinstance(raised.value, penstock.Lost)
    assert raised.value.code == "deadline"


def test_the_first_cause_is_the_cause() -> None:
    with pytest.raises(penstock.Corrupt) as raised:
        _core._raise("corrupt", "second", "", "first")
    assert isinstance(raised.value.__cause__, penstock.Lost)
    assert raised.value.cause is raised.value.__cause__
    assert str(raised.value.__cause__) == "first"


def test_errors_pickle_with_facts_and_cause() -> None:
    with pytest.raises(penstock.Lost) as raised:
        _core._raise("lost", "too late", "deadline", "reset")
    copy = pickle.loads(pickle.dumps(raised.value))
    assert type(copy) is errors.DeadlinePassed
    assert (copy.message, copy.code, copy.retry_after) == ("too late", "deadline", 1.5)
    assert str(copy.__cause__) == "reset"


def test_a_fact_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="colour"):
        errors.Busy("no", colour="red")


def test_the_tree_drawn_in_the_docstring_names_every_class() -> None:
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")

"""What modules give is changed at marked positions, whatever form they give it in."""

from __future__ import annotations

import threading
from collections import namedtuple
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from structprobe.errors import EncoderError
from structprobe.models.inside.edits import editing, edits_of, is_edited, marking, unedited
from structprobe.models.inside.hooks import Place, leaving
from structprobe.models.reading import reading

Pair = namedtuple("Pair", "first second")
X = torch.arange(6.0).reshape(1, 2, 3)
MARKS = torch.tensor([[[0, -1], [0, 0]]])  # the second position is a word


class Step(nn.Module):
    """Adds one, and gives it in a form."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor, *, more: Tensor | None = None) -> Any:
        x = x + 1 if more is None else x + more
        forms = {
            "tensor": x,
            "tuple": (0, x),
            "named": Pair(0, x),
            "list": [0, x],
            "dict": {"x": x},
        }
        return forms[self.form]


class Chain(nn.Module):
    """Calls one step three times; by name the last time."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.step = Step(form)

    def forward(self, x: Tensor) -> Tensor:
        x = self._read(self.step(x))
        x = self._read(self.step(x))
        return self._read(self.step(x, more=torch.full_like(x, 10)))

    def _read(self, given: Any) -> Tensor:
        if isinstance(given, Pair):
            return given.second
        return given if isinstance(given, Tensor) else given["x" if "x" in given else 1]


def double(values: Tensor, marks: Tensor) -> Tensor:
    """Doubles what belongs to a word."""
    return torch.where(marks[..., 1:] >= 0, values * 2, values)


def by_hand(*, after: int | None = None, before: int | None = None) -> Tensor:
    x = X.clone()
    for call, more in enumerate((1, 1, 10)):
        if call == before:
            x[:, 1] *= 2
        x = x + more
        if call == after:
            x[:, 1] *= 2
    return x


@pytest.mark.parametrize(
    ("form", "item"),
    [("tensor", None), ("tuple", 1), ("named", 1), ("list", 1), ("dict", "x")],
)
@pytest.mark.parametrize("call", [0, 1, 2])
def test_results_of_any_form_and_call_are_changed(form: str, item: Any, call: int) -> None:
    model = Chain(form)
    with editing(model, {Place("step", call, item): double}), marking(MARKS):
        for _ in range(2):  # calls are counted anew in each pass
            torch.testing.assert_close(model(X), by_hand(after=call), rtol=0, atol=0)
    torch.testing.assert_close(model(X), by_hand(), rtol=0, atol=0)


def test_arguments_are_changed_by_number_and_by_name() -> None:
    model = Chain("tensor")
    with editing(model, {Place("step", 1, 0, given=True): double}), marking(MARKS):
        torch.testing.assert_close(model(X), by_hand(before=1), rtol=0, atol=0)
    with editing(model, {Place("step", 2, "more", given=True): double}), marking(MARKS):
        wanted = by_hand()
        wanted[:, 1] += 10
        torch.testing.assert_close(model(X), wanted, rtol=0, atol=0)


def test_later_hooks_see_the_change_and_edits_are_nested() -> None:
    model = Chain("tensor")
    place = Place("step", 0, None)

    def add(values: Tensor, marks: Tensor) -> Tensor:
        return values + 1

    with (
        editing(model, {place: double}),
        editing(model, {place: add}),
        marking(MARKS),
        leaving(model, [place]) as found,
    ):
        model(X)
    wanted = X + 1
    wanted[:, 1] *= 2
    torch.testing.assert_close(found[place], wanted + 1, rtol=0, atol=0)


def test_a_pass_that_was_left_early_does_not_count() -> None:
    model = Chain("tensor")
    with editing(model, {Place("step", 1, None): double}), marking(MARKS):
        with leaving(model, [Place("step", 0, None)]):
            model(X)
        torch.testing.assert_close(model(X), by_hand(after=1), rtol=0, atol=0)


def test_a_pass_that_marks_nothing_is_refused() -> None:
    model = Chain("tensor")
    with editing(model, {Place("step", 1, None): double}):
        with pytest.raises(EncoderError, match="does not tell which words it reads"):
            model(X)
        with unedited():
            assert not is_edited()
            torch.testing.assert_close(model(X), by_hand(), rtol=0, atol=0)


def test_what_is_not_there_is_refused() -> None:
    model = Chain("tuple")
    for item in (None, 5, 0):
        with (
            editing(model, {Place("step", 1, item): double}),
            marking(MARKS),
            pytest.raises(EncoderError, match="takes a different path"),
        ):
            model(X)
    with (
        editing(model, {Place("step", 0, 1): double}),
        marking(MARKS[:, :1]),
        pytest.raises(EncoderError, match="a text of 1 tokens takes a different path"),
    ):
        model(X)


def test_nothing_is_left_after_an_error() -> None:
    model = Chain("tensor")

    def fail(values: Tensor, marks: Tensor) -> Tensor:
        raise RuntimeError("no")

    with (
        pytest.raises(RuntimeError),
        editing(model, {Place("step", 0, None): fail}),
        marking(MARKS),
    ):
        model(X)
    assert not is_edited()
    assert not model.step._forward_hooks
    assert not model._forward_pre_hooks
    torch.testing.assert_close(model(X), by_hand(), rtol=0, atol=0)


def test_other_threads_are_not_edited() -> None:
    model, found = Chain("tensor"), []

    def read() -> None:
        with reading(model):
            found.append((is_edited(), model(X)))

    with editing(model, {Place("step", 0, None): double}), marking(MARKS):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        torch.testing.assert_close(model(X), by_hand(after=0), rtol=0, atol=0)
    ((edited, values),) = found
    assert not edited
    torch.testing.assert_close(values, by_hand(), rtol=0, atol=0)


@pytest.mark.parametrize("first", ["reading", "editing"])
def test_a_reader_in_another_thread_neither_undoes_nor_keeps_an_edit(first: str) -> None:
    model = Chain("tensor")
    entered, leave = threading.Event(), threading.Event()

    def read() -> None:
        with reading(model):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=read)
    edit = editing(model, {Place("step", 0, None): double})
    if first == "reading":
        thread.start()
        entered.wait(20)
    with edit, marking(MARKS):
        if first == "editing":
            thread.start()
            entered.wait(20)
        else:
            leave.set()
            thread.join()
        torch.testing.assert_close(model(X), by_hand(after=0), rtol=0, atol=0)
    leave.set()
    thread.join()
    assert not model.step._forward_hooks
    assert not model._forward_pre_hooks


def test_edits_are_those_of_a_model_its_parts_and_what_it_is_part_of() -> None:
    whole, other = nn.Sequential(Chain("tensor")), Chain("tensor")
    with editing(whole[0], {}, "mine"):
        assert edits_of(whole) == edits_of(whole[0]) == edits_of(whole[0].step) == "mine"
        assert edits_of(other) == ""
        with editing(whole, {}, "twice"):
            assert edits_of(whole) == "mine+twice"
    assert edits_of(whole) == ""

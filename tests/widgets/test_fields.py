"""What a page sends: taken where it is right, else refused with field, value and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evavos_widget.prompts import Box, Click
from evavos_widget.widgets.fields import MAX_ITEMS, MAX_TEXT, Fields
from evavos_widget.widgets.requests import RequestError

FRAMES = 12

READ = {
    "text": lambda fields: fields.text("it"),
    "text_or_none": lambda fields: fields.text_or_none("it"),
    "integer": lambda fields: fields.integer("it"),
    "number": lambda fields: fields.number("it"),
    "flag": lambda fields: fields.flag("it"),
    "frame": lambda fields: fields.frame("it", FRAMES),
    "frames": lambda fields: fields.frames("it", FRAMES),
    "frame_range": lambda fields: fields.frame_range("it", FRAMES),
    "clicks": lambda fields: fields.clicks("it"),
    "box": lambda fields: fields.box("it"),
    "scribbles": lambda fields: fields.scribbles("it"),
}


def read(how: str, value: object) -> object:
    return READ[how](Fields({"kind": "it.take", "it": value}))


@pytest.mark.parametrize(
    ("how", "value", "taken"),
    [
        ("text", "", ""),
        ("text_or_none", None, None),
        ("integer", -3, -3),
        ("number", 2, 2.0),
        ("flag", None, False),
        ("frame", 11, 11),
        ("frames", [3, 3, 0], [3, 3, 0]),
        ("frame_range", [4, 4], range(4, 5)),
        ("frame_range", None, None),
        ("clicks", [[1, 2.5, 1], [0, 0, False]], (Click(1.0, 2.5), Click(0.0, 0.0, False))),
        ("clicks", None, ()),
        ("box", [1, 2, 3.5, 4], Box(1.0, 2.0, 3.5, 4.0)),
        ("box", None, None),
    ],
)
def test_what_is_right_is_taken(how, value, taken):
    assert read(how, value) == taken


@pytest.mark.parametrize(
    ("how", "value", "words"),
    [
        ("text", None, "it.take needs the field 'it'"),
        ("text", 7, "it is 7; send a text"),
        ("text", "x" * (MAX_TEXT + 1), "send a text of at most 4096"),
        ("integer", True, "it is True; send an integer"),
        ("integer", 3.0, "it is 3.0; send an integer"),
        ("number", "5", "it is '5'; send a finite number"),
        ("number", float("nan"), "it is nan; send a finite number"),
        ("number", False, "it is False; send a finite number"),
        ("flag", 1, "it is 1; send true or false"),
        ("frame", 12, "there is no frame 12; the video has frames 0 to 11"),
        ("frame", -1, "there is no frame -1"),
        ("frame", 10**500, "there is no frame 1000"),
        ("frames", 3, "it is 3; send a list of frame indices"),
        ("frames", [3, "4"], "it is '4'; send an integer"),
        ("frames", [0] * (MAX_ITEMS + 1), "at most 100000"),
        ("frame_range", [1], "it is [1]; send [first, last] or null"),
        ("frame_range", [7, 4], "it [7, 4] run backwards"),
        ("clicks", 3, "it are 3; send a list of [x, y, 0 or 1]"),
        ("clicks", [[1, 2, 2]], "it are [[1, 2, 2]]; send a list of [x, y, 0 or 1]"),
        ("clicks", [["1", 2, 1]], "send a list of [x, y, 0 or 1]"),
        ("box", [1, 2, 3], "it is [1, 2, 3]; send [x0, y0, x1, y1]"),
        ("scribbles", [{"points": [], "positive": True}], "it are [{"),
        ("scribbles", [{"points": [[1, 2]], "positive": 1}], "send a list of {points:"),
    ],
)
def test_what_is_wrong_is_refused_with_field_value_and_remedy(how, value, words):
    with pytest.raises(RequestError) as refused:
        read(how, value)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 200, "a value is shown in a line, however long it is"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(how=st.sampled_from(sorted(READ)), value=json_values)
def test_anything_is_taken_or_refused_and_nothing_else_happens(how, value):
    said = ""
    try:
        read(how, value)
    except RequestError as refused:
        said = str(refused)
    assert "\n" not in said

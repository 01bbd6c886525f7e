"""Forms as clients send them, and as nobody should."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevision.runtime.serving.multipart import parse_form
from edgevision.runtime.serving.refusals import RefusalError

KIND = "multipart/form-data; boundary=b"


def part(disposition: str, content: bytes = b"x") -> bytes:
    return b"--b\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"


def test_files_and_fields_are_told_apart_by_the_files_name():
    content = b"\r\n-b\r\n\r\n-b--" + bytes(range(256))
    body = part('name="image"; filename="a.png"', content) + part('name="top"', b"3") + b"--b--\r\n"
    form = parse_form(KIND, body)
    assert form.files["image"] == (content, "a.png")
    assert form.fields == {"top": ["3"]}


@pytest.mark.parametrize(
    ("kind", "delimiter"),
    [
        ('multipart/form-data; boundary="with space"', "with space"),
        ("Multipart/Form-Data; charset=utf-8; boundary=----WebKitFormBoundaryx", "----WebKitFormBoundaryx"),
    ],
)
def test_boundaries_are_written_in_several_ways(kind, delimiter):
    body = f'a preamble\r\n--{delimiter}\r\ncontent-disposition:form-data;name="a"\r\n\r\n1\r\n--{delimiter}--'
    assert parse_form(kind, body.encode()).fields == {"a": ["1"]}


def test_what_is_left_empty_counts_as_not_given():
    form = parse_form(KIND, part('name="mask"; filename=""', b"") + part('name="top"', b"") + b"--b--")
    assert form == ({}, {})


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('name="i"; filename="C:\\photos\\a.png"', "a.png"),
        ('name="i"; filename="../../etc/passwd"', "passwd"),
        ('name="i"; filename="x"; filename*=UTF-8\'\'K%C3%A4se.png', "Käse.png"),
        ('name="i"; filename=""', "the picture"),
    ],
)
def test_of_a_files_name_the_last_part_is_kept(disposition, name):
    assert parse_form(KIND, part(disposition) + b"--b--").files["i"].name == name


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "its boundary is not in it"),
        (part('name="a"')[:-1], "cut off"),
        (part('name="a"'), "cut off"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "has no name"),
        (b"--b\r\nno end of headers", "no end of its headers"),
        (part('name="a"', b"\xff") + b"--b--", "not UTF-8"),
        (part('name="a"; filename="f"') * 2 + b"--b--", "sent twice"),
        (part('name="a"') * 70 + b"--b--", "at most 64 parts"),
    ],
)
def test_a_form_that_cannot_be_read_says_why(body, message):
    with pytest.raises(RefusalError, match=message) as refused:
        parse_form(KIND, body)
    assert refused.value.status == 400


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([b"--b", b"\r\n", b"--", b'name="a"', b"Content-Disposition: form-data; ", b"x", b"\0"]))
)
def test_anything_else_is_refused_or_read(pieces):
    with suppress(RefusalError):
        parse_form(KIND, b"".join(pieces))

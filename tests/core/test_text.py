"""Text as other editors and systems write it."""

from pathlib import Path

import pytest

from sbirctl.core import text as text_files
from sbirctl.core.config import file_layer, parse_assignments
from sbirctl.core.errors import CorruptError, UsageError
from sbirctl.core.text import content, decode, lines, parse_toml, read_text

WORDS = "café\nice cream\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r"])
def test_every_encoding_that_can_be_told_is_read(encoding, end):
    data = WORDS.replace("\n", end).replace("café", "tee" if encoding[:5] == "utf-16" else "café")
    found = lines(decode(data.encode(encoding), "x.txt"))
    assert found[-1] == "ice cream"
    assert len(found) == 2


def test_latin_1_is_an_error_that_names_file_line_and_byte():
    with pytest.raises(
        CorruptError, match=r"x\.txt is no UTF-8 text: line 2 has the byte 0xe9"
    ) as e:
        decode("tea\ncafé\n".encode("latin-1"), "x.txt")
    assert "iconv" in e.value.hint


def test_bytes_with_nul_are_no_text():
    with pytest.raises(CorruptError, match="NUL"):
        decode(b"ab\0\0", "x.txt")


def test_lines_are_ended_by_line_ends_alone():
    assert lines("a\x0bb\x85c\u2028d\ne") == ["a\x0bb\x85c\u2028d", "e"]
    assert lines("") == []
    assert lines("a\n\n") == ["a", ""]


def test_content_has_neither_comments_nor_blanks():
    assert list(content("# x\n\n  a b \t\n\t#y\nc")) == [(3, "a b"), (5, "c")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_settings_file_may_be_written_by_any_editor(tmp_path, encoding):
    (tmp_path / "c.toml").write_bytes('# mine\r\nname = "é"\r\n'.encode(encoding))
    assert file_layer(tmp_path / "c.toml") == {"name": "é"}


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 20_000 + " = 1",
        "a = " + "[" * 100_000,
        "a = " + "{a=" * 10_000,
        "a" * 300_000,
        "a = " + "9" * 5000,
    ],
)
def test_settings_that_would_cost_much_are_refused(text):
    with pytest.raises(UsageError, match="settings file|TOML"):
        parse_toml(text, "c.toml")


def test_a_setting_given_twice_is_refused():
    assert parse_assignments(["a=1", "a=1", "b.c=2"]) == {"a": "1", "b": {"c": "2"}}
    with pytest.raises(UsageError, match="a is set to 1 and to 2"):
        parse_assignments(["a=1", "a = 2"])
    with pytest.raises(UsageError, match="is no setting"):
        parse_assignments(["a" + ".a" * 5000 + "=1"])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_may_begin_with_any_letter(encoding):
    text = "中文 0\r\nčeština 1\r\n"
    assert decode(text.encode(encoding), "x.txt") == text


def test_joined_files_with_marks_and_dos_ends_are_read():
    assert decode(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n\x1a", "x.txt") == "a\nb\n"


def test_a_file_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr(text_files, "_MOST_TEXT", 1 << 20)
    with pytest.raises(CorruptError, match="more than 1.0 MB"):
        read_text(Path("/dev/zero"))

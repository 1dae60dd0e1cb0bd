"""The tokenizer beside open_clip's: equal numbers on words, marks, emoji and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from sbirctl.inference.tokenizer import ClipTokenizer

MERGES = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
THEIRS = SimpleTokenizer()
OURS = ClipTokenizer(MERGES)


@pytest.mark.parametrize(
    "text",
    [
        "a photo of a cat",
        "A Photo   of\ta CAT\n",
        "",
        "   ",
        "don't we're I'll she'd it's",
        "12345 3.14 x²",
        "naïve café façade",
        "naÃ¯ve cafÃ©",
        "&lt;b&gt; &amp;amp; &#39;quoted&#39;",
        "<start_of_text> in the middle <end_of_text>",
        "<START_OF_TEXT>",
        "猫 と 犬",
        "🦄🏳️‍🌈 ok!!!",
        "___---...",
        "aaaaaaaaaaaaaaaa bbbbbbbb abababab",
        "word " * 100,
        "x" * 500,
        "İstanbul ẞ ǅ",
    ],
)
def test_it_gives_the_same_numbers(text):
    assert np.array_equal(OURS([text]), THEIRS([text]).numpy())


@settings(max_examples=300)
@given(st.text(max_size=120))
def test_it_gives_the_same_numbers_on_any_text(text):
    assert np.array_equal(OURS([text]), THEIRS([text]).numpy())


@settings(max_examples=300)
@given(st.text(alphabet="abcdefghi '.<>_&;#1\u00e9\u0301", max_size=60))
def test_it_gives_the_same_numbers_where_words_repeat(text):
    assert np.array_equal(OURS([text]), THEIRS([text]).numpy())


def test_another_context_cuts_a_text_and_keeps_its_end():
    short = ClipTokenizer(MERGES, context=8)
    assert np.array_equal(
        short(["one two three four five six seven eight", "one"]),
        THEIRS(["one two three four five six seven eight", "one"], context_length=8).numpy(),
    )

from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbirctl.core.errors import CorruptError
from sbirctl.store.manifest import (
    Items,
    items_from_json,
    items_to_json,
    quote_path,
    store_digest,
)


def items(paths=(b"a.jpg", b"b.jpg"), digests=("d1", "d2"), rows=(0, 1)):
    n = len(paths)
    return Items(
        id=tuple(f"photo/cat/{i}" for i in range(n)),
        path=paths,
        modality=np.zeros(n, np.uint8),
        label=np.zeros(n, np.int32),
        instance=np.full(n, -1, np.int32),
        origin=np.zeros(n, np.uint8),
        digest=digests,
        row=np.array(rows, np.int64),
        copy_of=np.full(n, -1, np.int64),
        classes=("cat",),
        instances=(),
        origins=("",),
    )


@given(st.binary())
def test_any_path_survives_quoting_as_ascii(path):
    quoted = quote_path(path)
    assert unquote_to_bytes(quoted) == path
    assert quoted.isascii()
    assert quoted.isprintable() or not quoted


def test_ordinary_paths_stay_readable():
    assert quote_path(b"car_(sedan)/n0 1-2.jpg") == "car_(sedan)/n0 1-2.jpg"


def test_items_survive_json():
    made = items(paths=(b"\xff/%41.jpg", b"\xc3\xa4.jpg"))
    again = items_from_json(items_to_json(made))
    assert again.path == made.path
    assert again.id == made.id
    for name in ("modality", "label", "instance", "origin", "row", "copy_of"):
        column = getattr(again, name)
        assert np.array_equal(column, getattr(made, name))
        assert column.dtype == getattr(made, name).dtype


def test_damaged_columns_are_refused():
    columns = items_to_json(items())
    with pytest.raises(CorruptError, match="lengths"):
        items_from_json(columns | {"row": [0]})
    with pytest.raises(CorruptError):
        items_from_json({k: v for k, v in columns.items() if k != "label"})


def test_identity_is_items_and_settings_but_not_where_files_lay():
    base = store_digest(items(), {"size": 8})
    assert store_digest(items(paths=(b"x/a.jpg", b"x/b.jpg")), {"size": 8}) == base
    assert store_digest(items(digests=("d1", "d3")), {"size": 8}) != base
    assert store_digest(items(), {"size": 9}) != base


def test_group_joins_equal_bytes_and_shared_rows():
    made = items((b"a", b"b", b"c", b"d"), ("x", "y", "x", "z"), (0, 1, 2, 1))
    assert made.group.tolist() == [0, 1, 0, 1]

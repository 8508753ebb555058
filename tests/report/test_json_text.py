# SPDX-License-Identifier: GPL-2.0-only
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report.json_text import json_array, json_object

some_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), some_json, max_size=3), st.lists(some_json, max_size=3))
def test_the_pieces_are_the_bytes_of_the_whole(fields: dict[str, Any], items: list[Any]) -> None:
    assert "".join(json_object(fields)) == json.dumps(fields, indent=1)
    assert "".join(json_array(iter(items))) == json.dumps(items, indent=1)
    both = {**fields, "items": items}
    assert "".join(json_object({**both, "items": iter(items)})) == json.dumps(both, indent=1)

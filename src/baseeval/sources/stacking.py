"""Several files of one table, one under the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.sources.cells import as_text


def stacked(frames: Sequence[nw.LazyFrame[Any]]) -> nw.LazyFrame[Any]:
    """Put frames one under the other, each column of one type.

    Parameters
    ----------
    frames : sequence of narwhals LazyFrame
        A column that some of them lack is null there.

    Returns
    -------
    narwhals LazyFrame
        A column that is text anywhere, or of several types, is text.
    """
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    names = list(dict.fromkeys(name for schema in schemas for name in schema.names()))
    types = {
        name: {str(schema[name]) for schema in schemas if name in schema.names()} for name in names
    }
    parts = []
    for frame, schema in zip(frames, schemas, strict=True):
        columns = []
        for name in names:
            if name not in schema.names():
                one = next(s[name] for s in schemas if name in s.names())
                kind = nw.String if len(types[name]) > 1 else one
                columns.append(nw.lit(None).cast(kind).alias(name))
            elif len(types[name]) > 1:
                columns.append(as_text(name, schema[name]))
            else:
                columns.append(nw.col(name))
        parts.append(frame.select(*columns))
    return nw.concat(parts, how="vertical")

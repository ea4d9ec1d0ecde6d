"""Vectors as a Parquet file: columns ``index``, ``label``, ``file`` and ``features``, lists of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from cnncli.diagnostics import UsageError, usage_error
from cnncli.training.extras import need
from cnncli.training.looking.feature_files import About, Array, Chunk, Stored, Written, about_from
from cnncli.training.new_files import write_new_with

SUFFIX: Final = ".parquet"
_KEY: Final = b"cnncli"
_GROUP_VALUES: Final = 1 << 22
"""Values of a row group, about: so much is in memory at a time."""


def check() -> None:
    """Check that pyarrow is installed.

    Raises:
        UsageError: it is not.
    """
    need("pyarrow", purpose="Parquet", command="pip install 'cnncli[parquet]'")


def write(path: Path, chunks: Iterable[Chunk], about: About) -> Written:
    """Write vectors to a new file, about four million values at a time.

    Raises:
        CnncliError: the file exists or cannot be written.
    """
    found: list[Written] = []
    write_new_with(path, lambda file: found.append(_write(file, chunks, about)))
    return found[0]


def _write(file: BinaryIO, chunks: Iterable[Chunk], about: About) -> Written:
    import pyarrow.parquet as pq  # noqa: PLC0415 - of an extra

    writer, count, values = None, 0, 0
    try:
        for group in _groups(chunks):
            values = group.vectors.shape[1]
            table = _table(group, count, about)
            if writer is None:
                # Floats hardly repeat: a dictionary of them would only take time.
                writer = pq.ParquetWriter(file, table.schema, use_dictionary=["label"])
            writer.write_table(table)
            count += len(group.labels)
    finally:
        if writer is not None:
            writer.close()
    return Written(count, values)


def _groups(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield several chunks as one."""
    kept: list[Chunk] = []
    for chunk in chunks:
        kept.append(chunk)
        if sum(each.vectors.size for each in kept) >= _GROUP_VALUES:
            yield _joined(kept)
            kept = []
    if kept:
        yield _joined(kept)


def _joined(kept: list[Chunk]) -> Chunk:
    files = [name for each in kept for name in each.files]
    vectors = np.concatenate([each.vectors for each in kept])
    return Chunk(vectors, np.concatenate([each.labels for each in kept]), files)


def _table(group: Chunk, start: int, about: About) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - of an extra

    count, values = group.vectors.shape
    names = [about.classes[label] if label >= 0 else None for label in group.labels.tolist()]
    # A file name that is not UTF-8 contains lone surrogates in Python.
    known = [name.encode(errors="backslashreplace").decode() for name in group.files]
    files = pa.array(known, pa.string()) if known else pa.nulls(count, pa.string())
    flat = pa.array(np.ascontiguousarray(group.vectors, np.float32).reshape(-1))
    columns = {
        "index": pa.array(np.arange(start, start + count)),
        "label": pa.array(names, pa.string()),
        "file": files,
        "features": pa.FixedSizeListArray.from_arrays(flat, values),
    }
    return pa.table(columns).replace_schema_metadata({_KEY: about.as_json().encode()})


def read(path: Path) -> Stored:
    """Read a file that :func:`write` wrote, into memory.

    Raises:
        UsageError: it is another file, or damaged, or pyarrow is not installed.
    """
    check()
    import pyarrow.parquet as pq  # noqa: PLC0415 - of an extra

    try:
        table = pq.read_table(path)
        about = about_from((table.schema.metadata or {})[_KEY].decode())
        column = table["features"].combine_chunks()
        vectors: Array = column.flatten().to_numpy().reshape(len(table), -1)
        numbers = {name: number for number, name in enumerate(about.classes)}
        labels = np.array([numbers.get(name, -1) for name in table["label"].to_pylist()], np.int64)
        files = np.array([name for name in table["file"].to_pylist() if name is not None], np.str_)
    except Exception as error:  # pyarrow has its own, and none of them says what it expected
        raise _unreadable(path, str(error) or type(error).__name__) from error
    if vectors.dtype != np.float32 or not len(vectors) or len(files) not in (0, len(vectors)):
        raise _unreadable(path, "its columns are not those of such a file")
    return Stored(about, vectors, labels, files)


def _unreadable(path: Path, why: str) -> UsageError:
    first = why.partition("\n")[0]
    return usage_error(f"cannot read {path}: {first}", expected="a file that cnncli features wrote")

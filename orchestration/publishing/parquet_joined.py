"""Parquet files of one shape made into one, without reading their rows.

Belongs here: the footer of a Parquet file, and where in a file its row groups lie. Does not belong
here: which files are joined (parquet_files.py), reading and writing rows, which is DuckDB's work.

Row groups stand in a file one behind the other, and the footer says at which byte each column of
each begins. So a file of all weeks is the bytes of the weeks, and a footer with their row groups
moved by as much as the bytes were. The footer is a FileMetaData of parquet.thrift, the definition
of the format, in Thrift's compact encoding; it is kept as it is but for the numbers that move, also
in fields that no line here knows.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

from orchestration.disk import READ_AT_ONCE

MAGIC = b"PAR1"
# where the row groups of any file begin
FIRST_BYTE = len(MAGIC)
# length of the footer and the magic bytes again
END_BYTES = 8

# number of a field in parquet.thrift → what it is
NUM_ROWS, ROW_GROUPS = 3, 4
GROUP_COLUMNS, GROUP_ROWS, GROUP_OFFSET, GROUP_ORDINAL = 1, 3, 5, 7
COLUMN_FILE, COLUMN_METADATA = 1, 3
# where a column's pages, its bloom filter and its indexes begin; file_offset (2) is 0 in new files
METADATA_OFFSETS = (9, 10, 11, 14)
COLUMN_OFFSETS = (2, 4, 6)
# the fields that the format had when this was written: a new one may hold a place too
KNOWN_OF_FILE, KNOWN_OF_GROUP, KNOWN_OF_COLUMN, KNOWN_OF_METADATA = 7, 7, 7, 17

READERS: dict[int, Callable[[TCompactProtocol], Any]] = {
    TType.BOOL: TCompactProtocol.readBool,
    TType.BYTE: TCompactProtocol.readByte,
    TType.I16: TCompactProtocol.readI16,
    TType.I32: TCompactProtocol.readI32,
    TType.I64: TCompactProtocol.readI64,
    TType.DOUBLE: TCompactProtocol.readDouble,
    TType.STRING: TCompactProtocol.readBinary,
}
WRITERS: dict[int, Callable[[TCompactProtocol, Any], None]] = {
    TType.BOOL: TCompactProtocol.writeBool,
    TType.BYTE: TCompactProtocol.writeByte,
    TType.I16: TCompactProtocol.writeI16,
    TType.I32: TCompactProtocol.writeI32,
    TType.I64: TCompactProtocol.writeI64,
    TType.DOUBLE: TCompactProtocol.writeDouble,
    TType.STRING: TCompactProtocol.writeBinary,
}

# a struct as it stands: field number → (type, value)
Struct = dict[int, tuple[int, Any]]


class UnlikeFilesError(ValueError):
    """A file cannot be read as Parquet, or has another shape than the others."""


@dataclass(frozen=True)
class Piece:
    """Whole row groups in a Parquet file: the bytes from `start` on, `size` of them."""

    file: Path
    start: int
    size: int


def piece_of(path: Path) -> Piece:
    """All row groups of a file. Raises UnlikeFilesError when it is no Parquet file."""
    return Piece(path, FIRST_BYTE, _raw_footer(path)[1] - FIRST_BYTE)


def join(pieces: Sequence[Piece], target: Path) -> list[Piece]:
    """Write the row groups of the pieces into one new file, in their order; returns the pieces as
    they lie there.

    Raises UnlikeFilesError when there is no piece, when one has other columns or another writer
    than the first, or when no row group begins where a piece does.
    """
    if not pieces:
        raise UnlikeFilesError("there is nothing to join")
    footers = {file: _read_footer(file) for file in {piece.file for piece in pieces}}
    first = footers[pieces[0].file]
    groups: list[Struct] = []
    placed = []
    with target.open("wb") as written:
        written.write(MAGIC)
        for piece in pieces:
            footer = footers[piece.file]
            if _shape(footer) != _shape(first):
                raise UnlikeFilesError(f"{piece.file} has another shape than {pieces[0].file}")
            placed.append(Piece(target, written.tell(), piece.size))
            by = placed[-1].start - piece.start
            try:
                found = _groups_in(piece, footer)
                groups += [_moved(group, by, len(groups) + i) for i, group in enumerate(found)]
            except (KeyError, IndexError, TypeError) as error:
                raise UnlikeFilesError(f"{piece.file} has a footer of another kind") from error
            written.writelines(_bytes_of(piece))
        rows = sum(group[GROUP_ROWS][1] for group in groups)
        footer = first | {
            NUM_ROWS: (TType.I64, rows),
            ROW_GROUPS: (TType.LIST, (TType.STRUCT, groups)),
        }
        content = _encoded(footer)
        written.write(content + struct.pack("<I", len(content)) + MAGIC)
    return placed


def has_same_bytes(one: Piece, other: Piece) -> bool:
    """Whether two pieces have the same bytes, as both files hold them now; raises OSError."""
    if one.size != other.size:
        return False
    pairs = zip(_bytes_of(one), _bytes_of(other), strict=True)
    return all(first == second for first, second in pairs)


def _shape(footer: Struct) -> Struct:
    return {
        number: field for number, field in footer.items() if number not in (NUM_ROWS, ROW_GROUPS)
    }


def _groups_in(piece: Piece, footer: Struct) -> list[Struct]:
    found = [
        group
        for group in footer[ROW_GROUPS][1][1]
        if piece.start <= _begin_of(group) < piece.start + piece.size
    ]
    if not found or min(map(_begin_of, found)) != piece.start:
        raise UnlikeFilesError(f"{piece.file} has no row group at byte {piece.start}")
    return found


def _read_footer(path: Path) -> Struct:
    content, _ = _raw_footer(path)
    try:
        footer = _read(TCompactProtocol(TMemoryBuffer(content)), TType.STRUCT)
    except (TProtocolException, EOFError, KeyError, AssertionError) as error:
        raise UnlikeFilesError(f"{path} has a footer that cannot be read") from error
    if max(footer) > KNOWN_OF_FILE or not {NUM_ROWS, ROW_GROUPS} <= footer.keys():
        raise UnlikeFilesError(f"{path} has a footer of another kind")
    return footer


def _raw_footer(path: Path) -> tuple[bytes, int]:
    """The footer of a file and the byte at which it begins."""
    size = path.stat().st_size
    with path.open("rb") as file:
        starts_well = file.read(len(MAGIC)) == MAGIC
        file.seek(max(size - END_BYTES, 0))
        end = file.read()
        if not starts_well or len(end) < END_BYTES or end[4:] != MAGIC:
            raise UnlikeFilesError(f"{path} is not a whole Parquet file")
        begin = size - END_BYTES - struct.unpack("<I", end[:4])[0]
        if begin < FIRST_BYTE:
            raise UnlikeFilesError(f"{path} has no footer of that length")
        file.seek(begin)
        return file.read(size - END_BYTES - begin), begin


def _begin_of(group: Struct) -> int:
    """The byte at which the first page of a row group begins."""
    metadata = group[GROUP_COLUMNS][1][1][0][COLUMN_METADATA][1]
    return min(metadata[number][1] for number in METADATA_OFFSETS[:3] if number in metadata)


def _moved(group: Struct, by: int, ordinal: int) -> Struct:
    """A row group whose bytes stand `by` further back; ordinal: its place in the file."""
    if max(group) > KNOWN_OF_GROUP:
        raise UnlikeFilesError("a row group has fields that are not known")
    element, columns = group[GROUP_COLUMNS][1]
    moved = dict(group)
    moved[GROUP_COLUMNS] = (TType.LIST, (element, [_column_moved(c, by) for c in columns]))
    if GROUP_OFFSET in moved:
        moved[GROUP_OFFSET] = (TType.I64, group[GROUP_OFFSET][1] + by)
    if GROUP_ORDINAL in moved:
        moved[GROUP_ORDINAL] = (TType.I16, ordinal)
    return moved


def _column_moved(column: Struct, by: int) -> Struct:
    metadata = column[COLUMN_METADATA][1]
    is_known = max(column) <= KNOWN_OF_COLUMN and max(metadata) <= KNOWN_OF_METADATA
    if not is_known or COLUMN_FILE in column:
        raise UnlikeFilesError("a column has fields that are not known")
    moved = _numbers_moved(column, COLUMN_OFFSETS, by)
    moved[COLUMN_METADATA] = (TType.STRUCT, _numbers_moved(metadata, METADATA_OFFSETS, by))
    return moved


def _numbers_moved(of: Struct, numbers: Sequence[int], by: int) -> Struct:
    # 0 is no place in a file, which begins with the magic bytes
    return of | {
        number: (TType.I64, of[number][1] + by) for number in numbers if of.get(number, (0, 0))[1]
    }


def _bytes_of(piece: Piece) -> Iterator[bytes]:
    left = piece.size
    with piece.file.open("rb") as file:
        file.seek(piece.start)
        while left:
            read = file.read(min(left, READ_AT_ONCE))
            if not read:
                raise UnlikeFilesError(f"{piece.file} ends before byte {piece.start + piece.size}")
            yield read
            left -= len(read)


def _encoded(footer: Struct) -> bytes:
    buffer = TMemoryBuffer()
    _write(TCompactProtocol(buffer), TType.STRUCT, footer)
    return bytes(buffer.getvalue())


def _read(protocol: TCompactProtocol, kind: int) -> Any:
    if kind == TType.STRUCT:
        found: Struct = {}
        protocol.readStructBegin()
        while (field := protocol.readFieldBegin())[1] != TType.STOP:
            _, field_kind, number = field
            found[number] = (field_kind, _read(protocol, field_kind))
            protocol.readFieldEnd()
        protocol.readStructEnd()
        return found
    if kind == TType.LIST:
        element, size = protocol.readListBegin()
        values = [_read(protocol, element) for _ in range(size)]
        protocol.readListEnd()
        return element, values
    return READERS[kind](protocol)


def _write(protocol: TCompactProtocol, kind: int, value: Any) -> None:
    if kind == TType.STRUCT:
        protocol.writeStructBegin("")
        for number in sorted(value):
            field_kind, field = value[number]
            protocol.writeFieldBegin("", field_kind, number)
            _write(protocol, field_kind, field)
            protocol.writeFieldEnd()
        protocol.writeFieldStop()
        protocol.writeStructEnd()
    elif kind == TType.LIST:
        element, values = value
        protocol.writeListBegin(element, len(values))
        for one in values:
            _write(protocol, element, one)
        protocol.writeListEnd()
    else:
        WRITERS[kind](protocol, value)

# quickstart_text.py - files of any encoding as lines, and which kind of list they hold
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines of text out of files that may be compressed, oddly encoded or damaged."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import json
import lzma
import os
import re
import stat
import zlib
from collections import Counter
from typing import IO, Dict, Iterator, List, Optional

HEAD_LENGTH = 65536  # bytes that the kind of a file is told from
MAX_LINE_LENGTH = 16 << 20  # bytes; a longer line is no line of a list

DAMAGED = (EOFError, zlib.error, lzma.LZMAError, OSError)
FIELD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*:(\s|$)")
DELIMITERS = ",;\t|"
NO_LIST = "file that is no package list, JSON or CSV, left out"

_COMPRESSIONS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Report:
    """What was odd in the input: each kind counted, with the first few places."""

    MAX_PLACES = 5

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._places: Dict[str, List[str]] = {}

    def add(self, kind: str, where: str) -> None:
        self.counts[kind] += 1
        places = self._places.setdefault(kind, [])
        if len(places) < self.MAX_PLACES:
            places.append(where)

    def lines(self) -> Iterator[str]:
        for kind, count in self.counts.most_common():
            places = ", ".join(self._places[kind]) + (", ..." if count > self.MAX_PLACES else "")
            yield f"  {count:,} x {kind}: {places}"


class TextFile:
    """One input file, open for reading: its lines, and how far they are read."""

    def __init__(self, path: str, report: Report):
        self.path = path
        self.report = report
        self.number = 0  # of the line read last
        self._raw = open(path, "rb")
        try:
            # A pipe has no size: then nothing tells how far it is read.
            status = os.fstat(self._raw.fileno())
            self.size = status.st_size if stat.S_ISREG(status.st_mode) else 0
            self._stream = self._decompressed()
            self._head = self._stream.read(HEAD_LENGTH)
        except BaseException:
            self._raw.close()
            raise
        self._at_start = True
        self.encoding = self._detect_encoding()

    def close(self) -> None:
        self._raw.close()

    def position(self) -> int:
        """Bytes of the file, as it lies on disk, that have been read."""
        return self._raw.tell() if self.size else 0

    def where(self) -> str:
        return f"{self.path}:{self.number}"

    def _decompressed(self) -> IO[bytes]:
        start = self._raw.peek(8)
        for magic, open_stream in _COMPRESSIONS:
            if start.startswith(magic):
                return open_stream(self._raw)  # type: ignore[no-any-return, operator]
        return self._raw

    def _detect_encoding(self) -> Optional[str]:
        """The encoding by byte order mark or zero bytes; None: not text at all."""
        head = self._head
        for mark, encoding in _MARKS:
            if head.startswith(mark):
                self._head = head[len(mark):]
                return encoding
        if b"\0" not in head:
            return "utf-8"
        # ASCII in UTF-16 has a zero in every other byte.
        for first_zero, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            zeros = head[first_zero::2].count(0)
            others = head[1 - first_zero:: 2].count(0)
            if zeros > len(head) // 5 and others * 20 < zeros:
                return encoding
        return "utf-8" if head.count(0) * 100 < len(head) else None

    def head_lines(self) -> List[str]:
        """The first lines, the last one left out when it may be cut."""
        text = self._head.decode(self.encoding or "latin-1", "replace")
        lines = text.splitlines()
        return lines if len(self._head) < HEAD_LENGTH or len(lines) < 2 else lines[:-1]

    def lines(self) -> Iterator[str]:
        """All lines without their ends. What cannot be decoded is reported and read as Latin-1."""
        try:
            for line in self._raw_lines():
                self.number += 1
                if line is None:
                    self.report.add("line of more than 16 MiB, left out", self.where())
                else:
                    yield self._decode(line)
        except DAMAGED as error:
            cause = error.strerror if isinstance(error, OSError) and error.strerror else error
            self.report.add(f"file cannot be read to its end ({cause})", self.where())

    def _decode(self, line: bytes) -> str:
        if self.encoding != "utf-8":
            return line.decode("utf-8").rstrip("\r\n")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self.report.add("line that is not UTF-8, read as Latin-1", self.where())
            text = line.decode("latin-1")
        return text.rstrip("\r\n")

    def _raw_lines(self) -> Iterator[Optional[bytes]]:
        """Lines of bytes; None in place of one that is too long."""
        pending = b""
        too_long = False
        for chunk in self._chunks():
            pieces = (pending + chunk).split(b"\n")
            pending = pieces.pop()
            for piece in pieces:
                yield None if too_long or len(piece) > MAX_LINE_LENGTH else piece
                too_long = False
            if len(pending) > MAX_LINE_LENGTH:
                too_long, pending = True, b""
        if pending or too_long:
            yield None if too_long else pending

    def _chunks(self) -> Iterator[bytes]:
        """The file from its beginning, in UTF-8 if its encoding is another and known."""
        decoder = None
        if self.encoding and self.encoding != "utf-8":
            decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        chunk = self._head
        while chunk:
            yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk
            chunk = self._stream.read(1 << 20)


def detect_kind(lines: List[str]) -> Optional[str]:
    """'json', 'fields' or 'csv', told from a file's first lines; None: nothing of the kind."""
    lines = [line for line in lines if line.strip()]
    if not lines:
        return None
    if _is_json(lines):
        return "json"
    plain = [line for line in lines if not line.startswith("#")]
    if plain and FIELD.match(plain[0]):
        fitting = sum(1 for line in plain if line[0] in " \t" or FIELD.match(line))
        if fitting * 10 >= len(plain) * 7:
            return "fields"
    return "csv" if find_delimiter(lines) else None


def describe_other(lines: List[str]) -> str:
    """What a file is that has no records, by its first lines."""
    lines = [line.strip() for line in lines if line.strip()]
    if not lines:
        return "empty file"
    try:
        json.loads(lines[0])
        if len(lines) == 1:
            return "JSON of one value, which has no key, left out"
    except (ValueError, RecursionError):
        pass
    if not any(letter in line for line in lines for letter in DELIMITERS + " "):
        return "text of one column, which has no values for its keys, left out"
    return NO_LIST


def _is_json(lines: List[str]) -> bool:
    """Objects or arrays on most lines, or the beginning of one document."""
    if lines[0].lstrip()[:1] in ("{", "[") and (len(lines) == 1 or lines[0].strip() in ("{", "[")):
        return True
    sample = lines[:50]
    return sum(1 for line in sample if _is_json_line(line)) * 2 > len(sample)


def _is_json_line(line: str) -> bool:
    if not line.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def find_delimiter(lines: List[str]) -> Optional[str]:
    """What parts the cells: it gives the first line several, and most others as many."""
    best, best_score = None, 0
    sample = lines[:50]
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        score = widths.count(widths[0]) * widths[0]
        if widths.count(widths[0]) * 2 >= len(widths) and score > best_score:
            best, best_score = delimiter, score
    return best

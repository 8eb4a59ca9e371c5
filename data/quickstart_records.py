# quickstart_records.py - package lists, JSON and CSV as records
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records, each with its key, out of whatever list the user names."""

from __future__ import annotations

import csv
import json
import os
import pickle
import stat
from itertools import chain
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from quickstart_text import (
    DAMAGED, FIELD, NO_LIST, Report, TextFile, describe_other, detect_kind, find_delimiter,
)

Record = Tuple[str, Any]

MAX_DOCUMENT_LENGTH = 256 << 20  # characters of a JSON document that is not one a line
MAX_ROW_LINES = 200  # lines that one quoted cell may span
KEY_FIELDS = ("Package", "package", "key", "id", "_id", "name", "Name", "uuid", "ID", "Id", "Key")


def list_files(path: str, report: Report) -> List[str]:
    """The file itself, or every regular file below a folder, in order."""
    if not os.path.isdir(path):
        return [path]
    files = []
    walk = os.walk(path, onerror=lambda e: report.add("folder that cannot be read", e.filename))
    for folder, folders, names in walk:
        folders.sort()
        for name in sorted(names):
            full = os.path.join(folder, name)
            try:
                if stat.S_ISREG(os.stat(full).st_mode):
                    files.append(full)
            except OSError:
                report.add("link to nothing", full)
    return files


class RecordReader:
    """All records of a list of files."""

    def __init__(self, files: List[str], key_field: Optional[str], report: Report):
        self.report = report
        self.total = sum(_size(path) for path in files)  # bytes; 0: not known
        self.kinds: Dict[str, int] = {}  # records read of each kind of file
        self._files = files
        self.key_field = key_field
        self.fields: List[str] = []  # of the first record that has any
        self._has_key = False  # a record had the key's field
        self._done = 0  # bytes of the files that are read to their end
        self._file: Optional[TextFile] = None
        self._architectures: Dict[str, str] = {}  # of the packages read so far

    def lacks_key(self) -> bool:
        """Whether a field was asked for that no record so far has."""
        return self.key_field is not None and not self._has_key

    def position(self) -> int:
        """Bytes read so far."""
        return self._done + (self._file.position() if self._file else 0)

    def __iter__(self) -> Iterator[Record]:
        for path in self._files:
            try:
                self._file = TextFile(path, self.report)
            except DAMAGED as error:
                cause = error.strerror if isinstance(error, OSError) else error
                self.report.add(f"file that cannot be read ({cause})", path)
                continue
            try:
                yield from self._read_file(self._file)
            finally:
                self._done += self._file.size
                self._file.close()
                self._file = None

    def _read_file(self, file: TextFile) -> Iterator[Record]:
        head = file.head_lines()
        kind = detect_kind(head) if file.encoding else None
        if kind is None:
            self.report.add(describe_other(head) if file.encoding else NO_LIST, file.path)
            return
        readers: Dict[str, Callable[[TextFile], Iterator[Record]]] = {
            "fields": self._read_fields,
            "json": self._read_json,
            "csv": self._read_csv,
        }
        for key, value in readers[kind](file):
            if _is_key(key):
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
                yield key, value
            else:
                self.report.add("record whose key is not text that can be stored", file.where())

    # Debian control data: 'Field: value' lines, more of a value indented, a blank line between

    def _read_fields(self, file: TextFile) -> Iterator[Record]:
        fields: Dict[str, str] = {}
        name = ""
        for line in file.lines():
            if not line.strip():
                if fields:
                    yield self._package(fields, file)
                fields, name = {}, ""
            elif line[0] in " \t":
                if name:
                    fields[name] += "\n" + line[1:]
                else:
                    self.report.add("indented line that continues nothing", file.where())
            elif line.startswith("#"):
                continue
            elif FIELD.match(line):
                name, _, value = line.partition(":")
                if name in fields:
                    self.report.add("field that comes twice, the last one kept", file.where())
                fields[name] = value.strip()
            else:
                self.report.add("line without a field name", file.where())
                name = ""
        if fields:
            yield self._package(fields, file)

    def _package(self, fields: Dict[str, str], file: TextFile) -> Record:
        """The record under its name; the same package of a second architecture, under both."""
        key = fields[self._choose_field(list(fields))]
        architecture = fields.get("Architecture", "")
        if self._architectures.setdefault(key, architecture) != architecture:
            key = f"{key}:{architecture}"
        if not key:
            key = file.where()
        return key, fields

    # JSON: an object a line, or one document

    def _read_json(self, file: TextFile) -> Iterator[Record]:
        lines = file.lines()
        first = next((line for line in lines if line.strip()), "")
        if first.strip() in ("{", "[") or not _parses(first) and first.lstrip()[:1] == "[":
            yield from self._read_document(first, lines, file)
            return
        second = next((line for line in lines if line.strip()), None)
        if second is None:  # of one line: a document, where an object is a store of its keys
            yield from self._read_document(first, lines, file)
            return
        lines = chain([second], lines)
        yield from self._read_json_line(first, file)
        for line in lines:
            if line.strip():
                yield from self._read_json_line(line, file)

    def _read_json_line(self, line: str, file: TextFile) -> Iterator[Record]:
        try:
            value = _load_json(line)
        except (ValueError, RecursionError):
            self.report.add("line that is not JSON", file.where())
            return
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for index, item in enumerate(value):
                yield self._keyed(item, f"{file.where()}:{index}")
        else:
            yield self._keyed(value, file.where())

    def _read_document(self, first: str, lines: Iterator[str], file: TextFile) -> Iterator[Record]:
        parts, length = [first], len(first)
        for line in lines:
            parts.append(line)
            length += len(line)
            if length > MAX_DOCUMENT_LENGTH:
                self.report.add("JSON document of more than 256 MiB, left out", file.path)
                return
        try:
            value = _load_json("\n".join(parts))
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", file.number)
            self.report.add("file that is not sound JSON, left out", f"{file.path}:{line}")
            return
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield self._keyed(item, f"{file.path}[{index}]")
        elif self.key_field in value:
            yield self._keyed(value, file.path)
        else:
            self.fields = self.fields or list(value)
            yield from value.items()

    def _keyed(self, value: Any, where: str) -> Record:
        """A JSON value under the key it holds, or under its place where it holds none."""
        if isinstance(value, dict) and value:
            key = value[self._choose_field(list(value))]
            if isinstance(key, (str, int, float)) and key != "":
                return str(key), value
        return where, value

    # CSV: a header, then rows of as many cells

    def _read_csv(self, file: TextFile) -> Iterator[Record]:
        delimiter = find_delimiter([line for line in file.head_lines() if line.strip()]) or ","
        header: List[str] = []
        n_rows = 0
        for row in self._rows(file, delimiter):
            if not header:
                header = [cell.strip() or f"column {n}" for n, cell in enumerate(row, 1)]
                if len(set(header)) < len(header):
                    self.report.add("header with a name that comes twice", file.where())
            elif len(row) != len(header):
                self.report.add("row of too many or too few cells, left out", file.where())
            else:
                record = dict(zip(header, row))
                n_rows += 1
                yield record[self._choose_field(header)] or file.where(), record
        if n_rows == 0:
            self.report.add("CSV of a header alone, without a row", file.path)

    def _rows(self, file: TextFile, delimiter: str) -> Iterator[List[str]]:
        """Rows; a quote that is never closed costs its own line, and not the rest of the file."""
        held: List[str] = []
        for line in file.lines():
            held.append(line)
            if sum(part.count('"') for part in held) % 2 == 0:
                yield from self._parse(held, delimiter, file)
                held = []
            elif len(held) > MAX_ROW_LINES:
                yield from self._after_open_quote(held, delimiter, file)
                held = []
        if held:
            yield from self._after_open_quote(held, delimiter, file)

    def _after_open_quote(
        self, held: List[str], delimiter: str, file: TextFile
    ) -> Iterator[List[str]]:
        self.report.add("quote that is never closed, line left out", file.where())
        for line in held[1:]:
            if line.count('"') % 2 == 0:
                yield from self._parse([line], delimiter, file)
            else:
                self.report.add("quote that is never closed, line left out", file.where())

    def _parse(self, lines: List[str], delimiter: str, file: TextFile) -> Iterator[List[str]]:
        csv.field_size_limit(1 << 30)
        try:
            for row in csv.reader(["\n".join(lines)], delimiter=delimiter):
                if any(row):
                    yield row
        except csv.Error:
            self.report.add("row that is not CSV, left out", file.where())

    def _choose_field(self, names: List[str]) -> str:
        """The field that holds the key: the one asked for, a usual name, or the first."""
        self.fields = self.fields or names
        if self.key_field in names:
            self._has_key = True
            return str(self.key_field)
        return next((name for name in KEY_FIELDS if name in names), names[0])


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _load_json(text: str) -> Any:
    """The value; nested so deep that it cannot be stored is a RecursionError as well."""
    value = json.loads(text)
    if text.count("[") + text.count("{") > 200:
        pickle.dumps(value)
    return value


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_key(key: str) -> bool:
    """Lone surrogates have no UTF-8; a key holds at most 1 MiB."""
    try:
        return len(key.encode("utf-8")) <= 1 << 20
    except UnicodeEncodeError:
        return False

"""A minimal Jet 4 database, as Access 2000 to 2003 keep it, for tests of the reader.

No library here writes one. The layout follows the notes of the mdbtools project (HACKING): pages of
4096 bytes; page 0 says what the file is, page 1 holds the usage maps, page 2 defines MSysObjects,
the catalogue of the tables; then, for each table, a definition and its rows. There are no indexes.
"""

import struct
from collections.abc import Mapping, Sequence

PAGE = 4096
_MAPPED = 64  # bytes of a usage map, each of eight pages
_TYPES = {"bool": (1, 0), "byte": (2, 1), "int": (4, 4), "single": (6, 4), "double": (7, 8)}
_PACK = {2: "<B", 3: "<h", 4: "<i", 6: "<f", 7: "<d"}
_TEXT, _OLE, _SHORT = 10, 11, 3

Kinds = Mapping[str, str]
Rows = Sequence[Sequence[object]]


def database(tables: Mapping[str, tuple[Kinds, Rows]]) -> bytes:
    """Bytes of a database.

    Args:
        tables: Name -> (column -> bool, byte, int, single, double or text; rows of values or None).
    """
    pages: dict[int, bytes] = {0: _first_page()}
    objects = {"Id": "int", "ParentId": "int", "Name": "text", "Type": "short", "Flags": "int"}
    objects["LvProp"] = "ole"
    number, maps, catalogue = 3, [b"", b""], [(2, 0, "MSysObjects", 1, -(2**31), None)]
    for name, (kinds, rows) in tables.items():
        definition = number
        used = _data(rows, list(kinds.values()), definition)
        pages |= {definition + 1 + i: page for i, page in enumerate(used)}
        pages[definition] = _definition(kinds, len(rows), len(maps))
        maps.append(_usage(range(definition + 1, definition + 1 + len(used))))
        catalogue.append((definition, 0, name, 1, 0, None))
        number = definition + 1 + len(used)
    used = _data(catalogue, list(objects.values()), 2)
    pages |= {number + i: page for i, page in enumerate(used)}
    pages[2] = _definition(objects, len(catalogue), 0)
    maps[0] = _usage(range(number, number + len(used)))
    maps[1] = _usage(())
    (pages[1],) = _pages(maps, 0)
    return b"".join(pages[i] for i in sorted(pages))


def _first_page() -> bytes:
    page = bytearray(PAGE)
    page[:20] = b"\0\1\0\0Standard Jet DB\0"
    page[0x14] = 1
    # From 0x18 the header is enciphered by a key that is the same in all files: here, zeros.
    page[0x18 : 0x18 + 128] = _rc4(bytes.fromhex("c7da396b"), bytes(128))
    return bytes(page)


def _rc4(key: bytes, data: bytes) -> bytes:
    box, j = list(range(256)), 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


def _kind(kind: str) -> tuple[int, int]:
    """Type number and bytes in the fixed part of a row; text stands in the variable part."""
    return {"text": (_TEXT, -1), "ole": (_OLE, -1), "short": (_SHORT, 2)}.get(kind) or _TYPES[kind]


def _definition(kinds: Kinds, rows: int, usage: int) -> bytes:
    columns, names, fixed, variable = b"", b"", 0, 0
    for place, (name, kind) in enumerate(kinds.items()):
        number, size = _kind(kind)
        columns += struct.pack(
            "<BIHHHIHIHH", number, 0, place, variable, place, 0,
            0x02 if size < 0 else 0x03, 0, max(0, fixed if size >= 0 else 0),
            510 if size < 0 else size,
        )  # fmt: skip
        fixed, variable = fixed + max(size, 0), variable + (size < 0)
        said = name.encode("utf-16-le")
        names += struct.pack("<H", len(said)) + said
    body = struct.pack("<IIIIII", 0, rows, 0, 1, 0, 0) + struct.pack("<I", 0)
    body += struct.pack("<BHHHII", 0x4E, len(kinds), variable, len(kinds), 0, 0)
    # Which pages it uses, and which have room: row of the map, then its page in three bytes.
    body += 2 * (struct.pack("<B", usage) + struct.pack("<I", 1)[:3])
    body += columns + names + b"\xff\xff"
    page = b"\2\1VC" + struct.pack("<II", 0, len(body) + 12) + body
    assert len(page) <= PAGE, "a table of so many columns needs more than one page"
    return page.ljust(PAGE, b"\0")


def _row(values: Sequence[object], kinds: Sequence[str]) -> bytes:
    fixed, variable, offsets, mask = b"", b"", [], 0
    wide = sum(max(_kind(kind)[1], 0) for kind in kinds)
    for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
        number, size = _kind(kind)
        if kind == "bool":
            mask |= bool(value) << place
            continue
        mask |= (value is not None) << place
        if size < 0:
            offsets.append(2 + wide + len(variable))
            variable += b"" if value is None else str(value).encode("utf-16-le")
        else:
            fixed += bytes(size) if value is None else struct.pack(_PACK[number], value)
    ends = [2 + wide + len(variable), *reversed(offsets), len(offsets)]
    table = struct.pack(f"<{len(ends)}H", *ends) if offsets else b""
    null = mask.to_bytes((len(kinds) + 7) // 8, "little")
    return struct.pack("<H", len(kinds)) + fixed + variable + table + null


def _data(rows: Rows, kinds: Sequence[str], owner: int) -> list[bytes]:
    return _pages([_row(row, kinds) for row in rows], owner)


def _pages(records: Sequence[bytes], owner: int) -> list[bytes]:
    pages, some, free = [], [], PAGE - 14
    for record in [*records, None]:
        if record is None or free < len(record) + 2:
            end, offsets, body = PAGE, b"", b""
            for one in some:
                end -= len(one)
                offsets += struct.pack("<H", end)
                body = one + body
            head = b"\1\1" + struct.pack("<HIIH", free, owner, 0, len(some)) + offsets
            pages.append(head.ljust(PAGE - len(body), b"\0") + body)
            some, free = [], PAGE - 14
        if record is not None:
            some.append(record)
            free -= len(record) + 2
    return pages


def _usage(pages: Sequence[int] | range) -> bytes:
    bits = 0
    for page in pages:
        bits |= 1 << page
    return struct.pack("<BI", 0, 0) + bits.to_bytes(_MAPPED, "little")

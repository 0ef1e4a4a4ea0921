"""Words that pictures carry besides what they show."""

from __future__ import annotations

import zlib

from baseeval.disclosure.contents import Contents

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WORDS = (b"tEXt", b"zTXt", b"iTXt")
_REMEDY = "Save the picture again without metadata."


def read_png(data: bytes) -> Contents:
    """Read the text of a PNG; its author, camera and place are faults of their own."""
    contents = Contents()
    if not data.startswith(_SIGNATURE):
        contents.faults.append(("", "is not the PNG that its name says", "Write it again."))
        return contents
    at = len(_SIGNATURE)
    kind = b""
    while at + 8 <= len(data) and kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        at += length + 12
        if kind in _WORDS:
            keyword = body.partition(b"\0")[0].decode("latin-1")
            contents.texts.append((f"metadata {keyword}", _unpacked(kind, body)))
            if keyword.lower() in ("author", "copyright"):
                contents.faults.append((f"metadata {keyword}", "names a person", _REMEDY))
        elif kind == b"eXIf":
            contents.faults.append(("metadata", "holds camera metadata", _REMEDY))
    if at < len(data):
        contents.faults.append(("", f"{len(data) - at} bytes follow its end", _REMEDY))
    return contents


def read_jpeg(data: bytes) -> Contents:
    """Look for what a camera or an editor writes into a JPEG."""
    marks = [name for name in (b"Exif\0\0", b"http://ns.adobe.com/xap/") if name in data]
    contents = Contents(texts=[("metadata", data[:65536].decode("latin-1"))] if marks else [])
    if marks:
        contents.faults.append(("metadata", "holds camera or editor metadata", _REMEDY))
    return contents


def _unpacked(kind: bytes, body: bytes) -> str:
    text = body.partition(b"\0")[2]
    if kind == b"zTXt":
        return _inflated(text[1:]).decode("latin-1")
    if kind == b"iTXt":
        rest = text[2:].split(b"\0", 2)[-1]
        return (_inflated(rest) if text[:1] == b"\x01" else rest).decode("utf-8", "replace")
    return text.decode("latin-1")


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 1 << 20)
    except zlib.error:
        return b""

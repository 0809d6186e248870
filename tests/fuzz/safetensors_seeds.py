"""Writes small safetensors files, right and wrong ones, as a fuzzer's first inputs: safetensors_seeds.py FOLDER."""

import json
import pathlib
import struct
import sys

SIZES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I64": 8, "I32": 4}


def file_bytes(tensors, metadata=None, padding=0):
    """Bytes of a safetensors file. tensors: name -> (dtype, shape); the values count up from 1 as bytes."""
    header, position = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape) in tensors.items():
        size = SIZES[dtype]
        for extent in shape:
            size *= extent
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    return with_header(json.dumps(header, separators=(",", ":")) + " " * padding, position)


def with_header(text, data_bytes):
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes((i + 1) % 256 for i in range(data_bytes))


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def seeds():
    two = {"c": ("F32", [1, 2, 4]), "k_rope": ("BF16", [1, 2, 2])}
    good = file_bytes(two)
    yield "empty", file_bytes({})
    yield "two", good
    yield "padded", file_bytes(two, padding=7)
    yield "metadata", file_bytes(two, metadata={"format": "pt", "note": "a \"quoted\" \\u00e9"})
    for dtype in SIZES:
        yield f"one-{dtype.lower()}", file_bytes({"x": (dtype, [2, 3])})
    yield "scalar", file_bytes({"s": ("F64", [])})
    yield "no-elements", file_bytes({"z": ("F16", [3, 0, 2])})
    # From here on files that a reader must refuse.
    yield "truncated", good[:-3]
    yield "trailing", good + b"\0"
    yield "header-only", good[:8]
    yield "huge-header", struct.pack("<Q", 2**63 - 1) + good[8:]
    yield "overlap", with_header(json.dumps({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}), 12)
    yield "gap", with_header(json.dumps({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}), 12)
    yield "backwards", with_header(json.dumps({"a": entry("F32", [1], 4, 0)}), 4)
    yield "overflow", with_header(json.dumps({"a": entry("F64", [2**32, 2**32], 0, 8)}), 8)
    yield "negative", with_header(json.dumps({"a": entry("F32", [-1], 0, 4)}), 4)
    yield "unknown-dtype", with_header(json.dumps({"a": entry("F8_E4M3", [1], 0, 1)}), 1)
    yield "duplicate", with_header('{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}', 4)
    yield "not-json", with_header("{'a': 1}", 0)


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, content in seeds():
        (folder / f"{name}.safetensors").write_bytes(content)


if __name__ == "__main__":
    main()

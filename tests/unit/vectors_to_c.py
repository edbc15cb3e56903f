#!/usr/bin/env python3
"""Turns proto/vectors/messages.json into initializers for proto_vectors.c: vectors_to_c.py JSON OUTPUT."""
import json
import pathlib
import sys


def c_string(text):
    return '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'


def row(vector):
    refused = vector.get("refused", {})
    fields = [c_string(vector["name"]), c_string(vector["hex"]), c_string(vector.get("repeat_hex", "")),
              str(vector.get("repeat_times", 0)), "1" if vector["sender"] == "client" else "0",
              c_string(refused["reason"]) if refused else "NULL", c_string(refused.get("field", "")),
              f"{refused.get('id', 0)}u"]
    return "{" + ", ".join(fields) + "},\n"


vectors = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
pathlib.Path(sys.argv[2]).write_text("".join(map(row, vectors)), encoding="ascii")

#!/usr/bin/env python3
"""Turns a file of golden vectors into initializers for C: vectors_to_c.py messages|sessions JSON OUTPUT."""
import json
import pathlib
import sys


def c_string(text):
    return "NULL" if text is None else '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"'


def braces(values):
    return "{" + ", ".join(values) + "}"


def bytes_of(vector):
    return [c_string(vector["hex"]), c_string(vector.get("repeat_hex", "")), str(vector.get("repeat_times", 0)),
            c_string(vector.get("then_hex", ""))]


def message(vector):
    refused = vector.get("refused", {})
    return [c_string(vector["name"]), braces(bytes_of(vector)), "true" if vector["sender"] == "client" else "false",
            c_string(refused.get("reason")), c_string(refused.get("field", "")), f"{refused.get('id', 0)}u"]


def reply(expected):
    return braces([f"{expected['id']}u", *(c_string(expected.get(k)) for k in ("body", "code", "reason", "field"))])


def session(vector):
    return [c_string(vector["name"]), braces(bytes_of(vector)), braces(map(str, vector["splits"])),
            braces(map(reply, vector["replies"])), "true" if vector["ends"] else "false"]


kind, source, output = sys.argv[1:]
vectors = json.loads(pathlib.Path(source).read_text(encoding="utf-8"))
row = {"messages": message, "sessions": session}[kind]
pathlib.Path(output).write_text("".join(braces(row(v)) + ",\n" for v in vectors), encoding="ascii")

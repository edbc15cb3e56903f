#!/usr/bin/env python3
"""Every reason word that the code can put into a Status stands in proto/PROTOCOL.md, and the other way round."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Words that look alike and are none: VSS's names, and settings.
OTHER = re.compile(r"(VSS_|E_|SHADOWPIPE_|SHADOWSIM_|S_|RPC_|CO_E_|REGDB_|ERROR_|FAILED_AT_|WAITING_FOR_)")


def reasons_in_code():
    found = {}
    for file in [ROOT / "proto" / "decode.c", ROOT / "proto" / "status.c", *sorted(ROOT.glob("service/broker/*.c")),
                 *sorted(ROOT.glob("service/requester/*.c"))]:
        text = file.read_text(encoding="utf-8")
        words = re.findall(r'(?:PB_CODE\(\w+\)|\bcode),\s*"([A-Z][A-Z0-9_]+)"', text)
        words += re.findall(r'reason\s*=[^;]*?"([A-Z][A-Z0-9_]+)"', text)
        if file.name != "status.c":
            words += re.findall(r'static const char \w+\[\] = "([A-Z][A-Z0-9_]+)"', text)
            words += [w for w in re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', text) if not OTHER.match(w)]
        for word in words:
            found.setdefault(word, file.relative_to(ROOT))
    return found


def reasons_in_document():
    text = (ROOT / "proto" / "PROTOCOL.md").read_text(encoding="utf-8")
    table = text.split("| reason | when |", 1)[1].split("\n\n", 1)[0]
    return set(word for line in table.splitlines()[2:] for word in re.findall(r"`([A-Z0-9_]+)`", line.split("|")[1]))


code, document = reasons_in_code(), reasons_in_document()
for word in sorted(set(code) - document):
    print(f"{word} ({code[word]}) is not in PROTOCOL.md")
for word in sorted(document - set(code)):
    print(f"{word} is in PROTOCOL.md, and no code gives it")
sys.exit(1 if set(code) != document else 0)

#!/usr/bin/env python3
"""Every number that the registry may set stands in docs/configuration.md, with its range and its default."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSTANTS = {"SECOND": 1000, "SECONDS": 1000, "MINUTE": 60000, "MINUTES": 60000, "HOUR": 3600000, "HOURS": 3600000,
             "DAY": 86400000, "DAYS": 86400000, "KIB": 1024, "MIB": 1024 * 1024}
TIMES = ((86400000, "day", "days"), (3600000, "h", "h"), (60000, "min", "min"), (1000, "s", "s"))
SIZES = ((1024 * 1024, "MiB", "MiB"), (1024, "KiB", "KiB"))


def number(expression):
    """A product of numbers and named constants, as C has it."""
    product = 1
    for factor in expression.split("*"):
        factor = factor.strip().rstrip("u")
        product *= CONSTANTS[factor] if factor in CONSTANTS else int(factor)
    return product


def words(name, value):
    units = TIMES if name.endswith("Ms") else SIZES if name.endswith("Bytes") else ()
    for size, one, many in units:
        if value and value % size == 0:
            return f"{value // size} {one if value == size else many}"
    return f"{value / 1000:g} s" if value and name.endswith("Ms") else str(value)


def main():
    host = (ROOT / "service/host/config.c").read_text()
    header = (ROOT / "service/host/config.h").read_text()
    for name, value in re.findall(r"(CONFIG_\w+_CONNECTIONS) = (\d+)", header):
        CONSTANTS[name] = int(value)
    defaults = {member: number(value) for member, value in
                re.findall(r"\.(\w+) = ([\w* ]+),", (ROOT / "service/broker/config.c").read_text())}
    # The host's own: a pipe has fewer counted instances, and a service keeps a process ready.
    defaults["max_connections"] = min(defaults["max_connections"], CONSTANTS["CONFIG_COUNTED_CONNECTIONS"])
    defaults["warm_requesters"] = int(re.search(r"warm_requesters = (\d+)", host)[1])
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    documented = {name: (span.strip(), default.strip()) for name, span, default in rows}
    numbers = re.findall(r'NUMBER\("(\w+)", (\w+),\s*([\w* ]+),\s*([\w* ]+)\)', host)
    wrong = []
    for name, member, least, most in numbers:
        wanted = (f"{words(name, number(least))}–{words(name, number(most))}",
                  words(name, defaults.get(member, 0)))
        if documented.get(name) != wanted:
            wrong.append(f"| `{name}` | {wanted[0]} | {wanted[1]} |  not {documented.get(name)}")
    print("\n".join(wrong))
    return 1 if wrong or len(numbers) < 40 else 0


if __name__ == "__main__":
    sys.exit(main())

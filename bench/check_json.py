"""Checks benchmark documents against the tables of docs/benchmark-json.md, and their figures against each other.

usage: bench/check_json.py FILE...
"""

import json
import math
import os
import re
import statistics
import sys

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs/benchmark-json.md")


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


TYPES = {
    "text": lambda value: isinstance(value, str),
    "integer": is_integer,
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def fits(value, text):
    """Whether a value has one of the types of a table's cell: "number or null", "list of texts"."""
    for name in text.split(" or "):
        listed = name.startswith("list of ")
        check = TYPES[name.removeprefix("list of ").rstrip("s") if listed else name]
        if (isinstance(value, list) and all(map(check, value))) if listed else check(value):
            return True
    return False


def read_tables(path):
    """{heading: {field: type}}"""
    tables, heading = {}, None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                heading = line[3:].strip()
            row = re.match(r"\| `(\w+)` \| ([^|]+) \|", line)
            if row:
                tables.setdefault(heading, {})[row[1]] = row[2].strip()
    return tables


def check_fields(value, table, where):
    for field in table:
        if field not in value:
            raise ValueError(f"{where} has no field '{field}'")
    for field, found in value.items():
        if field not in table:
            raise ValueError(f"{where} has a field '{field}' that the tables do not list")
        if not fits(found, table[field]):
            raise ValueError(f"{where}: '{field}' is {json.dumps(found)[:60]}, expected {table[field]}")


def check_row(doc, row, executor, where):
    if not 0 <= row["series"] < len(doc["series"]):
        raise ValueError(f"{where}: there is no series {row['series']}")
    if doc["series"][row["series"]]["executor"] != executor:
        raise ValueError(f"{where}: its series has another executor than {executor}")
    if row["cache_index"] != doc["prefill_len"] + row["position"] - 1 or row["cache_index"] >= doc["max_cache_len"]:
        raise ValueError(f"{where}: position {row['position']} is not entry {row['cache_index']}")
    if not row["samples_ms"] or not math.isclose(statistics.median(row["samples_ms"]), row["step_time_ms"], rel_tol=1e-6):
        raise ValueError(f"{where}: step_time_ms is not the median of the samples")
    if not math.isclose(row["tps"] * row["step_time_ms"], 1000, rel_tol=1e-6):
        raise ValueError(f"{where}: tps is not 1000 / step_time_ms")


def check(doc, tables):
    check_fields(doc, tables["The document"], "the document")
    check_fields(doc["environment"], tables["The environment"], "environment")
    for i, series in enumerate(doc["series"]):
        check_fields(series, tables["A series"], f"series[{i}]")
        if series["id"] != i:
            raise ValueError(f"series[{i}] has id {series['id']}")
    for executor in ("executor", "dag"):
        for i, row in enumerate(doc[f"{executor}_results"]):
            where = f"{executor}_results[{i}]"
            check_fields(row, tables["A row"], where)
            check_row(doc, row, executor, where)


def main():
    tables, failed = read_tables(PAGE), False
    for path in sys.argv[1:]:
        try:
            with open(path, encoding="utf-8") as file:
                check(json.load(file), tables)
        except (OSError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    sys.exit(main())

"""Corpus of fuzz_lathe: golden archives compiled, without the room between their sections (the weights of a real file
begin at a multiple of 64 KiB).

Usage: make_lathe_corpus.py LATHE
"""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden")
QUANTIZED = "ops/linear"
PLACED = ["families/bufkv", "programs/two_branches", "programs/input_in_place"]
CASES = ["programs/cond_data", "programs/cond_size", "programs/tied_weights", "programs/derived_size", "programs/literals",
         "programs/input_in_place", "families/bufkv", "ops/linear", "ops/cat4", "quirks/ir_lists"]
HEADER, ENTRY, NAME = 64, 64, 40


def compact(data):
    count = struct.unpack_from("<I", data, 12)[0]
    table, body = b"", b""
    start = HEADER + count * ENTRY
    for i in range(count):
        entry = data[HEADER + i * ENTRY:HEADER + (i + 1) * ENTRY]
        offset, size = struct.unpack_from("<QQ", entry, NAME)
        body += bytes(-(start + len(body)) % 64)
        table += entry[:NAME] + struct.pack("<QQ", start + len(body), size) + entry[NAME + 16:]
        body += data[offset:offset + size]
    head = data[:16] + struct.pack("<Q", start + len(body))
    return head + struct.pack("<I", zlib.crc32(table, zlib.crc32(head))) + bytes(HEADER - 28) + table + body


# Nodes as `lathe diff` writes them: the model, and how many nodes before.
NODES = [("models/tiny_qwen2_decode_bf16", n) for n in (0, 3, 8, 12, 20, 26, 30, 40)] + [
    ("models/tiny_bert", n) for n in (2, 9, 14, 20)] + [("models/mobilenet_v2_narrow", n) for n in (0, 3, 7)] + [
    ("reduce/" + name, 0) for name in ("cumsum_bool", "sort_bf16", "argmax_bf16", "topk_bf16")]
folder = os.path.join(HERE, "corpus", "lathe")
os.makedirs(folder, exist_ok=True)


def add(case, name, *options):
    source = next(path for path in (os.path.join(GOLDEN, case + end) for end in (".pt2", ".json")) if os.path.exists(path))
    weights = os.path.join(GOLDEN, case + ".weights.safetensors")
    given = ["--weights", weights] if os.path.exists(weights) else []
    with tempfile.TemporaryDirectory() as work:
        out = os.path.join(work, "x.lathe")
        subprocess.run([sys.argv[1], "compile", source, "-o", out, *given, *options], check=True)
        with open(out, "rb") as file:
            data = file.read()
    with open(os.path.join(folder, name + ".lathe"), "wb") as file:
        file.write(compact(data))


def add_node(case, skip):
    with tempfile.TemporaryDirectory() as work:
        out = os.path.join(work, "x.lathe")
        subprocess.run([sys.argv[1], "diff", os.path.join(GOLDEN, case + ".pt2"), "--device", "null:0", "--skip", str(skip),
                        "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not os.path.exists(out):
            return
        with open(out, "rb") as file:
            data = file.read()
    with open(os.path.join(folder, f"node_{os.path.basename(case)}_{skip}.lathe"), "wb") as file:
        file.write(compact(data))


for each in CASES:
    add(each, os.path.basename(each))
for each in PLACED:
    add(each, f"{os.path.basename(each)}_placed", "--device", "null:0", "--islands", "keep")
for each in NODES:
    add_node(*each)
for form in ("int8", "int4"):
    add(QUANTIZED, f"{os.path.basename(QUANTIZED)}_{form}", "--quantize", form)

"""Makes the weight files that the tests of the loaders read (tests/data/weights).

    pip install numpy safetensors gguf torch && python tests/data/make_weights.py

Expected values come from the formats' own libraries: `gguf` dequantises, `safetensors` and `numpy` write. Every
value is a fixed function of its index, so the files do not change from run to run.
"""
import json
import pathlib

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent / "weights"
BLOCKS = [Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.Q2_K, Q.Q3_K, Q.Q4_K, Q.Q5_K, Q.Q6_K, Q.IQ4_NL, Q.IQ4_XS]
# Byte offsets of the float16 scales in a block: random bytes there would be NaN and huge numbers.
SCALES = {Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2], Q.Q8_0: [0], Q.Q2_K: [80, 82], Q.Q3_K: [108],
          Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208], Q.IQ4_NL: [0], Q.IQ4_XS: [0]}
PLAIN = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "f64": torch.float64}


def values(*shape, start=1):
    """Numbers between -2 and 2 that no rounding makes equal."""
    n = int(np.prod(shape))
    return (np.sin(np.arange(start, start + n) * 1.7) * 2).astype(np.float32).reshape(shape)


def block_bytes(kind, rows, columns, random):
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    raw = random.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
    for at in SCALES[kind]:
        raw[:, at:at + 2] = random.uniform(-0.1, 0.1, (len(raw), 1)).astype(np.float16).view(np.uint8)
    return raw.reshape(rows, -1)


def make_types():
    """One tensor of every encoding, two rows each."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(OUT / "types.gguf", "none")
    expected = {}
    for kind in BLOCKS:
        raw = block_bytes(kind, 2, 512, random)
        writer.add_tensor(kind.name, raw, raw_dtype=kind)
        expected[kind.name] = torch.from_numpy(gguf.dequantize(raw, kind).reshape(2, 512).copy())
    for name, dtype in PLAIN.items():
        tensor = torch.from_numpy(values(2, 3)).to(dtype)
        raw = tensor.view(torch.int16).numpy().view(np.uint8) if dtype == torch.bfloat16 else tensor.numpy()
        writer.add_tensor(name, raw, raw_dtype=Q.BF16 if dtype == torch.bfloat16 else None)
        expected[name] = tensor.float()
    writer.add_tensor("i32", np.arange(-2, 2, dtype=np.int32))
    raw = random.integers(0, 256, (1, 66), dtype=np.uint8)
    writer.add_tensor("iq2_xxs", raw, raw_dtype=Q.IQ2_XXS)
    finish(writer)
    save_file(expected, OUT / "types.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleave(rows, heads):
    """What converters do to q and k of llama models (half-split to interleaved rotary order)."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def add_common(writer, arch):
    writer.add_uint32(f"{arch}.attention.head_count", 4)
    writer.add_uint32(f"{arch}.attention.head_count_kv", 2)
    writer.add_float32(f"{arch}.rope.freq_base", 10000.0)
    writer.add_bool("tokenizer.ggml.add_bos_token", False)
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc", "", "d\u00e9f"])
    writer.add_array("tokenizer.ggml.scores", [0.5, -1.0, 2.0, 0.0])
    writer.add_array("tokenizer.ggml.token_type", [1, 1, 3, 1])


def make_llama():
    """Two layers' q and k in ggml's order, one of them quantised; expected in transformers' names and order."""
    writer = gguf.GGUFWriter(OUT / "llama.gguf", "llama")
    add_common(writer, "llama")
    expected = {}
    for layer, kind in ((0, Q.F32), (1, Q.Q8_0)):
        for letter, heads in (("q", 4), ("k", 2)):
            stored = interleave(values(heads * 8, 32, start=100 * layer + heads), heads)
            raw = gguf.quantize(stored, kind)
            writer.add_tensor(f"blk.{layer}.attn_{letter}.weight", raw, raw_dtype=kind)
            back = gguf.dequantize(raw, kind).reshape(stored.shape)
            undone = back.reshape(heads, 4, 2, 32).swapaxes(1, 2).reshape(stored.shape)
            expected[f"model.layers.{layer}.self_attn.{letter}_proj.weight"] = torch.from_numpy(undone.copy())
    bias = values(32, start=7)
    writer.add_tensor("blk.0.attn_q.bias", interleave(bias, 4))
    expected["model.layers.0.self_attn.q_proj.bias"] = torch.from_numpy(bias)
    for name, key in (("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head"),
                      ("blk.0.attn_v", "model.layers.0.self_attn.v_proj"),
                      ("blk.0.attn_output", "model.layers.0.self_attn.o_proj"),
                      ("blk.0.attn_norm", "model.layers.0.input_layernorm"),
                      ("blk.0.ffn_norm", "model.layers.0.post_attention_layernorm"),
                      ("blk.0.ffn_gate", "model.layers.0.mlp.gate_proj"),
                      ("blk.0.ffn_up", "model.layers.0.mlp.up_proj"),
                      ("blk.0.ffn_down", "model.layers.0.mlp.down_proj")):
        writer.add_tensor(f"{name}.weight", values(4, start=len(name)))
        expected[f"{key}.weight"] = torch.from_numpy(values(4, start=len(name)))
    writer.add_tensor("rope_freqs.weight", values(4))
    expected["rope_freqs.weight"] = torch.from_numpy(values(4))
    finish(writer)
    save_file(expected, OUT / "llama.safetensors")


def make_qwen():
    """Rows of the qwen families are not reordered."""
    for arch in ("qwen2", "qwen3"):
        writer = gguf.GGUFWriter(OUT / f"{arch}.gguf", arch)
        add_common(writer, arch)
        writer.add_tensor("blk.10.attn_q.weight", values(16, 4))
        writer.add_tensor("blk.10.attn_k.bias", values(8))
        writer.add_tensor("blk.10.attn_q_norm.weight", values(4))
        writer.add_tensor("blk.10.attn_k_norm.weight", values(4))
        finish(writer)


def make_shards():
    folder = OUT / "sharded"
    folder.mkdir(exist_ok=True)
    shards = {"model-00001-of-00002.safetensors": {"model.a.weight": torch.from_numpy(values(2, 3))},
              "model-00002-of-00002.safetensors": {"model.b.weight": torch.from_numpy(values(3)),
                                                   "model.c.weight": torch.arange(4)}}
    for name, tensors in shards.items():
        save_file(tensors, folder / name, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 68}, "weight_map": {k: f for f, t in shards.items() for k in t}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def make_safetensors():
    """Every dtype that lathe has, and two that it has not."""
    tensors = {name: torch.from_numpy(values(2, 3)).to(dtype) for name, dtype in PLAIN.items()}
    for name in ("uint8", "int8", "int16", "int32", "int64"):
        tensors[name] = torch.arange(6).reshape(2, 3).to(getattr(torch, name))
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(3.5)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["uint16"] = torch.arange(3).to(torch.uint16)
    tensors["f8"] = torch.ones(3).to(torch.float8_e4m3fn)
    save_file(tensors, OUT / "dtypes.safetensors")


def make_npy():
    folder = OUT / "npy"
    folder.mkdir(exist_ok=True)
    for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"):
        np.save(folder / f"{name}.npy", np.arange(6).reshape(2, 3).astype(name))
    np.save(folder / "fortran.npy", np.asfortranarray(np.arange(24, dtype=np.float32).reshape(2, 3, 4)))
    np.save(folder / "scalar.npy", np.float32(2.5))
    np.save(folder / "vector.npy", np.arange(3.0))
    np.save(folder / "empty.npy", np.zeros((2, 0, 3), np.float32))
    np.save(folder / "big_endian.npy", np.arange(3, dtype=">f4"))
    np.save(folder / "complex.npy", np.arange(3, dtype=np.complex64))
    np.save(folder / "structured.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    for version in ((2, 0), (3, 0)):
        with open(folder / f"version{version[0]}.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(6, dtype=np.float32).reshape(2, 3), version)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    make_types()
    make_llama()
    make_qwen()
    make_shards()
    make_safetensors()
    make_npy()

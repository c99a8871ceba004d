"""The language models that peers run: those of bench/graphs and share, built by transformers, as the module that
python/lathe_export exports. Weights are random, which takes as long to run as others.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))

THREADS = 2


def make_smollm():
    """SmolLM2-135M in float32."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
                         vocab_size=49152, max_position_embeddings=8192, rope_theta=100000, rms_norm_eps=1e-5, tie_word_embeddings=True)
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float().eval()


def make_qwen():
    """Qwen2.5-1.5B in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12, num_key_value_heads=2,
                         vocab_size=151936, max_position_embeddings=32768, rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True)
    torch.set_default_dtype(torch.bfloat16)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    torch.set_default_dtype(torch.float32)
    return model.to(torch.bfloat16).eval()


def make_caches(model, context, fill=None):
    """Keys and values of all layers, zeros or what fill(shape) gives."""
    import torch

    from lathe_export.causal_lm import cache_shape

    layers, heads, size = cache_shape(model.config)
    dtype = next(model.parameters()).dtype
    shape = (1, heads, context, size)
    return [(fill(shape) if fill else torch.zeros(shape)).to(dtype) for _ in range(2 * layers)]

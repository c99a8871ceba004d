"""Makes tiny.pt2, a language model with random weights for the tokenizer tiny-tokenizer.json: the demo runs it when the
real model cannot be downloaded. Usage: PYTHONPATH=python python share/make_tiny.py"""

import os

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from lathe_export.archive import tidy
from lathe_export.causal_lm import export_causal_lm

here = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=1216,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
    tie_word_embeddings=True,
)
model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
path = os.path.join(here, "tiny.pt2")
torch.export.save(export_causal_lm(model), path)
tidy(path)

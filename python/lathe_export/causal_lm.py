"""Hugging Face causal language models as one archive with a dynamic sequence length `s` and cache length `c`.

Calling convention: forward(input_ids [1, s] int64, cache_position [s] int64, kv: 2 x layers tensors [1, heads, c, d])
-> (logits [1, s, vocab], the new value of each kv). Token i attends to every cache position up to cache_position[i].
"""

import torch


class PairCache:
    """A key/value cache over tensors of fixed length; update() writes at the cache positions."""

    def __init__(self, kv, positions):
        self.kv = list(kv)
        self.positions = positions

    def update(self, key, value, layer, *args, **kwargs):
        for offset, new in ((0, key), (1, value)):
            index = 2 * layer + offset
            self.kv[index] = self.kv[index].index_copy(2, self.positions, new)
        return self.kv[2 * layer], self.kv[2 * layer + 1]

    def get_seq_length(self, layer=0):
        return 0

    def get_max_cache_shape(self, layer=0):
        return self.kv[0].shape[2]

    def get_mask_sizes(self, cache_position, layer=0):
        return self.kv[0].shape[2], 0

    @property
    def is_compileable(self):
        return True

    is_sliding = [False]

    def __len__(self):
        return len(self.kv) // 2


class CausalLM(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.m = model

    def forward(self, input_ids, cache_position, kv):
        length = kv[0].shape[2]
        visible = torch.arange(length, device=cache_position.device)[None, :] <= cache_position[:, None]
        dtype = kv[0].dtype
        zero = torch.zeros((), dtype=dtype, device=cache_position.device)
        hidden = torch.full((), torch.finfo(dtype).min, dtype=dtype, device=cache_position.device)
        mask = torch.where(visible, zero, hidden)[None, None]
        cache = PairCache(kv, cache_position)
        result = self.m(
            input_ids=input_ids,
            position_ids=cache_position[None],
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
        )
        return (result.logits, *cache.kv)


def materialise_constants(model):
    """Gives a model on the meta device the buffers that no checkpoint holds (rotary frequencies), computed anew."""
    for name, module in model.named_modules():
        constants = [n for n in module._non_persistent_buffers_set if module._buffers.get(n) is not None]
        if not constants:
            continue
        try:
            with torch.device("cpu"):
                fresh = type(module)(model.config)
        except TypeError as error:
            raise RuntimeError(f"cannot compute {name}.{constants[0]} without the weights: export the whole model") from error
        for constant in constants:
            module._buffers[constant] = fresh._buffers[constant]


def cache_shape(config):
    """(layers, heads, head size) of the cache of a model."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return config.num_hidden_layers, heads, size


def export_causal_lm(model, max_context=None):
    """The exported program of a transformers causal LM, with symbols for s and c."""
    config = model.config
    layers, heads, size = cache_shape(config)
    limit = max_context or config.max_position_embeddings
    device, dtype = model.device, next(model.parameters()).dtype
    length, tokens = min(512, limit), min(16, limit)
    kv = [torch.zeros(1, heads, length, size, dtype=dtype, device=device) for _ in range(2 * layers)]
    args = (
        torch.zeros(1, tokens, dtype=torch.int64, device=device),
        torch.arange(tokens, device=device),
        kv,
    )
    s = torch.export.Dim("s", min=1, max=limit)
    c = torch.export.Dim("c", min=2, max=limit)
    shapes = ({1: s}, {0: s}, [{2: c} for _ in kv])
    with torch.no_grad():
        return torch.export.export(CausalLM(model).eval(), args, dynamic_shapes=shapes, strict=False)

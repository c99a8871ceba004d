"""Writes tiny language models with random weights, in the forms that text generation accepts, and the greedy
continuation of a prompt that PyTorch gives: generate/expected.json.

  prefill.pt2  8 tokens, no cache inputs, attention_mask and position_ids
  decode.pt2   one token, caches of 32 positions, attention_mask, position_ids and cache_position
  buffers.pt2  one token, caches that are buffers of the module, cache_position
  open.pt2     any number of tokens, caches of any size

Needs torch; run it in this folder. The files it wrote are in the repository.
"""
import json
import os
import sys

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))
from lathe_export.archive import tidy  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "generate")
VOCAB, WIDTH, HEADS, SIZE, CACHE, CHUNK = 64, 16, 2, 8, 32, 8
PROMPT = [3, 17, 5, 9, 41, 2, 2, 60, 33, 8, 21]


class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.place = nn.Embedding(CACHE, WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)

    def heads(self, input_ids, position_ids):
        x = self.embed(input_ids) + self.place(position_ids)
        s = input_ids.shape[1]
        return x, [t.view(1, s, HEADS, SIZE).transpose(1, 2) for t in self.qkv(x).split(WIDTH, dim=-1)]

    def finish(self, x, q, k, v, mask):
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = y.transpose(1, 2).reshape(1, x.shape[1], WIDTH)
        return self.head(x + torch.tanh(self.out(y)) * 3)


class Prefill(Toy):
    def forward(self, input_ids, attention_mask, position_ids):
        x, (q, k, v) = self.heads(input_ids, position_ids)
        return self.finish(x, q, k, v, attention_mask), k, v


class Decode(Toy):
    def forward(self, input_ids, attention_mask, position_ids, cache_position, past_0, past_1):
        x, (q, k, v) = self.heads(input_ids, position_ids)
        keys, values = past_0.index_copy(2, cache_position, k), past_1.index_copy(2, cache_position, v)
        return self.finish(x, q, keys, values, attention_mask), keys, values


class Open(Toy):
    def forward(self, input_ids, cache_position, kv_0, kv_1):
        x, (q, k, v) = self.heads(input_ids, cache_position[None])
        keys, values = kv_0.index_copy(2, cache_position, k), kv_1.index_copy(2, cache_position, v)
        mask = torch.arange(keys.shape[2])[None] <= cache_position[:, None]
        return self.finish(x, q, keys, values, mask), keys, values


class Buffers(Toy):
    def __init__(self):
        super().__init__()
        self.register_buffer("keys", torch.zeros(1, HEADS, CACHE, SIZE))
        self.register_buffer("values", torch.zeros(1, HEADS, CACHE, SIZE))

    def forward(self, input_ids, cache_position):
        x, (q, k, v) = self.heads(input_ids, cache_position[None])
        self.keys.index_copy_(2, cache_position, k)
        self.values.index_copy_(2, cache_position, v)
        mask = torch.arange(CACHE)[None] <= cache_position[:, None]
        return self.finish(x, q, self.keys, self.values, mask)


def caches(size):
    return torch.zeros(1, HEADS, size, SIZE), torch.zeros(1, HEADS, size, SIZE)


def greedy():
    model, ids, kv = Open().eval(), list(PROMPT), caches(CACHE)
    with torch.no_grad():
        logits, *kv = model(torch.tensor([ids]), torch.arange(len(ids)), *kv)
        while True:
            ids.append(int(logits[0, -1].argmax()))
            if len(ids) > CACHE:
                return ids[len(PROMPT):]
            logits, *kv = model(torch.tensor([ids[-1:]]), torch.tensor([len(ids) - 1]), *kv)


def save(model, args, name, shapes=None):
    program = torch.export.export(model.eval(), args, dynamic_shapes=shapes)
    torch.export.save(program, os.path.join(HERE, name))
    tidy(os.path.join(HERE, name))


def main():
    ids, place = torch.ones(1, CHUNK, dtype=torch.long), torch.arange(CHUNK)
    one, zero = ids[:, :1], place[:1]
    save(Prefill(), (ids, torch.zeros(1, 1, CHUNK, CHUNK), place[None]), "prefill.pt2")
    save(Decode(), (one, torch.zeros(1, 1, 1, CACHE), zero[None], zero, *caches(CACHE)), "decode.pt2")
    save(Buffers(), (one, zero), "buffers.pt2")
    s, c = torch.export.Dim("s", min=1, max=CACHE), torch.export.Dim("c", min=2, max=64)
    save(Open(), (ids, place, *caches(CACHE)), "open.pt2", ({1: s}, {0: s}, {2: c}, {2: c}))
    with open(os.path.join(HERE, "expected.json"), "w", encoding="utf-8") as file:
        json.dump({"prompt": PROMPT, "answer": greedy()}, file)
        file.write("\n")


main()

"""Writes the token ids that Hugging Face's tokenizers gives for awkward strings: more.json beside each
tokenizer.json here, and variants/NAME.json with small tokenizers that use one rare feature each.

Needs the Python package tokenizers; run it in this folder. The files it wrote are in the repository.
"""
import json
import os
import random
import unicodedata

from tokenizers import Tokenizer, normalizers

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizers")
WORDS = (
    "the quick brown fox Hello world it's WE'LL don't I'd they've naïve café Straße 'ſ ﬀ K word wordy both bothy "
    "aeiou banana xx xxx e\u0301x e\u0301 Ωx \u2126x <tool> </tool> <tool>< İstanbul ΑΣ 日本 日本語 テキスト 한국어 ｶﾞ ① ½ Ⅷ ² "
    "١٢٣ १२३ <|im_start|> <|im_end|> <|endoftext|> <|begin_of_text|> <|eot_id|> <|im_ |> a. 👩\u200d👩\u200d👧 🇫🇷 👍🏽 "
    "العربية עברית हिन्दी ไทย"
).split(" ") + ["\u202eabc", "\u200b", "\ufeff", "\u180e", "\u0085", "\u00a0", "\u2003", "\u3000", "\u2028"]
GAPS = ["", " ", "  ", "   ", "\n", "\r\n", "\t", " \n ", "1", "12", "1234", ".", "!?", "..."]
R = random.Random(20)


def is_old_mark(code):
    """Marks that the package's tables know: they are older than its letters and digits."""
    mark = chr(code)
    if not unicodedata.category(mark).startswith("M"):
        return False
    in_order = 0 < unicodedata.combining(mark) < 240
    return not in_order or not normalizers.NFD().normalize_str("a\u0345" + mark).startswith("a\u0345")


MARKS = [chr(c) for c in range(0x300, 0x3000) if is_old_mark(c)]


def character():
    return R.choice(
        [
            lambda: chr(R.randrange(0, 127)),
            lambda: R.choice(" \t\n\r\v\f"),
            lambda: R.choice("0123456789"),
            lambda: R.choice(MARKS),
            lambda: chr(R.randrange(0xA0, 0x500)),
            lambda: chr(R.randrange(0x3040, 0x9FA0)),
            lambda: chr(R.randrange(0x1F300, 0x1F650)),
        ]
    )()


def text():
    kind = R.randrange(4)
    if kind == 0:
        return "".join(character() for _ in range(R.randrange(1, 24)))
    if kind == 1:
        return "".join(R.choice(WORDS) + R.choice(GAPS) for _ in range(R.randrange(1, 10)))
    if kind == 2:
        return "".join(character() * R.randrange(1, 12) for _ in range(R.randrange(1, 5)))
    return "a" + "".join(R.choice(MARKS) for _ in range(R.randrange(1, 9))) + R.choice(WORDS)


def cases(tokenizer, texts):
    return [{"text": t, "ids": tokenizer.encode(t).ids} for t in texts]


def write(path, value):
    with open(os.path.join(HERE, path), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def byte_level(**options):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True} | options


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def added(token_id, content, **flags):
    base = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token_id, "content": content} | base | flags


def variants():
    """name → (pre_tokenizer, other fields of the root, fields of the model)"""
    none = {}
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        yield behavior, sequence(split("[aeiou]|\\s", behavior), byte_level()), none, none
        yield behavior + "-inverted", sequence(split("[aeiou]+", behavior, True), byte_level()), none, none
    yield "empty-matches", sequence(split("x*", "MergedWithPrevious"), byte_level()), none, none
    yield "string", sequence(split("a.", kind="String"), byte_level()), none, none
    yield "prefix-space", byte_level(add_prefix_space=True), none, none
    digits = {"type": "Digits", "individual_digits": False}
    yield "digits-after-bytes", sequence(
        {"type": "Punctuation", "behavior": "Contiguous"}, byte_level(), digits, split("[0-9][0-9][0-9]")
    ), none, none
    flags = [
        added(0, "!", special=True),
        added(1000, "<tool>", special=False, lstrip=True),
        added(1001, "</tool>", rstrip=True),
        added(1002, "word", special=False, single_word=True),
        added(1003, "Ωx", special=False, normalized=True),
        added(1004, "e\u0301x", special=False, normalized=True),
        added(1005, "<tool><", special=False),
        added(1006, "   ", special=False, normalized=True),
        added(1007, "both", special=False, lstrip=True, rstrip=True, single_word=True),
    ]
    for form in ["NFC", "NFD", "NFKC", "NFKD"]:
        yield "added-" + form, byte_level(), {"added_tokens": flags, "normalizer": {"type": form}}, none
    steps = {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]}
    yield "lowercase", byte_level(), {"added_tokens": flags, "normalizer": steps}, none
    roberta = {"type": "RobertaProcessing", "sep": ["!", 0], "cls": ["\"", 1], "trim_offsets": True}
    yield "roberta", byte_level(), {"post_processor": roberta | {"add_prefix_space": False}}, none
    yield "ignore-merges", byte_level(), none, {"ignore_merges": True}
    yield "unknown", byte_level(), none, {"unk_token": "!", "drop": "e1"}
    yield "unknown-fused", byte_level(), none, {"unk_token": "!", "fuse_unk": True, "drop": "e1"}
    yield "no-unknown", byte_level(), none, {"drop": "e1"}


def make_variant(base, pre, root, model):
    """The first 360 tokens of the GPT-2 case, and the merges that need no others."""
    vocab = {k: v for k, v in base["model"]["vocab"].items() if v < 360 and k not in model.get("drop", "")}
    merges = [[a, b] for a, b in base["model"]["merges"] if {a, b, a + b} <= vocab.keys()]
    if model.get("ignore_merges"):
        merges = merges[: len(merges) // 2]
    fields = {k: v for k, v in model.items() if k != "drop"}
    result = dict(base, added_tokens=[], pre_tokenizer=pre)
    result.update(root)
    first = len(vocab)
    for token in result["added_tokens"]:
        if token["id"] >= 1000:
            token["id"] += first - 1000
    result["model"] = base["model"] | fields | {"vocab": vocab, "merges": merges}
    return result


def main():
    for name in ["gpt2", "llama3", "qwen2", "smollm"]:
        tokenizer = Tokenizer.from_file(os.path.join(HERE, name, "tokenizer.json"))
        write(f"{name}/more.json", cases(tokenizer, [text() for _ in range(200)]))
    with open(os.path.join(HERE, "gpt2", "tokenizer.json"), encoding="utf-8") as file:
        base = json.load(file)
    for name, pre, root, model in variants():
        definition = make_variant(base, pre, json.loads(json.dumps(root)), model)
        tokenizer = Tokenizer.from_str(json.dumps(definition))
        for token in definition["added_tokens"]:
            assert tokenizer.token_to_id(token["content"]) == token["id"], token
        texts = [text() for _ in range(60)] + ["", " ", "a", "word word! sword  <tool>  </tool>  both   x"]
        write(f"variants/{name}.json", {"tokenizer": definition, "cases": cases(tokenizer, texts)})


main()

"""python -m lathe_export: models from Hugging Face or torchvision as .pt2 archives."""

import argparse
import os
import shutil
import sys


# What lathe generate reads beside the archive: the tokenizer, how a text ends, how a chat is written.
TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"]


def copy_tokenizer(model, folder):
    if os.path.isdir(model):
        for name in TOKENIZER_FILES:
            if os.path.isfile(os.path.join(model, name)):
                shutil.copy(os.path.join(model, name), os.path.join(folder, name))
        return
    from transformers import AutoTokenizer, GenerationConfig

    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    try:
        GenerationConfig.from_pretrained(model).save_pretrained(folder)
    except OSError:
        pass  # not every model has one


def export_language_model(args):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from .causal_lm import export_causal_lm, materialise_constants

    dtype = getattr(torch, args.dtype) if args.dtype else None
    if args.graph_only:
        config = AutoConfig.from_pretrained(args.model)
        wanted = dtype or getattr(config, "dtype", None) or torch.float32
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, dtype=wanted, attn_implementation="sdpa")
        materialise_constants(model)
    else:
        model = AutoModelForCausalLM.from_pretrained(args.model, dtype=dtype or "auto", attn_implementation="sdpa")
    path = os.path.join(args.output, "model.pt2")
    torch.export.save(export_causal_lm(model.eval(), args.max_context), path)
    copy_tokenizer(args.model, args.output)
    return path


def export_vision_model(args):
    import torch
    import torchvision

    if args.graph_only:
        with torch.device("meta"):
            model = torchvision.models.get_model(args.vision)
    else:
        model = torchvision.models.get_model(args.vision, weights=args.weights)
    device = "meta" if args.graph_only else "cpu"
    image = torch.zeros(args.batch, 3, args.size, args.size, device=device)
    with torch.no_grad():
        program = torch.export.export(model.eval(), (image,), strict=False)
    path = os.path.join(args.output, args.vision + ".pt2")
    torch.export.save(program, path)
    return path


def main():
    parser = argparse.ArgumentParser(prog="python -m lathe_export", description=__doc__)
    parser.add_argument("model", nargs="?", help="Hugging Face model id or folder of a causal language model")
    parser.add_argument("-o", "--output", required=True, help="folder to write to")
    parser.add_argument("--graph-only", action="store_true", help="leave the weights out: they stay in their checkpoint")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], help="default: the checkpoint's")
    parser.add_argument("--max-context", type=int, help="longest sequence and cache (default: the model's)")
    parser.add_argument("--vision", metavar="NAME", help="a torchvision classifier instead, such as resnet50")
    parser.add_argument("--weights", help="torchvision weights, such as DEFAULT (default: random)")
    parser.add_argument("--batch", type=int, default=1, help="images at once (default: 1)")
    parser.add_argument("--size", type=int, default=224, help="height and width of an image (default: 224)")
    args = parser.parse_args()
    if bool(args.model) == bool(args.vision):
        parser.error("give either a language model or --vision NAME")
    os.makedirs(args.output, exist_ok=True)
    print(export_vision_model(args) if args.vision else export_language_model(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())

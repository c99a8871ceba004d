"""Exports random small models with lathe_export and lets lathe verify and run them.
Usage: export.py LATHE SOURCE WORK. Exits with 77 when torch or transformers is not installed."""

import os
import subprocess
import sys

lathe, source, work = sys.argv[1:4]
sys.path.insert(0, os.path.join(source, "python"))
try:
    import numpy
    import safetensors  # noqa: F401
    import torch
    import transformers
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from lathe_export.make_golden import write_case  # noqa: E402


def run(*command):
    print("$", *command, flush=True)
    environment = dict(os.environ, PYTHONPATH=os.path.join(source, "python"))
    return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout


def refused(name, fn, args, *reasons):
    """A model that cannot run is refused with a reason."""
    write_case(work, name, fn, args, core=False)
    done = subprocess.run([lathe, "verify", f"{work}/{name}.pt2"], stdout=subprocess.PIPE, text=True)
    for reason in reasons:
        assert done.returncode == 1 and reason in done.stdout, done.stdout


os.makedirs(work, exist_ok=True)
torch.manual_seed(int.from_bytes(os.urandom(2), "little"))
print("torch seed", torch.initial_seed())

# Any module, with float64 answers.
net = torch.nn.Sequential(torch.nn.Linear(7, 12), torch.nn.GELU(), torch.nn.LayerNorm(12), torch.nn.Linear(12, 3))
write_case(work, "net", net, (torch.randn(5, 7),), exact=True)
print(run(lathe, "verify", f"{work}/net.pt2", f"{work}/net.core.pt2"))



def split_by_value(x, n):
    k = n.item()
    torch._check(k >= 0)
    torch._check(k <= 4)
    return x.split([k, 4 - k])


def write_after_view(x):
    x = x.clone()
    numbers = torch.view_as_complex(x)
    x.add_(1)
    return torch.view_as_real(numbers)


refused("late_split", split_by_value, (torch.randn(4), torch.tensor(3)), "'split_sizes' depends on the values of a tensor")
refused("complex_output", lambda x: torch.view_as_complex(x).unsqueeze(0), (torch.randn(3, 2),), "complex numbers: give out")
refused("complex_operator", lambda x: torch.view_as_complex(x).exp().abs(), (torch.randn(3, 2),),
        "aten.exp.default", "not supported for complex numbers")
refused("complex_write", write_after_view, (torch.randn(3, 2),), "reads a view that was copied")

# The same from the command line.
with open(f"{work}/gate.py", "w") as file:
    file.write("import torch\n\n\ndef case():\n    return lambda x, y: x.sigmoid() * y, (torch.randn(3, 4), torch.randn(4))\n")
run(sys.executable, "-m", "lathe_export.make_golden", f"{work}/gate.py", "-o", work)
print(run(lathe, "verify", f"{work}/gate.pt2", f"{work}/gate.core.pt2"))

# A classifier, where torchvision is installed.
try:
    import torchvision  # noqa: F401

    run(sys.executable, "-m", "lathe_export", "--vision", "squeezenet1_1", "--size", "64", "-o", f"{work}/vision")
    numpy.save(f"{work}/image.npy", numpy.random.rand(1, 3, 64, 64).astype(numpy.float32))
    print(run(lathe, "run", f"{work}/vision/squeezenet1_1.pt2", "--input", f"0={work}/image.npy"))
except ImportError as error:
    print(f"no classifier: {error}")

# A causal language model, whole and graph only with its checkpoint beside it.
config = transformers.Qwen2Config(
    vocab_size=1216,
    hidden_size=32,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
model = transformers.AutoModelForCausalLM.from_config(config).eval()
model.save_pretrained(f"{work}/hf")
run(sys.executable, "-m", "lathe_export", f"{work}/hf", "-o", f"{work}/whole")
run(sys.executable, "-m", "lathe_export", f"{work}/hf", "-o", f"{work}/graph", "--graph-only")
generate = (lathe, "generate", "--tokenizer", f"{source}/share/tiny-tokenizer.json", "--raw", "-n", "12", "-p", "Hello")
whole = run(*generate, f"{work}/whole/model.pt2")
graph = run(*generate, f"{work}/graph/model.pt2", "--weights", f"{work}/hf/model.safetensors")
ids = [int(i) for i in run(lathe, "tokenize", f"{source}/share/tiny-tokenizer.json", "--ids", "Hello").split()]
answer = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False, eos_token_id=-1)[0, len(ids) :]
expected = run(lathe, "tokenize", f"{source}/share/tiny-tokenizer.json", "--decode", *[str(int(i)) for i in answer])
assert whole == graph, "weights from the archive and from the checkpoint give different text"
assert whole.rstrip("\n") == expected.rstrip("\n"), (whole, expected)
print("all exports run")

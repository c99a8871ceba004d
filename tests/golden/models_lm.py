"""Golden cases of model families with small random weights: python models_lm.py FOLDER [FAMILY...]

Families of transformers (causal language models, encoders, encoder-decoders, vision, audio) and of torch.nn. Causal
models and encoders are exported static and with dynamic batch and length, in float32 and bfloat16, with fused and with
eager attention; the float32 ones also as Core ATen.
"""

import sys
import warnings

import torch
import transformers as tf

from lathe_export.make_golden import write_case

warnings.filterwarnings("ignore")
folder = sys.argv[1]
wanted = set(sys.argv[2:])

SMALL = dict(vocab_size=120, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=64)
GROUPED = dict(SMALL, num_key_value_heads=2)
GPT = dict(vocab_size=120, n_embd=32, n_layer=2, n_head=4, n_positions=64)
EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24)

CAUSAL = {
    "llama": lambda: tf.LlamaConfig(**GROUPED),
    "llama3": lambda: tf.LlamaConfig(**GROUPED, rope_parameters=dict(
        rope_type="llama3", rope_theta=1e4, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=16)),
    "llama_yarn": lambda: tf.LlamaConfig(**GROUPED, rope_parameters=dict(
        rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=16)),
    "llama_tied": lambda: tf.LlamaConfig(**GROUPED, tie_word_embeddings=True, attention_bias=True, mlp_bias=True),
    "qwen2": lambda: tf.Qwen2Config(**GROUPED),
    "qwen2_window": lambda: tf.Qwen2Config(**GROUPED, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "qwen3": lambda: tf.Qwen3Config(**GROUPED, head_dim=8),
    "mistral": lambda: tf.MistralConfig(**GROUPED, sliding_window=4),
    "gemma": lambda: tf.GemmaConfig(**GROUPED, head_dim=8),
    "gemma2": lambda: tf.Gemma2Config(**GROUPED, head_dim=8, sliding_window=4),
    "gemma3": lambda: tf.Gemma3TextConfig(**GROUPED, head_dim=8, sliding_window=4),
    "phi": lambda: tf.PhiConfig(**SMALL),
    "phi3": lambda: tf.Phi3Config(**GROUPED, pad_token_id=0),
    "gpt2": lambda: tf.GPT2Config(**GPT),
    "gpt_neo": lambda: tf.GPTNeoConfig(vocab_size=120, hidden_size=32, num_layers=2, num_heads=4, window_size=4,
                                       attention_types=[[["global", "local"], 1]], max_position_embeddings=64),
    "gpt_neox": lambda: tf.GPTNeoXConfig(**SMALL),
    "gptj": lambda: tf.GPTJConfig(**GPT, rotary_dim=4),
    "gpt_bigcode": lambda: tf.GPTBigCodeConfig(**GPT),
    "codegen": lambda: tf.CodeGenConfig(**GPT, rotary_dim=4),
    "opt": lambda: tf.OPTConfig(vocab_size=120, hidden_size=32, ffn_dim=48, num_hidden_layers=2,
                                num_attention_heads=4, max_position_embeddings=64, word_embed_proj_dim=32),
    "bloom": lambda: tf.BloomConfig(vocab_size=120, hidden_size=32, n_layer=2, n_head=4),
    "falcon": lambda: tf.FalconConfig(vocab_size=120, hidden_size=32, num_hidden_layers=2, num_attention_heads=4),
    "falcon_alibi": lambda: tf.FalconConfig(vocab_size=120, hidden_size=32, num_hidden_layers=2,
                                            num_attention_heads=4, alibi=True, new_decoder_architecture=True),
    "mpt": lambda: tf.MptConfig(vocab_size=120, d_model=32, n_layers=2, n_heads=4, max_seq_len=64),
    "starcoder2": lambda: tf.Starcoder2Config(**GROUPED),
    "stablelm": lambda: tf.StableLmConfig(**GROUPED),
    "olmo": lambda: tf.OlmoConfig(**GROUPED),
    "olmo2": lambda: tf.Olmo2Config(**GROUPED),
    "cohere": lambda: tf.CohereConfig(**GROUPED),
    "cohere2": lambda: tf.Cohere2Config(**GROUPED, sliding_window=4),
    "granite": lambda: tf.GraniteConfig(**GROUPED),
    "glm": lambda: tf.GlmConfig(**GROUPED, head_dim=8, pad_token_id=0, eos_token_id=2),
    "glm4": lambda: tf.Glm4Config(**GROUPED, head_dim=8, pad_token_id=0, eos_token_id=2),
    "nemotron": lambda: tf.NemotronConfig(**GROUPED),
    "smollm3": lambda: tf.SmolLM3Config(**GROUPED, pad_token_id=0),
    "exaone4": lambda: tf.Exaone4Config(**GROUPED, sliding_window=4),
    "ernie": lambda: tf.Ernie4_5Config(**GROUPED, head_dim=8),
    "helium": lambda: tf.HeliumConfig(**GROUPED, head_dim=8),
    "persimmon": lambda: tf.PersimmonConfig(**SMALL),
    "xglm": lambda: tf.XGLMConfig(vocab_size=120, d_model=32, ffn_dim=48, num_layers=2, attention_heads=4,
                                  max_position_embeddings=64),
    "biogpt": lambda: tf.BioGptConfig(**SMALL),
    "openai_gpt": lambda: tf.OpenAIGPTConfig(**GPT),
    "ctrl": lambda: tf.CTRLConfig(vocab_size=120, n_embd=32, dff=48, n_layer=2, n_head=4, n_positions=64),
    "mixtral": lambda: tf.MixtralConfig(**GROUPED, num_local_experts=4),
    "qwen2_moe": lambda: tf.Qwen2MoeConfig(**GROUPED, **EXPERTS, shared_expert_intermediate_size=24),
    "qwen3_moe": lambda: tf.Qwen3MoeConfig(**GROUPED, **EXPERTS, head_dim=8),
    "olmoe": lambda: tf.OlmoeConfig(**GROUPED, num_experts=4, num_experts_per_tok=2),
    "phimoe": lambda: tf.PhimoeConfig(**GROUPED, num_local_experts=4),
    "granite_moe": lambda: tf.GraniteMoeConfig(**GROUPED, num_local_experts=4),
    "gpt_oss": lambda: tf.GptOssConfig(**GROUPED, head_dim=8, num_local_experts=4, num_experts_per_tok=2,
                                       sliding_window=4, rope_parameters=dict(rope_type="default", rope_theta=1e4)),
    "deepseek_v3": lambda: tf.DeepseekV3Config(
        **SMALL, n_routed_experts=4, num_experts_per_tok=2, n_group=2, topk_group=1, moe_intermediate_size=24,
        kv_lora_rank=16, q_lora_rank=16, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8, first_k_dense_replace=1),
    "mamba": lambda: tf.MambaConfig(vocab_size=120, hidden_size=32, num_hidden_layers=2, state_size=4),
    "mamba2": lambda: tf.Mamba2Config(vocab_size=120, hidden_size=32, num_hidden_layers=1, state_size=4, num_heads=8,
                                      head_dim=8, n_groups=1, chunk_size=4),
    "recurrent_gemma": lambda: tf.RecurrentGemmaConfig(**GROUPED, head_dim=8, lru_width=32, attention_window_size=8),
}

ENCODERS = {
    "bert": lambda: tf.BertConfig(**SMALL),
    "roberta": lambda: tf.RobertaConfig(**SMALL),
    "xlm_roberta": lambda: tf.XLMRobertaConfig(**SMALL),
    "camembert": lambda: tf.CamembertConfig(**SMALL),
    "distilbert": lambda: tf.DistilBertConfig(vocab_size=120, dim=32, hidden_dim=48, n_layers=2, n_heads=4,
                                              max_position_embeddings=64),
    "electra": lambda: tf.ElectraConfig(**SMALL, embedding_size=16),
    "deberta": lambda: tf.DebertaConfig(**SMALL, relative_attention=True, pos_att_type=["c2p", "p2c"]),
    "deberta_v2": lambda: tf.DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["p2c", "c2p"],
                                             position_buckets=8, conv_kernel_size=3),
    "albert": lambda: tf.AlbertConfig(**SMALL, embedding_size=16),
    "mpnet": lambda: tf.MPNetConfig(**SMALL),
    "modernbert": lambda: tf.ModernBertConfig(**SMALL, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1,
                                              sep_token_id=2, local_attention=8),
    "xlnet": lambda: tf.XLNetConfig(vocab_size=120, d_model=32, n_layer=2, n_head=4, d_inner=48),
    "xlm": lambda: tf.XLMConfig(vocab_size=120, emb_dim=32, n_layers=2, n_heads=4, max_position_embeddings=64),
    "convbert": lambda: tf.ConvBertConfig(**SMALL, embedding_size=16),
    "squeezebert": lambda: tf.SqueezeBertConfig(**SMALL, embedding_size=32, q_groups=2, k_groups=2, v_groups=2,
                                                intermediate_groups=2, output_groups=2),
    "mobilebert": lambda: tf.MobileBertConfig(**SMALL, embedding_size=16, intra_bottleneck_size=16),
    "fnet": lambda: tf.FNetConfig(vocab_size=120, hidden_size=32, intermediate_size=48, num_hidden_layers=2),
    "layoutlm": lambda: tf.LayoutLMConfig(**SMALL),
    "esm": lambda: tf.EsmConfig(**SMALL, position_embedding_type="rotary", pad_token_id=1, mask_token_id=2),
    "nomic_bert": lambda: tf.NomicBertConfig(**SMALL),
}


def token_ids(*size):
    return torch.randint(3, 120, size)


def images(size=32):
    return torch.randn(2, 3, size, size)


VISION = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=32,
              patch_size=8)
SEQ2SEQ = dict(vocab_size=120, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
               decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=64)
T5 = dict(vocab_size=120, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4)
LEGS = ["input_ids", "decoder_input_ids"]
CLIP_TEXT = dict(vocab_size=120, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                 max_position_embeddings=32, eos_token_id=2)


def legs():
    return token_ids(2, 9), token_ids(2, 5)


# Name: model, names of its arguments, arguments.
OTHERS = {
    "vit": lambda: (tf.ViTModel(tf.ViTConfig(**VISION)), ["pixel_values"], (images(),)),
    "deit": lambda: (tf.DeiTModel(tf.DeiTConfig(**VISION)), ["pixel_values"], (images(),)),
    "beit": lambda: (tf.BeitModel(tf.BeitConfig(**VISION, use_relative_position_bias=True)), ["pixel_values"], (images(),)),
    "dinov2": lambda: (tf.Dinov2Model(tf.Dinov2Config(**{k: v for k, v in VISION.items() if k != "intermediate_size"})),
                       ["pixel_values"], (images(),)),
    "dinov2_registers": lambda: (tf.Dinov2WithRegistersModel(tf.Dinov2WithRegistersConfig(
        **{k: v for k, v in VISION.items() if k != "intermediate_size"})), ["pixel_values"], (images(),)),
    "siglip": lambda: (tf.SiglipVisionModel(tf.SiglipVisionConfig(**VISION)), ["pixel_values"], (images(),)),
    "clip": lambda: (tf.CLIPModel(tf.CLIPConfig(text_config=CLIP_TEXT, vision_config=VISION, projection_dim=16)),
                     ["input_ids", "pixel_values"], (token_ids(2, 9), images())),
    "swin": lambda: (tf.SwinModel(tf.SwinConfig(image_size=32, patch_size=2, embed_dim=16, depths=[2, 2],
                                                num_heads=[2, 4], window_size=4)), ["pixel_values"], (images(),)),
    "swinv2": lambda: (tf.Swinv2Model(tf.Swinv2Config(image_size=32, patch_size=2, embed_dim=16, depths=[2, 2],
                                                      num_heads=[2, 4], window_size=4)), ["pixel_values"], (images(),)),
    "convnext": lambda: (tf.ConvNextModel(tf.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)),
                         ["pixel_values"], (images(),)),
    "segformer": lambda: (tf.SegformerForSemanticSegmentation(tf.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[16, 32], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16)), ["pixel_values"], (images(),)),
    "mobilevit": lambda: (tf.MobileViTModel(tf.MobileViTConfig(
        image_size=32, patch_size=2, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 24, 32],
        num_attention_heads=2)), ["pixel_values"], (images(64),)),
    "pvt": lambda: (tf.PvtModel(tf.PvtConfig(image_size=32, num_encoder_blocks=2, depths=[1, 1],
                                             sequence_reduction_ratios=[2, 1], hidden_sizes=[16, 32], patch_sizes=[4, 2],
                                             strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2])),
                    ["pixel_values"], (images(),)),
    "detr": lambda: (tf.DetrModel(tf.DetrConfig(
        use_timm_backbone=False, backbone_config=tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1],
                                                                 out_features=["stage2"]),
        d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=48, decoder_ffn_dim=48, num_queries=5)), ["pixel_values"], (images(),)),
    "vivit": lambda: (tf.VivitModel(tf.VivitConfig(image_size=32, num_frames=4, tubelet_size=[2, 16, 16], hidden_size=32,
                                                   num_hidden_layers=1, num_attention_heads=4, intermediate_size=48)),
                      ["pixel_values"], (torch.randn(1, 4, 3, 32, 32),)),
    "t5": lambda: (tf.T5ForConditionalGeneration(tf.T5Config(**T5)), LEGS, legs()),
    "t5_gated": lambda: (tf.T5ForConditionalGeneration(tf.T5Config(**T5, feed_forward_proj="gated-gelu")), LEGS, legs()),
    "bart": lambda: (tf.BartForConditionalGeneration(tf.BartConfig(**SEQ2SEQ)), LEGS, legs()),
    "pegasus": lambda: (tf.PegasusForConditionalGeneration(tf.PegasusConfig(**SEQ2SEQ)), LEGS, legs()),
    "marian": lambda: (tf.MarianMTModel(tf.MarianConfig(**SEQ2SEQ, pad_token_id=0, decoder_start_token_id=0)), LEGS, legs()),
    "m2m100": lambda: (tf.M2M100ForConditionalGeneration(tf.M2M100Config(**SEQ2SEQ)), LEGS, legs()),
    "whisper": lambda: (tf.WhisperForConditionalGeneration(tf.WhisperConfig(
        **{k: v for k, v in SEQ2SEQ.items() if k != "max_position_embeddings"}, max_source_positions=20,
        max_target_positions=20, num_mel_bins=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1)), ["input_features", "decoder_input_ids"], (torch.randn(1, 16, 40), token_ids(1, 5))),
    "wav2vec2": lambda: (tf.Wav2Vec2ForCTC(tf.Wav2Vec2Config(
        vocab_size=30, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48, conv_dim=[16, 16],
        conv_stride=[5, 2], conv_kernel=[10, 3], num_feat_extract_layers=2, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4)), ["input_values"], (torch.randn(1, 600),)),
    "hubert": lambda: (tf.HubertModel(tf.HubertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48, conv_dim=[16, 16],
        conv_stride=[5, 2], conv_kernel=[10, 3], num_feat_extract_layers=2, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4)), ["input_values"], (torch.randn(1, 600),)),
    "ast": lambda: (tf.ASTModel(tf.ASTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
                                             intermediate_size=48, max_length=32, num_mel_bins=16, patch_size=8,
                                             frequency_stride=8, time_stride=8)), ["input_values"], (torch.randn(1, 32, 16),)),
    "perceiver": lambda: (tf.PerceiverModel(tf.PerceiverConfig(
        d_latents=32, num_latents=4, d_model=24, num_self_attends_per_block=1, num_self_attention_heads=4,
        num_cross_attention_heads=4)), ["inputs"], (torch.randn(2, 7, 24),)),
    "patchtst": lambda: (tf.PatchTSTModel(tf.PatchTSTConfig(
        num_input_channels=2, context_length=32, patch_length=8, patch_stride=4, d_model=16, num_attention_heads=4,
        num_hidden_layers=1, ffn_dim=32)), ["past_values"], (torch.randn(2, 32, 2),)),
    "llava": lambda: (tf.LlavaForConditionalGeneration(tf.LlavaConfig(
        text_config=tf.LlamaConfig(**GROUPED), vision_config=tf.CLIPVisionConfig(**VISION), image_token_id=119,
        vision_feature_select_strategy="default")), ["input_ids", "pixel_values"],
        (torch.cat([torch.full((1, 16), 119), torch.randint(3, 110, (1, 5))], 1), images()[:1])),
}


class Named(torch.nn.Module):
    """A model called with named arguments that gives one tensor, or the tensors of its output in order."""

    def __init__(self, model, names, **extra):
        super().__init__()
        self.model, self.names, self.extra = model, names, extra

    def forward(self, *args):
        out = self.model(**dict(zip(self.names, args)), **self.extra)
        if isinstance(out, torch.Tensor):
            return out
        for key in ("logits", "last_hidden_state", "logits_per_image"):
            if getattr(out, key, None) is not None:
                return getattr(out, key)
        return out[0]


def scatter_scales(model):
    """Weights of norms are ones in a fresh model, which would hide that they are not used."""
    for parameter in model.parameters():
        if parameter.dim() == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)


def attempt(name, make):
    try:
        make()
        print("made", name, flush=True)
    except Exception as error:
        print("refused", name, type(error).__name__, str(error)[:200].replace("\n", " "), flush=True)


def write_model(name, module, args, core, **options):
    """As much as PyTorch can make: some graphs do not decompose, some models do not run in float64."""
    for decomposed, exact in ((core, True), (False, True), (core, False), (False, False)):
        try:
            write_case(folder, name, module, args, core=decomposed, exact=exact, **options)
            return
        except Exception as error:
            if not decomposed and not exact:
                raise
            print(f"{name}: not with core={decomposed}, exact={exact}: {str(error)[:80]!r}")


def text_model(config, head, attention, dtype):
    try:
        model = head.from_config(config(), attn_implementation=attention)
    except (ValueError, ImportError):  # not every family has fused attention
        model = head.from_config(config(), attn_implementation="eager")
    scatter_scales(model)
    return model.to(dtype).eval()


def text_cases(family, config, head):
    for dtype, attention, dynamic in ((torch.float32, "sdpa", False), (torch.bfloat16, "eager", False),
                                      (torch.float32, "eager", True), (torch.bfloat16, "sdpa", True)):
        name = f"{family}_{'bf16' if dtype == torch.bfloat16 else 'f32'}_{attention}{'_dynamic' if dynamic else ''}"

        def make():
            extra = dict(use_cache=False) if head is tf.AutoModelForCausalLM else {}
            module = Named(text_model(config, head, attention, dtype), ["input_ids", "attention_mask"], **extra)
            args = [(token_ids(b, n), torch.ones(b, n, dtype=torch.long)) for b, n in ((2, 9), (3, 13))]
            for ids, mask in args:
                mask[1, :3] = 0
            options = dict(core=dtype == torch.float32 and not dynamic)
            if dynamic:
                sizes = {0: torch.export.Dim("b", min=1, max=8), 1: torch.export.Dim("s", min=2, max=60)}
                options = dict(core=False, dynamic_shapes=((sizes, sizes),), run_args=args[1])
            write_model(name, module, args[0], **options)

        attempt(name, make)


def other_cases(family, build):
    for dtype in (torch.float32, torch.bfloat16):
        name = f"{family}_{'bf16' if dtype == torch.bfloat16 else 'f32'}"

        def make():
            model, names, args = build()
            scatter_scales(model)
            extra = dict(use_cache=False) if "decoder_input_ids" in names else {}
            args = tuple(a.to(dtype) if a.is_floating_point() else a for a in args)
            write_model(name, Named(model.to(dtype).eval(), names, **extra), args, core=dtype == torch.float32)

        attempt(name, make)


def cached_cases(family, config):
    """A decoder with its cache in buffers that it updates, as transformers exports it."""

    def make():
        from transformers.integrations.executorch import convert_and_export_with_cache

        model = text_model(config, tf.AutoModelForCausalLM, "sdpa", torch.float32)
        model.generation_config = tf.GenerationConfig(
            use_cache=True, cache_implementation="static", max_length=16,
            cache_config=dict(batch_size=1, max_cache_len=16))
        ids, position = token_ids(1, 1), torch.tensor([0])
        program = convert_and_export_with_cache(model, example_input_ids=ids, example_cache_position=position)
        write_exported(f"{family}_cached", program, dict(input_ids=ids, cache_position=position))

    attempt(f"{family}_cached", make)


def write_exported(name, program, kwargs):
    from safetensors.torch import save_file

    tensors = {f"input.{i}": t for i, t in enumerate(kwargs.values())}
    tensors["output.0"] = program.module()(**kwargs).detach().clone()
    torch.export.save(program, f"{folder}/{name}.pt2")
    save_file(tensors, f"{folder}/{name}.safetensors")


for family, config in CAUSAL.items():
    torch.manual_seed(1)
    if not wanted or family in wanted:
        text_cases(family, config, tf.AutoModelForCausalLM)
for family, config in ENCODERS.items():
    torch.manual_seed(1)
    if not wanted or family in wanted:
        text_cases(family, config, tf.AutoModel)
for family, build in OTHERS.items():
    torch.manual_seed(1)
    if not wanted or family in wanted:
        other_cases(family, build)
for family in ("llama", "qwen2", "qwen3", "gemma3", "phi3", "smollm3"):
    torch.manual_seed(1)
    if not wanted or family + "_cached" in wanted:
        cached_cases(family, CAUSAL[family])

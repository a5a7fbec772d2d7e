"""Tiny models with random weights of many kinds, as their save_pretrained writes them, with tokenizer or image processor."""

import json
from pathlib import Path

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "red",
    "blue",
    "cat",
    "dog",
    "runs",
    "sleeps",
    ".",
]
SIDE = 32
SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PATCHES = {"image_size": SIDE, "patch_size": 8}
DINO = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, **PATCHES}
TOWERS = {
    "text_config": {"vocab_size": 13, "max_position_embeddings": 16, **SHAPE},
    "vision_config": {**PATCHES, **SHAPE},
}
# By a word for it: the model's class and its configuration. All have an embedding and two blocks or stages, of width 16.
LANGUAGE = {
    "llama": ("LlamaForCausalLM", {"max_position_embeddings": 64, **SHAPE}),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}),
    "bert": ("BertModel", {"max_position_embeddings": 24, **SHAPE}),
    "bert_masked": ("BertForMaskedLM", {"max_position_embeddings": 24, **SHAPE}),
    "roberta": ("RobertaModel", {"max_position_embeddings": 26, "pad_token_id": 0, **SHAPE}),
}
VISION = {
    "vit": ("ViTModel", {**PATCHES, **SHAPE}),
    "vit_classes": ("ViTForImageClassification", {**PATCHES, **SHAPE}),
    "dinov2": ("Dinov2Model", DINO),
    "dinov2_registers": ("Dinov2WithRegistersModel", {**DINO, "num_register_tokens": 3}),
    "dinov3": ("DINOv3ViTModel", {**PATCHES, **SHAPE, "num_register_tokens": 4}),
    "siglip": ("SiglipModel", TOWERS),
    "siglip_vision": ("SiglipVisionModel", {**PATCHES, **SHAPE}),
    "clip": ("CLIPModel", TOWERS),
    "clip_vision": ("CLIPVisionModel", {**PATCHES, **SHAPE}),
    "convnext": ("ConvNextModel", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    "swin": ("SwinModel", {"image_size": SIDE, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}),
    "vit_mae": (
        "ViTMAEForPreTraining",
        {**PATCHES, **SHAPE, "decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2},
    ),
}  # fmt: skip
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor", "do_resize": True, "do_rescale": True, "do_normalize": True,
    "size": {"height": SIDE, "width": SIDE}, "resample": 2, "rescale_factor": 1 / 255,
    "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2],
}  # fmt: skip
# Those of models that cut out the middle.
CUTTING = {
    "clip": {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": SIDE}, "resample": 3,
             "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}},
    "dinov2": {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 36}, "resample": 3,
               "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE}},
    "convnext": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": SIDE}, "crop_pct": 0.875,
                 "resample": 3},
}  # fmt: skip


def save(kind, folder, processor=True, **config):
    """Write a model of a kind to `folder`; config: of its configuration, laid over what stands above."""
    import torch
    import transformers

    name, given = {**LANGUAGE, **VISION}[kind]
    model = getattr(transformers, name)
    if kind in LANGUAGE:
        given = {"vocab_size": len(WORDS), **given}
        save_tokenizer(kind, folder)
    torch.manual_seed(0)
    made = model(model.config_class(**{**given, **config}))
    with torch.no_grad():  # what starts as zeros or ones would make the layers alike
        for value in made.parameters():
            value.add_(torch.randn_like(value) * 0.1)
    made.save_pretrained(folder)
    if kind in VISION and processor:
        said = {**PROCESSOR, **CUTTING.get(kind.split("_")[0], {})}
        Path(folder, "preprocessor_config.json").write_text(json.dumps(said))
    return folder


def save_tokenizer(kind, folder, **tokens):
    """A tokenizer of words: BERT's with [CLS] ... [SEP]; GPT-2's and LLaMA's without a token to pad with."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    known.pre_tokenizer = pre_tokenizers.Whitespace()
    given = {"bos_token": "[CLS]", "eos_token": "[SEP]"}
    if "bert" in kind:
        known.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
        given = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    PreTrainedTokenizerFast(tokenizer_object=known, **{**given, **tokens}).save_pretrained(folder)

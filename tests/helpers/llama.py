"""A tiny LLaMA with random weights and a tokenizer of few words, as transformers saves them."""

WORDS = ["<s>", "</s>", "a", "red", "blue", "cat", "dog", "runs", "sleeps", "."]


def save_llama(folder, words=WORDS, width=16, layers=3, **saving):
    """Write it to a folder; saving: what transformers is told of the weights."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    known = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="."))
    known.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, bos_token="<s>", eos_token="</s>")
    torch.manual_seed(0)
    shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 2}
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(vocab_size=len(words), num_hidden_layers=layers, **shape)
    LlamaForCausalLM(config).save_pretrained(folder, **saving)

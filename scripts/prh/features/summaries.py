"""Captions in so many words, by an instruct model, greedily (Huh et al. 2024, figure 9, after Urbanek et al. 2024, arXiv:2312.08578).

What the paper's instruction asks for is known, its words are not: these are our own.
"""

import torch

from prh.errors import InputError

INSTRUCTION = (
    "You are given everything that was written about an image. Summarise it in about {words} words. Keep as much as you can of what "
    "is seen, above all from the beginning of the text. The summary must be true of the whole image. Answer with the summary alone, "
    "in one line."
)
TOKENS = 4  # of a word at most; longer answers are cut


def prompt_of(tokenizer, caption, words):
    """The token ids (1, t) that ask for a summary in about so many words. Raises `InputError` without a chat template."""
    if not tokenizer.chat_template:
        raise InputError(
            "the summariser has no chat template; name an instruct model as `caption_density.summariser`"
        )
    messages = [
        {"role": "system", "content": INSTRUCTION.format(words=words)},
        {"role": "user", "content": caption},
    ]
    found = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    return found["input_ids"]


def summarise(model, tokenizer, caption, words):
    """A caption in about so many words, one line, and its token ids: at each place the likeliest, one caption at a time.

    Raises `InputError` if caption and summary do not fit into the model's context, and for an empty summary.
    """
    ids, most = prompt_of(tokenizer, caption, words).to(model.device), TOKENS * words + 8
    context = getattr(model.config, "max_position_embeddings", None)
    if context and ids.shape[1] + most > context:
        raise InputError(
            f"its caption has {ids.shape[1]} tokens with what is asked, the summariser takes {context - most}"
        )
    with torch.inference_mode():
        found = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
        )
    tokens = found[0, ids.shape[1] :].cpu()
    text = text_of(tokenizer, tokens)
    if not text:
        raise InputError("the summariser has nothing to say of it; name another one")
    return text, tokens.tolist()


def text_of(tokenizer, tokens):
    """The text of token ids (t,), in one line."""
    return " ".join(tokenizer.decode(tokens, skip_special_tokens=True).split())

"""Log-likelihoods of the same labels, the commonest tokens of a text, under language models of one tokenizer."""

import torch

from prh.errors import InputError
from prh.job import progress
from prh.performance.bits_per_byte import windows


def label_log_likelihoods(model, tokenizer, text, inputs, labels, window, device="cpu"):
    """Log-likelihoods of the commonest next tokens, and their ids: (inputs, labels) float32 in nats, (labels,) int64.

    inputs: the first so many places of the text, each after what stands before it in its window of `window` tokens. labels: so many
    tokens, the commonest of the whole text, equals by id; the rest of the vocabulary counts in the likelihoods all the same.
    Raises `InputError` for a text with fewer places or tokens.
    """
    tokens = tokenizer(text, add_special_tokens=False, verbose=False, return_tensors="pt")["input_ids"][0]
    ids, counts = tokens.unique(return_counts=True)
    if len(tokens) < inputs or len(ids) < labels:
        raise InputError(
            f"the text has {len(tokens)} tokens, {len(ids)} different ones; lower `performance.likelihoods`, or take more text"
        )
    chosen = ids[(-counts).sort(stable=True).indices[:labels]].sort().values
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    parts = []
    for begin, _, end in progress(
        list(windows(inputs, window - 1, window - 1)), "likelihoods", unit="window"
    ):
        given = torch.cat([torch.tensor([first]), tokens[begin : end - 1]])[None].to(device)
        with torch.inference_mode():
            logits = model(input_ids=given).logits[0].float()
        parts.append(logits.log_softmax(dim=1)[:, chosen.to(logits.device)].cpu())
    return torch.cat(parts), chosen

"""Log-likelihoods of the same labels, the commonest tokens of a text, under language models of one tokenizer."""

import torch

from prh.errors import InputError


class LabelLikelihoods:
    """Collects log-likelihoods of the commonest tokens of a text, while `bits_per_byte` scores it: its argument `seen`.

    labels: the ids of so many tokens, the commonest of the whole text, equals by id, in rising order: (labels,) int64.
    values: at the first `inputs` places of the text, each in the window that scores it: (inputs, labels) float32 in nats; the rest of
    the vocabulary counts in the likelihoods all the same.

    Raises `InputError` for a text with fewer places or tokens.
    """

    def __init__(self, tokenizer, text, inputs, labels):
        tokens = tokenizer(text, add_special_tokens=False, verbose=False, return_tensors="pt")["input_ids"][0]
        ids, counts = tokens.unique(return_counts=True)
        if len(tokens) < inputs or len(ids) < labels:
            raise InputError(
                f"the text has {len(tokens)} tokens, {len(ids)} different ones; lower `performance.likelihoods`, or take more text"
            )
        self.inputs, self.parts = inputs, []
        self.labels = ids[(-counts).sort(stable=True).indices[:labels]].sort().values

    def __call__(self, scored_from, logits):
        """Take what is asked for of the logits (tokens, vocabulary) of the places from `scored_from` on."""
        if scored_from < self.inputs:
            here = logits[: self.inputs - scored_from].log_softmax(dim=1)
            self.parts.append(here[:, self.labels.to(here.device)].cpu())

    @property
    def values(self):
        """What was collected."""
        return torch.cat(self.parts)

"""What a run shows of itself beside its figures: its numbers in words, its page."""

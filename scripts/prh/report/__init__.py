"""What a run shows of itself beside its figures."""

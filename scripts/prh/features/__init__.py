"""Models run once over a data set: a kind of model is an adapter, its features one tensor per layer on disk."""

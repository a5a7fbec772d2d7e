"""A run for others, and from others: published on the hub, imported from wherever it is. See `publish`, `imports`."""

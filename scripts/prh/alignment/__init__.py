"""How alike two models measure distances between the same things: metrics, neighbours, kernels, null calibration."""

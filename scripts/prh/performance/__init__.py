"""How good the language models are, and how that goes with alignment."""

"""Active learning rehearsed: a pool of phantoms, a simulated reader, rounds of selecting and retraining."""

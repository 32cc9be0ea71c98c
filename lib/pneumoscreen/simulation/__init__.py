"""Active learning rehearsed: a pool of phantoms, a simulated reader who knows the truth, rounds of select, label, retrain."""

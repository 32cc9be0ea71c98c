"""Active learning rehearsed: a pool of phantoms, a simulated reader with the truth, rounds of select, label, retrain."""

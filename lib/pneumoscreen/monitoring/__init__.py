"""The model in use: whether readers agree with it, whether its probabilities hold, whether the scans have changed."""

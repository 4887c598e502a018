"""Training data of probes: vectors, examples, batches and whitening."""

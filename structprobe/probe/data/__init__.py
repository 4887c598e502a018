"""What probes learn from: ragged vectors, examples, batches and whitening."""

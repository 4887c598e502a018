"""What a language model does with words: log-probabilities of texts and words."""

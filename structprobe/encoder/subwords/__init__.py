"""From words to the subwords a model reads, and back."""

"""What a language model does with sentences, and what changes if its vectors are changed."""

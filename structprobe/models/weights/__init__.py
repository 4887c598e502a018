"""The weights of a model: where they lie, in which type, and how they are loaded."""

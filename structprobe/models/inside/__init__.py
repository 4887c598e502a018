"""What modules inside a model give: hooks on them, and the sites of its blocks."""

"""What language models prefer, as a table for a terminal and a section of the report."""

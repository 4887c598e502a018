"""What a finding proves: one instrument a file, each on banks of sentences and their vectors."""

"""What models do, beside what probes find in them: one instrument a file."""

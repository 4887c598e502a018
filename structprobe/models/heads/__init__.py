"""Models with their language modelling heads, causal or masked."""

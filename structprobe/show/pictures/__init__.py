"""Pictures of results and of sentences, by matplotlib (the extra ``plot``); none shows itself."""

"""The assistant: code finds the intent, tools compute, words are written, every item and figure is checked before it is sent."""

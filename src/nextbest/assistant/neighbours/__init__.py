"""Any table of interactions with text: items as vectors, their neighbours, what those are worth, a workspace to chat about."""

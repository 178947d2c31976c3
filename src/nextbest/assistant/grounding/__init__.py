"""What may be sent: every name, figure, day and currency of a draft is one that a tool said in this turn, or the client."""

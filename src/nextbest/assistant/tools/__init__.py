"""What the assistant can compute: typed tools with JSON schemas over the rooms of the house, each asked through `Toolbox.run`."""

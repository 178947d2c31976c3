"""Language models behind one protocol: endpoints, local files, scripted fakes; the only door to their libraries."""

"""One bounded plan for each question: understood, planned, computed, worded, checked, sent. Import the modules by name."""

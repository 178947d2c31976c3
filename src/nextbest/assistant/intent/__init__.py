"""What a text asks for: cleaned, its language, a calibrated intent, the slots that code finds in it."""

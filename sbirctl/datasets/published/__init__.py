"""What publishers say of their data sets: archives, terms and counts."""

"""Reading folders and archives: what the data sets share."""

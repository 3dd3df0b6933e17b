"""What is done to the whole of it, and what it must do then: the rows of the table of faults."""

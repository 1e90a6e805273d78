"""See inside: attention, hidden states and activations of teacher and student on one text."""

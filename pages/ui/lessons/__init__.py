"""What the Lessons page is drawn from: the list, one step, its picture, its instruments."""

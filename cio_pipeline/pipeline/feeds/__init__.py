"""What is special to a feed: how its files are made of rows, and how they are put."""

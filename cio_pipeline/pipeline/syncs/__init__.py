"""Reading sync files, and trying out what they say."""

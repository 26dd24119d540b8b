"""The promises D1-D6 written a second time, and held against the product step by step."""

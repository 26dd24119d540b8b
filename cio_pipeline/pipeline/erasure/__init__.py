"""Taking a person out of what was delivered (D4), and proving it later."""

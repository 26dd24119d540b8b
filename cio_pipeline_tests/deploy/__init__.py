"""What lies in deploy/, and the page that tells how to use it."""

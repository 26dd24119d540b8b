"""What is wrong: pure judgements over what the ledger knows. Nothing here reads or alerts."""

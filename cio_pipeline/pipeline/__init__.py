"""The use cases, readable top to bottom: plan, seal, deliver, commit, manifest, verify.

They take their effects (source, destination, ledger, clock) as arguments, see `services`.
"""

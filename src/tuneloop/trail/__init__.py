"""The audit trail of served answers: lines that are only ever added, each bound to the one before it by its hash."""

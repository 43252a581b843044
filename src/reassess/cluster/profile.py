"""What the cluster profiles have in common."""

PLACEHOLDER = "CHANGE-ME"  # in a profile: what its site has to fill in

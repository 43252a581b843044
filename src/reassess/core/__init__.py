"""What every other room stands on: errors, files, locks, seeds, manifests, and changes made to other libraries."""

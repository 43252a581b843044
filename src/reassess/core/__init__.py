"""What every other room uses: errors, files, locks, seeds, manifests, patches of libraries."""

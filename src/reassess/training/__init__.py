"""What methods share: prepared rows, loading and saving, probes, histories, resume, and thin subclasses of TRL's trainers."""

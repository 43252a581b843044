"""The one verifier: reward in training and score in evaluation. Importable without the rest."""

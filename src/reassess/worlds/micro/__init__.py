"""The generated world: small pictures of coloured shapes, questions about them, and models that learn them on a CPU."""

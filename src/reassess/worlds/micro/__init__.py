"""The generated world: images of coloured shapes, questions, and models that learn on a CPU."""

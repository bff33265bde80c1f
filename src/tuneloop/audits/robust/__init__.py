"""The parts of the audit `robustness`: perturbed rows, an attack, tests of the user, a certified bound."""

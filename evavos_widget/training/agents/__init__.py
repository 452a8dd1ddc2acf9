"""How the agents are trained: what they learn from is simulated once, and shared by all."""

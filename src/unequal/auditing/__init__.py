"""The audit: two models before and after unlearning, one verdict a fact, and a policy that must hold."""

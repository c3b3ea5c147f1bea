"""Vocabulary shared by every other folder; imports nothing of ours."""

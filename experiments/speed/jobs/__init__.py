"""Measurements that need a process of their own: each takes one JSON object and prints another."""

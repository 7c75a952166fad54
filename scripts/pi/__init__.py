"""Emulated Raspberry Pis: their systems, their processors, and the proof that released models answer there as they do here."""

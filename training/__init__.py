"""Recipes: data, module and fit; each training ends in a hand-over directory from which export goes on."""

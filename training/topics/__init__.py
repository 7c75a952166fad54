"""What many texts are about, without labels: vectors of meaning, dense heaps of them, their names, and how well they hold together."""

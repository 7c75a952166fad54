"""From a trained program to a released bundle: convert, quantize, prove on every runtime, gate, report."""

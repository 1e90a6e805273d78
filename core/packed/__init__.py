"""The packed student: codes as bits, scales and leftovers as floats, in one safetensors file."""

"""How a packed file can be written: the names of the choices, without torch."""

TWO_BIT, BASE_3 = "2-bit", "base-3"
LAYOUTS = (TWO_BIT, BASE_3)
FLOAT32, FLOAT16 = "float32", "float16"
LEFTOVERS = (FLOAT32, FLOAT16)

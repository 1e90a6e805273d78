"""The parts of the Theory page: formulas with the numbers of a chosen matrix, every rule, the
paper's figures beside ours, the glossary."""

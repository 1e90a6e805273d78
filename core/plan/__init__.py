"""Where the bits count: which matrix gets how many, so that a file fits its budget.

costs       what a matrix takes in the file at each number of bits (matrix_costs)
losses      what it does to the model at each, predicted or measured (matrix_losses)
knapsack    the exact choice, for every budget at once
allocation  both together: the frontier, and the plan of a budget
"""

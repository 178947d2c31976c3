"""Returns after costs and the number of trials -> whether there is evidence of profit, in numbers and in a sentence."""

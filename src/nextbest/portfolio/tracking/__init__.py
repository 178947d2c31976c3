"""What every portfolio did today: figures carried on by a day, plan against actual, alerts; all kept in the book."""

"""The monthly panel of clients and products: schema, reader, packed store, report."""

"""What a store and a history of years do to the pages and to the server."""

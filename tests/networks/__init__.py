"""Two hosts that share mailboxes, with a bad network between them: nothing is lost, nothing is read twice."""

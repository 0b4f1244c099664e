"""Findings about the mail, its surroundings and each client, each with the command that fixes it.

Call `mail.examine` for the mail, `surroundings.examine` for the machine, `report.examine` for both, and
`doctor.examine` for the clients.
"""

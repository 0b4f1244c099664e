"""What is wrong with the mail, its surroundings and each client, and the command that fixes it.

Call `mail.examine` for the mail, `surroundings.examine` for the machine, and `doctor.examine` for the clients.
"""

<<<<<<< HEAD
"""Findings about the mail, its surroundings and each client, each with the command that fixes it.
=======
"""What is wrong with the mail, its surroundings and each client, and the command that fixes it.
>>>>>>> prose4

Call `mail.examine` for the mail, `surroundings.examine` for the machine, and `doctor.examine` for the clients.
"""

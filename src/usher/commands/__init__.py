"""What can be typed after ``usher``: a file each, imported when it is asked for.

Its ``run(arguments)`` does what is said, and returns the exit status.
"""

"""What the commands ask the administrator."""


def agreed(question: str) -> bool:
    """Whether the answer is yes. Where nobody can answer, it is not."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False

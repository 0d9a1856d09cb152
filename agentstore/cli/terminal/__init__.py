"""What comes to the terminal, and how: safe text, widths, tables, times, money, pages, JSON."""

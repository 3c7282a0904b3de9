"""The watch loop's tests share `street.py`."""

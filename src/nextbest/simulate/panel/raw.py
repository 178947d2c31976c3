"""The simulated panel's raw: being written in this session by a second pair of hands (raw text, dirt, offers, files).

Whoever works on the laws of the panel: leave raw.py, dirt.py, offers.py and files.py to them.
"""

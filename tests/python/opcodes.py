# opcodes.py - raising between any two steps of Python's
# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import sys


class Boom(BaseException):
    """As what a signal's handler raises."""


def raise_at(number, function, is_wanted):
    """Call `function`; of the opcodes of code that `is_wanted` the one of that number raises Boom.
    Whether one did."""
    left = number

    def trace(frame, event, argument):
        nonlocal left
        if not is_wanted(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise Boom
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except Boom:
        return True
    finally:
        sys.settrace(before)
    return False

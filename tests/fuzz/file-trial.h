/* file-trial.h - everything that is done to a file that may be damaged
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "file-damage.h"

/* Opens the file of @damage in @folder, to read and to write, does all that a store does, and
 * aborts where that gives anything but what was stored or a clear error. @step tells others where
 * it stands; where it is NULL that is printed, as are errors. */
void trial_run (const char *folder, const Damage *damage, GRand *rand, const char *volatile *step);

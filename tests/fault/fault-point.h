/* fault-point.h - one call that fails, and what a store may say of it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

#include "fault-vfs.h"

typedef enum
{
  ENDING_ONCE, /* the script goes on to its end */
  ENDING_STAYS,
  ENDING_KILL, /* at the first error */
  N_ENDINGS
} Ending;

typedef struct
{
  const char *name;
  DsqPersistMode mode;
  gboolean background;
  gboolean encrypted;
} Setup;

typedef struct
{
  const Setup *setup; /* (unowned) */
  Fault fault;
  Ending ending;
} Point;

/* How many errors a call of the kind may give, and one of them. */
guint fault_count_errors (FaultKind kind);
int fault_get_error (FaultKind kind, guint which);

char *point_describe (const Point *point);

/* Whether the store reads only, from then on. */
gboolean point_is_final (const Point *point, const GError *error);

/* Ends the process where @error is not what @step may give. */
void point_check_error (const Point *point, const char *step, const GError *error);

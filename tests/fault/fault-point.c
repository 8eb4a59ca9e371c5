/* fault-point.c - one call that fails, and what a store may say of it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-point.h"

#include <errno.h>

#define MAX_ERRORS 5

/* What a system says where it says something of the kind at all. */
static const int errors[FAULT_N_KINDS][MAX_ERRORS] = {
  [FAULT_OPEN] = { EIO, ENOSPC, EACCES, EMFILE, EROFS },
  [FAULT_READ] = { EIO },
  [FAULT_WRITE] = { EIO, ENOSPC, EFBIG, EROFS },
  [FAULT_SHORT_WRITE] = { EIO, ENOSPC, EFBIG },
  [FAULT_SYNC] = { EIO, ENOSPC },
  [FAULT_TRUNCATE] = { EIO, ENOSPC, EFBIG },
  [FAULT_MAP] = { ENOMEM, EACCES },
  /* the others are of a lock that somebody has, which is waited for */
  [FAULT_LOCK] = { EIO },
  [FAULT_REMOVE] = { EIO, EACCES, EROFS },
  [FAULT_FOLDER_SYNC] = { EIO, ENOSPC },
  [FAULT_MEMORY] = { ENOMEM },
};

guint
fault_count_errors (FaultKind kind)
{
  guint n = 0;

  while (n < MAX_ERRORS && errors[kind][n] != 0)
    n++;
  return n;
}

int
fault_get_error (FaultKind kind, guint which)
{
  return errors[kind][which];
}

char *
point_describe (const Point *point)
{
  static const char *const endings[] = { "once", "for ever", "until killed" };

  return g_strdup_printf ("%s: %s call %u fails with \"%s\" %s",
                          point->setup->name,
                          fault_kind_get_name (point->fault.kind),
                          point->fault.n,
                          g_strerror (point->fault.error),
                          endings[point->ending]);
}

static DsqError
code_of (const Fault *fault)
{
  if (fault->kind == FAULT_MEMORY)
    return DSQ_ERROR_FAILED;
  switch (fault->error)
    {
    case ENOSPC:
      return DSQ_ERROR_NO_SPACE;
    case EACCES:
      return DSQ_ERROR_PERMISSION;
    case EMFILE:
      return DSQ_ERROR_TOO_MANY_FILES;
    case EFBIG:
      return DSQ_ERROR_TOO_LARGE;
    case EROFS:
      return DSQ_ERROR_READ_ONLY;
    default:
      return DSQ_ERROR_IO;
    }
}

gboolean
point_is_final (const Point *point, const GError *error)
{
  return g_error_matches (error, DSQ_ERROR, DSQ_ERROR_OUTCOME_UNKNOWN) ||
         (point->fault.kind == FAULT_SYNC && g_error_matches (error, DSQ_ERROR, DSQ_ERROR_IO));
}

void
point_check_error (const Point *point, const char *step, const GError *error)
{
  g_autofree char *text = point_describe (point);

  if (error == NULL)
    g_error ("%s: %s fails and does not say why", text, step);
  if (g_error_matches (error, DSQ_ERROR, (int) code_of (&point->fault)) ||
      point_is_final (point, error))
    return;
  /* what is told by no errno of a file that is open */
  if ((point->fault.error == EACCES || point->fault.kind == FAULT_MAP) &&
      g_error_matches (error, DSQ_ERROR, DSQ_ERROR_IO))
    return;
  if (point->fault.kind == FAULT_LOCK && g_error_matches (error, DSQ_ERROR, DSQ_ERROR_BUSY))
    return;
  /* what SQLite cannot open it tries to open to be read, and forgets why */
  if (point->fault.kind == FAULT_OPEN &&
      (g_error_matches (error, DSQ_ERROR, DSQ_ERROR_TOO_MANY_FILES) ||
       g_error_matches (error, DSQ_ERROR, DSQ_ERROR_READ_ONLY) ||
       g_error_matches (error, DSQ_ERROR, DSQ_ERROR_IO)))
    return;
  g_error ("%s: %s: %s %d: %s",
           text,
           step,
           g_quark_to_string (error->domain),
           error->code,
           error->message);
}

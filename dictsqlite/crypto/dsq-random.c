/* dsq-random.c - random bytes from the kernel
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "crypto/dsq-random-private.h"
#include "dsq-error.h"

/* A pool that was just emptied draws this much first: most transactions seal one row. */
#define FIRST_DRAW 64

static DsqRandomFunc random_source; /* (nullable) set by tests before anything else runs */

void
dsq_random_set_source (DsqRandomFunc source)
{
  random_source = source;
}

static gboolean
fail (int code, GError **error)
{
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_IO,
               "Failed to draw random bytes: %s",
               g_strerror (code));
  return FALSE;
}

gboolean
dsq_random_draw (guint8 *out, gsize length, GError **error)
{
  gsize n_drawn = 0;

  if (G_UNLIKELY (random_source != NULL))
    return random_source (out, length) || fail (EIO, error);
  while (n_drawn < length)
    {
      gssize n = getrandom (out + n_drawn, length - n_drawn, 0);

      if (n > 0)
        n_drawn += (gsize) n;
      else if (n == 0 || errno != EINTR)
        return fail (n == 0 ? EIO : errno, error);
    }
  return TRUE;
}

gboolean
dsq_random_pool_draw (DsqRandomPool *self, guint8 *out, gsize length, GError **error)
{
  guint8 *end = self->bytes + sizeof self->bytes;

  if (G_UNLIKELY (self->n_left < length))
    {
      gsize n = self->has_drawn || length > FIRST_DRAW ? sizeof self->bytes : FIRST_DRAW;

      if (!dsq_random_draw (end - n, n, error))
        return FALSE;
      self->n_left = (guint) n;
      self->has_drawn = TRUE;
    }
  /* each byte is handed out once, and is gone from memory then */
  memcpy (out, end - self->n_left, length);
  memset (end - self->n_left, 0, length);
  self->n_left -= (guint) length;
  return TRUE;
}

void
dsq_random_pool_empty (DsqRandomPool *self)
{
  self->n_left = 0;
  self->has_drawn = FALSE;
}

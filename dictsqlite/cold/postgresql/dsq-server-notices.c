/* dsq-server-notices.c - when others are told that something was committed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cold/postgresql/dsq-server-notices-private.h"

/* Between two notices. */
#define APART_US 5000

DsqServerNotices *
dsq_server_notices_new (void)
{
  DsqServerNotices *self = g_new0 (DsqServerNotices, 1);

  self->n_references = 1;
  self->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  return self;
}

DsqServerNotices *
dsq_server_notices_ref (DsqServerNotices *self)
{
  g_atomic_int_inc (&self->n_references);
  return self;
}

void
dsq_server_notices_unref (DsqServerNotices *self)
{
  if (!g_atomic_int_dec_and_test (&self->n_references))
    return;
  if (self->fd >= 0)
    close (self->fd);
  g_free (self);
}

/* --- by who commits --------------------------------------------------------------------------- */

static gint64
get_next (const DsqServerNotices *self)
{
  return __atomic_load_n (&self->sent_at, __ATOMIC_RELAXED) + APART_US;
}

gboolean
dsq_server_notices_begin (DsqServerNotices *self)
{
  const gint64 now = g_get_monotonic_time ();

  if (g_atomic_int_get (&self->has_sender) && now < get_next (self))
    return FALSE;
  __atomic_store_n (&self->sent_at, now, __ATOMIC_RELAXED);
  __atomic_store_n (&self->due_at, 0, __ATOMIC_RELAXED);
  return TRUE;
}

/* Who sends has taken it before: what is committed behind that is due anew. */
void
dsq_server_notices_leave (DsqServerNotices *self)
{
  const guint64 one = 1;

  if (__atomic_exchange_n (&self->due_at, get_next (self), __ATOMIC_ACQ_REL) == 0)
    while (write (self->fd, &one, sizeof one) < 0 && errno == EINTR)
      ;
}

/* --- by who sends ----------------------------------------------------------------------------- */

void
dsq_server_notices_set_sender (DsqServerNotices *self, gboolean has_sender)
{
  g_atomic_int_set (&self->has_sender, has_sender && self->fd >= 0);
}

gint64
dsq_server_notices_get_due (DsqServerNotices *self)
{
  guint64 count;
  gint64 due_at;

  /* what becomes due behind this has it readable again */
  while (self->fd >= 0 && read (self->fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
  due_at = __atomic_load_n (&self->due_at, __ATOMIC_ACQUIRE);
  return due_at != 0 ? due_at : G_MAXINT64;
}

gboolean
dsq_server_notices_take (DsqServerNotices *self)
{
  if (__atomic_exchange_n (&self->due_at, 0, __ATOMIC_ACQ_REL) == 0)
    return FALSE;
  __atomic_store_n (&self->sent_at, g_get_monotonic_time (), __ATOMIC_RELAXED);
  return TRUE;
}

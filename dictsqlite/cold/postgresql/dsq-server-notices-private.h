/* dsq-server-notices-private.h - when others are told that something was committed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * A notice wakes whoever listens, the thread of its own store as well. So a commit tells by itself
 * where the last notice is some time ago; of those that follow sooner one notice tells later, which
 * the thread sends that listens. Shared by the tier, whose writer commits, and that thread.
 */
typedef struct
{
  gint n_references; /* (atomic) */
  int fd; /* (owned) constant: an eventfd, readable once one is due; -1: none is sent later */
  gint has_sender; /* (atomic) a thread waits for it, and can send */
  gint64 sent_at;  /* (atomic) monotonic: the last one, or one that is on its way */
  gint64 due_at;   /* (atomic) monotonic: one is to be sent then; 0: none */
} DsqServerNotices;

DsqServerNotices *dsq_server_notices_new (void);
DsqServerNotices *dsq_server_notices_ref (DsqServerNotices *self);
void dsq_server_notices_unref (DsqServerNotices *self);

/* --- by who commits --------------------------------------------------------------------------- */

/* Whether the commit that is about to be made is to tell by itself, of those before it as well. */
gboolean dsq_server_notices_begin (DsqServerNotices *self);
/* Something may have been committed, of which nobody has told. */
void dsq_server_notices_leave (DsqServerNotices *self);

/* --- by who sends ----------------------------------------------------------------------------- */

/* Whether a thread waits for what is due, and can send. */
void dsq_server_notices_set_sender (DsqServerNotices *self, gboolean has_sender);
/* When one is due, monotonic; G_MAXINT64 where none is. */
gint64 dsq_server_notices_get_due (DsqServerNotices *self);
/* Whether one is due, or will be: it is to be sent, then. */
gboolean dsq_server_notices_take (DsqServerNotices *self);

G_END_DECLS

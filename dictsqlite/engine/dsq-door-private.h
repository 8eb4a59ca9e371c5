/* dsq-door-private.h - who is using a store, whether it is closed, and whether a fork inherited it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-fork-private.h"
#include "base/dsq-mutex-private.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 stamp; /* constant: of the process that the store was opened in */
  DsqMutex users_lock;
  pthread_cond_t users_cond; /* the last user has left a closed door */
  guint n_users;             /* (atomic) calls under way that use the cold tier */
  gboolean is_closed;        /* (atomic) */
} DsqDoor;

void dsq_door_init (DsqDoor *self);
void dsq_door_clear (DsqDoor *self);

/* FALSE for ever in the child of a fork, where nothing else of the store may be touched. */
static inline gboolean
dsq_door_is_own (const DsqDoor *self)
{
  return G_LIKELY (self->stamp == dsq_fork_get_stamp ());
}

gboolean dsq_door_refuse_inherited (GError **error);
gboolean dsq_door_refuse_closed (GError **error);
/* For what a function asks that a call of the same thread has called. */
gboolean dsq_door_refuse_reentered (GError **error);

/* A call that may use the cold tier stands between these. It waits while a fork is under way. A
 * call that may use memory only ends here, without an error. */
gboolean dsq_door_enter (DsqDoor *self, GError **error);
void dsq_door_leave (DsqDoor *self);

gboolean dsq_door_is_closed (const DsqDoor *self);
/* From here on nobody enters. */
void dsq_door_shut (DsqDoor *self);
void dsq_door_open (DsqDoor *self);
/* Until nobody is inside, with the door shut; FALSE when the call is cancelled. */
gboolean dsq_door_wait (DsqDoor *self, GError **error);

G_END_DECLS

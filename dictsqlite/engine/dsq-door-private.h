/* dsq-door-private.h - who is using a store, whether it is closed, and whether a fork inherited it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 stamp; /* constant: of the process that the store was opened in */
  DsqCallPlace place;
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

void dsq_door_tell (DsqDoor *self);

static inline void
dsq_door_count_out (DsqDoor *self)
{
  if (__atomic_fetch_sub (&self->n_users, 1, __ATOMIC_SEQ_CST) == 1 &&
      G_UNLIKELY (__atomic_load_n (&self->is_closed, __ATOMIC_SEQ_CST)))
    dsq_door_tell (self);
}

/* A call that may use the cold tier stands between these. It waits while a fork is under way. A
 * call that may use memory only ends here, without an error. */
static inline gboolean
dsq_door_enter (DsqDoor *self, GError **error)
{
  gboolean is_closed;

  if (!dsq_door_is_own (self))
    return dsq_door_refuse_inherited (error);
  if (G_UNLIKELY (dsq_call_is_out_of (&self->place)))
    return dsq_door_refuse_reentered (error);
  __atomic_fetch_add (&self->n_users, 1, __ATOMIC_SEQ_CST);
  is_closed = __atomic_load_n (&self->is_closed, __ATOMIC_SEQ_CST);
  if (G_LIKELY (!is_closed && dsq_call_may_wait ()))
    {
      dsq_mutex_assert_may_wait ("a fork");
      dsq_fork_enter ();
      dsq_call_enter (&self->place);
      return TRUE;
    }
  dsq_door_count_out (self);
  return is_closed && dsq_door_refuse_closed (error);
}

static inline void
dsq_door_leave (DsqDoor *self)
{
  dsq_call_leave ();
  dsq_fork_leave ();
  dsq_door_count_out (self);
}

gboolean dsq_door_is_closed (const DsqDoor *self);
/* From here on nobody enters. */
void dsq_door_shut (DsqDoor *self);
void dsq_door_open (DsqDoor *self);
/* Until nobody is inside, with the door shut; FALSE when the call is cancelled. */
gboolean dsq_door_wait (DsqDoor *self, GError **error);

G_END_DECLS

/* dsq-door.c - who is using a store, whether it is closed, and whether a fork inherited it
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "dsq-error.h"
#include "engine/dsq-door-private.h"

/*
 * Every call checks two things that may have happened to its store. A fork: connections to the file
 * and our locks do not survive into a child, so calls there end at once, and freeing leaks on
 * purpose. A close: who shuts the door marks all shards as well, under their locks, so that no call
 * can begin to use memory or file after that, and waits for those that are using the file.
 */

void
dsq_door_init (DsqDoor *self)
{
  self->stamp = dsq_fork_get_stamp ();
  dsq_mutex_init (&self->users_lock, DSQ_RANK_USERS, 0);
  dsq_cond_init (&self->users_cond);
}

void
dsq_door_clear (DsqDoor *self)
{
  dsq_mutex_clear (&self->users_lock);
  pthread_cond_destroy (&self->users_cond);
}

gboolean
dsq_door_refuse_inherited (GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_FORKED,
                       "Failed to use the store: it was inherited by fork; open one in the child");
  return FALSE;
}

gboolean
dsq_door_refuse_closed (GError **error)
{
  g_set_error_literal (error, DSQ_ERROR, DSQ_ERROR_CLOSED, "store is closed");
  return FALSE;
}

gboolean
dsq_door_refuse_reentered (GError **error)
{
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_FAILED,
                       "Failed to use the store: a call of the same thread is under way, which has "
                       "called what asks for it");
  return FALSE;
}

void
dsq_door_tell (DsqDoor *self)
{
  dsq_mutex_lock (&self->users_lock);
  pthread_cond_broadcast (&self->users_cond);
  dsq_mutex_unlock (&self->users_lock);
}

gboolean
dsq_door_is_closed (const DsqDoor *self)
{
  return __atomic_load_n (&self->is_closed, __ATOMIC_SEQ_CST);
}

void
dsq_door_shut (DsqDoor *self)
{
  __atomic_store_n (&self->is_closed, TRUE, __ATOMIC_SEQ_CST);
}

void
dsq_door_open (DsqDoor *self)
{
  __atomic_store_n (&self->is_closed, FALSE, __ATOMIC_SEQ_CST);
}

gboolean
dsq_door_wait (DsqDoor *self, GError **error)
{
  gboolean goes_on = TRUE;

  dsq_mutex_lock (&self->users_lock);
  while (goes_on && __atomic_load_n (&self->n_users, __ATOMIC_SEQ_CST) > 0)
    {
      dsq_call_wait (&self->users_cond, &self->users_lock);
      goes_on = dsq_call_check (error);
    }
  dsq_mutex_unlock (&self->users_lock);
  return goes_on;
}

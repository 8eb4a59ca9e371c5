/* dsq-derivation.c - a key from a password, for a call that may be ended meanwhile
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "base/dsq-call-out-private.h"
#include "base/dsq-call-private.h"
#include "base/dsq-fork-private.h"
#include "base/dsq-thread-private.h"
#include "crypto/dsq-derivation-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"

/* Between two looks at whether it is done: a hundredth of what it takes. */
#define LOOK_US 2000

/* Argon2id cannot be broken off. So it is done by a thread, beside which the call looks at whether
 * it is to end. Both own this, and the last one that lets go of it wipes it. */
typedef struct
{
  int ref_count;    /* (atomic) */
  gboolean is_done; /* (atomic) what is below belongs to the call from here on */
  DsqKdfCost cost;
  GBytes *password; /* (owned) a copy, wiped when it is let go of */
  guint8 salt[DSQ_KEY_SALT_LENGTH];
  guint8 key[DSQ_KEY_LENGTH];
  gboolean is_derived;
  GError *error; /* (owned) (nullable) */
} Derivation;

static gboolean
derive (GBytes *password,
        const DsqKdfCost *cost,
        const guint8 salt[DSQ_KEY_SALT_LENGTH],
        guint8 out_key[DSQ_KEY_LENGTH],
        GError **error)
{
  DsqKdfInput input = { .salt = salt, .salt_length = DSQ_KEY_SALT_LENGTH };

  input.password = g_bytes_get_data (password, &input.password_length);
  return dsq_kdf_argon2id (cost, &input, out_key, DSQ_KEY_LENGTH, error);
}

static void
let_go (Derivation *self)
{
  if (__atomic_fetch_sub (&self->ref_count, 1, __ATOMIC_ACQ_REL) > 1)
    return;
  g_bytes_unref (self->password);
  g_clear_error (&self->error);
  dsq_secret_free (self, sizeof *self);
}

static void *
derive_thread (void *data)
{
  Derivation *self = data;

  self->is_derived = derive (self->password, &self->cost, self->salt, self->key, &self->error);
  __atomic_store_n (&self->is_done, TRUE, __ATOMIC_RELEASE);
  let_go (self);
  return NULL;
}

static Derivation *
start (GBytes *password, const DsqKdfCost *cost, const guint8 salt[DSQ_KEY_SALT_LENGTH])
{
  Derivation *self = dsq_secret_new (sizeof *self);
  gsize length;
  const guint8 *bytes = g_bytes_get_data (password, &length);

  self->ref_count = 2;
  self->cost = *cost;
  /* what was passed is the caller's to wipe, when the call has ended */
  self->password = dsq_secret_bytes (bytes, length);
  memcpy (self->salt, salt, sizeof self->salt);
  dsq_thread_start (derive_thread, self);
  return self;
}

/* A child that the caller's function has forked has no thread that derives. */
static gboolean
wait_for (Derivation *self, GError **error)
{
  const guint64 stamp = dsq_fork_get_stamp ();

  while (!__atomic_load_n (&self->is_done, __ATOMIC_ACQUIRE))
    {
      dsq_call_ask ();
      if (!dsq_call_check (error))
        return FALSE;
      if (stamp != dsq_fork_get_stamp ())
        {
          g_set_error_literal (error,
                               DSQ_ERROR,
                               DSQ_ERROR_FORKED,
                               "Failed to derive a key: the call was inherited by fork");
          return FALSE;
        }
      dsq_fork_sleep (LOOK_US);
    }
  return TRUE;
}

gboolean
dsq_derivation_run (GBytes *password,
                    const DsqKdfCost *cost,
                    const guint8 salt[DSQ_KEY_SALT_LENGTH],
                    guint8 out_key[DSQ_KEY_LENGTH],
                    GError **error)
{
  Derivation *self;
  gboolean derived;

  if (!dsq_call_is_watched ())
    return derive (password, cost, salt, out_key, error);
  self = start (password, cost, salt);
  derived = wait_for (self, error);
  if (derived && !self->is_derived)
    {
      g_propagate_error (error, g_steal_pointer (&self->error));
      derived = FALSE;
    }
  if (derived)
    memcpy (out_key, self->key, sizeof self->key);
  let_go (self);
  return derived;
}

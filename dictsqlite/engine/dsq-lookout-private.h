/* dsq-lookout-private.h - a thread that looks for what others have committed
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/dsq-mutex-private.h"
#include "cold/dsq-cold-listener-private.h"

G_BEGIN_DECLS

typedef struct
{
  /* *out_fd, to be closed: it can be read from when somebody has committed or is about to. -1:
   * nobody ever is, and there need be no thread. */
  gboolean (*open) (gpointer user_data, int *out_fd, GError **error);
  /* Learns what there is. Runs on the thread, with no lock held. */
  void (*look) (gpointer user_data);
  /* (nullable) Gives what is to be waited for instead, (transfer full) (nullable). */
  DsqColdListener *(*listen) (gpointer user_data);
} DsqLookoutFuncs;

typedef struct
{
  const DsqLookoutFuncs *funcs; /* (unowned) */
  gpointer user_data;           /* (unowned) */
  DsqMutex lock;
  guint n_users;             /* (lock) */
  gboolean has_thread;       /* (lock) */
  pthread_t thread;          /* (lock) */
  int fd;                    /* (owned) constant while there is a thread; -1: listener */
  DsqColdListener *listener; /* (owned) (nullable) constant while there is a thread */
  GCancellable *cancellable; /* (owned) (nullable) constant while there is a thread: of looks */
  int stop_fd;               /* (owned) constant while there is a thread: an eventfd */
} DsqLookout;

void dsq_lookout_init (DsqLookout *self, const DsqLookoutFuncs *funcs, gpointer user_data);
void dsq_lookout_clear (DsqLookout *self);

/* There is a thread between these, if one is needed. */
gboolean dsq_lookout_enter (DsqLookout *self, GError **error);
void dsq_lookout_leave (DsqLookout *self);
/* Ends the thread, whoever still uses it. */
void dsq_lookout_stop (DsqLookout *self);

G_END_DECLS

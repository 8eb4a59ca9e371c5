/* dsq-cold-listener-private.h - what is told of others' commits when they can be seen
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* For one thread, and without the tier that it is of, which may be closed before. */
typedef struct _DsqColdListener DsqColdListener;

struct _DsqColdListener
{
  /* TRUE: somebody may have committed, and it can be seen. FALSE: @stop_fd can be read from. */
  gboolean (*wait) (DsqColdListener *self, int stop_fd);
  void (*free) (DsqColdListener *self);
};

G_END_DECLS

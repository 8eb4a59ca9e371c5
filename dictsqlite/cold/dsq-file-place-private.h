/* dsq-file-place-private.h - which file a path means
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Where a path leads to. */
typedef struct
{
  char *path; /* (owned) resolved: see dsq_location_resolve() */
  gboolean is_there;
  guint64 device;
  guint64 inode;
} DsqFilePlace;

/* *out_place is to be cleared, after an error too. */
gboolean dsq_file_place_find (const char *path, DsqFilePlace *out_place, GError **error);
/* Whether the file has no other name, under which it would have another log. */
gboolean dsq_file_place_check_names (const DsqFilePlace *place, GError **error);

static inline void
dsq_file_place_clear (DsqFilePlace *place)
{
  g_clear_pointer (&place->path, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DsqFilePlace, dsq_file_place_clear)

G_END_DECLS

/* dsq-empty-place-private.h - where a store can be made, cleared of what lies there
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "sqlite/dsq-work-file-private.h"

G_BEGIN_DECLS

/* Whether there is a file at @path, which then is taken to be empty. */
gboolean dsq_empty_place_has_file (const char *path);

/* Gives the finished @work the name @path, where there is nothing or a file of no bytes, which it
 * takes the place of. An index or an empty log beside it is removed first; one with something in it
 * is an error. That somebody else has made a file there meanwhile is no error. */
gboolean
dsq_empty_place_fill (const char *path, DsqWorkFile *work, guint busy_timeout_ms, GError **error);

G_END_DECLS

/* dsq-sidecars-private.h - what stands beside a store's file, told before SQLite touches it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether what stands beside the file at the resolved @path, which need not be there, can be a
 * store's: no rollback journal with anything in it, and log and index only as plain files of the
 * file's owner, of ours, of root, or of a group that shares the file. Gives an error that names the
 * one which is not: DSQ_ERROR_FORMAT, DSQ_ERROR_NOT_REGULAR or DSQ_ERROR_PERMISSION. */
gboolean dsq_sidecars_check (const char *path, GError **error);

/* For a new file at @path: gives DSQ_ERROR_EXISTS, or where a file of no bytes is there
 * DSQ_ERROR_FORMAT, where there is a log with something in it, which may be all that is left. */
gboolean dsq_sidecars_check_left (const char *path, GError **error);
/* Removes what is left of log and index, both empty or without worth, of a file that is not there.
 */
void dsq_sidecars_remove_left (const char *path);

/* Whether there is nothing beside @path that SQLite would take for a part of it. */
gboolean dsq_sidecars_is_free (const char *path);

G_END_DECLS

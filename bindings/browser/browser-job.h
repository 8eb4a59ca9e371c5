/* browser-job.h - calls of a store by a thread, since any of them may wait for the disk
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

G_BEGIN_DECLS

/* Opens a file that there is; one that may not be written read-only. The error names the path. */
void browser_open_async (GFile *file,
                         GBytes *password,
                         gboolean read_only,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data);
DsqStore *browser_open_finish (GAsyncResult *result, GError **error);

/* An entry as it is: no record where it is missing. */
void
browser_read_async (DsqStore *store, GBytes *key, GAsyncReadyCallback callback, gpointer user_data);
gboolean browser_read_finish (GAsyncResult *result,
                              GBytes **out_record,
                              gint64 *out_milliseconds,
                              GError **error);

/* Its time to live stays as it is. */
#define BROWSER_KEEP_TIME (-1)

/* Sets a key to a record, or removes it where that is NULL, if it still has the expected one, or
 * none where that is NULL. */
void browser_write_async (DsqStore *store,
                          GBytes *key,
                          GBytes *expected,
                          GBytes *record,
                          gint64 milliseconds,
                          GAsyncReadyCallback callback,
                          gpointer user_data);
DsqAnswer browser_write_finish (GAsyncResult *result, GError **error);

/* The names of the tables beside the main one, in their order: a GPtrArray of GBytes. */
void browser_list_tables_async (DsqStore *store, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *browser_list_tables_finish (GAsyncResult *result, GError **error);

G_END_DECLS

/* dsq-open-files-private.h - which files the process has open, each of them once
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "cold/dsq-file-place-private.h"

G_BEGIN_DECLS

/* A file with what has it open, which is shared by its users. It belongs to all of them. */
typedef struct _DsqOpenFile DsqOpenFile;

typedef enum
{
  DSQ_OPEN_FAILED,
  DSQ_OPEN_AGAIN, /* somebody has opened or closed the file meanwhile: look where it is */
  DSQ_OPEN_FIRST, /* the caller is to open it, and to say how that went; others wait until then */
  DSQ_OPEN_JOINED /* the caller uses it as well */
} DsqOpenResult;

/* What was opened to be read serves nobody who writes, and what was opened to be written serves
 * all. Waits while somebody opens or closes the file: DSQ_ERROR_BUSY when the deadline, by the
 * monotonic clock, has passed. The same at once where the path stood for another file when it was
 * opened, which would have the same log. @user: what is to use it. */
DsqOpenResult dsq_open_files_enter (const DsqFilePlace *place,
                                    gboolean read_only,
                                    gpointer user,
                                    gint64 deadline,
                                    DsqOpenFile **out_file,
                                    GError **error);
/* That last reason alone, for who opens a file that is not shared. */
gboolean dsq_open_files_check (const DsqFilePlace *place, GError **error);
/* The first one has opened @what, at the place where the file is now. */
void dsq_open_file_settle (DsqOpenFile *self, gpointer what, const DsqFilePlace *place);
/* Before that: who has it open to be read comes to use it as well, as far as @take agrees, which is
 * called with a lock held. What comes back is those, in no order. */
GPtrArray *dsq_open_file_gather (DsqOpenFile *self,
                                 const DsqFilePlace *place,
                                 gboolean (*take) (gpointer user));
/* What has been opened; while one uses it. */
gpointer dsq_open_file_get (DsqOpenFile *self);
/* TRUE: the caller is the only one, and is to close it; others wait until it has said how that
 * went. */
gboolean dsq_open_file_claim (DsqOpenFile *self);
/* It has been claimed, and stays open. */
void dsq_open_file_release (DsqOpenFile *self);
/* The caller, who has claimed it and closed what there was, or not opened anything, is done. */
void dsq_open_file_end (DsqOpenFile *self);
/* The caller is done, unless it is the only one: FALSE, and it has claimed the file. */
gboolean dsq_open_file_leave (DsqOpenFile *self, gpointer user);

G_END_DECLS

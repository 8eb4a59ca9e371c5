/* fault-record.h - what is written to a store and its log, and what a power cut may leave of it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "fault-vfs.h"

/* What lasts of a folder whose names have changed since it was last synced. */
typedef enum
{
  FOLDER_IN_ORDER, /* all that was changed, as when the system notes names before what files hold */
  FOLDER_LATE,     /* the first few changes */
  N_FOLDER_MODELS
} FolderModel;

/* The file, which was synced, before anything is recorded; then all calls on it and its log. */
void fault_record_start (const guint8 *bytes, gsize length);
void fault_record_stop (void);
void fault_record_end (void);
guint fault_record_get_n_calls (void);

/* What the medium holds when the power fails behind @n_calls of them, which do not become fewer
 * from one image to the next: all that was synced, and of what was written later any part, sector
 * by sector. */
void fault_record_build (guint n_calls,
                         FolderModel model,
                         GRand *random,
                         GByteArray *file,
                         GByteArray *log);

/* dsq-facts-file-private.h - the file that facts of commits are in, beside the store's
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  char *main_path;    /* (owned) of the store's file, resolved */
  char *path;         /* (owned) */
  int descriptor;     /* (owned) -1: there is none */
  gboolean read_only; /* constant: it is not to be written */
  gboolean can_write; /* it can be, as it is open */
} DsqFactsFile;

void dsq_facts_file_init (DsqFactsFile *self, const char *main_path, gboolean read_only);
void dsq_facts_file_clear (DsqFactsFile *self);

/* Opens it if it is of the owner of the store's file, no wider in its mode and has no other name;
 * makes it if it is missing and @makes. FALSE: it stays closed. */
gboolean dsq_facts_file_open (DsqFactsFile *self, gboolean makes);
void dsq_facts_file_close (DsqFactsFile *self);
/* Whether anybody else has it open, or may have. It is open. */
gboolean dsq_facts_file_is_shared (const DsqFactsFile *self);
/* Whether it still is what its name means. */
gboolean dsq_facts_file_has_name (const DsqFactsFile *self);
/* Waits until nobody else who closes the store has the turn, or for a second; makes the file
 * if it is missing. A fork's child has what is not given back. */
void dsq_facts_file_take_turn (DsqFactsFile *self);
void dsq_facts_file_give_turn (const DsqFactsFile *self);
/* Removes the one that lies beside @main_path, unless it is no regular file of one name. */
void dsq_facts_file_remove (const char *main_path);

G_END_DECLS

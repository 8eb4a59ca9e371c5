/* dsq-pickle-notes-private.h - noting what a pickle imports and calls
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "pickle/dsq-pickle-machine-private.h"

G_BEGIN_DECLS

/* --- dsq-pickle-notes.c ----------------------------------------------------------------------- */

/* A fault that is about what was imported, or what a call of it gave: @value, if it is such. */
gboolean dsq_pickle_fail_with (DsqPickleMachine *self, DsqPickleValue value, const char *fault);
/* "module:name" of the fault's import; NULL: it has none. */
char *dsq_pickle_fault_name (DsqPickleMachine *self);
/* An import or a member is used as a value. */
void dsq_pickle_use (DsqPickleMachine *self, DsqPickleValue value);
/* The instance of @node is filled as a list, dict or set is. */
gboolean dsq_pickle_note_fill (DsqPickleMachine *self, guint32 node, DsqPickleKind kind);
void dsq_pickle_calls_free (DsqPickleCalls *calls);

/* --- dsq-pickle-calls.c ----------------------------------------------------------------------- */

gboolean dsq_pickle_import (DsqPickleMachine *self,
                            guint32 module_at,
                            guint32 module_length,
                            guint32 name_at,
                            guint32 name_length);
/* REDUCE: 'R', NEWOBJ: 'N', NEWOBJ_EX: 'X'. */
gboolean dsq_pickle_call (DsqPickleMachine *self, char op);
gboolean dsq_pickle_build (DsqPickleMachine *self);
guint8 *dsq_pickle_report (DsqPickleMachine *self, gsize *out_length, GError **error);

G_END_DECLS

/* dsq-pickle-check-private.h - what a Python pickle would do, without doing it
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Reads all opcodes of @pickle and does none. TRUE: it is sound, and @out_report (g_malloc) tells
 * what it imports and calls, in the form that dsq_pickle_check() documents; NULL where it does
 * neither. FALSE: it is refused, DSQ_ERROR_INVALID_VALUE with reason and offset. */
gboolean dsq_pickle_check_run (const guint8 *pickle,
                               gsize length,
                               guint8 **out_report,
                               gsize *out_length,
                               GError **error);

G_END_DECLS

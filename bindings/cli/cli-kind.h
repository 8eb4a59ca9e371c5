/* cli-kind.h - what kind of file it seems to be
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Told from the first bytes of a file that is no store, in words; or of a folder. NULL with an
 * error where it cannot be read. @out_is_store: it has a store's marks, sound or not; @out_version
 * of its format. */
char *cli_kind_find (const char *path, gboolean *out_is_store, guint *out_version, GError **error);

G_END_DECLS

/* cli-store.h - stores as commands open them
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>

#include "cli-command.h"

G_BEGIN_DECLS

typedef enum
{
  CLI_READ,   /* changes no byte of the file, which must be there */
  CLI_CHANGE, /* the file must be there */
  CLI_MAKE,   /* made where it is missing */
  CLI_FILL    /* the same, for many entries */
} CliPurpose;

/* Whether it leads to a server, and not to a file. */
gboolean cli_store_is_address (const char *path);
/* Whether there is something already that would be opened. */
gboolean cli_store_exists (CliCall *call, const char *path);

/* Opens a store in lazy mode: what is written is on the medium when cli_store_close() has returned.
 * The password is asked for where the file is encrypted and none is given. */
DsqStore *cli_store_open (CliCall *call, const char *path, CliPurpose purpose, GError **error);
/* The same with another password than --password. */
DsqStore *cli_store_open_with (CliCall *call,
                               const CliPassword *password,
                               const char *path,
                               CliPurpose purpose,
                               GError **error);
/* Opens with a password that is known, NULL for none. */
DsqStore *cli_store_open_under (CliCall *call,
                                GBytes *password,
                                const char *path,
                                CliPurpose purpose,
                                GError **error);

/* The table of --table, or the store itself: CLI_MISSING where there is none and it is not made. */
DsqStore *cli_store_table (CliCall *call, DsqStore *store, gboolean makes, GError **error);

/* Flushes and closes, whatever signal has come meanwhile. */
gboolean cli_store_close (DsqStore *store, const char *path, GError **error);

G_END_DECLS

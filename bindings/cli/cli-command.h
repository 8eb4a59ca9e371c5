/* cli-command.h - what a command of dsq is
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "cli-error.h"
#include "cli-password.h"

G_BEGIN_DECLS

typedef enum
{
  CLI_TAKES_TABLE = 1 << 0,        /* --table */
  CLI_TAKES_PASSWORD = 1 << 1,     /* --password-fd, --password-env */
  CLI_TAKES_NEW_PASSWORD = 1 << 2, /* --new-password-fd, --new-password-env */
} CliTakes;

/* How a command was called. */
typedef struct
{
  char **words;              /* (unowned) what is left of the command line */
  guint n_words;             /* of them */
  char *table;               /* (owned) (nullable) --table */
  CliPassword password;      /* of the file */
  CliPassword new_password;  /* of the new file, or that the file is to have */
  GCancellable *cancellable; /* (unowned) cancelled by a signal */
  GBytes *known;             /* (owned) (nullable) the password that a store was last opened with */
} CliCall;

/* FALSE with an error, whose code is the exit status. */
typedef gboolean (*CliRunFunc) (CliCall *call, GError **error);

typedef struct
{
  const char *name;
  const char *arguments; /* "FILE KEY [VALUE]" */
  const char *summary;   /* a sentence */
  const char *more;      /* (nullable) a paragraph */
  guint min_words;
  guint max_words;
  CliTakes takes;
  const GOptionEntry *options; /* (nullable) its own */
  CliRunFunc run;
} CliCommand;

extern const CliCommand cli_get_command;
extern const CliCommand cli_set_command;
extern const CliCommand cli_del_command;
extern const CliCommand cli_keys_command;
extern const CliCommand cli_list_command;
extern const CliCommand cli_watch_command;
extern const CliCommand cli_stat_command;
extern const CliCommand cli_dump_command;
extern const CliCommand cli_load_command;
extern const CliCommand cli_import_command;
extern const CliCommand cli_copy_command;
extern const CliCommand cli_check_command;
extern const CliCommand cli_salvage_command;
extern const CliCommand cli_backup_command;
extern const CliCommand cli_compact_command;
extern const CliCommand cli_passwd_command;
extern const CliCommand cli_encrypt_command;
extern const CliCommand cli_decrypt_command;
extern const CliCommand cli_env_command;

/* What FILE is, whatever it is: for a command line of nothing else. */
gboolean cli_tell_what_it_is (CliCall *call, GError **error);

G_END_DECLS

/* cli-password.h - passwords, which never stand in the command line
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Where a password comes from: a descriptor's next line, an environment variable, or else a
 * question at the terminal. */
typedef struct
{
  const char *option; /* (unowned) of the command line, as in "--password" */
  int fd;             /* -1: none */
  char *variable;     /* (owned) (nullable) the name of one */
} CliPassword;

gboolean cli_password_is_given (const CliPassword *self);

/* The password, some bytes at least; CLI_PASSWORD where there is none. At the terminal @prompt is
 * asked, twice where @is_new. */
GBytes *
cli_password_get (const CliPassword *self, const char *prompt, gboolean is_new, GError **error);

G_END_DECLS

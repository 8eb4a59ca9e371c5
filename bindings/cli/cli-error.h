/* cli-error.h - how a command of dsq ends
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Exit statuses, which are also the codes of the command's own errors. One that a signal ended has
 * 128 and the signal's number. */
typedef enum
{
  CLI_DONE = 0,
  CLI_MISSING = 1,  /* the key is not there */
  CLI_USAGE = 2,    /* the command line is wrong */
  CLI_FAILED = 3,   /* a file could not be read or written */
  CLI_PASSWORD = 4, /* the password is wrong, or there is none */
  CLI_DAMAGED = 5   /* what was read is damaged, or not what it should be */
} CliStatus;

#define CLI_ERROR (cli_error_quark ())

GQuark cli_error_quark (void);

void cli_set_error (GError **error, CliStatus status, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* Puts what the error is about before its message, unless that names it. */
void cli_prefix_error (GError **error, const char *what);

CliStatus cli_status_of (const GError *error);

/* One line on standard error, without anything that a terminal would obey. */
void cli_print_error (const char *message);

G_END_DECLS

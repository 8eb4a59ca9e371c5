/* cli-password.c - passwords, which never stand in the command line
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "cli-password.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli-error.h"
#include "cli-signal.h"

#define MAX_LENGTH 65536 /* bytes */

typedef struct
{
  gsize length;
  guint8 bytes[MAX_LENGTH];
} Secret;

static void
secret_free (gpointer data)
{
  explicit_bzero (data, sizeof (Secret));
  g_free (data);
}

/* Bytes that are wiped when the last reference goes. */
static GBytes *
seal (Secret *secret)
{
  return g_bytes_new_with_free_func (secret->bytes, secret->length, secret_free, secret);
}

/* Reads up to the end of the line and no further: what follows may be another password, or data. */
static Secret *
read_line (int fd, GError **error)
{
  Secret *secret = g_new0 (Secret, 1);

  while (secret->length < MAX_LENGTH)
    {
      gssize n_read;

      if (!cli_signal_wait_for (fd, G_IO_IN, error))
        break;
      n_read = read (fd, &secret->bytes[secret->length], 1);
      if (n_read < 0 && errno == EINTR)
        continue;
      if (n_read < 0)
        {
          cli_set_error (error,
                         CLI_PASSWORD,
                         "Failed to read the password from descriptor %d: %s",
                         fd,
                         g_strerror (errno));
          break;
        }
      if (n_read == 0 || secret->bytes[secret->length] == '\n')
        return secret;
      secret->length++;
    }
  if (secret->length == MAX_LENGTH)
    cli_set_error (error, CLI_PASSWORD, "the password is longer than 65535 bytes");
  secret_free (secret);
  return NULL;
}

/* --- at the terminal -------------------------------------------------------------------------- */

static gboolean
write_all (int fd, const char *text)
{
  gsize length = strlen (text);

  return write (fd, text, length) == (gssize) length;
}

static Secret *
ask_without_echo (int fd, const char *prompt, GError **error)
{
  struct termios before, silent;
  Secret *secret;

  if (tcgetattr (fd, &before) != 0)
    {
      cli_set_error (error, CLI_PASSWORD, "there is no terminal to ask for the password");
      return NULL;
    }
  silent = before;
  silent.c_lflag &= ~(tcflag_t) (ECHO | ECHOE | ECHOK | ECHONL);
  tcsetattr (fd, TCSAFLUSH, &silent);
  secret = write_all (fd, prompt) ? read_line (fd, error) : NULL;
  tcsetattr (fd, TCSAFLUSH, &before);
  write_all (fd, "\n");
  return secret;
}

static Secret *
ask (int fd, const char *prompt, gboolean is_new, GError **error)
{
  g_autofree char *again = g_strdup_printf ("%s (again): ", prompt);
  g_autofree char *once = g_strdup_printf ("%s: ", prompt);
  Secret *first = ask_without_echo (fd, once, error);
  Secret *second = first != NULL && is_new ? ask_without_echo (fd, again, error) : NULL;
  gboolean differs = second != NULL && (first->length != second->length ||
                                        memcmp (first->bytes, second->bytes, first->length) != 0);

  if (first == NULL || !is_new || (second != NULL && !differs))
    {
      g_clear_pointer (&second, secret_free);
      return first;
    }
  if (differs)
    cli_set_error (error, CLI_PASSWORD, "the two passwords are not the same");
  g_clear_pointer (&second, secret_free);
  secret_free (first);
  return NULL;
}

/* --- wherever it comes from ------------------------------------------------------------------- */

static Secret *
ask_at_terminal (const CliPassword *self, const char *prompt, gboolean is_new, GError **error)
{
  /* standard input may be data */
  int fd = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  Secret *secret;

  if (fd < 0)
    {
      cli_set_error (error,
                     CLI_PASSWORD,
                     "a password is needed: give %s-fd or %s-env, or call it at a terminal",
                     self->option,
                     self->option);
      return NULL;
    }
  secret = ask (fd, prompt, is_new, error);
  close (fd);
  return secret;
}

static Secret *
copy_variable (const char *name, GError **error)
{
  const char *value = g_getenv (name);
  gsize length = value != NULL ? strlen (value) : 0;
  Secret *secret;

  if (value == NULL || length >= MAX_LENGTH)
    {
      cli_set_error (error,
                     CLI_PASSWORD,
                     value == NULL ? "there is no environment variable %s"
                                   : "the password in %s is longer than 65535 bytes",
                     name);
      return NULL;
    }
  secret = g_new0 (Secret, 1);
  memcpy (secret->bytes, value, length);
  secret->length = length;
  return secret;
}

gboolean
cli_password_is_given (const CliPassword *self)
{
  return self->fd >= 0 || self->variable != NULL;
}

GBytes *
cli_password_get (const CliPassword *self, const char *prompt, gboolean is_new, GError **error)
{
  Secret *secret;

  if (self->fd >= 0)
    secret = read_line (self->fd, error);
  else if (self->variable != NULL)
    secret = copy_variable (self->variable, error);
  else
    secret = ask_at_terminal (self, prompt, is_new, error);
  if (secret == NULL)
    return NULL;
  if (secret->length == 0)
    {
      secret_free (secret);
      cli_set_error (error, CLI_PASSWORD, "the password is empty");
      return NULL;
    }
  return seal (secret);
}

/* dsq-server-address.c - which server a path means, and which store there
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-server-address-private.h"
#include "dsq-error.h"

#define DEFAULT_NAME         "main"
#define DEFAULT_STALENESS_MS 1000
#define MAX_STALENESS_MS     (60 * 60 * 1000)
#define MAX_NAME             200

static const char *const schemes[] = { "postgresql://", "postgres://" };

/* libpq's parameters that are secrets, of all its versions: what an older one does not know, and
 * what none marks as such, is kept from being shown as well. */
static const char *const secrets[] = {
  "password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key", NULL
};

static const char *
skip_scheme (const char *path)
{
  for (guint i = 0; i < G_N_ELEMENTS (schemes); i++)
    if (g_ascii_strncasecmp (path, schemes[i], strlen (schemes[i])) == 0)
      return path + strlen (schemes[i]);
  return NULL;
}

gboolean
dsq_server_is_address (const char *path)
{
  return path != NULL && skip_scheme (path) != NULL;
}

static gboolean
refuse (const char *cause, GError **error)
{
  g_set_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT, "Failed to open the store: %s", cause);
  return FALSE;
}

static gboolean
refuse_password (GError **error)
{
  return refuse ("an address holds no password, since addresses are shown: put it in the file "
                 "~/.pgpass, or in the environment as PGPASSWORD",
                 error);
}

gboolean
dsq_server_address_refuse_secret (const char *parameter, GError **error)
{
  if (g_str_equal (parameter, "password"))
    return refuse_password (error);
  return refuse ("an address holds no secret, since addresses are shown: put it in the file "
                 "~/.pg_service.conf, and the service of it in the address",
                 error);
}

/* To libpq all before the first "@" is a user and a password, unless a "/" comes first. Who means
 * another "@" has shown what he took for a password as well. */
static gboolean
has_password (const char *authority)
{
  const char *first = authority + strcspn (authority, "@/");
  const char *last = g_strrstr_len (authority, (gssize) strcspn (authority, "/?#"), "@");
  const char *at = last != NULL ? last : first;

  return *at == '@' && memchr (authority, ':', (gsize) (at - authority)) != NULL;
}

/* Where the parameters begin, as libpq has it: behind the user, in whose name a "?" may be. NULL
 * where there are none. */
static const char *
find_query (const char *authority)
{
  const char *first = authority + strcspn (authority, "@/");

  return strchr (*first == '@' ? first : authority, '?');
}

/* Where libpq looks for the end of it, a "?" begins no parameters. */
static gboolean
has_open_bracket (const char *authority, gsize length)
{
  const char *open = g_strrstr_len (authority, (gssize) length, "[");

  return open != NULL && memchr (open, ']', length - (gsize) (open - authority)) == NULL;
}

/* Whether the parameters behind so many bytes are no part of a user or password to libpq, now that
 * ours are gone, of which one may have had a "/". */
static gboolean
is_read_alike (const char *authority, gsize length)
{
  const gsize first = strcspn (authority, "@/");

  return authority[first] != '@' || first < length;
}

static gboolean
take_name (DsqServerAddress *self, const char *value, GError **error)
{
  g_free (self->name);
  self->name = g_uri_unescape_string (value, NULL);
  if (self->name != NULL && *self->name != '\0' && strlen (self->name) <= MAX_NAME &&
      g_utf8_validate (self->name, -1, NULL))
    return TRUE;
  return refuse ("the table of an address is a name of at most 200 bytes", error);
}

static gboolean
take_staleness (DsqServerAddress *self, const char *value, GError **error)
{
  guint64 milliseconds;

  if (!g_ascii_string_to_unsigned (value, 10, 0, MAX_STALENESS_MS, &milliseconds, NULL))
    return refuse ("the max_staleness of an address is a number of milliseconds, at most an hour",
                   error);
  self->max_staleness_ms = (guint) milliseconds;
  return TRUE;
}

/* One parameter, which is ours or goes on to libpq. */
static gboolean
take_parameter (DsqServerAddress *self, const char *parameter, GString *rest, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *plain = NULL;
  const char *equals = strchr (parameter, '=');

  if (equals == NULL)
    return *parameter == '\0' || refuse ("a parameter of an address has no value", error);
  name = g_strndup (parameter, (gsize) (equals - parameter));
  /* libpq reads the names unescaped */
  plain = g_uri_unescape_string (name, NULL);
  if (plain == NULL)
    return refuse ("a parameter of an address cannot be read", error);
  if (g_str_equal (plain, "table"))
    return take_name (self, equals + 1, error);
  if (g_str_equal (plain, "max_staleness"))
    return take_staleness (self, equals + 1, error);
  if (g_strv_contains (secrets, plain))
    return dsq_server_address_refuse_secret (plain, error);
  g_string_append_c (rest, rest->len == 0 ? '?' : '&');
  g_string_append (rest, parameter);
  return TRUE;
}

gboolean
dsq_server_address_parse (DsqServerAddress *self, const char *path, GError **error)
{
  const char *authority = skip_scheme (path);
  const char *query = find_query (authority);
  g_autoptr (GString) rest = g_string_new (NULL);
  g_auto (GStrv) parameters = g_strsplit (query != NULL ? query + 1 : "", "&", -1);
  gsize length = query != NULL ? (gsize) (query - authority) : strlen (authority);
  gboolean success = (!has_password (authority) || refuse_password (error)) &&
                     (!has_open_bracket (authority, length) ||
                      refuse ("a host of an address has a \"[\" and no \"]\"", error));

  *self = (DsqServerAddress){ NULL, g_strdup (DEFAULT_NAME), DEFAULT_STALENESS_MS };
  for (guint i = 0; success && parameters[i] != NULL; i++)
    success = take_parameter (self, parameters[i], rest, error);
  self->uri = g_strdup_printf ("postgresql://%.*s%s", (int) length, authority, rest->str);
  if (success && !is_read_alike (skip_scheme (self->uri), length))
    success = refuse ("an \"@\" in a parameter of an address is written %40", error);
  if (!success)
    dsq_server_address_clear (self);
  return success;
}

gboolean
dsq_server_address_check (const char *path, GError **error)
{
  g_auto (DsqServerAddress) address = { 0 };

  return dsq_server_address_parse (&address, path, error);
}

void
dsq_server_address_clear (DsqServerAddress *self)
{
  g_clear_pointer (&self->uri, g_free);
  g_clear_pointer (&self->name, g_free);
}

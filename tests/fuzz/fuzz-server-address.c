/* fuzz-server-address.c - any text as the address of a store on a server
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "cold/postgresql/dsq-libpq-private.h"
#include "cold/postgresql/dsq-server-address-private.h"
#include "driver.h"
#include "dsq-error.h"

#define MAX_STALENESS_MS (60 * 60 * 1000)
#define MAX_NAME         200

/* What stands behind the scheme. */
const FuzzSeed fuzz_seeds[] = {
  FUZZ_SEED ("user@host:5432/database?table=name&max_staleness=10&sslmode=require"),
  FUZZ_SEED ("/database?host=/run/postgresql&table=a%20name"),
  FUZZ_SEED ("one:1,[::1]:2,three/database?target_session_attrs=any"),
  FUZZ_SEED ("user:word@host/"),
  FUZZ_SEED ("user@host?password=word"),
  FUZZ_SEED ("host?sslpasswor%64=word&p%61ssword=word"),
  FUZZ_SEED ("host?oauth_client_secret=word&scram_client_ke%79=word"),
  FUZZ_SEED ("?table=%C3%A4&table=b&max_staleness=0"),
  FUZZ_SEED ("us%3Aer@ho%40st/a%2Fb#c"),
  FUZZ_SEED ("user:wo#rd@host/"),
  FUZZ_SEED ("user:wo?x=rd@host/"),
  FUZZ_SEED ("us?er@host?password=word"),
  FUZZ_SEED ("[::1?x=]?password=word"),
  FUZZ_SEED ("user@host:5432?application_name=a@b"),
  FUZZ_SEED ("us:er?table=a/b&application_name=@"),
};
const size_t n_fuzz_seeds = G_N_ELEMENTS (fuzz_seeds);

/* What libpq reads in it, if it can: no secret, since an address is shown. */
static void
check_for_libpq (const char *uri)
{
  const DsqLibpq *pq = dsq_libpq_load (NULL);
  PQconninfoOption *options;
  char *message = NULL;

  if (pq == NULL)
    return;
  options = pq->conninfoParse (uri, &message);
  pq->freemem (message);
  if (options == NULL)
    return;
  for (guint i = 0; options[i].keyword != NULL; i++)
    if (g_strcmp0 (options[i].dispchar, "*") == 0)
      g_assert_cmpstr (options[i].val, ==, NULL);
  pq->conninfoFree (options);
}

int
LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t length)
{
  g_autofree char *text = g_strndup ((const char *) bytes, length);
  g_autofree char *path =
      g_strconcat (length % 2 == 0 ? "postgresql://" : "Postgres://", text, NULL);
  g_auto (DsqServerAddress) address = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (dsq_server_is_address (path));
  if (!dsq_server_address_parse (&address, path, &error))
    {
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      g_assert_false (dsq_server_address_check (path, NULL));
      return 0;
    }
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (address.uri, "postgresql://"));
  g_assert_cmpuint (strlen (address.uri), <=, strlen ("postgresql://") + length);
  g_assert_cmpuint (strlen (address.name) - 1, <, MAX_NAME);
  g_assert_true (g_utf8_validate (address.name, -1, NULL));
  g_assert_cmpuint (address.max_staleness_ms, <=, MAX_STALENESS_MS);
  check_for_libpq (address.uri);
  return 0;
}

/* dsq-libpq.c - PostgreSQL's client library, loaded when it is first needed
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dlfcn.h>

#include "cold/postgresql/dsq-libpq-private.h"
#include "dsq-error.h"

#define LIBRARY "libpq.so.5"

static DsqLibpq functions;
static gboolean is_loaded;

static gboolean
find (void *library, const char *name, void *out_function)
{
  void *function = dlsym (library, name);

  *(void **) out_function = function;
  return function != NULL;
}

static gboolean
load (void)
{
  void *library = dlopen (LIBRARY, RTLD_NOW | RTLD_LOCAL);
  gboolean has_all = library != NULL;

#define FIND(Returns, name, arguments)                                                             \
  has_all = has_all && find (library, "PQ" #name, &functions.name);
  DSQ_LIBPQ_FUNCTIONS (FIND)
#undef FIND
  return has_all;
}

const DsqLibpq *
dsq_libpq_load (GError **error)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      is_loaded = load ();
      g_once_init_leave (&once, 1);
    }
  if (is_loaded)
    return &functions;
  g_set_error_literal (error,
                       DSQ_ERROR,
                       DSQ_ERROR_NOT_SUPPORTED,
                       "Failed to open the store: PostgreSQL's client library, " LIBRARY
                       ", is not installed");
  return NULL;
}

/* dsq-secret.c - memory for keys and passwords
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <sys/mman.h>
#include <unistd.h>

#include "crypto/dsq-secret-private.h"

typedef struct
{
  gpointer secret; /* (owned) */
  gsize length;
} SecretBytes;

static guint64 n_unlocked; /* (atomic) */

guint64
dsq_secret_get_n_unlocked (void)
{
  return __atomic_load_n (&n_unlocked, __ATOMIC_RELAXED);
}

static gsize
whole_pages (gsize length)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);

  return (MAX (length, 1) + page - 1) / page * page;
}

/* What the kernel or the limits do not allow is gone without: a store that could not be opened for
 * want of locked memory would serve nobody. */
gpointer
dsq_secret_new (gsize length)
{
  gsize size = whole_pages (length);
  gpointer secret = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (secret == MAP_FAILED)
    g_error ("Failed to allocate %" G_GSIZE_FORMAT " bytes for keys", size);
  madvise (secret, size, MADV_DONTDUMP);
  madvise (secret, size, MADV_WIPEONFORK);
  /* pages that are never touched take no memory */
  if (mlock2 (secret, size, MLOCK_ONFAULT) != 0)
    __atomic_fetch_add (&n_unlocked, 1, __ATOMIC_RELAXED);
  return secret;
}

void
dsq_secret_free (gpointer secret, gsize length)
{
  if (secret == NULL)
    return;
  explicit_bzero (secret, length);
  munmap (secret, whole_pages (length));
}

static void
free_bytes (gpointer user_data)
{
  SecretBytes *bytes = user_data;

  dsq_secret_free (bytes->secret, bytes->length);
  g_free (bytes);
}

GBytes *
dsq_secret_bytes (const guint8 *data, gsize length)
{
  SecretBytes *bytes = g_new (SecretBytes, 1);

  bytes->length = length;
  bytes->secret = dsq_secret_new (length);
  if (length > 0)
    memcpy (bytes->secret, data, length);
  return g_bytes_new_with_free_func (bytes->secret, length, free_bytes, bytes);
}

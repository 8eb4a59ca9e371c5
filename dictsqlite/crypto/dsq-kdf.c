/* dsq-kdf.c - keys from passwords and keys: Argon2id, HKDF and HMAC
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <argon2.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <sys/mman.h>

#include "base/dsq-fork-private.h"
#include "crypto/dsq-kdf-private.h"
#include "crypto/dsq-secret-private.h"
#include "dsq-error.h"

G_STATIC_ASSERT (DSQ_KDF_HASH_LENGTH == SHA256_DIGEST_SIZE);

static gboolean
is_within (guint32 number, guint32 least, guint32 most)
{
  return number >= least && number <= most;
}

gboolean
dsq_kdf_cost_is_sound (const DsqKdfCost *cost)
{
  return is_within (cost->memory, DSQ_KDF_MIN_MEMORY, DSQ_KDF_MAX_MEMORY) &&
         is_within (cost->passes, DSQ_KDF_MIN_PASSES, DSQ_KDF_MAX_PASSES) &&
         is_within (cost->lanes, DSQ_KDF_MIN_LANES, DSQ_KDF_MAX_LANES);
}

guint64
dsq_kdf_cost_weigh (const DsqKdfCost *cost)
{
  return ((guint64) cost->memory << 10) * cost->passes;
}

/* Memory that is given back at once when it is done with, and is in no core dump: malloc() might
 * keep it. */
static int
allocate_cb (uint8_t **out_memory, size_t length)
{
  void *memory = mmap (NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (memory == MAP_FAILED)
    return ARGON2_MEMORY_ALLOCATION_ERROR;
  madvise (memory, length, MADV_DONTDUMP);
  *out_memory = memory;
  return ARGON2_OK;
}

static void
free_cb (uint8_t *memory, size_t length)
{
  munmap (memory, length);
}

/* The library takes its input without const, and changes none of it without its flags. */
gboolean
dsq_kdf_argon2id (const DsqKdfCost *cost,
                  const DsqKdfInput *input,
                  guint8 *out,
                  gsize out_length,
                  GError **error)
{
  argon2_context context = {
    .out = out,
    .outlen = (guint32) out_length,
    .pwd = (guint8 *) input->password,
    .pwdlen = (guint32) input->password_length,
    .salt = (guint8 *) input->salt,
    .saltlen = (guint32) input->salt_length,
    .secret = (guint8 *) input->secret,
    .secretlen = (guint32) input->secret_length,
    .ad = (guint8 *) input->associated,
    .adlen = (guint32) input->associated_length,
    .t_cost = cost->passes,
    .m_cost = cost->memory,
    .lanes = cost->lanes,
    .threads = cost->lanes,
    .version = ARGON2_VERSION_13,
    .allocate_cbk = allocate_cb,
    .free_cbk = free_cb,
    .flags = ARGON2_DEFAULT_FLAGS,
  };
  int code = ARGON2_PWD_TOO_LONG;
  guint depth = dsq_fork_pause ();

  if (input->password_length <= G_MAXUINT32)
    code = argon2id_ctx (&context);
  /* a thread for each lane is quicker, and not needed */
  if (code == ARGON2_THREAD_FAIL)
    {
      context.threads = 1;
      code = argon2id_ctx (&context);
    }
  dsq_fork_resume (depth);
  if (code == ARGON2_OK)
    return TRUE;
  g_set_error (error,
               DSQ_ERROR,
               DSQ_ERROR_FAILED,
               "Failed to derive a key from the password: %s",
               argon2_error_message (code));
  return FALSE;
}

void
dsq_kdf_hkdf (const guint8 *secret,
              gsize secret_length,
              const guint8 *salt,
              gsize salt_length,
              const guint8 *info,
              gsize info_length,
              guint8 *out,
              gsize out_length)
{
  static const guint8 no_salt[SHA256_DIGEST_SIZE] = { 0 };
  struct hmac_sha256_ctx context;
  guint8 key[SHA256_DIGEST_SIZE];

  if (salt_length == 0)
    hmac_sha256_set_key (&context, sizeof no_salt, no_salt);
  else
    hmac_sha256_set_key (&context, salt_length, salt);
  hkdf_extract (&context,
                (nettle_hash_update_func *) hmac_sha256_update,
                (nettle_hash_digest_func *) hmac_sha256_digest,
                SHA256_DIGEST_SIZE,
                secret_length,
                secret,
                key);
  hmac_sha256_set_key (&context, sizeof key, key);
  hkdf_expand (&context,
               (nettle_hash_update_func *) hmac_sha256_update,
               (nettle_hash_digest_func *) hmac_sha256_digest,
               SHA256_DIGEST_SIZE,
               info_length,
               info,
               out_length,
               out);
  dsq_secret_wipe (&context, sizeof context);
  dsq_secret_wipe (key, sizeof key);
}

void
dsq_kdf_hmac (const guint8 *key,
              gsize key_length,
              const guint8 *data,
              gsize length,
              guint8 out[DSQ_KDF_HASH_LENGTH])
{
  struct hmac_sha256_ctx context;

  hmac_sha256_set_key (&context, key_length, key);
  hmac_sha256_update (&context, length, data);
  hmac_sha256_digest (&context, SHA256_DIGEST_SIZE, out);
  dsq_secret_wipe (&context, sizeof context);
}

gboolean
dsq_kdf_equal (const guint8 *a, const guint8 *b, gsize length)
{
  return memeql_sec (a, b, length);
}

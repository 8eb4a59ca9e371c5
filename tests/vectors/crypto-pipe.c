/* crypto-pipe.c - the crypto room behind a pipe, for test_vectors.py
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each line of the input is the name of a function and its arguments: bytes in hexadecimal, "-" for
 * none, and numbers. Each line of the output is bytes in hexadecimal, "-" for none, or "refused".
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/dsq-cipher-private.h"
#include "crypto/dsq-kdf-private.h"

#define MAX_ARGUMENTS 8

static GByteArray *
read_bytes (const char *text)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; g_ascii_isxdigit (text[0]) && g_ascii_isxdigit (text[1]); text += 2)
    {
      guint8 byte = (guint8) (g_ascii_xdigit_value (text[0]) << 4 | g_ascii_xdigit_value (text[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

static void
write_bytes (const guint8 *bytes, gsize length)
{
  for (gsize i = 0; i < length; i++)
    printf ("%02x", bytes[i]);
  printf (length == 0 ? "-\n" : "\n");
}

/* The cipher for a nonce of either length; gives the part of the nonce that is GCM's. */
static const guint8 *
set_cipher (DsqCipher *cipher, const GByteArray *key, const GByteArray *nonce)
{
  DsqXaes xaes;

  g_assert_cmpuint (key->len, ==, DSQ_CIPHER_KEY_LENGTH);
  if (nonce->len == DSQ_CIPHER_NONCE_LENGTH)
    {
      dsq_cipher_init (cipher, key->data);
      return nonce->data;
    }
  g_assert_cmpuint (nonce->len, ==, DSQ_XAES_NONCE_LENGTH);
  dsq_xaes_init (&xaes, key->data);
  dsq_xaes_derive (&xaes, nonce->data, cipher);
  return nonce->data + DSQ_XAES_PREFIX_LENGTH;
}

/* seal KEY NONCE AAD PLAIN */
static void
seal (GByteArray **arguments)
{
  GByteArray *data = arguments[3];
  guint length = data->len;
  DsqCipher cipher;
  const guint8 *nonce = set_cipher (&cipher, arguments[0], arguments[1]);

  g_byte_array_set_size (data, length + DSQ_CIPHER_TAG_LENGTH);
  dsq_cipher_seal (&cipher,
                   nonce,
                   arguments[2]->data,
                   arguments[2]->len,
                   data->data,
                   length,
                   data->data + length);
  write_bytes (data->data, data->len);
}

/* unseal KEY NONCE AAD SEALED-WITH-TAG */
static void
unseal (GByteArray **arguments)
{
  const GByteArray *sealed = arguments[3];
  g_autofree guint8 *out = NULL;
  DsqCipher cipher;
  const guint8 *nonce = set_cipher (&cipher, arguments[0], arguments[1]);
  gsize length;

  g_assert_cmpuint (sealed->len, >=, DSQ_CIPHER_TAG_LENGTH);
  length = sealed->len - DSQ_CIPHER_TAG_LENGTH;
  out = g_malloc (length + 1);
  if (dsq_cipher_unseal (&cipher,
                         nonce,
                         arguments[2]->data,
                         arguments[2]->len,
                         sealed->data,
                         length,
                         sealed->data + length,
                         out))
    {
      write_bytes (out, length);
      return;
    }
  for (gsize i = 0; i < length; i++)
    g_assert_cmpuint (out[i], ==, 0);
  printf ("refused\n");
}

/* hmac KEY DATA */
static void
hmac (GByteArray **arguments)
{
  guint8 out[DSQ_KDF_HASH_LENGTH];

  dsq_kdf_hmac (arguments[0]->data, arguments[0]->len, arguments[1]->data, arguments[1]->len, out);
  write_bytes (out, sizeof out);
}

/* hkdf LENGTH SECRET SALT INFO */
static void
hkdf (gsize length, GByteArray **arguments)
{
  g_autofree guint8 *out = g_malloc (length);

  dsq_kdf_hkdf (arguments[0]->data,
                arguments[0]->len,
                arguments[1]->data,
                arguments[1]->len,
                arguments[2]->data,
                arguments[2]->len,
                out,
                length);
  write_bytes (out, length);
}

/* argon2id MEMORY PASSES LANES LENGTH PASSWORD SALT SECRET ASSOCIATED */
static void
argon2id (const DsqKdfCost *cost, gsize length, GByteArray **arguments)
{
  g_autofree guint8 *out = g_malloc (length);
  const DsqKdfInput input = {
    .password = arguments[0]->data,
    .password_length = arguments[0]->len,
    .salt = arguments[1]->data,
    .salt_length = arguments[1]->len,
    .secret = arguments[2]->data,
    .secret_length = arguments[2]->len,
    .associated = arguments[3]->data,
    .associated_length = arguments[3]->len,
  };

  if (dsq_kdf_argon2id (cost, &input, out, length, NULL))
    write_bytes (out, length);
  else
    printf ("refused\n");
}

static void
run (char **words)
{
  guint n_numbers = g_str_equal (words[0], "argon2id") ? 4 : g_str_equal (words[0], "hkdf") ? 1 : 0;
  guint n_words = g_strv_length (words);
  gsize numbers[4] = { 0 };
  GByteArray *arguments[MAX_ARGUMENTS] = { NULL };
  guint n_arguments = n_words - 1 - n_numbers;

  g_assert_cmpuint (n_words, >, n_numbers);
  g_assert_cmpuint (n_arguments, <=, MAX_ARGUMENTS);
  for (guint i = 0; i < n_numbers; i++)
    numbers[i] = (gsize) strtoul (words[1 + i], NULL, 10);
  for (guint i = 0; i < n_arguments; i++)
    arguments[i] = read_bytes (words[1 + n_numbers + i]);

  if (g_str_equal (words[0], "seal"))
    seal (arguments);
  else if (g_str_equal (words[0], "unseal"))
    unseal (arguments);
  else if (g_str_equal (words[0], "hmac"))
    hmac (arguments);
  else if (g_str_equal (words[0], "hkdf"))
    hkdf (numbers[0], arguments);
  else if (g_str_equal (words[0], "argon2id"))
    {
      const DsqKdfCost cost = { (guint32) numbers[0], (guint32) numbers[1], (guint32) numbers[2] };

      argon2id (&cost, numbers[3], arguments);
    }
  else
    g_error ("no function is called %s", words[0]);
  for (guint i = 0; i < n_arguments; i++)
    g_byte_array_unref (arguments[i]);
}

int
main (void)
{
  char *line = NULL; /* by malloc() */
  size_t size = 0;

  while (getline (&line, &size, stdin) > 0)
    {
      g_auto (GStrv) words = g_strsplit (g_strchomp (line), " ", -1);

      run (words);
      fflush (stdout);
    }
  free (line);
  return 0;
}

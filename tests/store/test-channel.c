/* test-channel.c - batches of operations, and a descriptor that tells when they are done
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <string.h>

#include "async-support.h"

/* A pack under way: its items, and the lengths that go before them. */
typedef struct
{
  GByteArray *lengths; /* (owned) */
  GByteArray *bytes;   /* (owned) */
  guint32 n_items;
} Packer;

static void
packer_add (Packer *self, const void *item, guint32 length)
{
  if (self->lengths == NULL)
    {
      self->lengths = g_byte_array_new ();
      self->bytes = g_byte_array_new ();
    }
  g_byte_array_append (self->lengths, (const guint8 *) &length, sizeof length);
  g_byte_array_append (self->bytes, item, length);
  self->n_items++;
}

/* Frees the packer. */
static GBytes *
packer_end (Packer *self)
{
  GByteArray *whole = g_byte_array_new ();

  g_byte_array_append (whole, (const guint8 *) &self->n_items, sizeof self->n_items);
  g_byte_array_append (whole, self->lengths->data, self->lengths->len);
  g_byte_array_append (whole, self->bytes->data, self->bytes->len);
  g_byte_array_unref (self->lengths);
  g_byte_array_unref (self->bytes);
  return g_byte_array_free_to_bytes (whole);
}

/* A pack of operations: their bytes, then arguments that are C strings. */
static GBytes *
operations (const char *kinds, ...)
{
  Packer packer = { NULL };
  const char *argument;
  va_list arguments;

  packer_add (&packer, kinds, (guint32) strlen (kinds));
  va_start (arguments, kinds);
  while ((argument = va_arg (arguments, const char *)) != NULL)
    packer_add (&packer, argument, (guint32) strlen (argument));
  va_end (arguments);
  return packer_end (&packer);
}

static GPtrArray *
unpack (const guint8 *pack, gsize length)
{
  GPtrArray *items = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  const guint8 *bytes;
  guint32 n_items;

  memcpy (&n_items, pack, sizeof n_items);
  bytes = pack + 4 + 4 * (gsize) n_items;
  for (guint32 i = 0; i < n_items; i++)
    {
      guint32 item_length;

      memcpy (&item_length, pack + 4 + 4 * (gsize) i, sizeof item_length);
      g_ptr_array_add (items, g_bytes_new (bytes, item_length));
      bytes += item_length;
    }
  g_assert_true (bytes == pack + length);
  return items;
}

static gboolean
has_results (DsqChannel *channel, int timeout_ms)
{
  struct pollfd poll_fd = { .fd = dsq_channel_get_fd (channel), .events = POLLIN };

  return poll (&poll_fd, 1, timeout_ms) == 1;
}

/* The results of the one batch that is under way, the ticket first. */
static GPtrArray *
wait_for_results (DsqChannel *channel, guint64 ticket)
{
  g_autofree guint8 *pack = NULL;
  GPtrArray *items;
  gsize length;

  g_assert_cmpuint (ticket, >, 0);
  do
    {
      g_assert_true (has_results (channel, 60000));
      g_free (pack);
      pack = dsq_channel_collect (channel, &length);
    }
  while (length == 0);
  items = unpack (pack, length);
  g_assert_cmpmem (g_bytes_get_data (items->pdata[0], NULL),
                   g_bytes_get_size (items->pdata[0]),
                   &ticket,
                   sizeof ticket);
  return items;
}

static GPtrArray *
submit_and_wait (DsqChannel *channel, GBytes *pack)
{
  g_autoptr (GBytes) owned = pack;
  g_autoptr (GError) error = NULL;
  guint64 ticket = dsq_channel_submit (channel,
                                       g_bytes_get_data (owned, NULL),
                                       g_bytes_get_size (owned),
                                       &error);

  g_assert_no_error (error);
  return wait_for_results (channel, ticket);
}

/* The first item is the ticket. */
static void
assert_result (GPtrArray *items, guint at, const char *expected)
{
  GBytes *item = g_ptr_array_index (items, at + 1);

  g_assert_cmpmem (g_bytes_get_data (item, NULL),
                   g_bytes_get_size (item),
                   expected,
                   strlen (expected));
}

static DsqChannel *
open_channel (Fixture *self)
{
  g_autoptr (GError) error = NULL;
  DsqChannel *channel = dsq_store_open_channel (self->store, &error);

  g_assert_no_error (error);
  return channel;
}

#define TRUE_RESULT  "\1"
#define FALSE_RESULT "\2"

static void
test_operations (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (GPtrArray) written = NULL;
  g_autoptr (GPtrArray) read = NULL;
  gint64 count;
  GBytes *counted;
  gsize length;

  written = submit_and_wait (channel, operations ("ssf", "a", "\3one", "b", "\3two", NULL));
  assert_result (written, 0, TRUE_RESULT);
  assert_result (written, 1, TRUE_RESULT);
  assert_result (written, 2, TRUE_RESULT);
  if (GPOINTER_TO_INT (data) != DSQ_PERSIST_MEMORY)
    {
      g_clear_object (&channel);
      reopen (self, GPOINTER_TO_INT (data));
      channel = open_channel (self);
    }
  read = submit_and_wait (channel, operations ("ggccn", "b", "none", "a", "none", NULL));
  assert_result (read, 0, "\3two");
  assert_result (read, 1, "");
  assert_result (read, 2, TRUE_RESULT);
  assert_result (read, 3, FALSE_RESULT);
  counted = read->pdata[5];
  g_assert_cmpuint (g_bytes_get_size (counted), ==, 9);
  memcpy (&count, (const guint8 *) g_bytes_get_data (counted, NULL) + 1, sizeof count);
  g_assert_cmpint (count, ==, 2);
  g_assert_null (dsq_channel_collect (channel, &length));
  g_assert_false (has_results (channel, 0));
}

/* What comes of a batch is what comes of its operations one by one. */
static void
test_order (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (GPtrArray) first = NULL;
  g_autoptr (GPtrArray) second = NULL;

  first = submit_and_wait (
      channel,
      operations ("gsgsgdgd", "k", "k", "\3one", "k", "k", "\3two", "k", "k", "k", "k", NULL));
  assert_result (first, 0, "");
  assert_result (first, 2, "\3one");
  assert_result (first, 4, "\3two");
  assert_result (first, 5, TRUE_RESULT);
  assert_result (first, 6, "");
  assert_result (first, 7, FALSE_RESULT);
  second =
      submit_and_wait (channel,
                       operations ("sxsgg", "old", "\3one", "new", "\3two", "old", "new", NULL));
  assert_result (second, 3, "");
  assert_result (second, 4, "\3two");
}

static void
test_order_of_batches (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 200; i++)
    {
      g_autofree char *record = g_strdup_printf ("\3%u", i);
      g_autoptr (GBytes) pack = operations ("ss", "k", record, "other", record, NULL);

      g_assert_cmpuint (dsq_channel_submit (channel,
                                            g_bytes_get_data (pack, NULL),
                                            g_bytes_get_size (pack),
                                            &error),
                        >,
                        0);
    }
  /* they are told in any order */
  for (guint n_done = 0; n_done < 200;)
    {
      g_autofree guint8 *pack = NULL;
      gsize length;

      g_assert_true (has_results (channel, 60000));
      pack = dsq_channel_collect (channel, &length);
      n_done += length > 0;
    }
  {
    g_autofree char *last = dsq_store_get_string (self->store, "k", NULL, &error);

    g_assert_cmpstr (last, ==, "199");
  }
}

static void
test_errors (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (GPtrArray) items = NULL;
  g_autoptr (GError) error = NULL;
  const guint8 *result;

  items =
      submit_and_wait (channel, operations ("sss", "a", "\3one", "\377", "\3x", "b", "\3y", NULL));
  assert_result (items, 0, TRUE_RESULT);
  assert_result (items, 2, TRUE_RESULT);
  result = g_bytes_get_data (items->pdata[2], NULL);
  g_assert_cmpuint (g_bytes_get_size (items->pdata[2]), >, 3);
  g_assert_cmpuint (result[0], ==, 0);
  g_assert_cmpuint (result[1], ==, DSQ_ERROR_INVALID_KEY);
  g_assert_cmpuint (result[2], ==, 1);

  for (guint i = 0; i < 4; i++)
    {
      static const char *const kinds[] = { "z", "s", "g", "gg" };
      g_autoptr (GBytes) pack = operations (kinds[i], i == 2 ? NULL : "a", NULL);

      g_assert_cmpuint (dsq_channel_submit (channel,
                                            g_bytes_get_data (pack, NULL),
                                            g_bytes_get_size (pack),
                                            &error),
                        ==,
                        0);
      g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      g_clear_error (&error);
    }
}

static void
test_walk (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (DsqCursor) cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  g_autoptr (GError) error = NULL;
  guint n_walked = 0;
  guint n_batch;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *key = g_strdup_printf ("key %u", i);

      g_assert_true (dsq_store_set (self->store, key, g_variant_new_int64 (i), NULL, &error));
    }
  do
    {
      guint64 ticket = dsq_channel_submit_walk (channel, cursor, 30, TRUE, &error);
      g_autoptr (GPtrArray) items = wait_for_results (channel, ticket);
      g_autoptr (GPtrArray) keys = NULL;
      gsize length;
      const guint8 *result = g_bytes_get_data (items->pdata[1], &length);

      g_assert_cmpuint (result[0], ==, 1);
      keys = unpack (result + 1, length - 1);
      n_batch = keys->len;
      n_walked += n_batch;
    }
  while (n_batch > 0);
  g_assert_cmpuint (n_walked, ==, 100);
}

/* Another one on the file, of which memory keeps one entry, and the warm tier the others. */
static DsqStore *
open_small_store (Fixture *self, DsqPersistMode mode)
{
  g_autoptr (GError) error = NULL;
  DsqStore *store;

  g_assert_true (dsq_store_flush (self->store, NULL, &error));
  store = g_initable_new (DSQ_TYPE_STORE,
                          NULL,
                          &error,
                          "path",
                          self->path,
                          "persist-mode",
                          mode,
                          "separate",
                          TRUE,
                          "hot-capacity",
                          (guint64) 1,
                          NULL);
  g_assert_no_error (error);
  return store;
}

/* A look into memory tells apart what it finds, what it knows to be missing, and what it may not
 * wait for. */
static void
test_peek_string (Fixture *self, gconstpointer data)
{
  DsqPersistMode mode = GPOINTER_TO_INT (data);
  g_autoptr (GError) error = NULL;
  g_autofree char *string = NULL;

  g_assert_true (dsq_store_set_string (self->store, "string", "text", NULL, &error));
  g_assert_true (dsq_store_set (self->store, "number", g_variant_new_int64 (1), NULL, &error));
  string = dsq_store_peek_string (self->store, "string", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (string, ==, "text");
  g_assert_null (dsq_store_peek_string (self->store, "number", &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_WRONG_TYPE);
  g_clear_error (&error);
  if (mode == DSQ_PERSIST_LAZY)
    {
      g_autoptr (DsqStore) small = open_small_store (self, mode);
      g_autofree char *warm = NULL;

      for (guint i = 0; i < 3; i++)
        {
          g_autofree char *got = dsq_store_get_string (small, "string", NULL, &error);
          g_autoptr (GVariant) other = dsq_store_get (small, "number", NULL, &error);

          g_assert_no_error (error);
          g_assert_cmpstr (got, ==, "text");
          g_assert_nonnull (other);
        }
      warm = dsq_store_peek_string (small, "string", &error);
      g_assert_no_error (error);
      g_assert_cmpstr (warm, ==, "text");
      g_assert_true (dsq_store_close (small, NULL, &error));
    }
  dsq_store_remove (self->store, "string", NULL, NULL);
  if (mode != DSQ_PERSIST_WRITETHROUGH)
    {
      g_assert_null (dsq_store_peek_string (self->store, "string", &error));
      g_assert_no_error (error);
    }
  if (mode != DSQ_PERSIST_MEMORY)
    {
      reopen (self, mode);
      g_assert_null (dsq_store_peek_string (self->store, "number", &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK);
      g_clear_error (&error);
    }
  g_assert_true (dsq_store_close (self->store, NULL, NULL));
  g_assert_null (dsq_store_peek_string (self->store, "number", &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

/* Who has a result is the only one to have the channel, and the walk: a language may end then. */
static void
test_alone_with_results (Fixture *self, G_GNUC_UNUSED gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (DsqCursor) cursor = dsq_store_walk (self->store, DSQ_WALK_FORWARD);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (GPtrArray) set = submit_and_wait (channel, operations ("f", NULL));
      g_autoptr (GPtrArray) walked = NULL;

      g_assert_cmpuint (G_OBJECT (channel)->ref_count, ==, 1);
      walked =
          wait_for_results (channel, dsq_channel_submit_walk (channel, cursor, 1, TRUE, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (G_OBJECT (channel)->ref_count, ==, 1);
      g_assert_cmpuint (G_OBJECT (cursor)->ref_count, ==, 1);
    }
}

static void
test_close (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (GPtrArray) items = NULL;
  g_autoptr (GBytes) pack = operations ("g", "a", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) close = operations ("q", NULL);
  guint64 ticket = dsq_channel_submit (channel,
                                       g_bytes_get_data (close, NULL),
                                       g_bytes_get_size (close),
                                       &error);

  g_assert_no_error (error);
  items = wait_for_results (channel, ticket);
  assert_result (items, 0, TRUE_RESULT);
  g_assert_true (dsq_store_is_closed (self->store));
  g_assert_cmpuint (
      dsq_channel_submit (channel, g_bytes_get_data (pack, NULL), g_bytes_get_size (pack), &error),
      ==,
      0);
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

static void
assert_not_submitted (DsqChannel *channel, const void *pack, gsize length, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (dsq_channel_submit (channel, pack, length, &error), ==, 0);
  g_assert_error (error, DSQ_ERROR, code);
}

/* What is no pack of operations is refused before anything is done, and a close is one alone. */
static void
test_no_operations (Fixture *self, gconstpointer data)
{
  g_autoptr (DsqChannel) channel = open_channel (self);
  g_autoptr (DsqChannel) of_nothing = g_object_new (DSQ_TYPE_CHANNEL, NULL);
  const char *kinds[] = { "qq", "x", "gq", "", "q\1" };
  const guint32 nothing = 0;
  const guint32 too_long[] = { 1, 77 };

  assert_not_submitted (channel, "", 0, DSQ_ERROR_INVALID_ARGUMENT);
  assert_not_submitted (channel, &nothing, sizeof nothing, DSQ_ERROR_INVALID_ARGUMENT);
  assert_not_submitted (channel, too_long, sizeof too_long, DSQ_ERROR_INVALID_ARGUMENT);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GBytes) pack = operations (kinds[i], NULL);
      g_autoptr (GError) error = NULL;
      guint64 ticket = dsq_channel_submit (channel,
                                           g_bytes_get_data (pack, NULL),
                                           g_bytes_get_size (pack),
                                           &error);

      if (ticket == 0)
        g_assert_error (error, DSQ_ERROR, DSQ_ERROR_INVALID_ARGUMENT);
      else
        g_ptr_array_unref (wait_for_results (channel, ticket));
    }
  g_assert_false (dsq_store_is_closed (self->store));
}

/* Of a table that is gone each operation says so, and a pack of keys does of the first that is
 * none.
 */
static void
test_gone_table (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DsqStore) table = dsq_store_get_table (self->store, "t", NULL, &error);
  g_autoptr (DsqChannel) channel = dsq_store_open_channel (table, &error);
  g_autoptr (GPtrArray) items = NULL;
  g_autoptr (GBytes) keys = operations ("k", NULL);
  static const guint8 nothing[4];
  gsize length;

  g_assert_no_error (error);
  g_free (dsq_store_peek_pack (table, nothing, sizeof nothing, &length, &error));
  g_assert_no_error (error);
  g_free (dsq_store_peek_pack (table,
                               g_bytes_get_data (keys, NULL),
                               g_bytes_get_size (keys),
                               &length,
                               &error));
  g_assert_no_error (error);
  g_assert_cmpint (dsq_store_drop_table (self->store, "t", NULL, &error), ==, DSQ_ANSWER_YES);
  items = submit_and_wait (channel, operations ("cgs", "k", "k", "k", "\3v", NULL));
  for (guint i = 1; i < items->len; i++)
    g_assert_cmpuint (((const guint8 *) g_bytes_get_data (items->pdata[i], NULL))[0], ==, 0);
  g_assert_true (dsq_store_close (self->store, NULL, &error));
  g_assert_null (dsq_store_peek_pack (table,
                                      g_bytes_get_data (keys, NULL),
                                      g_bytes_get_size (keys),
                                      &length,
                                      &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_null (dsq_store_peek_pack (table, nothing, sizeof nothing, &length, &error));
  g_assert_error (error, DSQ_ERROR, DSQ_ERROR_CLOSED);
}

/* Results that nobody collects are freed with the channel, which may go while they are made. */
static void
test_dropped_while_busy (Fixture *self, gconstpointer data)
{
  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (DsqChannel) channel = open_channel (self);
      g_autoptr (GBytes) pack = operations ("sg", "a", "\3one", "b", NULL);
      g_autoptr (GError) error = NULL;

      g_assert_cmpuint (dsq_channel_submit (channel,
                                            g_bytes_get_data (pack, NULL),
                                            g_bytes_get_size (pack),
                                            &error),
                        >,
                        0);
      g_assert_no_error (error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint mode = DSQ_PERSIST_MEMORY; mode <= DSQ_PERSIST_WRITETHROUGH; mode++)
    {
      add ("channel/operations", mode, test_operations);
      add ("channel/order", mode, test_order);
      add ("channel/order-of-batches", mode, test_order_of_batches);
      add ("channel/errors", mode, test_errors);
      add ("channel/walk", mode, test_walk);
      add ("channel/peek-string", mode, test_peek_string);
      add ("channel/alone-with-results", mode, test_alone_with_results);
      add ("channel/close", mode, test_close);
      add ("channel/dropped-while-busy", mode, test_dropped_while_busy);
      add ("channel/no-operations", mode, test_no_operations);
      add ("channel/gone-table", mode, test_gone_table);
    }
  return g_test_run ();
}

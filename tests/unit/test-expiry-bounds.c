/* test-expiry-bounds.c - what is known of when entries expire
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "engine/dsq-expiry-private.h"
#include "part-support.h"
#include "tiers/dsq-hot-lookup-private.h"

typedef struct
{
  DsqBudget budget;
  DsqShards *shards; /* (owned) */
  DsqExpiry expiry;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  dsq_budget_init (&self->budget, 0);
  self->shards = dsq_shards_new (&self->budget, 10, FALSE, G_MAXUINT64, 0);
  dsq_expiry_init (&self->expiry, self->shards, NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  dsq_expiry_clear (&self->expiry);
  dsq_shards_free (self->shards);
  dsq_budget_clear (&self->budget);
}

/* Stages an entry that expires. */
static void
note_dirty (Fixture *self, const char *text, gint64 expires)
{
  DsqKey key = { (const guint8 *) text, (guint32) strlen (text), 1, g_str_hash (text) };
  DsqEntry *entry = dsq_entry_new (&key, (const guint8 *) "\1", 1, expires);
  DsqShard *shard = &self->shards->all[0];
  guint32 node;

  dsq_shard_lock (shard);
  node = dsq_hot_shard_insert_locked (&self->shards->hot,
                                      &shard->hot,
                                      dsq_entry_as_key (entry).hash,
                                      entry,
                                      TRUE);
  shard->hot.nodes[node].pin = 1;
  dsq_expiry_note_dirty_locked (&self->expiry, shard, entry);
  dsq_shard_unlock (shard);
}

static void
learn (Fixture *self, gint64 swept_until, gint64 in_file)
{
  dsq_expiry_learn (&self->expiry,
                    dsq_expiry_get_n_forgotten (&self->expiry),
                    swept_until,
                    in_file);
}

static void
test_unknown_is_due (Fixture *self, gconstpointer data)
{
  g_assert_true (dsq_expiry_is_due (&self->expiry));
  learn (self, 0, G_MAXINT64);
  g_assert_false (dsq_expiry_is_due (&self->expiry));
  dsq_shards_lock_all (self->shards);
  dsq_expiry_forget_locked (&self->expiry);
  dsq_shards_unlock_all (self->shards);
  g_assert_true (dsq_expiry_is_due (&self->expiry));
  g_assert_cmpint (self->expiry.swept_until, ==, G_MININT64);
}

/* What was found out before others committed is not true any more. */
static void
test_old_news_are_no_news (Fixture *self, gconstpointer data)
{
  guint64 n_forgotten = dsq_expiry_get_n_forgotten (&self->expiry);

  dsq_shards_lock_all (self->shards);
  dsq_expiry_forget_locked (&self->expiry);
  dsq_shards_unlock_all (self->shards);
  dsq_expiry_learn (&self->expiry, n_forgotten, 0, G_MAXINT64);
  g_assert_true (dsq_expiry_is_due (&self->expiry));
}

static void
test_the_soonest_counts (Fixture *self, gconstpointer data)
{
  gint64 now = dsq_expiry_now (&self->expiry);

  learn (self, now, now + 3600 * 1000);
  g_assert_cmpint (self->expiry.next, ==, now + 3600 * 1000);
  note_dirty (self, "soon", now + 60 * 1000);
  g_assert_cmpint (self->expiry.next, ==, now + 60 * 1000);
  note_dirty (self, "late", now + 120 * 1000);
  g_assert_cmpint (self->expiry.next, ==, now + 60 * 1000);
  g_assert_false (dsq_expiry_is_due (&self->expiry));
  /* what is dirty is not forgotten for what the file says */
  learn (self, now, G_MAXINT64);
  g_assert_cmpint (self->expiry.next, ==, now + 60 * 1000);
  *self->expiry.clock_offset = 60 * 1000;
  g_assert_true (dsq_expiry_is_due (&self->expiry));
}

/* One that is over when it is staged may come into a part of the file that is swept already. */
static void
test_the_past_is_swept_again (Fixture *self, gconstpointer data)
{
  gint64 now = dsq_expiry_now (&self->expiry);

  learn (self, now, G_MAXINT64);
  note_dirty (self, "past", now - 1000);
  g_assert_true (dsq_expiry_is_due (&self->expiry));
  g_assert_cmpint (self->expiry.swept_until, ==, now - 1001);
}

static void
test_clock (Fixture *self, gconstpointer data)
{
  const DsqKey key = { (const guint8 *) "key", 3, 1, 1 };
  gint64 now = dsq_expiry_now (&self->expiry);
  g_autoptr (DsqEntry) entry = dsq_entry_new (&key, (const guint8 *) "\1", 1, now + 3600 * 1000);
  DsqExpiry other = { 0 };

  g_assert_cmpint (ABS (now - g_get_real_time () / 1000), <, 60 * 1000);
  g_assert_false (dsq_expiry_is_over (&self->expiry, entry));
  dsq_expiry_init (&other, self->shards, self->expiry.clock_offset);
  *other.clock_offset = 3600 * 1000;
  g_assert_true (dsq_expiry_is_over (&self->expiry, entry));
  g_assert_true (dsq_expiry_is_over (&other, entry));
  dsq_expiry_clear (&other);
}

int
main (int argc, char **argv)
{
  static const PartTest tests[] = {
    PART_TEST ("unknown-is-due", test_unknown_is_due),
    PART_TEST ("old-news-are-no-news", test_old_news_are_no_news),
    PART_TEST ("the-soonest-counts", test_the_soonest_counts),
    PART_TEST ("the-past-is-swept-again", test_the_past_is_swept_again),
    PART_TEST ("clock", test_clock),
  };

  return RUN_PART_TESTS ("expiry-bounds", argc, argv, tests);
}

/* refused-verbs.h - the calls of a store that can fail, each with the answer that it has then
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dictsqlite.h>
#include <string.h>

/* What a call is about. */
typedef struct
{
  DsqStore *store;           /* (unowned) */
  GCancellable *cancellable; /* (unowned) (nullable) */
  const char *key;           /* (unowned) */
  const guint8 *keys;        /* (unowned) a pack of the key */
  const guint8 *entries;     /* (unowned) a pack of the key and a record */
  gsize keys_length;
  gsize entries_length;
} Call;

typedef enum
{
  VERB_READS = 0,
  VERB_WRITES = 1 << 0,
  VERB_CANCELS = 1 << 1, /* takes a cancellable */
  VERB_HAS_KEY = 1 << 2,
  VERB_HAS_PACK = 1 << 3,
  VERB_WHOLE = 1 << 4,     /* is of the store, whatever its table is */
  VERB_ENDS_WELL = 1 << 5, /* has nothing to do where the store is closed */
} VerbFlags;

static const guint8 record[] = { DSQ_VALUE_STRING, 'x' };

#define VERB(name, is_refused)                                                                     \
  static gboolean name (const Call *c, GError **e)                                                 \
  {                                                                                                \
    gsize n = 0;                                                                                   \
    gint64 value = n;                                                                              \
                                                                                                   \
    return (is_refused) && value == 0;                                                             \
  }

#define KEY    (const guint8 *) c->key, strlen (c->key)
#define RECORD record, sizeof record
#define ONE    g_variant_new_int64 (1)

VERB (get, dsq_store_get (c->store, c->key, c->cancellable, e) == NULL)
VERB (set, !dsq_store_set (c->store, c->key, ONE, c->cancellable, e))
VERB (contains, dsq_store_contains (c->store, c->key, c->cancellable, e) == DSQ_ANSWER_NO)
VERB (remove_one, dsq_store_remove (c->store, c->key, c->cancellable, e) == DSQ_ANSWER_NO)
VERB (steal, dsq_store_steal (c->store, c->key, c->cancellable, e) == NULL)
VERB (increment, !dsq_store_increment (c->store, c->key, 1, 0, &value, c->cancellable, e))
VERB (compare_and_set,
      dsq_store_compare_and_set (c->store, c->key, ONE, ONE, c->cancellable, e) == DSQ_ANSWER_NO)
VERB (compare_with_nothing,
      dsq_store_compare_and_set (c->store, c->key, NULL, ONE, c->cancellable, e) == DSQ_ANSWER_NO)
VERB (get_string, dsq_store_get_string (c->store, c->key, c->cancellable, e) == NULL)
VERB (set_string, !dsq_store_set_string (c->store, c->key, "x", c->cancellable, e))
VERB (get_many,
      dsq_store_get_many (c->store, (const char *[]){ c->key, NULL }, c->cancellable, e) == NULL)
VERB (set_many,
      !dsq_store_set_many (c->store, g_variant_new_parsed ("{%s: <1>}", c->key), c->cancellable, e))
VERB (apply,
      dsq_store_apply (c->store,
                       NULL,
                       g_variant_new_parsed ("{%s: @mv <1>}", c->key),
                       c->cancellable,
                       e) == DSQ_ANSWER_NO)
VERB (clear, !dsq_store_clear (c->store, c->cancellable, e))
VERB (count, dsq_store_count (c->store, c->cancellable, e) == -1)
VERB (get_table, dsq_store_get_table (c->store, "another", c->cancellable, e) == NULL)
VERB (list_tables, dsq_store_list_tables (c->store, c->cancellable, e) == NULL)
VERB (drop_table, dsq_store_drop_table (c->store, "kept", c->cancellable, e) == DSQ_ANSWER_NO)
VERB (set_expiring, !dsq_store_set_expiring (c->store, c->key, ONE, 9999, c->cancellable, e))
VERB (touch, dsq_store_touch (c->store, c->key, 9999, c->cancellable, e) == DSQ_ANSWER_NO)
VERB (get_expiry, dsq_store_get_expiry (c->store, c->key, c->cancellable, e) == -1)
VERB (expire, dsq_store_expire (c->store, c->cancellable, e) == -1)
VERB (list_keys, dsq_store_list_keys (c->store, "", NULL, 10, c->cancellable, e) == NULL)
VERB (flush, !dsq_store_flush (c->store, c->cancellable, e))
VERB (check, dsq_store_check (c->store, c->cancellable, e) == NULL)
VERB (get_record, dsq_store_get_record (c->store, KEY, &n, e) == NULL)
VERB (set_record, !dsq_store_set_record (c->store, KEY, RECORD, e))
VERB (contains_key, dsq_store_contains_key (c->store, KEY, e) == DSQ_ANSWER_NO)
VERB (remove_key, dsq_store_remove_key (c->store, KEY, e) == DSQ_ANSWER_NO)
VERB (get_last_pack, dsq_store_get_last_pack (c->store, &n, e) == NULL)
VERB (increment_key, !dsq_store_increment_key (c->store, KEY, 1, 0, &value, e))
VERB (compare_and_set_record,
      dsq_store_compare_and_set_record (c->store, KEY, RECORD, RECORD, FALSE, e) == DSQ_ANSWER_NO)
VERB (set_expiring_record, !dsq_store_set_expiring_record (c->store, KEY, RECORD, 9999, e))
VERB (touch_key, dsq_store_touch_key (c->store, KEY, 9999, e) == DSQ_ANSWER_NO)
VERB (get_expiry_key, dsq_store_get_expiry_key (c->store, KEY, e) == -1)
VERB (get_text, dsq_store_get_text (c->store, c->key, &n, e) == NULL)
VERB (get_stamped_text, dsq_store_get_stamped_text (c->store, c->key, &n, e) == NULL)
VERB (contains_text, dsq_store_contains_text (c->store, c->key, e) == DSQ_ANSWER_NO)
VERB (remove_text, dsq_store_remove_text (c->store, c->key, e) == DSQ_ANSWER_NO)
VERB (get_pack, dsq_store_get_pack (c->store, c->keys, c->keys_length, &n, e) == NULL)
VERB (set_pack, !dsq_store_set_pack (c->store, c->entries, c->entries_length, e))
VERB (apply_pack,
      dsq_store_apply_pack (c->store, NULL, 0, c->entries, c->entries_length, FALSE, NULL, 0, e) ==
          DSQ_ANSWER_NO)
VERB (expect_pack,
      dsq_store_apply_pack (c->store, c->entries, c->entries_length, NULL, 0, FALSE, NULL, 0, e) ==
          DSQ_ANSWER_NO)
VERB (list_keys_pack, dsq_store_list_keys_pack (c->store, KEY, NULL, 0, 10, FALSE, &n, e) == NULL)
VERB (walk_pack, dsq_store_walk_pack (c->store, FALSE, e) == NULL)
VERB (get_table_utf8, dsq_store_get_table_utf8 (c->store, KEY, e) == NULL)
VERB (drop_table_utf8, dsq_store_drop_table_utf8 (c->store, KEY, e) == DSQ_ANSWER_NO)
VERB (list_tables_pack, dsq_store_list_tables_pack (c->store, &n, e) == NULL)
VERB (begin, dsq_store_begin (c->store, e) == NULL)

typedef struct
{
  const char *name;
  gboolean (*is_refused) (const Call *call, GError **error);
  VerbFlags flags;
} Verb;

#define CHANGES_KEY (VERB_WRITES | VERB_CANCELS | VERB_HAS_KEY)

static const Verb verbs[] = {
  { "get", get, VERB_CANCELS | VERB_HAS_KEY },
  { "set", set, CHANGES_KEY },
  { "contains", contains, VERB_CANCELS | VERB_HAS_KEY },
  { "remove", remove_one, CHANGES_KEY },
  { "steal", steal, CHANGES_KEY },
  { "increment", increment, CHANGES_KEY },
  { "compare-and-set", compare_and_set, CHANGES_KEY },
  { "compare-with-nothing", compare_with_nothing, CHANGES_KEY },
  { "get-string", get_string, VERB_CANCELS | VERB_HAS_KEY },
  { "set-string", set_string, CHANGES_KEY },
  { "get-many", get_many, VERB_CANCELS | VERB_HAS_KEY },
  { "set-many", set_many, CHANGES_KEY },
  { "apply", apply, CHANGES_KEY },
  { "clear", clear, VERB_WRITES | VERB_CANCELS },
  { "count", count, VERB_CANCELS },
  { "get-table", get_table, VERB_WHOLE | VERB_CANCELS },
  { "list-tables", list_tables, VERB_WHOLE | VERB_CANCELS },
  { "drop-table", drop_table, VERB_WHOLE | VERB_WRITES | VERB_CANCELS },
  { "set-expiring", set_expiring, CHANGES_KEY },
  { "touch", touch, CHANGES_KEY },
  { "get-expiry", get_expiry, VERB_CANCELS | VERB_HAS_KEY },
  { "expire", expire, VERB_WHOLE | VERB_WRITES | VERB_CANCELS },
  { "list-keys", list_keys, VERB_CANCELS },
  { "flush", flush, VERB_WHOLE | VERB_CANCELS | VERB_ENDS_WELL },
  { "check", check, VERB_WHOLE | VERB_CANCELS },
  { "get-record", get_record, VERB_HAS_KEY },
  { "set-record", set_record, VERB_WRITES | VERB_HAS_KEY },
  { "contains-key", contains_key, VERB_HAS_KEY },
  { "remove-key", remove_key, VERB_WRITES | VERB_HAS_KEY },
  { "get-last-pack", get_last_pack, VERB_READS },
  { "increment-key", increment_key, VERB_WRITES | VERB_HAS_KEY },
  { "compare-and-set-record", compare_and_set_record, VERB_WRITES | VERB_HAS_KEY },
  { "set-expiring-record", set_expiring_record, VERB_WRITES | VERB_HAS_KEY },
  { "touch-key", touch_key, VERB_WRITES | VERB_HAS_KEY },
  { "get-expiry-key", get_expiry_key, VERB_HAS_KEY },
  { "get-text", get_text, VERB_HAS_KEY },
  { "get-stamped-text", get_stamped_text, VERB_HAS_KEY },
  { "contains-text", contains_text, VERB_HAS_KEY },
  { "remove-text", remove_text, VERB_WRITES | VERB_HAS_KEY },
  { "get-pack", get_pack, VERB_HAS_KEY | VERB_HAS_PACK },
  { "set-pack", set_pack, VERB_WRITES | VERB_HAS_KEY | VERB_HAS_PACK },
  { "apply-pack", apply_pack, VERB_WRITES | VERB_HAS_KEY | VERB_HAS_PACK },
  { "expect-pack", expect_pack, VERB_WRITES | VERB_HAS_KEY | VERB_HAS_PACK },
  { "list-keys-pack", list_keys_pack, VERB_READS },
  { "walk-pack", walk_pack, VERB_READS },
  { "get-table-utf8", get_table_utf8, VERB_WHOLE },
  { "drop-table-utf8", drop_table_utf8, VERB_WHOLE | VERB_WRITES },
  { "list-tables-pack", list_tables_pack, VERB_WHOLE },
  { "begin", begin, VERB_READS },
};

/* dsq-pickle-notes.c - the imports and calls of a pickle, each kind once
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <string.h>

#include "codec/dsq-bytes-private.h"
#include "codec/dsq-hash-private.h"
#include "pickle/dsq-pickle-calls-private.h"
#include "pickle/dsq-pickle-notes-private.h"

static const char too_many[] = "it imports and calls too many different things";

/* Under a key of this process: nobody can choose names that collide. */
static guint
import_hash (gconstpointer data)
{
  const DsqPickleImport *import = data;
  guint module = (guint) dsq_hash (0, import->module.bytes, import->module.length);

  return (guint) dsq_hash (module, import->name.bytes, import->name.length);
}

static gboolean
import_equal (gconstpointer a, gconstpointer b)
{
  const DsqPickleImport *one = a;
  const DsqPickleImport *other = b;

  return dsq_pickle_names_equal (one->module, other->module) &&
         dsq_pickle_names_equal (one->name, other->name);
}

static guint
call_hash (gconstpointer data)
{
  const DsqPickleCall *call = data;
  guint8 bytes[17 + DSQ_PICKLE_SIG_LENGTH] = { (guint8) call->op };

  dsq_bytes_store_u32 (bytes + 1, call->import);
  dsq_bytes_store_u32 (bytes + 5, call->base);
  dsq_bytes_store_u32 (bytes + 9, call->n_arguments);
  dsq_bytes_store_u32 (bytes + 13, call->rest);
  memcpy (bytes + 17, call->signature, sizeof call->signature);
  return (guint) dsq_hash (
      call->member.length == 0 ? 0 : (guint) dsq_hash (0, call->member.bytes, call->member.length),
      bytes,
      sizeof bytes);
}

static gboolean
call_equal (gconstpointer a, gconstpointer b)
{
  const DsqPickleCall *one = a;
  const DsqPickleCall *other = b;

  return one->op == other->op && one->import == other->import && one->base == other->base &&
         one->n_arguments == other->n_arguments && one->rest == other->rest &&
         memcmp (one->signature, other->signature, sizeof one->signature) == 0 &&
         dsq_pickle_names_equal (one->member, other->member);
}

static void
call_free (gpointer data)
{
  DsqPickleCall *call = data;

  g_clear_pointer (&call->names, g_array_unref);
  g_free (call);
}

DsqPickleCalls *
dsq_pickle_calls_of (DsqPickleMachine *self)
{
  if (self->calls == NULL)
    {
      self->calls = g_new0 (DsqPickleCalls, 1);
      self->calls->imports = g_ptr_array_new_with_free_func (g_free);
      self->calls->calls = g_ptr_array_new_with_free_func (call_free);
      self->calls->strings = g_ptr_array_new_with_free_func (g_free);
      self->calls->import_set = g_hash_table_new (import_hash, import_equal);
      self->calls->call_set = g_hash_table_new (call_hash, call_equal);
    }
  return self->calls;
}

void
dsq_pickle_calls_free (DsqPickleCalls *calls)
{
  g_hash_table_unref (calls->import_set);
  g_hash_table_unref (calls->call_set);
  g_ptr_array_unref (calls->imports);
  g_ptr_array_unref (calls->calls);
  g_ptr_array_unref (calls->strings);
  g_free (calls);
}

/* The index of what equals @item in @set, which gets a copy of it if there is none. */
static gboolean
intern (DsqPickleMachine *self,
        GHashTable *set,
        GPtrArray *array,
        gconstpointer item,
        gsize size,
        guint32 *out)
{
  gpointer found;
  gpointer added;

  if (g_hash_table_lookup_extended (set, item, NULL, &found))
    {
      *out = GPOINTER_TO_UINT (found);
      return TRUE;
    }
  if (array->len == DSQ_PICKLE_MAX_NAMES)
    return dsq_pickle_fail (self, too_many);
  added = g_memdup2 (item, size);
  *out = array->len;
  g_ptr_array_add (array, added);
  g_hash_table_insert (set, added, GUINT_TO_POINTER (*out));
  return TRUE;
}

gboolean
dsq_pickle_note_import (DsqPickleMachine *self, const DsqPickleImport *import, guint32 *out)
{
  DsqPickleCalls *calls = dsq_pickle_calls_of (self);

  return intern (self, calls->import_set, calls->imports, import, sizeof *import, out);
}

gboolean
dsq_pickle_note_call (DsqPickleMachine *self, const DsqPickleCall *call, guint32 *out)
{
  return intern (self, self->calls->call_set, self->calls->calls, call, sizeof *call, out);
}

void
dsq_pickle_note_name (DsqPickleCall *call, DsqPickleName name)
{
  if (call->names == NULL)
    call->names = g_array_new (FALSE, FALSE, sizeof name);
  for (guint i = 0; i < call->names->len; i++)
    if (dsq_pickle_names_equal (g_array_index (call->names, DsqPickleName, i), name))
      return;
  if (call->names->len == DSQ_PICKLE_MAX_STATE)
    call->flags |= DSQ_PICKLE_CALL_UNNAMED;
  else
    g_array_append_val (call->names, name);
}

DsqPickleName
dsq_pickle_own_name (DsqPickleMachine *self, char *text)
{
  g_ptr_array_add (self->calls->strings, text);
  return (DsqPickleName){ (const guint8 *) text, (guint32) strlen (text) };
}

void
dsq_pickle_use (DsqPickleMachine *self, DsqPickleValue value)
{
  if (value.kind == DSQ_PICKLE_GLOBAL)
    dsq_pickle_import_at (self, value.index)->uses |= DSQ_PICKLE_USED_AS_VALUE;
  else if (value.kind == DSQ_PICKLE_MEMBER)
    dsq_pickle_call_at (self, value.index)->flags |= DSQ_PICKLE_CALL_IS_VALUE;
}

gboolean
dsq_pickle_fail_with (DsqPickleMachine *self, DsqPickleValue value, const char *fault)
{
  if (value.kind == DSQ_PICKLE_GLOBAL)
    self->fault_import = 1 + value.index;
  else if (value.kind == DSQ_PICKLE_MEMBER)
    self->fault_import = 1 + dsq_pickle_call_at (self, value.index)->import;
  else if (value.kind == DSQ_PICKLE_INSTANCE)
    self->fault_import = 1 + dsq_pickle_call_at (self, self->nodes.at[value.index].items)->import;
  return dsq_pickle_fail (self, fault);
}

char *
dsq_pickle_fault_name (DsqPickleMachine *self)
{
  const DsqPickleImport *import;

  if (self->fault_import == 0)
    return NULL;
  import = dsq_pickle_import_at (self, self->fault_import - 1);
  return g_strdup_printf ("%.*s:%.*s",
                          (int) import->module.length,
                          (const char *) import->module.bytes,
                          (int) import->name.length,
                          (const char *) import->name.bytes);
}

gboolean
dsq_pickle_note_fill (DsqPickleMachine *self, guint32 index, DsqPickleKind kind)
{
  const DsqPickleNode *node = &self->nodes.at[index];

  /* its state may have given it another append() */
  if ((node->flags & DSQ_PICKLE_NODE_BUILT) != 0)
    return dsq_pickle_fail_with (self,
                                 (DsqPickleValue){ .kind = DSQ_PICKLE_INSTANCE, .index = index },
                                 "it adds items to an instance that has its state");
  dsq_pickle_call_at (self, node->items)->flags |= kind == DSQ_PICKLE_LIST   ? DSQ_PICKLE_CALL_LIST
                                                   : kind == DSQ_PICKLE_DICT ? DSQ_PICKLE_CALL_DICT
                                                                             : DSQ_PICKLE_CALL_SET;
  return TRUE;
}

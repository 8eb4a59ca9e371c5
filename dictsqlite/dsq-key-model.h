/* dsq-key-model.h - a store's entries as a list, for views
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dsq-types.h>

G_BEGIN_DECLS

#define DSQ_TYPE_ITEM (dsq_item_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqItem, dsq_item, DSQ, ITEM, GObject)

#define DSQ_TYPE_KEY_MODEL (dsq_key_model_get_type ())

DSQ_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (DsqKeyModel, dsq_key_model, DSQ, KEY_MODEL, GObject)

DSQ_AVAILABLE_IN_1_0 DsqKeyModel *
dsq_key_model_new (DsqStore *store, const char *prefix, gboolean by_key, GError **error);

G_END_DECLS
